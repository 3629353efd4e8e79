//! What may surround an event of the ledger's own.

use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

/// What may surround an event of the ledger's own: nothing with room for a personal value.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Surroundings {
    #[serde(rename = "$correlationId", default)]
    _correlation: Option<Uuid>,
    #[serde(rename = "$causationId", default)]
    _causation: Option<Uuid>,
    #[serde(rename = "$traceId", default)]
    trace: Option<String>,
    #[serde(rename = "$spanId", default)]
    span: Option<String>,
    /// When another node's ledger had recorded it, where that ledger was copied here.
    #[serde(rename = "$cxRecordedAt", default)]
    _recorded_at: Option<Timestamp>,
}

/// Whether metadata say only what connects the event to others.
pub(super) fn connects_only(metadata: &[u8]) -> bool {
    let hex = |text: &Option<String>, digits: usize| {
        text.as_ref().is_none_or(|text| {
            text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    };
    metadata.is_empty()
        || serde_json::from_slice::<Surroundings>(metadata)
            .is_ok_and(|known| hex(&known.trace, 32) && hex(&known.span, 16))
}
