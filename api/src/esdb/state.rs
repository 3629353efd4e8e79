//! What the metadata of a stream say of it: how much of it is read, and whether it is deleted.

use std::time::Duration;

use bytes::Bytes;
use cx_ledger::RawEvent;
use cx_model::StreamName;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::fault::Fault;

/// The type of an event that holds a stream's metadata.
pub(super) const METADATA: &str = "$metadata";
/// The type of an event that deletes a stream for ever.
pub(super) const TOMBSTONE: &str = "$streamDeleted";
/// The type of an event that points at another.
pub(super) const LINK: &str = "$>";
/// The `$tb` of a deleted stream.
const ALL_GONE: u64 = i64::MAX as u64;

/// What the metadata of a stream say of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct StreamState {
    /// Whether and how it is deleted.
    pub deleted: Deleted,
    /// The first revision that is read.
    first: u64,
    max_count: Option<u64>,
    max_age: Option<Duration>,
    fields: Map<String, Value>,
}

/// Whether a stream is deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Deleted {
    /// It is not.
    #[default]
    No,
    /// Until it is appended to again.
    Softly,
    /// For ever.
    ForEver,
}

impl StreamState {
    /// Of a stream that holds metadata: the last ones are read, as if that were its `$maxCount`.
    pub fn of_metadata() -> Self {
        Self { max_count: Some(1), ..Self::default() }
    }

    /// From the last event of the stream and the last one of its metadata, where there is one.
    pub fn of(last: Option<&RawEvent>, metadata: Option<&RawEvent>) -> Self {
        if last.is_some_and(|last| &*last.event_type == TOMBSTONE) {
            return Self { deleted: Deleted::ForEver, ..Self::default() };
        }
        let Some(last) = metadata else { return Self::default() };
        let fields: Map<String, Value> = serde_json::from_slice(&last.data).unwrap_or_default();
        let number = |name: &str| fields.get(name).and_then(Value::as_u64);
        let first = number("$tb").unwrap_or(0);
        Self {
            deleted: if first == ALL_GONE { Deleted::Softly } else { Deleted::No },
            first,
            max_count: number("$maxCount").filter(|count| *count > 0),
            max_age: number("$maxAge").filter(|age| *age > 0).map(Duration::from_secs),
            fields,
        }
    }

    /// The first revision that is read of a stream with this last one.
    pub fn first(&self, last: u64) -> u64 {
        let kept = self.max_count.map_or(0, |count| (last + 1).saturating_sub(count));
        self.first.max(kept)
    }

    /// The time before which nothing is read.
    pub fn not_before(&self, now: Timestamp) -> Option<Timestamp> {
        self.max_age.and_then(|age| now.checked_sub(age).ok())
    }

    /// The metadata with another `$tb`: a deletion without one, or what makes it live again.
    pub fn with_first(&self, first: Option<u64>) -> Bytes {
        let mut fields = self.fields.clone();
        fields.insert("$tb".into(), Value::from(first.unwrap_or(ALL_GONE)));
        Value::Object(fields).to_string().into()
    }
}

/// The stream that holds the metadata of a stream.
pub(super) fn metadata_of(stream: &StreamName) -> Result<StreamName, Fault> {
    StreamName::new(format!("$${stream}"))
        .map_err(|_| Fault::Bad("the name of the stream is too long by two characters".into()))
}

/// The stream whose metadata a stream holds.
pub(super) fn subject_of(stream: &StreamName) -> Option<StreamName> {
    stream.as_str().strip_prefix("$$").and_then(|name| StreamName::new(name).ok())
}
