//! How values of a row are shown: times, durations and pairs as people and scripts read them, where
//! the format is one for people (JSON), and as they are kept in every other.
//!
//! A field says so with `#[serde(serialize_with = "shown::time")]`. What is written to disk, the root
//! and the shape of the row stay as they are, and so does reading, which is from the disk only.

// Serde hands over references to fields, whatever they are.
#![allow(clippy::trivially_copy_pass_by_ref, clippy::ref_option)]

use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};

/// A value as it is kept, or for a reader what `show` makes of it.
pub fn shown<T: Serialize + ?Sized, R: Serialize, S: Serializer>(
    kept: &T,
    serializer: S,
    show: impl FnOnce(&T) -> R,
) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        show(kept).serialize(serializer)
    } else {
        kept.serialize(serializer)
    }
}

/// Microseconds since the Unix epoch, as RFC 3339.
pub fn time<S: Serializer>(at: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    shown(at, serializer, |at| moment(*at))
}

/// The same where there may be none.
pub fn optional_time<S: Serializer>(at: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    shown(at, serializer, |at| at.map(moment))
}

/// Microseconds, as an ISO 8601 duration.
pub fn duration<S: Serializer>(micros: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    shown(micros, serializer, |micros| SignedDuration::from_micros(*micros).to_string())
}

/// Microseconds since the Unix epoch, as RFC 3339; as they are where no calendar has them.
pub fn moment(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map_or_else(|_| micros.to_string(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use cx_model::WaitingOn;
    use cx_model::metrics::{ScoreCount, Scores};
    use serde_json::json;

    use crate::projection::Projection;
    use crate::views::{Customer, OpenCase, Satisfaction};

    const AT: i64 = 1_737_693_592_000_000;

    #[test]
    fn a_row_shows_times_and_durations_and_is_kept_as_numbers() {
        let case = OpenCase {
            opened_at: AT,
            acknowledged_at: Some(AT + 1),
            paused: Some((WaitingOn::Customer, AT)),
            waited_for_customer: 5_400_000_000,
            ..OpenCase::default()
        };
        let shown = serde_json::to_value(OpenCase::unpacked(&case)).unwrap();
        assert_eq!(shown["opened_at"], "2025-01-24T04:39:52Z");
        assert_eq!(shown["acknowledged_at"], "2025-01-24T04:39:52.000001Z");
        assert_eq!(shown["resolved_at"], json!(null));
        let since = json!({ "waiting_on": "customer", "since": "2025-01-24T04:39:52Z" });
        assert_eq!(shown["paused"], since);
        assert_eq!(shown["waited_for_customer"], "PT1H30M");
        let kept = postcard::to_stdvec(&case).unwrap();
        assert_eq!(postcard::from_bytes::<OpenCase>(&kept).unwrap(), case);
    }

    #[test]
    fn the_last_scores_say_what_and_when() {
        let mut row = Customer::default();
        row.first_contact = Some(AT);
        row.last_scores.insert("recommend".into(), (AT, 1566, 7));
        let shown = serde_json::to_value(&row).unwrap();
        assert_eq!(shown["first_contact"], "2025-01-24T04:39:52Z");
        let last = json!({ "score": 7, "at": "2025-01-24T04:39:52Z", "ordinal": 1566 });
        assert_eq!(shown["last_scores"], json!({ "recommend": last }));
        let kept = postcard::to_stdvec(&row).unwrap();
        assert_eq!(postcard::from_bytes::<Customer>(&kept).unwrap(), row);
    }

    #[test]
    fn a_cell_shows_all_three_policies_and_weights_of_any_size_as_decimals() {
        let mut scores = Scores::default();
        scores.by_score.insert(9, ScoreCount::one(2_500_000, 1));
        // Squared, this one is beyond what 64 bits hold.
        scores.by_score.insert(10, ScoreCount::one(1_000_000_000_000_000, 1));
        let cell =
            Satisfaction { first: scores.clone(), latest: scores.clone(), all: scores.clone() };
        let shown = serde_json::to_value(&cell).unwrap();
        let of_nine = json!({ "n": 1, "weight": 2.5, "weight_squared": 6.25 });
        for policy in ["all", "first", "latest"] {
            assert_eq!(shown[policy]["by_score"]["9"], of_nine, "{shown}");
            assert_eq!(shown[policy]["by_score"]["10"]["weight_squared"], 1e18, "{shown}");
        }
        let kept = postcard::to_stdvec(&cell).unwrap();
        assert_eq!(postcard::from_bytes::<Satisfaction>(&kept).unwrap(), cell);
    }
}
