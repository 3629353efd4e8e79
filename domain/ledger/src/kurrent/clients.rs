//! Clients, one after the other: one that fails is thrown away whole and another is built, after a
//! pause that grows, with all seeds.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cx_model::Position;
use eventstore::Client;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::Instant;

use super::settings::KurrentSettings;
use super::trouble::{Trouble, is_of_the_connection};

/// One client. What runs on its behalf runs on a thread of its own and ends with it: the client
/// itself never ends the task that keeps its connection.
pub(super) struct Generation {
    number: u64,
    pub client: Client,
    runtime: Option<Runtime>,
    dead: watch::Sender<bool>,
}

impl Generation {
    fn build(number: u64, settings: &KurrentSettings) -> Result<Self, Trouble> {
        let failed = |error: &dyn std::fmt::Display| Trouble::NotDone(error.to_string());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("kurrent")
            .enable_all()
            .build()
            .map_err(|error| failed(&error))?;
        let handle = runtime.handle().clone();
        let client = Client::with_runtime_handle(handle, settings.client());
        let client = client.map_err(|error| Trouble::Refused(error.to_string()))?;
        Ok(Self { number, client, runtime: Some(runtime), dead: watch::Sender::new(false) })
    }

    /// Resolves when nothing more is to be expected of it.
    pub async fn died(&self) {
        let mut dead = self.dead.subscribe();
        let _ = dead.wait_for(|dead| *dead).await;
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[derive(Default)]
struct State {
    current: Option<Arc<Generation>>,
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
}

/// Somebody waits for the event store as long as this lives.
pub(super) struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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
        loop {
            let _building = self.building.lock().await;
            let (number, not_before) = {
                let state = self.state();
                if let Some(current) = &state.current {
                    return Ok(Arc::clone(current));
                }
                (state.built + 1, state.not_before)
            };
            if let Some(not_before) = not_before.filter(|time| *time > Instant::now()) {
                tokio::time::sleep_until(not_before).await;
            }
            let settings = self.settings.clone();
            // Reading the system's certificates takes a while.
            let built = tokio::task::spawn_blocking(move || Generation::build(number, &settings));
            let built = built.await.map_err(|error| Trouble::NotDone(error.to_string()))?;
            let mut state = self.state();
            state.built = number;
            match built {
                Ok(generation) => state.current = Some(Arc::new(generation)),
                Err(trouble) => {
                    self.failed(&mut state, trouble.to_string());
                    return Err(trouble);
                }
            }
        }
    }

    /// Throws a client away. `at_once` takes it from those who wait for it as well.
    pub fn fail(&self, generation: &Generation, reason: String, at_once: bool) {
        let mut state = self.state();
        let is_current =
            state.current.as_ref().is_some_and(|current| current.number == generation.number);
        if is_current {
            state.current = None;
            self.failed(&mut state, reason);
        }
        drop(state);
        if at_once {
            generation.dead.send_replace(true);
        }
    }

    fn failed(&self, state: &mut State, reason: String) {
        let patience = &self.settings.patience;
        let pause = pause(patience.first_pause, patience.longest_pause, state.failures);
        state.failures += 1;
        state.not_before = Some(Instant::now() + pause);
        tracing::warn!(reason, "the event store does not answer; connecting again");
        let since = state.trouble.take().map_or_else(Instant::now, |(since, _)| since);
        state.trouble = Some((since, reason));
    }

    /// Notes that the event store answered.
    pub fn answered(&self) {
        let mut state = self.state();
        state.failures = 0;
        state.trouble = None;
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
                    self.fail(&generation, error.to_string(), false);
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

    /// A pause between two attempts.
    pub async fn rest(&self, tries: u32, deadline: Instant) {
        let patience = &self.settings.patience;
        let pause = pause(patience.first_pause, patience.longest_pause, tries);
        tokio::time::sleep_until(deadline.min(Instant::now() + pause)).await;
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
