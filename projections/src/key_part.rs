//! Parts of keys as the list of views names them: each can be written as text and read back.

use cx_model::{Month, StreamName};
use uuid::Uuid;

use crate::key::{Desc, Key};
use crate::views::Cell;

/// The id of nobody and nothing, in examples.
pub const NOBODY: Uuid = Uuid::from_u128(0x6f1c_0a52_6a8e_4f1c_9d54_0d8c_2f9a_7e11);

/// A part of a key that can be written as text. All that may stand in the list of views are here.
pub trait KeyPart: Key {
    /// The part that a text names.
    fn of_text(text: &str) -> Option<Self>;

    /// The part as text.
    fn text(&self) -> String;

    /// Some part of this type, for helps.
    fn example() -> Self;

    /// The stream that it names, if it is an id.
    fn stream(&self) -> Option<StreamName> {
        None
    }
}

macro_rules! key_parts {
    (
        ids { $($id:ident)* }
        closed_lists { $($list:ident)* }
        values { $($value:ident from $home:path, such as $example:literal;)* }
        plain { $($plain:ident, such as $plain_example:literal;)* }
    ) => {
        /// The types of which the list of views makes keys, for whoever expands it.
        pub mod parts {
            pub use crate::key::Desc;
            pub use crate::views::Cell;
            pub use cx_model::{$($id,)* $($list,)*};
            $(pub use $home;)*
        }

        $(impl KeyPart for cx_model::$id {
            fn of_text(text: &str) -> Option<Self> {
                text.parse().ok()
            }

            fn text(&self) -> String {
                self.to_string()
            }

            fn example() -> Self {
                Self(NOBODY)
            }

            fn stream(&self) -> Option<StreamName> {
                Some((*self).stream())
            }
        })*

        $(impl KeyPart for cx_model::$list {
            fn of_text(text: &str) -> Option<Self> {
                Self::from_text(text)
            }

            fn text(&self) -> String {
                self.to_string()
            }

            fn example() -> Self {
                Self::ALL[0]
            }
        })*

        key_parts! { @written $(parts::$value = $example;)* $($plain = $plain_example;)* }

        #[cfg(test)]
        mod tests {
            use super::*;

            fn reads_back<P: KeyPart>() {
                let example = P::example();
                assert_eq!(P::of_text(&example.text()).as_ref(), Some(&example), "{example:?}");
                assert_eq!(P::from_bytes(&example.to_bytes()).as_ref(), Ok(&example));
            }

            #[test]
            fn every_part_reads_back_from_its_text() {
                $(reads_back::<cx_model::$id>();)*
                $(reads_back::<cx_model::$list>();)*
                $(reads_back::<parts::$value>();)*
                $(reads_back::<$plain>();)*
                reads_back::<Cell>();
                reads_back::<Desc<Month>>();
            }

            #[test]
            fn an_id_names_its_stream_and_nothing_else_does() {
                let stream = cx_model::CustomerId(NOBODY).stream();
                assert_eq!(cx_model::CustomerId::example().stream(), stream);
                assert_eq!(KeyPart::stream(&cx_model::CustomerId::example()), Some(stream));
                assert_eq!(KeyPart::stream(&Month::example()), None);
            }
        }
    };
    (@written $($part:ty = $example:literal;)*) => {$(
        impl KeyPart for $part {
            fn of_text(text: &str) -> Option<Self> {
                text.parse().ok()
            }

            fn text(&self) -> String {
                self.to_string()
            }

            fn example() -> Self {
                Self::of_text($example).expect("the example is written as such a part is")
            }
        }
    )*};
}

key_parts! {
    ids {
        CustomerId CaseId TouchpointId InstrumentId InteractionId ResponseId OrderId ImportId
        DivisionId AgentId
    }
    closed_lists {
        Channel Stage Direction Initiator Counterparty Expectation ValenceBasis CustomerKind
        ImpressionOf CaseKind Severity WaitingOn Ownership Metric ScaleDirection Precision
    }
    values {
        Month from cx_model::Month, such as "2026-01";
        Position from cx_model::Position, such as "1";
        Timestamp from jiff::Timestamp, such as "2026-01-31T12:00:00Z";
        Date from jiff::civil::Date, such as "2026-01-31";
    }
    plain {
        u32, such as "1";
        u64, such as "1";
        i32, such as "1";
        i64, such as "1";
        bool, such as "true";
        String, such as "text";
    }
}

/// Written as what it puts in another order.
impl<T: KeyPart> KeyPart for Desc<T> {
    fn of_text(text: &str) -> Option<Self> {
        T::of_text(text).map(Self)
    }

    fn text(&self) -> String {
        self.0.text()
    }

    fn example() -> Self {
        Self(T::example())
    }

    fn stream(&self) -> Option<StreamName> {
        self.0.stream()
    }
}

/// `instrument/question/touchpoint/attribute/month`: an empty part is none.
impl KeyPart for Cell {
    fn of_text(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let [instrument, question, touchpoint, attribute, month] = parts[..] else { return None };
        let Month(month) = month.parse().ok()?;
        Some(Self {
            instrument: instrument.parse().ok()?,
            question: question.to_owned(),
            touchpoint: if touchpoint.is_empty() { None } else { Some(touchpoint.parse().ok()?) },
            attribute: attribute.to_owned(),
            month,
        })
    }

    fn text(&self) -> String {
        let Self { instrument, question, attribute, .. } = self;
        let touchpoint = self.touchpoint.map(|id| id.to_string()).unwrap_or_default();
        format!("{instrument}/{question}/{touchpoint}/{attribute}/{}", Month(self.month))
    }

    fn example() -> Self {
        Self {
            instrument: KeyPart::example(),
            question: "recommend".to_owned(),
            touchpoint: None,
            attribute: String::new(),
            month: Month::example().0,
        }
    }
}
