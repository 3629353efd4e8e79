//! What is wrong with a body, in words of ours: nothing that stood in the body is in them.
//!
//! The messages of `serde_json` quote what was read. This reads a body that was refused once more,
//! with an error that has no room for a value: it keeps only what the types themselves say.

use std::cell::Cell;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, Expected, IntoDeserializer, MapAccess,
    Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::map::Iter;
use serde_json::{Map, Value};

/// Why a body is not one of a type.
pub(super) fn reason<T: DeserializeOwned>(body: &Value) -> String {
    let field = Cell::new(None);
    let fault = T::deserialize(Read { value: body, field: Some(&field) }).err();
    let of = field.get().map_or_else(|| "a value".into(), |name| format!("the value of {name}"));
    match fault.unwrap_or(Fault::Form) {
        Fault::Lacks(name) => format!("the data lacks the field {name}"),
        Fault::UnknownField(known) => {
            let known = list(known);
            format!("the data has a field that this type does not have; there are {known}")
        }
        Fault::UnknownVariant(known) => format!("{of} is none of its list: {}", list(known)),
        Fault::Type(expected) => {
            format!("{of} does not have the right type: expected {expected}")
        }
        Fault::Form => format!("{of} does not have the form that this type asks for"),
    }
}

fn list(names: &[&str]) -> String {
    match names {
        [] => "none".into(),
        names => format!("`{}`", names.join("`, `")),
    }
}

/// What a type says of a body that is none of its own.
#[derive(Debug, thiserror::Error)]
#[error("the body is none of its type")]
enum Fault {
    Lacks(&'static str),
    UnknownField(&'static [&'static str]),
    UnknownVariant(&'static [&'static str]),
    /// What was expected, as the type words it.
    Type(String),
    Form,
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Form
    }
    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::Type(expected.to_string())
    }
    fn unknown_variant(_: &str, known: &'static [&'static str]) -> Self {
        Self::UnknownVariant(known)
    }
    fn unknown_field(_: &str, known: &'static [&'static str]) -> Self {
        Self::UnknownField(known)
    }
    fn missing_field(name: &'static str) -> Self {
        Self::Lacks(name)
    }
}

/// A value that is read; the outermost object notes which of its fields is being read.
#[derive(Clone, Copy)]
struct Read<'a> {
    value: &'a Value,
    field: Option<&'a Cell<Option<&'a str>>>,
}

impl<'a> Read<'a> {
    fn inner(value: &'a Value) -> Self {
        Self { value, field: None }
    }
}

impl<'de> IntoDeserializer<'de, Fault> for Read<'de> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Read<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(yes) => visitor.visit_bool(*yes),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => {
                visitor.visit_seq(SeqDeserializer::new(items.iter().map(Self::inner)))
            }
            Value::Object(fields) => visitor.visit_map(Fields::new(fields, self.field)),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (_, Some(number)) => visitor.visit_i64(number),
                _ => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.value {
            Value::String(text) => visitor.visit_enum(StrDeserializer::new(text)),
            Value::Object(fields) => {
                visitor.visit_enum(MapAccessDeserializer::new(Fields::new(fields, None)))
            }
            _ => Err(Fault::Form),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The fields of an object, one by one.
struct Fields<'a> {
    rest: Iter<'a>,
    now: Option<(&'a str, &'a Value)>,
    field: Option<&'a Cell<Option<&'a str>>>,
}

impl<'a> Fields<'a> {
    fn new(fields: &'a Map<String, Value>, field: Option<&'a Cell<Option<&'a str>>>) -> Self {
        Self { rest: fields.iter(), now: None, field }
    }

    fn note(&self, name: Option<&'a str>) {
        if let Some(field) = self.field {
            field.set(name);
        }
    }
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some((name, value)) = self.rest.next() else { return Ok(None) };
        self.now = Some((name, value));
        seed.deserialize(StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let (name, value) = self.now.take().ok_or(Fault::Form)?;
        // Only a name that the type has taken is noted: anything could stand in another's place.
        self.note(Some(name));
        let read = seed.deserialize(Read::inner(value))?;
        self.note(None);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use cx_model::event::{CaseOpened, InteractionRecorded};
    use serde_json::json;

    use super::*;

    fn visit() -> Value {
        json!({
            "interaction": "6f1c0a52-6a8e-4f1c-9d54-0d8c2f9a7e11", "kind": "call",
            "channel": "phone", "direction": "in", "initiator": "customer",
        })
    }

    /// Texts that look like the end of a message, with a name in them.
    const SLY: [&str; 4] = [
        "Ada expected Lovelace",
        "`, expected one of `Lovelace`",
        "missing field `Lovelace`, expected Lovelace at line 1 column 2",
        "Lovelace`, there are no fields",
    ];

    #[test]
    fn nothing_of_a_value_or_an_unknown_name_is_in_a_reason() {
        for sly in SLY {
            let refused = |change: &dyn Fn(&mut Value)| {
                let mut body = visit();
                change(&mut body);
                let reason = reason::<InteractionRecorded>(&body);
                assert!(!reason.contains("Ada") && !reason.contains("Lovelace"), "{reason}");
                reason
            };
            let said = refused(&|body| body["durationSeconds"] = sly.into());
            assert!(said.starts_with("the value of durationSeconds does not have the right type"));
            let said = refused(&|body| body["channel"] = sly.into());
            assert!(said.starts_with("the value of channel is none of its list: `"), "{said}");
            assert!(said.contains("`phone`"), "{said}");
            let said = refused(&|body| body["channel"] = json!({ sly: sly }));
            assert!(said.starts_with("the value of channel"), "{said}");
            let said = refused(&|body| body[sly] = sly.into());
            assert!(said.starts_with("the data has a field that this type does not have; there"));
            assert!(said.contains("`channel`"), "{said}");
            let said = refused(&|body| body["interaction"] = sly.into());
            assert!(said.starts_with("the value of interaction"), "{said}");
        }
    }

    #[test]
    fn a_missing_field_is_named() {
        let mut body = visit();
        body.as_object_mut().unwrap().remove("channel");
        assert_eq!(reason::<InteractionRecorded>(&body), "the data lacks the field channel");
        assert!(reason::<CaseOpened>(&json!({})).starts_with("the data lacks the field "));
    }
}
