//! Following: one task owns the place, another the subscription of the moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cx_model::Position;
use eventstore::{Client, SubscribeToAllOptions, SubscriptionEvent};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tracing::instrument::WithSubscriber;

use super::event::{self, Found, Read};
use super::read::{after, filter};
use super::trouble::{Trouble, is_of_the_connection, said};
use super::{Inner, guard};
use crate::error::ReadError;
use crate::port::{Follow, RawEvent};

/// Messages that wait for whoever follows.
const DEPTH: usize = 512;
/// Kibibytes of events that wait.
const ROOM: u32 = 16 << 10;
/// The longest silence of a subscription is so many times the first that is borne.
const MOST_SILENT: u32 = 32;

type Delivery = Result<(RawEvent, OwnedSemaphorePermit), ReadError>;

/// Follows an event store.
pub(super) struct KurrentFollow {
    deliveries: mpsc::Receiver<Delivery>,
    task: AbortHandle,
    ended: Option<ReadError>,
}

impl Drop for KurrentFollow {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Begins to follow.
pub(super) fn start(inner: Arc<Inner>, after: Position) -> KurrentFollow {
    let (sender, deliveries) = mpsc::channel(DEPTH);
    let task = tokio::spawn(async move {
        let error = Following::begin(&inner, after, sender.clone()).await;
        if let Some(error) = error {
            // Whoever followed may be gone.
            let _ = sender.send(Err(error)).await;
        }
    });
    KurrentFollow { deliveries, task: task.abort_handle(), ended: None }
}

impl Follow for KurrentFollow {
    fn next(&mut self, limit: usize) -> BoxFuture<'_, Result<Vec<RawEvent>, ReadError>> {
        async move {
            if let Some(error) = &self.ended {
                return Err(error.clone());
            }
            let mut events = Vec::new();
            let mut delivery = self.deliveries.recv().await;
            loop {
                match delivery {
                    Some(Ok((event, _))) => events.push(event),
                    Some(Err(error)) => self.ended = Some(error),
                    None => {
                        let reason = "the task that follows ended; follow again".into();
                        self.ended = Some(ReadError::Engine { reason });
                    }
                }
                if self.ended.is_some() || events.len() >= limit {
                    break;
                }
                match self.deliveries.try_recv() {
                    Ok(next) => delivery = Some(next),
                    Err(_) => break,
                }
            }
            match &self.ended {
                Some(error) if events.is_empty() => Err(error.clone()),
                _ => Ok(events),
            }
        }
        .boxed()
    }
}

/// What a subscription says.
enum Message {
    Confirmed,
    Read(Read, OwnedSemaphorePermit),
    Reached(Position),
}

/// Ends a subscription's task when the one who listens goes on.
struct Ends(AbortHandle);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Why a subscription is given up.
enum Given {
    /// It failed, ended or was lost.
    Up(String),
    /// It says nothing although there is something to say.
    Silent,
    /// Following makes no sense any more.
    For(ReadError),
    /// Nobody follows.
    Gone,
}

/// Room for events that wait.
struct Room {
    kibibytes: Arc<Semaphore>,
    /// There is an event for which there is none.
    wanted: AtomicBool,
}

impl Room {
    /// Waits until an event of so many bytes fits in.
    async fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let wanted = u32::try_from(bytes >> 10).unwrap_or(ROOM).clamp(1, ROOM);
        self.wanted.store(true, Ordering::Relaxed);
        let permit = Arc::clone(&self.kibibytes).acquire_many_owned(wanted).await.ok();
        self.wanted.store(false, Ordering::Relaxed);
        permit
    }

    /// Whether nothing can come because whoever follows is slow.
    fn is_full(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }
}

struct Following<'a> {
    inner: &'a Inner,
    deliveries: mpsc::Sender<Delivery>,
    room: Arc<Room>,
    /// Up to here everything was looked at.
    reached: Position,
    /// The last event that was delivered.
    last: Position,
    ordinal: u64,
    silence: Duration,
}

impl<'a> Following<'a> {
    async fn begin(
        inner: &'a Inner,
        after: Position,
        deliveries: mpsc::Sender<Delivery>,
    ) -> Option<ReadError> {
        let mut tries = 0;
        let ordinal = loop {
            match inner.ordinal_at(after).await {
                Ok(ordinal) => break ordinal,
                Err(ReadError::Timeout) => inner.clients.rest(tries, inner.deadline()).await,
                Err(error) => return Some(error),
            }
            tries += 1;
        };
        let following = Self {
            inner,
            deliveries,
            room: Arc::new(Room {
                kibibytes: Arc::new(Semaphore::new(ROOM as usize)),
                wanted: AtomicBool::new(false),
            }),
            reached: after,
            last: after,
            ordinal,
            silence: inner.clients.settings.patience.silence,
        };
        following.go_on().await
    }

    async fn go_on(mut self) -> Option<ReadError> {
        let longest = self.inner.clients.settings.patience.silence * MOST_SILENT;
        let mut tries = 0;
        loop {
            let before = self.reached;
            match self.subscribe().await {
                Given::Gone => return None,
                Given::For(error) => return Some(error),
                Given::Silent => {
                    tracing::warn!(after = %self.reached, "a subscription fell silent; subscribing again");
                    self.silence = (self.silence * 2).min(longest);
                }
                Given::Up(reason) if tries == 0 => {
                    tracing::warn!(reason, after = %self.reached, "a subscription ended; subscribing again");
                }
                Given::Up(reason) => tracing::debug!(reason, "a subscription ended at once"),
            }
            tries = if self.reached > before { 0 } else { tries + 1 };
            self.inner.clients.rest(tries, self.inner.deadline()).await;
        }
    }

    /// Subscribes from the place reached on, and hears until that comes to an end.
    async fn subscribe(&mut self) -> Given {
        let clients = &self.inner.clients;
        let _waiting = clients.wait();
        let generation = match clients.get().await {
            Ok(generation) => generation,
            Err(trouble) => return Given::Up(trouble.to_string()),
        };
        let options =
            SubscribeToAllOptions::default().filter(filter()).position(after(self.reached));
        let options = match clients.settings.authentication() {
            Some(who) => options.authenticated(who),
            None => options,
        };
        let (sender, mut messages) = mpsc::channel(DEPTH);
        let hearing = hear(generation.client.clone(), options, sender, Arc::clone(&self.room));
        let task = tokio::spawn(hearing.with_subscriber(guard::LISTENER.clone()));
        let _ends = Ends(task.abort_handle());
        let tick = (self.silence / 4).max(Duration::from_millis(20));
        let (mut confirmed, mut behind_since) = (false, None);
        loop {
            let message = tokio::select! {
                biased;
                message = messages.recv() => message,
                () = generation.died() => return Given::Up("the connection was lost".into()),
                () = self.deliveries.closed() => return Given::Gone,
                () = tokio::time::sleep(tick) => {
                    // A subscription is not silent where nobody listens to it.
                    let behind = !self.room.is_full()
                        && (!confirmed || clients.seen() > self.reached);
                    let since = behind_since.filter(|_| behind).unwrap_or_else(Instant::now);
                    behind_since = behind.then_some(since);
                    if since.elapsed() >= self.silence {
                        return Given::Silent;
                    }
                    continue;
                }
            };
            let Some(message) = message else { break };
            confirmed = true;
            match message {
                Message::Confirmed => {}
                Message::Reached(position) => self.reached = self.reached.max(position),
                Message::Read(read, permit) => {
                    if let Some(given) = self.deliver(read, permit).await {
                        return given;
                    }
                    self.silence = clients.settings.patience.silence;
                }
            }
            behind_since = None;
        }
        match task.await {
            Ok(error) => {
                if is_of_the_connection(&error) {
                    clients.fail(&generation, said(&error), false);
                }
                match Trouble::from(error) {
                    Trouble::Refused(reason) => Given::For(ReadError::Engine { reason }),
                    trouble => Given::Up(trouble.to_string()),
                }
            }
            Err(_) => Given::Up("the event store ended it".into()),
        }
    }

    /// Hands on an event, once.
    async fn deliver(&mut self, read: Read, permit: OwnedSemaphorePermit) -> Option<Given> {
        if read.position <= self.reached {
            return None;
        }
        self.reached = read.position;
        self.inner.clients.saw(read.position);
        let mut event = match read.found {
            Found::Event(event) => event,
            Found::Limits(limits) => {
                self.inner.census().find(limits.text());
                return None;
            }
            Found::Other => return None,
        };
        self.ordinal += 1;
        event.ordinal = self.ordinal;
        let taken = {
            let mut census = self.inner.census();
            let taken = census.take(self.last, &event);
            taken.and_then(|()| census.check(event.position, event.ordinal))
        };
        if let Err(error) = taken {
            return Some(Given::For(error));
        }
        self.last = event.position;
        self.deliveries.send(Ok((event, permit))).await.err().map(|_| Given::Gone)
    }
}

/// Owns a subscription until it ends, and hands on what it says. The client's next message must
/// never be waited for together with anything else: to stop waiting is to subscribe again.
async fn hear(
    client: Client,
    options: SubscribeToAllOptions,
    messages: mpsc::Sender<Message>,
    room: Arc<Room>,
) -> eventstore::Error {
    let mut subscription = client.subscribe_to_all(&options).await;
    loop {
        let message = match subscription.next_subscription_event().await {
            Err(error) => return error,
            Ok(SubscriptionEvent::EventAppeared(event)) => {
                let Some(event) = event.link.or(event.event) else { continue };
                let bytes = event.data.len() + event.custom_metadata.len();
                let Some(permit) = room.take(bytes).await else {
                    return eventstore::Error::ConnectionClosed;
                };
                Message::Read(event::read(event), permit)
            }
            Ok(SubscriptionEvent::Checkpoint(eventstore::Position { commit, prepare })) => {
                Message::Reached(Position::from_parts(commit, prepare))
            }
            Ok(SubscriptionEvent::CaughtUp(Some(args))) => match args.position {
                Some(eventstore::Position { commit, prepare }) => {
                    Message::Reached(Position::from_parts(commit, prepare))
                }
                None => Message::Confirmed,
            },
            // Its confirmation, or something that says no more than that it lives.
            Ok(_) => Message::Confirmed,
        };
        if messages.send(message).await.is_err() {
            return eventstore::Error::ConnectionClosed;
        }
    }
}
