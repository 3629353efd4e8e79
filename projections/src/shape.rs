//! The shape of a row type, as its rows show it: names, order and types of fields.
//!
//! Rows of an older generation may be served while the new one is made, if their shape is the same.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Serialize, ser};
use sha2::{Digest, Sha256};

use crate::engine::generation::hex;

/// What was seen of a row type.
#[derive(Default)]
pub(crate) struct Shape {
    seen: BTreeSet<String>,
}

impl Shape {
    /// Looks at one row.
    pub fn see<R: Serialize>(&mut self, row: &R) {
        let _ = row.serialize(Look { seen: &mut self.seen, path: String::new() });
    }

    /// Names the shape.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for line in &self.seen {
            hash.update(line.as_bytes());
            hash.update(b"\n");
        }
        hex(&hash.finalize()[..16])
    }
}

/// One place in a row.
struct Look<'a> {
    seen: &'a mut BTreeSet<String>,
    path: String,
}

/// Several places in a row, one after the other.
struct LookInto<'a> {
    seen: &'a mut BTreeSet<String>,
    path: String,
    place: usize,
}

/// Looking cannot fail, but a row's own code may.
#[derive(Debug)]
struct Never;

impl fmt::Display for Never {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row could not be looked at")
    }
}

impl std::error::Error for Never {}

impl ser::Error for Never {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

#[allow(clippy::unnecessary_wraps)] // serde wants results
impl<'a> Look<'a> {
    fn note(self, kind: &str) -> Result<(), Never> {
        self.seen.insert(format!("{}:{kind}", self.path));
        Ok(())
    }

    fn into(self, kind: &str) -> Result<LookInto<'a>, Never> {
        self.seen.insert(format!("{}:{kind}", self.path));
        Ok(LookInto { seen: self.seen, path: self.path, place: 0 })
    }

    fn under(self, kind: &str, value: &(impl Serialize + ?Sized)) -> Result<(), Never> {
        self.seen.insert(format!("{}:{kind}", self.path));
        let path = format!("{}/{kind}", self.path);
        value.serialize(Look { seen: self.seen, path })
    }
}

impl LookInto<'_> {
    fn at(&mut self, name: &str, value: &(impl Serialize + ?Sized)) -> Result<(), Never> {
        let path = format!("{}/{name}", self.path);
        value.serialize(Look { seen: self.seen, path })
    }

    fn next(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Never> {
        self.place += 1;
        self.at(&(self.place - 1).to_string(), value)
    }
}

macro_rules! plain {
    ($($method:ident: $type:ty,)*) => {
        $(fn $method(self, _: $type) -> Result<(), Never> {
            self.note(stringify!($type))
        })*
    };
}

impl<'a> ser::Serializer for Look<'a> {
    type Ok = ();
    type Error = Never;
    type SerializeSeq = LookInto<'a>;
    type SerializeTuple = LookInto<'a>;
    type SerializeTupleStruct = LookInto<'a>;
    type SerializeTupleVariant = LookInto<'a>;
    type SerializeMap = LookInto<'a>;
    type SerializeStruct = LookInto<'a>;
    type SerializeStructVariant = LookInto<'a>;

    plain! {
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_i128: i128,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_u128: u128,
        serialize_f32: f32,
        serialize_f64: f64,
        serialize_char: char,
        serialize_str: &str,
        serialize_bytes: &[u8],
        serialize_unit_struct: &'static str,
    }

    fn serialize_none(self) -> Result<(), Never> {
        self.note("option")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Never> {
        self.under("option", value)
    }

    fn serialize_unit(self) -> Result<(), Never> {
        self.note("unit")
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        place: u32,
        name: &'static str,
    ) -> Result<(), Never> {
        self.note(&format!("{place}={name}"))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Never> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        place: u32,
        name: &'static str,
        value: &T,
    ) -> Result<(), Never> {
        self.under(&format!("{place}={name}"), value)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<LookInto<'a>, Never> {
        self.into("list")
    }

    fn serialize_tuple(self, _: usize) -> Result<LookInto<'a>, Never> {
        self.into("tuple")
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<LookInto<'a>, Never> {
        self.into("tuple")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        place: u32,
        name: &'static str,
        _: usize,
    ) -> Result<LookInto<'a>, Never> {
        self.into(&format!("{place}={name}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<LookInto<'a>, Never> {
        self.into("map")
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<LookInto<'a>, Never> {
        self.into("struct")
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        place: u32,
        name: &'static str,
        _: usize,
    ) -> Result<LookInto<'a>, Never> {
        self.into(&format!("{place}={name}"))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

impl ser::SerializeSeq for LookInto<'_> {
    type Ok = ();
    type Error = Never;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
        self.at("each", value)
    }

    fn end(self) -> Result<(), Never> {
        Ok(())
    }
}

impl ser::SerializeMap for LookInto<'_> {
    type Ok = ();
    type Error = Never;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Never> {
        self.at("key", key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
        self.at("value", value)
    }

    fn end(self) -> Result<(), Never> {
        Ok(())
    }
}

macro_rules! in_order {
    ($($trait:ident $method:ident;)*) => {$(
        impl ser::$trait for LookInto<'_> {
            type Ok = ();
            type Error = Never;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
                self.next(value)
            }

            fn end(self) -> Result<(), Never> {
                Ok(())
            }
        }
    )*};
}

in_order! {
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

macro_rules! by_name {
    ($($trait:ident)*) => {$(
        impl ser::$trait for LookInto<'_> {
            type Ok = ();
            type Error = Never;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Never> {
                self.place += 1;
                let name = format!("{}={name}", self.place - 1);
                self.at(&name, value)
            }

            fn end(self) -> Result<(), Never> {
                Ok(())
            }
        }
    )*};
}

by_name! { SerializeStruct SerializeStructVariant }

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(row: &impl Serialize) -> String {
        let mut shape = Shape::default();
        shape.see(row);
        shape.fingerprint()
    }

    #[test]
    fn a_renamed_moved_or_retyped_field_is_another_shape() {
        #[derive(Serialize)]
        struct A {
            n: u32,
            list: Vec<Option<u8>>,
        }
        #[derive(Serialize)]
        struct Renamed {
            m: u32,
            list: Vec<Option<u8>>,
        }
        #[derive(Serialize)]
        struct Retyped {
            n: i32,
            list: Vec<Option<u8>>,
        }
        #[derive(Serialize)]
        struct Moved {
            list: Vec<Option<u8>>,
            n: u32,
        }
        let list = || vec![Some(1), None];
        let a = shape(&A { n: 1, list: list() });
        assert_eq!(a, shape(&A { n: 7, list: vec![None, Some(9), Some(3)] }));
        assert_ne!(a, shape(&Renamed { m: 1, list: list() }));
        assert_ne!(a, shape(&Retyped { n: 1, list: list() }));
        assert_ne!(a, shape(&Moved { n: 1, list: list() }));
    }
}
