//! All views as they stood: side generations that a job folds and a server then answers from.
//!
//! `past/POSITION` holds a directory of views like the live one, folded up to that position and no
//! further. It is made under another name and renamed when it is whole, beside whoever serves.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cx_ledger::{Direction, Ledger};
use cx_model::Position;

use super::generation::ViewDirectory;
use super::status::LedgerEnd;
use super::{Engine, OpenError, Options, Registered, State};
use crate::store::StoreError;

/// Side generations open at once; the one that was asked for longest ago makes room.
const OPEN: usize = 4;

/// How often a job looks whether its views can go on.
const LOOK: Duration = Duration::from_millis(500);

/// How many looks may find that no view of a job got anywhere: those of five minutes.
const LOOKS: u32 = 600;

/// A side generation that is being opened, open, or being closed; locked while it changes.
type Slot = Arc<tokio::sync::Mutex<Option<Arc<Engine>>>>;

/// The side generations of a data directory.
pub struct Pasts {
    ledger: Arc<dyn Ledger>,
    directory: PathBuf,
    open: Mutex<VecDeque<(Position, Slot)>>,
}

impl Pasts {
    /// Those that lie in `directory`, whenever they were put there.
    pub fn new(ledger: Arc<dyn Ledger>, directory: &Path) -> Self {
        Self { ledger, directory: directory.to_owned(), open: Mutex::default() }
    }

    /// The position of the last event at or before this one: what a side generation is named by.
    pub async fn last_event(&self, at: Position) -> Result<Position, cx_ledger::ReadError> {
        last_event(&*self.ledger, at).await
    }

    /// The positions there are side generations for, in order.
    pub fn kept(&self) -> Vec<Position> {
        let entries = std::fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut kept: Vec<Position> = names.filter_map(|name| name.parse().ok()).collect();
        kept.sort();
        kept
    }

    /// Folds every view up to a position and keeps the rows; does nothing if they are there.
    pub async fn fold(&self, at: Position) -> Result<Position, OpenError> {
        let at = self.last_event(at).await?;
        let place = self.directory.join(at.to_string());
        if place.exists() {
            return Ok(at);
        }
        let made = self.directory.join(format!("{at}.new"));
        std::fs::create_dir_all(&made).map_err(|error| failed(&made, &error))?;
        let options = Options { until: Some(at), ..Options::default() };
        fold_up_to(Arc::clone(&self.ledger), &made, options, at).await?;
        std::fs::rename(&made, &place).map_err(|error| failed(&made, &error))?;
        Ok(at)
    }

    /// The views as they stood at this position, and the position of the last event that they
    /// hold; `None` if no job has folded them.
    ///
    /// # Panics
    /// If opening them panics.
    pub async fn engine(&self, at: Position) -> Result<Option<(Position, Arc<Engine>)>, OpenError> {
        let at = self.last_event(at).await?;
        let place = self.directory.join(at.to_string());
        let Some(slot) = self.slot(at, &place) else { return Ok(None) };
        let mut slot = slot.lock_owned().await;
        if let Some(engine) = &*slot {
            return Ok(Some((at, Arc::clone(engine))));
        }
        // A caller that goes away does not leave half an engine behind.
        let ledger = Arc::clone(&self.ledger);
        let started = tokio::spawn(async move {
            let options = Options { until: Some(at), ..Options::default() };
            let engine = Arc::new(Engine::start(ledger, &place, options).await?);
            *slot = Some(Arc::clone(&engine));
            Ok(Some((at, engine)))
        });
        started.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }

    fn open(&self) -> MutexGuard<'_, VecDeque<(Position, Slot)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The slot of a position, the last to make room from now on.
    fn slot(&self, at: Position, place: &Path) -> Option<Slot> {
        let mut open = self.open();
        // A slot that nobody holds and that holds nothing was closed, or never opened.
        open.retain(|(_, slot)| {
            Arc::strong_count(slot) > 1 || slot.try_lock().is_ok_and(|engine| engine.is_some())
        });
        let slot = match open.iter().position(|(position, _)| *position == at) {
            Some(found) => open.remove(found)?.1,
            None if place.exists() => Slot::default(),
            None => return None,
        };
        let surplus = (open.len() + 1).saturating_sub(OPEN);
        let idle = open.iter().filter_map(|(_, slot)| close_if_idle(slot));
        // Lazily: only as many are closed as have to make room.
        idle.take(surplus).for_each(drop);
        open.push_back((at, Arc::clone(&slot)));
        Some(slot)
    }

    /// Closes what is open, in order.
    pub async fn shutdown(&self) {
        let open = std::mem::take(&mut *self.open());
        for (_, slot) in open {
            let engine = slot.lock().await.take();
            if let Some(engine) = engine {
                engine.shutdown().await;
            }
        }
    }
}

/// Begins to close an engine that nobody reads; who asks for it meanwhile waits and opens it anew.
fn close_if_idle(slot: &Slot) -> Option<()> {
    let mut slot = Arc::clone(slot).try_lock_owned().ok()?;
    let engine = slot.take_if(|engine| Arc::strong_count(engine) == 1)?;
    tokio::spawn(async move {
        engine.shutdown().await;
        drop(slot);
    });
    Some(())
}

async fn last_event(ledger: &dyn Ledger, at: Position) -> Result<Position, cx_ledger::ReadError> {
    let last = ledger.read_all(at, Direction::Backwards, 1).await?;
    Ok(last.first().map_or(Position::START, |event| event.position))
}

fn failed(path: &Path, error: &std::io::Error) -> OpenError {
    let source = StoreError::Failed { reason: error.to_string() };
    OpenError::Store { path: path.to_owned(), source }
}

/// Folds views in a directory of their own up to a position, and closes them. Everything is in
/// their files when it succeeds.
pub(super) async fn fold_up_to(
    ledger: Arc<dyn Ledger>,
    directory: &Path,
    options: Options,
    at: Position,
) -> Result<(), OpenError> {
    let engine = Engine::start(ledger, directory, options).await?;
    let reached = wait(&engine, at).await;
    engine.shutdown().await;
    reached?;
    for (view, _) in &engine.views {
        let (name, generation) = (view.name(), view.status(LedgerEnd::default()).generation);
        let store = |source| OpenError::Store { path: directory.to_owned(), source };
        let rows = ViewDirectory::new(directory, name).map_err(store)?.generation(&generation);
        let flushed = rows.flushed().map_err(store)?;
        if flushed.is_none_or(|head| head.position < at) {
            let reason = "its rows could not be written".to_owned();
            return Err(OpenError::Unfinished { view: name, reason });
        }
    }
    Ok(())
}

/// Waits until all views have reached a position, for as long as they get on.
async fn wait(engine: &Engine, at: Position) -> Result<(), OpenError> {
    let (mut folded, mut in_vain) = (0, 0);
    while let Err(stale) = engine.at_least(at, &[], LOOK).await {
        let views = engine.views.iter().map(|(view, _)| view.status(LedgerEnd::default()));
        let mut now = 0;
        for view in views {
            now += view.folded;
            if matches!(view.state, State::Failing | State::Stopped) {
                let reason = view.reason.unwrap_or_else(|| view.state.as_str().to_owned());
                return Err(OpenError::Unfinished { view: view.name, reason });
            }
        }
        in_vain = if now == folded { in_vain + 1 } else { 0 };
        folded = now;
        if in_vain >= LOOKS {
            let reason = format!("no event was folded for {} s", (LOOK * LOOKS).as_secs());
            return Err(OpenError::Unfinished { view: stale.view, reason });
        }
    }
    Ok(())
}

/// What [`warm`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warmed {
    /// The views whose generation was made.
    pub made: Vec<&'static str>,
    /// The views that were there already.
    pub there: Vec<&'static str>,
    /// The position the made ones have reached.
    pub position: Position,
}

/// Makes the generations that this code names and `views` does not have, beside whoever serves
/// from there; the next start of this code serves them at once.
pub async fn warm(ledger: Arc<dyn Ledger>, views: &Path) -> Result<Warmed, OpenError> {
    warm_these(ledger, views, crate::all_views()).await
}

pub(super) async fn warm_these(
    ledger: Arc<dyn Ledger>,
    views: &Path,
    wanted: Vec<Registered>,
) -> Result<Warmed, OpenError> {
    let position = last_event(&*ledger, Position::new(u64::MAX)).await?;
    let (mut missing, mut there, mut moves) = (Vec::new(), Vec::new(), Vec::new());
    let aside = views.join("warm.new");
    for view in wanted {
        let (name, generation) = (view.name(), view.generation());
        let place = views.join(name).join(&generation);
        if place.exists() {
            there.push(name);
            let store = |source| OpenError::Store { path: place.clone(), source };
            let live = ViewDirectory::new(views, name).map_err(store)?;
            live.await_generation(&generation).map_err(store)?;
        } else {
            moves.push((name, generation));
            missing.push(view);
        }
    }
    if !moves.is_empty() {
        let options = Options { views: missing, until: Some(position), ..Options::default() };
        fold_up_to(ledger, &aside, options, position).await?;
        for (name, generation) in &moves {
            hand_over(&aside, views, name, generation)?;
        }
        std::fs::remove_dir_all(&aside).map_err(|error| failed(&aside, &error))?;
    }
    let made = moves.into_iter().map(|(name, _)| name).collect();
    Ok(Warmed { made, there, position })
}

/// Moves a generation to where the next program looks for it. Who serves there meanwhile keeps it.
fn hand_over(aside: &Path, views: &Path, name: &str, generation: &str) -> Result<(), OpenError> {
    let store = |source| OpenError::Store { path: views.join(name), source };
    let made = ViewDirectory::new(aside, name).map_err(store)?;
    let live = ViewDirectory::new(views, name).map_err(store)?;
    made.mark_awaited(generation).map_err(store)?;
    let place = views.join(name).join(generation);
    std::fs::rename(aside.join(name).join(generation), &place)
        .map_err(|error| failed(&place, &error))?;
    live.await_generation(generation).map_err(store)
}
