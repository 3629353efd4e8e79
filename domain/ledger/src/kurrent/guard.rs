//! What stops the client where a subscription ends well.
//!
//! The client takes a subscription's orderly end for a message without content, says so in its log,
//! and asks the ended stream again, for ever and without letting go of the thread: no timeout and
//! no abort reaches it. Its warning is the one place in that circle where others' code runs. So the
//! task of a subscription has a listener of its own there, which unwinds the task.

use std::sync::LazyLock;

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

/// Listens to the log of a subscription's task.
pub(super) static LISTENER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Listener));

/// What the task unwinds with.
pub(super) struct EndedWell;

struct Listener;

/// The client's module with the circle; nothing else in it warns.
fn is_the_circle(metadata: &Metadata<'_>) -> bool {
    *metadata.level() == Level::WARN && metadata.target() == "kurrentdb::commands"
}

impl Subscriber for Listener {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_the_circle(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_the_circle(metadata)
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(tracing::level_filters::LevelFilter::WARN)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        if is_the_circle(event.metadata()) {
            // Not a panic: nothing is wrong here, and nobody is to read of it.
            std::panic::resume_unwind(Box::new(EndedWell));
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
