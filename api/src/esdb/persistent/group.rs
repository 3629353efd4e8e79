//! A group at work: one task that reads, hands out, hears what became of each event, and notes how
//! far it is.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cx_ledger::RawEvent;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tonic::Status;
use uuid::Uuid;

use super::super::event::Ids;
use super::super::fault::{Fault, GroupFault};
use super::super::filter::Filter;
use super::super::links::Links;
use super::super::state::LINK;
use super::super::store::Store;
use super::OWN;
use super::assign::choose;
use super::command::{Action, Command, Joined, Wish};
use super::consumers::{Consumer, Message, Origin};
use super::outcome::noted;
use super::parked::Parked;
use super::queue::Queue;
use super::settings::Definition;
use super::source::Source;
use crate::serve::Draining;

/// How often time-outs and progress are looked at.
const TICK: Duration = Duration::from_millis(100);

/// An event, and the link that led to it.
type Resolved = (RawEvent, Option<RawEvent>);

/// A group at work.
pub(super) struct Group {
    pub(super) store: Arc<Store>,
    pub(super) definition: Definition,
    filter: Option<Filter>,
    pub(super) source: Source,
    pub(super) consumers: Vec<Consumer>,
    last_number: u64,
    turn: u64,
    pub(super) waiting: Queue,
    pub(super) again: Queue,
    /// The places of the events that were read and are not done.
    pub(super) open: BTreeSet<u64>,
    pub(super) parked: Parked,
    /// The place that was noted last, if one was.
    pub(super) noted: Option<u64>,
    pub(super) noted_at: Instant,
    /// How many events were done since.
    pub(super) fresh: u64,
    pub(super) total: i64,
}

impl Group {
    /// From what the ledger keeps of it.
    pub async fn open(store: Arc<Store>, definition: Definition) -> Result<Self, Fault> {
        let key = &definition.key;
        let parked = Parked::open(Arc::clone(&store), key.own("parked")?).await?;
        let noted = noted(&store, &definition).await?;
        let stream = match &key.stream {
            None => None,
            Some(name) => Some(name.parse().map_err(|_| key.fault(GroupFault::Missing))?),
        };
        let filter = definition.wanted.as_ref().map(super::settings::Wanted::filter).transpose()?;
        let source = Source::new(Arc::clone(&store), stream, noted.unwrap_or(definition.from));
        Ok(Self {
            store,
            definition,
            filter,
            source,
            consumers: Vec::new(),
            last_number: 0,
            turn: 0,
            waiting: Queue::default(),
            again: Queue::default(),
            open: BTreeSet::new(),
            parked,
            noted,
            noted_at: Instant::now(),
            fresh: 0,
            total: 0,
        })
    }

    /// Works until it is stopped or the server ends.
    pub async fn work(mut self, mut commands: mpsc::Receiver<Command>, mut draining: Draining) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.replay().await;
            self.hand_out();
            let buffer = self.definition.settings.buffer();
            let reads = self.waiting.has_room(buffer) && !self.consumers.is_empty();
            let room = buffer.saturating_sub(self.waiting.len());
            let batch = room.min(self.definition.settings.batch());
            tokio::select! {
                biased;
                () = draining.begun() => {
                    self.end(&Status::unavailable("the server ends; subscribe again")).await;
                    return;
                }
                command = commands.recv() => {
                    let Some(command) = command else { return };
                    if self.obey(command).await {
                        return;
                    }
                }
                _ = tick.tick() => self.tick().await,
                read = self.source.next(batch), if reads => match read {
                    Ok(events) => self.take(events).await,
                    Err(fault) => self.end(&fault.into()).await,
                },
            }
        }
    }

    /// Whether that was the end.
    async fn obey(&mut self, command: Command) -> bool {
        match command {
            Command::Connect { wish, answer } => {
                // A consumer that is gone already is noticed when it is handed something.
                let _ = answer.send(self.connect(wish));
            }
            Command::Gone(number) => self.gone(number),
            Command::Done { consumer, ids } => {
                for message in self.taken(consumer, &ids) {
                    self.done(message.origin).await;
                }
                self.note_if_many().await;
            }
            Command::NotDone { consumer, ids, action, reason } => {
                for message in self.taken(consumer, &ids) {
                    match action {
                        Action::Park => self.park(message, &reason).await,
                        Action::Skip => self.done(message.origin).await,
                        Action::Retry => self.retry(message).await,
                        Action::Stop => self.again.push_back(message),
                    }
                }
                if action == Action::Stop {
                    self.drop_consumer(consumer);
                }
                self.note_if_many().await;
            }
            Command::Info(answer) => {
                let _ = answer.send(self.info().await);
            }
            Command::Replay { limit, answer } => {
                self.parked.ask(limit);
                let _ = answer.send(());
            }
            Command::Stop { for_ever, answer } => {
                let dropped = self.definition.key.fault(GroupFault::Dropped);
                self.end(&dropped.into()).await;
                let cleared = if for_ever { self.parked.clear().await } else { Ok(()) };
                let _ = answer.send(cleared);
                return true;
            }
        }
        false
    }

    fn connect(&mut self, wish: Wish) -> Result<Joined, Fault> {
        let most = usize::try_from(self.definition.settings.max_subscribers).unwrap_or(0);
        self.consumers.retain(|consumer| !consumer.sender.is_closed() || consumer.count > 0);
        if most > 0 && self.consumers.len() >= most {
            return Err(self.definition.key.fault(GroupFault::Full));
        }
        self.last_number += 1;
        let number = self.last_number;
        let (sender, messages) = mpsc::channel(wish.slots + 1);
        self.consumers.push(Consumer::new(number, wish.ids, wish.slots, wish.name, sender));
        Ok(Joined { number, messages })
    }

    /// A consumer is gone: what it had goes to others, in order.
    pub(super) fn gone(&mut self, number: u64) {
        let Some(place) = self.consumers.iter().position(|one| one.number == number) else {
            return;
        };
        let mut had = self.consumers.remove(place).all();
        had.sort_by_key(|message| std::cmp::Reverse(message.origin));
        for message in had {
            self.again.push_front(message);
        }
    }

    fn drop_consumer(&mut self, number: u64) {
        if let Some(consumer) = self.consumers.iter().find(|one| one.number == number) {
            let status = self.definition.key.fault(GroupFault::Dropped).into();
            // Its channel has room for one more than it may have.
            let _ = consumer.sender.try_send(Err(status));
        }
        self.gone(number);
    }

    fn taken(&mut self, consumer: u64, ids: &[Uuid]) -> Vec<Message> {
        let consumer = self.consumers.iter_mut().find(|one| one.number == consumer);
        let Some(consumer) = consumer else { return Vec::new() };
        ids.iter().filter_map(|id| consumer.take(*id)).collect()
    }

    /// Takes events that were read.
    async fn take(&mut self, events: Vec<RawEvent>) {
        for event in events {
            let name = event.stream.as_str();
            if name.strip_prefix("$$").unwrap_or(name).starts_with(OWN) {
                continue;
            }
            let place = self.source.place_of(&event);
            let wanted = self.filter.as_ref().is_none_or(|filter| filter.wants(&event));
            let resolved = if wanted { self.resolved(event).await } else { Ok(None) };
            let (event, link) = match resolved {
                Ok(Some(resolved)) => resolved,
                Ok(None) => {
                    self.fresh += 1;
                    continue;
                }
                Err(fault) => {
                    // Whether it leads anywhere is not known: it is read again, and not passed by.
                    self.source.back_to(place);
                    return self.end(&fault.into()).await;
                }
            };
            self.open.insert(place);
            let origin = Origin::Read(place);
            self.waiting.push_back(Message { event, link, origin, retries: 0 });
        }
    }

    /// An event and the link that led to it; none if the link leads nowhere.
    async fn resolved(&mut self, event: RawEvent) -> Result<Option<Resolved>, Fault> {
        if !self.definition.settings.resolve_links || &*event.event_type != LINK {
            return Ok(Some((event, None)));
        }
        let target = Links::new(&self.store, Ids::Text, true).target(&event).await?;
        Ok(target.map(|target| (target, Some(event))))
    }

    /// Hands out what can be handed out.
    fn hand_out(&mut self) {
        while let Some((again, place, consumer)) = self.next_assignment() {
            let queue = if again { &mut self.again } else { &mut self.waiting };
            let Some(message) = queue.remove(place) else { return };
            let timeout = self.definition.settings.message_timeout();
            let until = timeout.map(|timeout| Instant::now() + timeout);
            let consumer = &mut self.consumers[consumer];
            self.turn = consumer.number;
            let number = consumer.number;
            match consumer.hand(message, until) {
                Ok(()) => self.total += 1,
                Err(message) => {
                    self.again.push_front(*message);
                    self.gone(number);
                }
            }
        }
    }

    /// The first message that somebody takes now: whether it is told again, where it stands in its
    /// queue, and who takes it.
    fn next_assignment(&self) -> Option<(bool, usize, usize)> {
        // Beyond these a message waits even if its own consumer has room.
        const LOOK: usize = 256;
        if !self.consumers.iter().any(Consumer::has_room) {
            return None;
        }
        let strategy = self.definition.settings.strategy;
        for (again, queue) in [(true, &self.again), (false, &self.waiting)] {
            for (place, message) in queue.first(LOOK).enumerate() {
                if let Some(consumer) = choose(strategy, &self.consumers, self.turn, message) {
                    return Some((again, place, consumer));
                }
            }
        }
        None
    }
}
