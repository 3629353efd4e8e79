//! How a group is set up, as its client said and as the ledger keeps it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::fault::Fault;
use super::super::filter::Filter;
use super::super::wire::persistent::{CheckpointAfter, MessageTimeout, WireSettings};
use super::super::wire::streams::{FilterBy, FilterExpression, FilterOptions};
use super::Key;

/// A group as it was defined.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Definition {
    pub key: Key,
    /// Tells it from an earlier group of the same name.
    pub made: Uuid,
    /// The first revision, or the first position, that it reads.
    pub from: u64,
    /// Where it began, in the client's words.
    pub start: String,
    pub wanted: Option<Wanted>,
    pub settings: Settings,
}

/// Which events a group wants.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wanted {
    of_stream: bool,
    regex: String,
    prefixes: Vec<String>,
}

impl Wanted {
    /// As a client describes it, checked.
    pub fn of(options: &FilterOptions) -> Result<Self, Fault> {
        Filter::of(options)?;
        let (of_stream, expression) = match &options.by {
            Some(FilterBy::Stream(expression)) => (true, expression),
            Some(FilterBy::EventType(expression)) => (false, expression),
            None => return Err(Fault::Bad("the filter says nothing of what it wants".into())),
        };
        let FilterExpression { regex, prefixes } = expression.clone();
        Ok(Self { of_stream, regex, prefixes })
    }

    pub fn filter(&self) -> Result<Filter, Fault> {
        let Self { of_stream, regex, prefixes } = self.clone();
        let expression = FilterExpression { regex, prefixes };
        let by = if of_stream { FilterBy::Stream } else { FilterBy::EventType };
        let by = Some(by(expression));
        Filter::of(&FilterOptions { by, window: None, checkpoint_multiplier: 1 })
    }
}

/// Who gets an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Strategy {
    DispatchToSingle,
    RoundRobin,
    Pinned,
    PinnedByCorrelation,
}

impl Strategy {
    fn of(name: &str, legacy: i32) -> Result<Self, Fault> {
        match (name, legacy) {
            ("DispatchToSingle", _) | ("", 0) => Ok(Self::DispatchToSingle),
            ("RoundRobin", _) | ("", 1) => Ok(Self::RoundRobin),
            ("Pinned", _) | ("", 2) => Ok(Self::Pinned),
            ("PinnedByCorrelation", _) => Ok(Self::PinnedByCorrelation),
            // An error of the server's: clients know it as such.
            _ => Err(Fault::Failed(
                "the consumer strategy is none of DispatchToSingle, RoundRobin, Pinned, \
                 PinnedByCorrelation"
                    .into(),
            )),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::DispatchToSingle => "DispatchToSingle",
            Self::RoundRobin => "RoundRobin",
            Self::Pinned => "Pinned",
            Self::PinnedByCorrelation => "PinnedByCorrelation",
        }
    }
}

/// The settings of a group.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Settings {
    pub resolve_links: bool,
    pub extra_statistics: bool,
    pub max_retries: i32,
    pub min_checkpoint: i32,
    pub max_checkpoint: i32,
    pub max_subscribers: i32,
    pub live_buffer: i32,
    pub read_batch: i32,
    pub history_buffer: i32,
    pub message_timeout_ms: i32,
    pub checkpoint_after_ms: i32,
    pub strategy: Strategy,
}

impl Settings {
    /// As a client says them.
    pub fn of(wire: &WireSettings) -> Result<Self, Fault> {
        let from_ticks = |ticks: i64| i32::try_from(ticks / 10_000).unwrap_or(i32::MAX);
        let message_timeout_ms = match wire.message_timeout {
            Some(MessageTimeout::Ticks(ticks)) => from_ticks(ticks),
            Some(MessageTimeout::Milliseconds(ms)) => ms,
            None => 30_000,
        };
        let checkpoint_after_ms = match wire.checkpoint_after {
            Some(CheckpointAfter::Ticks(ticks)) => from_ticks(ticks),
            Some(CheckpointAfter::Milliseconds(ms)) => ms,
            None => 2_000,
        };
        if wire.history_buffer <= wire.read_batch {
            let reason = "the history buffer must be larger than the read batch";
            return Err(Fault::Failed(reason.into()));
        }
        Ok(Self {
            resolve_links: wire.resolve_links,
            extra_statistics: wire.extra_statistics,
            max_retries: wire.max_retries,
            min_checkpoint: wire.min_checkpoint,
            max_checkpoint: wire.max_checkpoint,
            max_subscribers: wire.max_subscribers,
            live_buffer: wire.live_buffer,
            read_batch: wire.read_batch,
            history_buffer: wire.history_buffer,
            message_timeout_ms,
            checkpoint_after_ms,
            strategy: Strategy::of(&wire.strategy, wire.legacy_strategy)?,
        })
    }

    /// How long a consumer may take for an event; none for as long as it likes.
    pub fn message_timeout(&self) -> Option<Duration> {
        let ms = u64::try_from(self.message_timeout_ms).ok().filter(|ms| *ms > 0);
        ms.map(Duration::from_millis)
    }

    /// How long progress may go without being noted.
    pub fn checkpoint_after(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.checkpoint_after_ms).unwrap_or(0).max(100))
    }

    /// After how many events progress may be noted when the time has come.
    pub fn min_checkpoint(&self) -> u64 {
        u64::try_from(self.min_checkpoint).unwrap_or(0).max(1)
    }

    /// After how many events progress is noted at once.
    pub fn max_checkpoint(&self) -> u64 {
        match u64::try_from(self.max_checkpoint) {
            Ok(count) if count > 0 => count,
            _ => u64::MAX,
        }
    }

    /// How many events may wait to be told.
    pub fn buffer(&self) -> usize {
        usize::try_from(self.history_buffer.max(self.live_buffer)).unwrap_or(0).clamp(1, 10_000)
    }

    /// How many events are read at a time.
    pub fn batch(&self) -> usize {
        usize::try_from(self.read_batch).unwrap_or(0).clamp(1, 1_000)
    }
}
