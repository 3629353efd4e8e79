//! The roots of all views, folded in memory: what two ledgers with the same events agree on.

use cx_ledger::{Direction, Ledger, RawEvent};
use cx_model::{Position, Recorded};

use super::feed::{CHUNK_EVENTS, unread};
use super::registry::Registered;
use crate::fold::Fold;
use crate::projection::Projection;
use crate::root::Root;

/// A view that is folded for its root.
pub(crate) trait Rooted: Send {
    /// Folds some events.
    fn fold(&mut self, events: &[Recorded]);
    /// The root of what was folded.
    fn root(&self) -> Root;
}

impl<V: Projection> Rooted for Fold<V> {
    fn fold(&mut self, events: &[Recorded]) {
        Self::fold(self, events);
    }

    fn root(&self) -> Root {
        self.head().root
    }
}

/// Folds these views in memory from the first event up to a position, and gives the root of each
/// by name. An event that cannot be read counts as unknown, as it does for an engine.
pub async fn fold_roots(
    ledger: &dyn Ledger,
    up_to: Position,
    views: &[Registered],
) -> Result<Vec<(&'static str, Root)>, cx_ledger::ReadError> {
    let mut folds: Vec<_> = views.iter().map(|view| (view.name(), view.fold())).collect();
    let mut after = Position::START;
    loop {
        let raw = ledger.read_all(after, Direction::Forwards, CHUNK_EVENTS).await?;
        let wanted = raw.partition_point(|event| event.position <= up_to);
        let decode = |raw: &RawEvent| cx_ledger::decode(raw).unwrap_or_else(|_| unread(raw));
        let events: Vec<Recorded> = raw[..wanted].iter().map(decode).collect();
        for (_, fold) in &mut folds {
            fold.fold(&events);
        }
        match raw.last() {
            Some(last) if wanted == raw.len() => after = last.position,
            _ => break,
        }
        tokio::task::yield_now().await;
    }
    Ok(folds.into_iter().map(|(name, fold)| (name, fold.root())).collect())
}
