//! Typed ids: a customer cannot be mistaken for a case.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::stream::StreamName;

/// The text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is a UUID such as 6f1c0a52-6a8e-4f1c-9d54-0d8c2f9a7e11")]
pub struct IdError;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident: $category:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The category of the streams these ids name.
            pub const CATEGORY: &'static str = $category;

            /// The stream that holds what is known about it.
            pub fn stream(self) -> StreamName {
                StreamName::of(Self::CATEGORY, self.0)
            }

            /// The id whose stream this is.
            pub fn of_stream(stream: &StreamName) -> Option<Self> {
                stream.id_in(Self::CATEGORY).map(Self)
            }
        }

        /// The name of its stream: `category-uuid`.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}-{}", $category, self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            /// Takes the bare id, or the stream's name as people copy it: `category-uuid`.
            fn from_str(text: &str) -> Result<Self, IdError> {
                let bare = text.strip_prefix(concat!($category, "-")).unwrap_or(text);
                Uuid::try_parse(bare).map(Self).map_err(|_| IdError)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        /// In GraphQL an `ID`, written as the stream's name: `category-uuid`. Read in either form.
        #[cfg(feature = "graphql")]
        impl async_graphql::InputType for $name {
            type RawValueType = Self;

            fn type_name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed("ID")
            }

            fn create_type_info(registry: &mut async_graphql::registry::Registry) -> String {
                <async_graphql::ID as async_graphql::InputType>::create_type_info(registry)
            }

            fn parse(
                value: Option<async_graphql::Value>,
            ) -> async_graphql::InputValueResult<Self> {
                match value.unwrap_or_default() {
                    async_graphql::Value::String(text) => {
                        text.parse().map_err(async_graphql::InputValueError::custom)
                    }
                    other => Err(async_graphql::InputValueError::expected_type(other)),
                }
            }

            fn to_value(&self) -> async_graphql::Value {
                async_graphql::Value::String(self.to_string())
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }
        }

        #[cfg(feature = "graphql")]
        impl async_graphql::OutputType for $name {
            fn type_name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed("ID")
            }

            fn create_type_info(registry: &mut async_graphql::registry::Registry) -> String {
                <async_graphql::ID as async_graphql::OutputType>::create_type_info(registry)
            }

            async fn resolve(
                &self,
                _: &async_graphql::ContextSelectionSet<'_>,
                _: &async_graphql::Positioned<async_graphql::parser::types::Field>,
            ) -> async_graphql::ServerResult<async_graphql::Value> {
                Ok(async_graphql::InputType::to_value(self))
            }
        }
    )*};
}

ids! {
    /// A customer: a person, a household or an organisation.
    CustomerId: "customer";
    /// A case: a question, a request, a problem or a complaint. It lives in its customer's stream.
    CaseId: "case";
    /// A place or moment at which customers meet the organisation.
    TouchpointId: "touchpoint";
    /// A questionnaire.
    InstrumentId: "instrument";
    /// One interaction. It lives in its customer's stream.
    InteractionId: "interaction";
    /// One answered questionnaire. It lives in its customer's stream.
    ResponseId: "response";
    /// One purchase. It lives in its customer's stream.
    OrderId: "order";
    /// One run of the importer.
    ImportId: "import";
    /// A division of the organisation.
    DivisionId: "division";
    /// A person who works for the organisation.
    AgentId: "agent";
}

/// The ledger's name space for derived ids.
pub const NAMESPACE: Uuid = Uuid::from_u128(0x6f1c_0a52_6a8e_5f1c_9d54_0d8c_2f9a_7e11);

/// An id that follows from its parts alone: the same parts give the same id for ever (UUIDv5 over
/// the parts, each preceded by its length). A fact's event id is `derived_id(&["event", system, id])`.
pub fn derived_id(parts: &[&str]) -> Uuid {
    let mut name = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    for part in parts {
        name.extend_from_slice(&(part.len() as u32).to_be_bytes());
        name.extend_from_slice(part.as_bytes());
    }
    Uuid::new_v5(&NAMESPACE, &name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_bare_or_as_a_stream_name() {
        let id = CustomerId(Uuid::from_u128(3));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.stream().as_str().parse(), Ok(id));
        assert_eq!("case-1".parse::<CustomerId>(), Err(IdError));
        assert_eq!(CustomerId::of_stream(&id.stream()), Some(id));
        assert_eq!(CaseId::of_stream(&id.stream()), None);
    }

    #[test]
    fn derived_ids_keep_their_parts_apart() {
        assert_eq!(derived_id(&["a", "b"]), derived_id(&["a", "b"]));
        assert_ne!(derived_id(&["ab", "c"]), derived_id(&["a", "bc"]));
    }
}
