//! The one reader of the ledger: it decodes each event once and hands it to every view.

#![allow(clippy::disallowed_methods)] // The runner, and only the runner, may look at a clock.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cx_ledger::{Ledger, RawEvent};
use cx_model::{Envelope, Event, Position, Recorded, UnknownEvent};
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::status::LedgerEnd;

/// How many events are read at a time.
pub(crate) const CHUNK_EVENTS: usize = 500;
/// How many chunks a view may be behind the feed before it has to read on its own.
const DEPTH: usize = 6;

/// Events that every view is handed, decoded once.
#[derive(Clone)]
pub(crate) struct Chunk {
    pub events: Arc<[Recorded]>,
    /// The ledger has more: it pays to wait with the commit.
    pub more: bool,
}

/// What the feed and the views share.
pub(crate) struct Feed {
    ledger: Arc<dyn Ledger>,
    stop: watch::Receiver<bool>,
    state: Mutex<State>,
    undecodable: AtomicU64,
    /// It has events that some view does not take yet.
    waits_for_views: AtomicBool,
    /// Events after this position are not handed on.
    until: Option<Position>,
}

struct State {
    /// The ordinal of the last event handed on.
    ordinal: u64,
    recorded_at: Timestamp,
    recent: VecDeque<Chunk>,
    views: Vec<(&'static str, SyncSender<Chunk>)>,
}

impl Feed {
    pub fn new(
        ledger: Arc<dyn Ledger>,
        from: u64,
        until: Option<Position>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let state = State {
            ordinal: from,
            recorded_at: Timestamp::UNIX_EPOCH,
            recent: VecDeque::new(),
            views: Vec::new(),
        };
        let state = Mutex::new(state);
        Self {
            ledger,
            stop,
            state,
            undecodable: AtomicU64::new(0),
            waits_for_views: AtomicBool::new(false),
            until,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn ledger(&self) -> &Arc<dyn Ledger> {
        &self.ledger
    }

    pub fn stopped(&self) -> bool {
        *self.stop.borrow()
    }

    pub fn undecodable(&self) -> u64 {
        self.undecodable.load(Ordering::Relaxed)
    }

    /// Whether it is a slow view, and not the ledger, that keeps the others waiting.
    pub fn waits_for_views(&self) -> bool {
        self.waits_for_views.load(Ordering::Acquire)
    }

    /// The last event the feed has seen.
    pub fn end(&self) -> LedgerEnd {
        let state = self.state();
        LedgerEnd { ordinal: state.ordinal, recorded_at: state.recorded_at }
    }

    /// Hands everything after this ordinal to a view from now on; `None` if the feed no longer has
    /// it all, so that the view must read on by itself.
    pub fn attach(&self, name: &'static str, after: u64) -> Option<Receiver<Chunk>> {
        let mut state = self.state();
        let first = state.recent.front().and_then(|chunk| chunk.events.first());
        let held = first.map_or(state.ordinal, |event| event.ordinal.saturating_sub(1));
        if after < held.min(state.ordinal) {
            return None;
        }
        let (sender, receiver) = sync_channel(2 * DEPTH);
        for chunk in &state.recent {
            if chunk.events.last().is_some_and(|event| event.ordinal > after) {
                sender.try_send(chunk.clone()).ok()?;
            }
        }
        state.views.retain(|(each, _)| *each != name);
        state.views.push((name, sender));
        Some(receiver)
    }

    /// Reads and hands on until the engine stops.
    pub fn run(&self, handle: &Handle, from: Position) {
        let mut after = from;
        let mut pause = Duration::from_millis(50);
        while !self.stopped() {
            match self.follow(handle, &mut after) {
                Ok(()) => break,
                Err(error) => {
                    tracing::warn!(%error, position = %after, "the views' feed lost the ledger; trying again");
                    self.rest(pause);
                    pause = (pause * 2).min(Duration::from_secs(5));
                }
            }
        }
        self.state().views.clear();
    }

    /// Waits, but not past the end of the engine.
    pub fn rest(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while !self.stopped() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn follow(&self, handle: &Handle, after: &mut Position) -> Result<(), cx_ledger::ReadError> {
        let mut follow = {
            let _runtime = handle.enter();
            self.ledger.follow(*after)
        };
        let mut stop = self.stop.clone();
        loop {
            let next = handle.block_on(async {
                tokio::select! {
                    biased;
                    _ = stop.wait_for(|stop| *stop) => None,
                    events = follow.next(CHUNK_EVENTS) => Some(events),
                }
            });
            let Some(raw) = next else { return Ok(()) };
            let raw = raw?;
            let more = raw.len() >= CHUNK_EVENTS / 2;
            let (events, ended) = self.decode(&raw);
            if let Some(last) = events.last() {
                *after = last.position;
                self.hand_on(&Chunk { events, more: more && !ended });
            }
            if ended {
                handle.block_on(async { stop.wait_for(|stop| *stop).await.map(drop) }).ok();
                return Ok(());
            }
        }
    }

    /// Decodes events; what cannot be read is handed on as unknown and counted. Whether the last
    /// wanted event is among them.
    pub fn decode(&self, raw: &[RawEvent]) -> (Arc<[Recorded]>, bool) {
        let wanted = match self.until {
            Some(until) => raw.partition_point(|event| event.position <= until),
            None => raw.len(),
        };
        let events = raw[..wanted].iter().map(|raw| {
            cx_ledger::decode(raw).unwrap_or_else(|error| {
                self.undecodable.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%error, position = %raw.position, "an event cannot be read");
                unread(raw)
            })
        });
        let ended = wanted < raw.len() || raw.last().map(|event| event.position) == self.until;
        (events.collect(), ended)
    }

    fn hand_on(&self, chunk: &Chunk) {
        self.waits_for_views.store(true, Ordering::Release);
        let mut waiting = {
            let mut state = self.state();
            if let Some(last) = chunk.events.last() {
                state.ordinal = last.ordinal;
                state.recorded_at = last.recorded_at;
            }
            state.recent.push_back(chunk.clone());
            if state.recent.len() > DEPTH {
                state.recent.pop_front();
            }
            state.views.clone()
        };
        // While there is history to fold it is cheaper to wait for the slowest than to decode
        // twice; a live feed waits for nobody.
        let patience = Duration::from_millis(if chunk.more { 2_000 } else { 20 });
        let until = Instant::now() + patience;
        let mut gone = Vec::new();
        loop {
            waiting.retain(|(name, view)| match view.try_send(chunk.clone()) {
                Ok(()) => false,
                Err(TrySendError::Full(_)) => true,
                Err(TrySendError::Disconnected(_)) => {
                    gone.push(*name);
                    false
                }
            });
            if waiting.is_empty() || Instant::now() >= until || self.stopped() {
                break;
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        gone.extend(waiting.iter().map(|(name, _)| *name));
        if !gone.is_empty() {
            self.state().views.retain(|(name, _)| !gone.contains(name));
        }
        self.waits_for_views.store(false, Ordering::Release);
    }
}

/// An event that this program cannot read: what it is, not what it says.
pub(crate) fn unread(raw: &RawEvent) -> Recorded {
    let event_type = raw.event_type.to_string();
    let actor = cx_model::Actor::System { name: "unknown".into() };
    Recorded {
        ordinal: raw.ordinal,
        position: raw.position,
        stream: raw.stream.clone(),
        revision: raw.revision,
        id: raw.id,
        recorded_at: raw.recorded_at,
        envelope: Envelope::new(raw.recorded_at, actor),
        event: Event::Unknown(UnknownEvent { event_type, data: raw.data.to_vec() }),
    }
}
