//! All views as they stood: side generations that a job folds and a server then answers from.
//!
//! `past/POSITION` holds a directory of views like the live one, folded up to that position and no
//! further. It is made under another name and renamed when it is whole, beside whoever serves.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cx_ledger::{Direction, Ledger};
use cx_model::Position;
use tokio::sync::Mutex;

use super::{Engine, OpenError, Options};
use crate::store::StoreError;

/// Side generations open at once; the one that was asked for longest ago makes room.
const OPEN: usize = 4;

/// The side generations of a data directory.
pub struct Pasts {
    ledger: Arc<dyn Ledger>,
    directory: PathBuf,
    open: Mutex<VecDeque<(Position, Arc<Engine>)>>,
}

impl Pasts {
    /// Those that lie in `directory`, whenever they were put there.
    pub fn new(ledger: Arc<dyn Ledger>, directory: &Path) -> Self {
        Self { ledger, directory: directory.to_owned(), open: Mutex::default() }
    }

    /// The position of the last event at or before this one: what a side generation is named by.
    pub async fn last_event(&self, at: Position) -> Result<Position, cx_ledger::ReadError> {
        let last = self.ledger.read_all(at, Direction::Backwards, 1).await?;
        Ok(last.first().map_or(Position::START, |event| event.position))
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
        let io = |source: &std::io::Error| OpenError::Store {
            path: made.clone(),
            source: StoreError::Failed { reason: source.to_string() },
        };
        std::fs::create_dir_all(&made).map_err(|error| io(&error))?;
        let options = Options { until: Some(at), ..Options::default() };
        let engine = Engine::start(Arc::clone(&self.ledger), &made, options).await?;
        // Without a deadline nothing is ever stale.
        let _ = engine.at_least(at, &[], Duration::MAX).await;
        engine.shutdown().await;
        std::fs::rename(&made, &place).map_err(|error| io(&error))?;
        Ok(at)
    }

    /// The views as they stood at exactly this position; `None` if no job has folded them.
    pub async fn engine(&self, at: Position) -> Result<Option<Arc<Engine>>, OpenError> {
        let at = self.last_event(at).await?;
        let mut open = self.open.lock().await;
        if let Some(place) = open.iter().position(|(position, _)| *position == at) {
            let found = open.remove(place);
            open.extend(found);
            return Ok(open.back().map(|(_, engine)| Arc::clone(engine)));
        }
        let place = self.directory.join(at.to_string());
        if !place.exists() {
            return Ok(None);
        }
        let options = Options { until: Some(at), ..Options::default() };
        let engine = Arc::new(Engine::start(Arc::clone(&self.ledger), &place, options).await?);
        open.push_back((at, Arc::clone(&engine)));
        if open.len() > OPEN {
            // Whoever still reads it keeps it; its threads end with the last of them.
            open.pop_front();
        }
        Ok(Some(engine))
    }

    /// Closes what is open, in order.
    pub async fn shutdown(&self) {
        for (_, engine) in std::mem::take(&mut *self.open.lock().await) {
            engine.shutdown().await;
        }
    }
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
    let position = ledger.head().await?;
    let (mut missing, mut there, mut moves) = (Vec::new(), Vec::new(), Vec::new());
    let aside = views.join("warm.new");
    for view in crate::all_views() {
        let (name, generation) = (view.name(), view.generation());
        let place = views.join(name).join(&generation);
        if place.exists() {
            there.push(name);
        } else {
            moves.push((aside.join(name).join(&generation), place));
            missing.push(view);
        }
    }
    let made: Vec<&'static str> = missing.iter().map(super::Registered::name).collect();
    if !made.is_empty() {
        let io = |source: &std::io::Error| OpenError::Store {
            path: aside.clone(),
            source: StoreError::Failed { reason: source.to_string() },
        };
        let options = Options { views: missing, until: Some(position), ..Options::default() };
        let engine = Engine::start(ledger, &aside, options).await?;
        let _ = engine.at_least(position, &[], Duration::MAX).await;
        engine.shutdown().await;
        for (from, to) in moves {
            let parent = to.parent().unwrap_or(views);
            std::fs::create_dir_all(parent).map_err(|error| io(&error))?;
            std::fs::rename(&from, &to).map_err(|error| io(&error))?;
        }
        std::fs::remove_dir_all(&aside).map_err(|error| io(&error))?;
    }
    Ok(Warmed { made, there, position })
}
