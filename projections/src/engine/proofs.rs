//! The engine's promises, proven on real directories.

mod anchors;
mod damage;
mod folding;
mod generations;
mod kills;
mod meanings;
mod pasts;
mod views;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cx_ledger::{Append, Expected, Ledger, MemoryLedger, RawNewEvent};
use cx_model::{Channel, Event, Position, Recorded, encode};

use super::{Engine, Options, Registered};
use crate::given::{Happening, customer, happened, interaction, recorded};

/// Long enough for any machine; nothing waits so long but a failure.
const PATIENCE: Duration = Duration::from_secs(30);

/// Appends happenings; answers with the last position.
async fn append(ledger: &dyn Ledger, happenings: Vec<Happening>) -> Position {
    append_as(ledger, happenings, fresh_number).await
}

/// Appends happenings under ids of these numbers.
async fn append_as(
    ledger: &dyn Ledger,
    happenings: Vec<Happening>,
    mut number: impl FnMut() -> u128,
) -> Position {
    let mut position = Position::START;
    for Recorded { stream, envelope, event, .. } in recorded(happenings) {
        let bytes = encode(&envelope, &event).unwrap();
        let event = RawNewEvent {
            id: uuid::Uuid::from_u128(number()),
            event_type: event.event_type().into(),
            data: bytes.data.into(),
            metadata: bytes.metadata.into(),
        };
        let append = Append { stream, expected: Expected::Any, events: vec![event] };
        position = ledger.append(append).await.unwrap().position;
    }
    position
}

fn fresh_number() -> u128 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    u128::from(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Calls and visits of a few customers.
fn contacts(count: usize) -> Vec<Happening> {
    let channels = [Channel::Phone, Channel::Web, Channel::Email];
    let contact = |n: usize| {
        let event: Event = interaction(channels[n % 3]).into();
        happened(customer((n % 37) as u128), event)
    };
    (0..count).map(contact).collect()
}

async fn start(ledger: &MemoryLedger, directory: &Path, views: Vec<Registered>) -> Engine {
    let options = Options { views, cache_bytes: 1 << 20, ..Options::default() };
    Engine::start(Arc::new(ledger.clone()), directory, options).await.unwrap()
}

/// Waits until a condition on the engine holds, asking again after each event or a moment.
async fn until(engine: &Engine, what: &str, holds: impl AsyncFn(&Engine) -> bool) {
    let wait = async {
        while !holds(engine).await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "waited too long: {what}");
}
