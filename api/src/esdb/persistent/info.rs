//! A group as it is described.

use cx_ledger::Direction;
use cx_model::Position;

use super::super::wire::persistent::{ConnectionInfo, GroupInfo};
use super::group::Group;

fn small(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

impl Group {
    /// A place as clients read it: a revision, or both parts of a position.
    fn place_text(&self, place: Option<u64>) -> String {
        match (place, &self.definition.key.stream) {
            (None, _) => String::new(),
            (Some(place), Some(_)) => place.to_string(),
            (Some(place), None) => format!("C:{place}/P:{place}"),
        }
    }

    async fn last_known(&mut self) -> Option<u64> {
        let ledger = self.store.ledger();
        match &self.definition.key.stream {
            Some(stream) => {
                let stream = stream.parse().ok()?;
                let read = ledger.read_stream(&stream, u64::MAX, Direction::Backwards, 1).await;
                read.ok()?.first().map(|event| event.revision)
            }
            None => ledger
                .head()
                .await
                .ok()
                .filter(|head| *head > Position::START)
                .map(Position::commit),
        }
    }

    /// The group as it is described.
    pub async fn info(&mut self) -> GroupInfo {
        let last_known = self.last_known().await;
        let settings = &self.definition.settings;
        let connections: Vec<ConnectionInfo> = self
            .consumers
            .iter()
            .map(|consumer| ConnectionInfo {
                connection_name: consumer.name.clone(),
                total_items: consumer.total,
                available_slots: small(consumer.slots - consumer.count.min(consumer.slots)),
                in_flight: small(consumer.count),
                ..ConnectionInfo::default()
            })
            .collect();
        let in_flight: usize = self.consumers.iter().map(|consumer| consumer.count).sum();
        let noted = self.noted.and_then(|next| next.checked_sub(1));
        GroupInfo {
            stream: self.definition.key.stream().into(),
            group: self.definition.key.group.clone(),
            status: "Live".into(),
            connections,
            average_per_second: 0,
            total_items: self.total,
            last_checkpoint: self.place_text(noted),
            last_known: self.place_text(last_known),
            resolve_links: settings.resolve_links,
            start_from: self.definition.start.clone(),
            message_timeout_ms: settings.message_timeout_ms,
            extra_statistics: settings.extra_statistics,
            max_retries: settings.max_retries,
            live_buffer: settings.live_buffer,
            history_buffer: settings.history_buffer,
            read_batch: settings.read_batch,
            checkpoint_after_ms: settings.checkpoint_after_ms,
            min_checkpoint: settings.min_checkpoint,
            max_checkpoint: settings.max_checkpoint,
            read_buffer_count: small(self.waiting.len()),
            live_buffer_count: 0,
            retry_count: small(self.again.len()),
            in_flight: small(in_flight),
            outstanding: small(self.open.len()),
            strategy: settings.strategy.name().into(),
            max_subscribers: settings.max_subscribers,
            parked: i64::try_from(self.parked.count()).unwrap_or(i64::MAX),
        }
    }
}
