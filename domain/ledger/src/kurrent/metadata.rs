//! What the event store's own metadata say of a stream: how much of it is kept.

use cx_model::StreamName;
use serde_json::{Map, Value};

/// That a stream does not keep everything.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    subject: String,
    what: String,
}

/// The stream whose metadata a stream holds.
pub(super) fn subject_of(stream: &str) -> Option<&str> {
    stream.strip_prefix("$$").filter(|subject| !subject.starts_with('$'))
}

impl Limits {
    /// Of a stream, from its metadata; `None` if everything is kept.
    pub fn of(subject: &str, data: &[u8]) -> Option<Self> {
        let fields: Map<String, Value> = serde_json::from_slice(data).ok()?;
        let limits = ["$maxCount", "$maxAge", "$tb"].into_iter();
        let set = limits.filter(|name| fields.get(*name).and_then(Value::as_u64).unwrap_or(0) > 0);
        let what: Vec<&str> = set.collect();
        StreamName::new(subject).ok()?;
        (!what.is_empty()).then(|| Self { subject: subject.into(), what: what.join(", ") })
    }

    /// Of a stream that was deleted.
    pub fn deleted(subject: &str) -> Self {
        Self { subject: subject.into(), what: "a tombstone".into() }
    }

    /// What an operator is told.
    pub fn text(&self) -> String {
        format!(
            "stream {} has {} in the event store: the ledger's streams must keep everything; take \
             it out of the stream's metadata before the next scavenge",
            self.subject, self.what
        )
    }
}
