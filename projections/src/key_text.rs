//! Keys as people write them: parts joined by `/`, and rows explained as JSON for any view by name.

use cx_model::{Position, Recorded};

use crate::engine::{Engine, ExplainError, Explained, Step};
use crate::projection::Projection;

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
    use crate::{KeyPart, parts::*, views::*};
    macro_rules! explain {
        (Sum, $view:ident, $engine:expr, $($asked:expr),*) => { $engine.explain_sum::<$view>($($asked),*) };
        (OwnSum, $view:ident, $engine:expr, $($asked:expr),*) => { $engine.explain_sum::<$view>($($asked),*) };
        ($kind:ident, $view:ident, $engine:expr, $($asked:expr),*) => { $engine.explain::<$view>($($asked),*) };
    }
    macro_rules! ask {
        ($($(#[$doc:meta])* $name:ident($($argument:ident: $part:ty),*) -> $kind:ident<$view:ident>,)*) => {
            match view {
                $(stringify!($name) => {
                    let form = concat!($("/", stringify!($argument)),*);
                    let wanted = [$(stringify!($argument)),*].len();
                    let mut parts = key.splitn(wanted, '/');
                    let mut read = || Some(($(<$part>::of_text(parts.next()?)?),*));
                    let key = read().ok_or(AskError::NoKey { view: stringify!($name), form: form.trim_start_matches('/') })?;
                    let explained = explain!($kind, $view, engine, &key, after, limit).await?;
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
