//! Clients, one after the other: one that fails is thrown away whole and another is built, after a
//! pause that grows, with all seeds.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cx_model::Position;
use eventstore::Client;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::generation::Generation;
use super::settings::KurrentSettings;
use super::trouble::{Trouble, is_of_the_connection, said};

#[derive(Default)]
struct State {
    current: Option<Arc<Generation>>,
    /// How many clients were the one of the moment.
    built: u64,
    failures: u32,
    not_before: Option<Instant>,
    trouble: Option<(Instant, String)>,
}

/// The client of the moment, and how it is doing.
pub(super) struct Clients {
    pub settings: KurrentSettings,
    state: Mutex<State>,
    building: tokio::sync::Mutex<()>,
    /// The furthest position that was seen.
    head: watch::Sender<Position>,
    waiting: AtomicUsize,
    /// Wakes those who rest, once the event store answers again.
    back: Notify,
}

/// Somebody waits for the event store as long as this lives.
pub(super) struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl State {
    fn is_current(&self, generation: &Generation) -> bool {
        self.current.as_deref().is_some_and(|current| std::ptr::eq(current, generation))
    }

    /// Notes why the event store does not answer, and tells of it once.
    fn not_well(&mut self, reason: String) {
        if self.trouble.is_none() {
            tracing::warn!(reason, "the event store does not answer; trying until it does");
        }
        let since = self.trouble.take().map_or_else(Instant::now, |(since, _)| since);
        self.trouble = Some((since, reason));
    }

    fn make_current(&mut self, generation: Arc<Generation>) {
        self.current = Some(generation);
        self.built += 1;
    }
}

impl Clients {
    pub fn new(settings: KurrentSettings) -> Self {
        Self {
            settings,
            state: Mutex::default(),
            building: tokio::sync::Mutex::default(),
            head: watch::Sender::default(),
            waiting: AtomicUsize::new(0),
            back: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds the clients")
    }

    pub fn built(&self) -> u64 {
        self.state().built
    }

    /// Says that somebody waits.
    pub fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(&self.waiting)
    }

    pub fn somebody_waits(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Notes a position that is committed.
    pub fn saw(&self, position: Position) {
        self.head.send_if_modified(|head| {
            let further = position > *head;
            *head = position.max(*head);
            further
        });
    }

    /// The furthest position that was seen.
    pub fn seen(&self) -> Position {
        *self.head.borrow()
    }

    /// The client of the moment, or a new one once the pause is over.
    pub async fn get(&self) -> Result<Arc<Generation>, Trouble> {
        let _building = self.building.lock().await;
        let not_before = {
            let state = self.state();
            if let Some(current) = &state.current {
                return Ok(Arc::clone(current));
            }
            state.not_before
        };
        if let Some(not_before) = not_before.filter(|time| *time > Instant::now()) {
            tokio::time::sleep_until(not_before).await;
        }
        let built = self.build().await;
        let mut state = self.state();
        match &built {
            Ok(generation) => state.make_current(Arc::clone(generation)),
            Err(trouble) => self.failed(&mut state, trouble.to_string()),
        }
        built
    }

    /// A client beside the one of the moment.
    pub async fn build(&self) -> Result<Arc<Generation>, Trouble> {
        let settings = self.settings.clone();
        // Reading the system's certificates takes a while.
        let built = tokio::task::spawn_blocking(move || Generation::build(&settings));
        let built = built.await.map_err(|error| Trouble::NotDone(error.to_string()))?;
        built.map(Arc::new)
    }

    /// Puts a client that answers in the place of one that does not, and takes that from those who
    /// wait for it.
    pub fn replace(&self, silent: &Generation, with: Arc<Generation>) {
        let mut state = self.state();
        if state.current.is_none() || state.is_current(silent) {
            state.make_current(with);
        }
        drop(state);
        silent.end();
    }

    /// Throws a client away. `at_once` takes it from those who wait for it as well.
    pub fn fail(&self, generation: &Generation, reason: String, at_once: bool) {
        let mut state = self.state();
        if state.is_current(generation) {
            state.current = None;
            self.failed(&mut state, reason);
        }
        drop(state);
        if at_once {
            generation.end();
        }
    }

    /// Notes that a client says nothing.
    pub fn silent(&self) {
        self.state().not_well("no sign of life".into());
    }

    fn failed(&self, state: &mut State, reason: String) {
        let patience = &self.settings.patience;
        let pause = pause(patience.first_pause, patience.longest_pause, state.failures);
        state.failures += 1;
        state.not_before = Some(Instant::now() + pause);
        state.not_well(reason);
    }

    /// Notes that the event store answered.
    pub fn answered(&self) {
        let mut state = self.state();
        state.failures = 0;
        if let Some((since, _)) = state.trouble.take() {
            tracing::warn!(after = ?since.elapsed(), "the event store answers again");
            self.back.notify_waiters();
        }
    }

    /// Why it did not answer last.
    pub fn reason(&self) -> Option<String> {
        self.state().trouble.as_ref().map(|(_, reason)| reason.clone())
    }

    /// Why it does not answer, if that has lasted so long.
    pub fn trouble_for(&self, lasted: Duration) -> Option<String> {
        let state = self.state();
        let (since, reason) = state.trouble.as_ref()?;
        (since.elapsed() >= lasted).then(|| format!("the event store does not answer: {reason}"))
    }

    /// One attempt at a call, with a client that is thrown away if the connection fails.
    pub async fn attempt<T, F>(
        &self,
        deadline: Instant,
        call: impl FnOnce(Client) -> F,
    ) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, eventstore::Error>>,
    {
        let _waiting = self.wait();
        let Ok(generation) = tokio::time::timeout_at(deadline, self.get()).await else {
            return Err(Trouble::NotDone("no connection within the deadline".into()));
        };
        let generation = generation?;
        let late = deadline.min(Instant::now() + self.settings.patience.answer);
        let answer = tokio::select! {
            answer = call(generation.client.clone()) => answer,
            () = generation.died() => return Err(Trouble::Unknown("the connection was lost".into())),
            () = tokio::time::sleep_until(late) => {
                return Err(Trouble::Unknown("no answer within the deadline".into()));
            }
        };
        match answer {
            Ok(answer) => {
                self.answered();
                Ok(answer)
            }
            Err(error) => {
                if is_of_the_connection(&error) {
                    self.fail(&generation, said(&error), false);
                } else {
                    self.answered();
                }
                Err(error.into())
            }
        }
    }

    /// Attempts until one succeeds, is refused, or the deadline is over. For what may be repeated.
    pub async fn persist<T, F>(
        &self,
        deadline: Instant,
        call: impl Fn(Client) -> F,
    ) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, eventstore::Error>>,
    {
        let mut tries = 0;
        loop {
            match self.attempt(deadline, &call).await {
                Err(trouble) if trouble.may_pass() && Instant::now() < deadline => {
                    self.rest(tries, deadline).await;
                    tries += 1;
                }
                answer => return answer,
            }
        }
    }

    /// A pause between two attempts, which ends as soon as the event store answers again.
    pub async fn rest(&self, tries: u32, deadline: Instant) {
        let patience = &self.settings.patience;
        let pause = pause(patience.first_pause, patience.longest_pause, tries);
        let over = tokio::time::sleep_until(deadline.min(Instant::now() + pause));
        tokio::select! {
            () = self.back.notified() => {}
            () = over => {}
        }
    }
}

/// The n-th pause: twice the one before, and up to a quarter less by chance, so that many clients
/// do not come back together.
fn pause(first: Duration, longest: Duration, n: u32) -> Duration {
    let whole = first.saturating_mul(1 << n.min(16)).min(longest);
    let chance = RandomState::new().hash_one(n) % 256;
    whole.mul_f64(1.0 - chance as f64 / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_are_never_all_the_same() {
        let of = |n| pause(Duration::from_millis(20), Duration::from_secs(1), n);
        assert!((15..=20).contains(&of(0).as_millis()));
        assert!((750..=1000).contains(&of(40).as_millis()));
        let different: std::collections::HashSet<_> = (0..50).map(|_| of(3)).collect();
        assert!(different.len() > 1);
    }
}
