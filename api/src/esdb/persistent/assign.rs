//! Who gets a message: the consumer strategies.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Deserialize;

use super::consumers::{Consumer, Message};
use super::settings::Strategy;

/// The place of the consumer that gets a message now; none if it has to wait.
pub(super) fn choose(
    strategy: Strategy,
    consumers: &[Consumer],
    turn: u64,
    message: &Message,
) -> Option<usize> {
    match strategy {
        Strategy::DispatchToSingle => consumers.iter().position(Consumer::has_room),
        Strategy::RoundRobin => {
            // The first with room after the one whose turn was last.
            let order =
                |place: &usize| (consumers[*place].number <= turn, consumers[*place].number);
            let with_room = (0..consumers.len()).filter(|place| consumers[*place].has_room());
            with_room.min_by_key(order)
        }
        Strategy::Pinned => pinned(consumers, message.event.stream.as_str()),
        Strategy::PinnedByCorrelation => match correlation(message) {
            Some(correlation) => pinned(consumers, &correlation),
            None => pinned(consumers, message.event.stream.as_str()),
        },
    }
}

/// The same key goes to the same consumer while the consumers stay, and few keys move when one
/// comes or goes.
fn pinned(consumers: &[Consumer], key: &str) -> Option<usize> {
    let weight = |place: &usize| {
        let mut hasher = DefaultHasher::new();
        (key, consumers[*place].number).hash(&mut hasher);
        hasher.finish()
    };
    let place = (0..consumers.len()).max_by_key(weight)?;
    consumers[place].has_room().then_some(place)
}

fn correlation(message: &Message) -> Option<String> {
    #[derive(Deserialize)]
    struct Connections {
        #[serde(rename = "$correlationId")]
        correlation: String,
    }
    let event = &message.event;
    let metadata =
        cx_ledger::Foreign::of(event).map_or_else(|| event.metadata.clone(), |own| own.metadata);
    serde_json::from_slice::<Connections>(&metadata).ok().map(|found| found.correlation)
}
