//! Keys as people write them: parts joined by `/`, and rows explained as JSON for any view by name.

use cx_model::{
    CaseId, Channel, CustomerId, ImportId, InstrumentId, Position, Recorded, TouchpointId,
};

use crate::engine::{Engine, ExplainError, Explained, Step};
use crate::projection::Projection;
use crate::views::Cell;

/// A part of a key that can be written as text.
pub trait KeyPart: Sized {
    /// The part that a text names.
    fn of_text(text: &str) -> Option<Self>;
}

macro_rules! parsed {
    ($($part:ty)*) => {$(
        impl KeyPart for $part {
            fn of_text(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    )*};
}

parsed! { CustomerId CaseId TouchpointId InstrumentId ImportId u32 u64 i64 String }

impl KeyPart for Channel {
    fn of_text(text: &str) -> Option<Self> {
        Self::from_text(text)
    }
}

/// `instrument/question/touchpoint/attribute/month`: an empty part is none, the month is `2026-01`.
impl KeyPart for Cell {
    fn of_text(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let [instrument, question, touchpoint, attribute, month] = parts[..] else { return None };
        let (year, month) = month.split_once('-')?;
        let (year, month): (u32, u32) = (year.parse().ok()?, month.parse().ok()?);
        Some(Self {
            instrument: instrument.parse().ok()?,
            question: question.to_owned(),
            touchpoint: if touchpoint.is_empty() { None } else { Some(touchpoint.parse().ok()?) },
            attribute: attribute.to_owned(),
            month: (year * 12 + month).checked_sub(1)?,
        })
    }
}

/// One event that touched a row, for any view.
#[derive(Debug, Clone)]
pub struct Reason {
    /// The event's number.
    pub ordinal: u64,
    /// Its position.
    pub position: Position,
    /// The event, personal values sealed.
    pub event: Recorded,
    /// The row before it.
    pub before: Option<serde_json::Value>,
    /// The row after it.
    pub after: Option<serde_json::Value>,
}

/// A row of any view, and the events behind it.
#[derive(Debug, Clone)]
pub struct Reasons {
    /// The row as it is.
    pub row: Option<serde_json::Value>,
    /// The position that is true at.
    pub as_of: Position,
    /// The events, oldest first.
    pub reasons: Vec<Reason>,
    /// There are more after the last of these.
    pub more: bool,
}

/// A row cannot be named or explained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// There is no such view.
    #[error("there is no view {view}; the views are {known}")]
    NoSuchView {
        /// What was asked for.
        view: String,
        /// What there is.
        known: String,
    },
    /// The text is no key of the view.
    #[error("the key of view {view} is {form}, its parts joined by `/`")]
    NoKey {
        /// The view.
        view: &'static str,
        /// The parts.
        form: &'static str,
    },
    /// The row cannot be explained.
    #[error(transparent)]
    Explain(#[from] ExplainError),
}

fn json<T: serde::Serialize>(row: &T) -> serde_json::Value {
    // A row whose keys are no text has no JSON form; it is shown as null rather than failing.
    serde_json::to_value(row).unwrap_or_default()
}

impl Reasons {
    /// Of an explained row.
    pub fn of<V: Projection>(explained: Explained<V>) -> Self {
        let reason = |step: Step<V>| Reason {
            ordinal: step.ordinal,
            position: step.position,
            event: step.event,
            before: step.before.as_ref().map(|row| json(&V::unpacked(row))),
            after: step.after.as_ref().map(|row| json(&V::unpacked(row))),
        };
        Self {
            row: explained.row.as_ref().map(|row| json(&V::unpacked(&row.view))),
            as_of: explained.as_of,
            reasons: explained.steps.into_iter().map(reason).collect(),
            more: explained.more,
        }
    }
}

/// Explains the row that a view's name and a key as text name.
// A key of one part makes the tuple a plain value, and `Some(x?)` of it is the macro's form.
#[allow(clippy::needless_question_mark)]
pub async fn reasons(
    engine: &Engine,
    view: &str,
    key: &str,
    after: u64,
    limit: usize,
) -> Result<Reasons, AskError> {
    // The list names its views; a new one is found without a line here.
    #[allow(clippy::wildcard_imports)]
    use crate::views::*;
    macro_rules! explain {
        (Sum, $view:ident, $engine:expr, $($asked:expr),*) => { $engine.explain_sum::<$view>($($asked),*) };
        ($shape:ident, $view:ident, $engine:expr, $($asked:expr),*) => { $engine.explain::<$view>($($asked),*) };
    }
    macro_rules! ask {
        ($($(#[$doc:meta])* $name:ident($($argument:ident: $part:ty),*) -> $shape:ident<$view:ident>,)*) => {
            match view {
                $(stringify!($name) => {
                    let form = concat!($("/", stringify!($argument)),*);
                    let wanted = [$(stringify!($argument)),*].len();
                    let mut parts = key.splitn(wanted, '/');
                    let mut read = || Some(($(<$part>::of_text(parts.next()?)?),*));
                    let key = read().ok_or(AskError::NoKey { view: stringify!($name), form: form.trim_start_matches('/') })?;
                    let explained = explain!($shape, $view, engine, &key, after, limit).await?;
                    Ok(Reasons::of(explained))
                })*
                _ => {
                    let known = [$(stringify!($name)),*].join(", ");
                    Err(AskError::NoSuchView { view: view.to_owned(), known })
                }
            }
        };
    }
    crate::views!(ask)
}
