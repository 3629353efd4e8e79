//! Why a row is what it is: every event behind it, with the row before and after.

use cx_ledger::Direction;
use cx_model::{Position, Recorded};

use super::Engine;
use super::reader::{ReadError, Row};
use crate::fold::Fold;
use crate::key::Key;
use crate::projection::{Figure, Projection};
use crate::rows::{EVIDENCE_PER_ROW, Evidence, space};
use crate::store::{StoreError, Stretch};
use crate::stored;

/// One event that touched a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Step<V: Projection> {
    /// The event's number.
    pub ordinal: u64,
    /// Its position.
    pub position: Position,
    /// The event, personal values sealed.
    pub event: Recorded,
    /// The row before it.
    pub before: Option<V::View>,
    /// The row after it.
    pub after: Option<V::View>,
}

/// A page of the events behind a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained<V: Projection> {
    /// The row as it is, if it is there.
    pub row: Option<Row<V>>,
    /// The position that is true at.
    pub as_of: Position,
    /// The events, oldest first.
    pub steps: Vec<Step<V>>,
    /// There are more after the last of these.
    pub more: bool,
}

/// A row cannot be explained.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ExplainError {
    /// The view cannot be read.
    #[error(transparent)]
    View(#[from] ReadError),
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] cx_ledger::ReadError),
    /// The view does not say which stream its rows come from, or they are sums.
    #[error(
        "view {view} does not say which stream this row comes from (`stream_of`), nor is it listed \
         as `Sum`, as a figure is: it cannot be explained"
    )]
    NoStream {
        /// The view.
        view: &'static str,
    },
}

/// The events of one piece of evidence, before they are read.
struct Pointed<V: Projection> {
    ordinal: u64,
    position: Position,
    before: V::View,
    after: V::View,
}

impl Engine {
    /// At most `limit` of the events that touched a row, those after the event numbered `after`,
    /// oldest first: the events of the row's stream are folded again.
    pub async fn explain<V: Projection>(
        &self,
        key: &V::Key,
        after: u64,
        limit: usize,
    ) -> Result<Explained<V>, ExplainError> {
        let reader = self.reader::<V>();
        let row_key = key.clone();
        let (row, as_of) = off_the_async_threads(move || {
            let snapshot = reader.snapshot()?;
            Ok::<_, ReadError>((snapshot.get(&row_key)?, snapshot.as_of()))
        })
        .await?;
        let Some(stream) = V::stream_of(key) else {
            return Err(ExplainError::NoStream { view: V::NAME });
        };
        let history = self.history(&stream, as_of).await?;
        let mut steps = steps_of_history::<V>(&history, key, after, limit + 1);
        let more = steps.len() > limit;
        steps.truncate(limit);
        Ok(Explained { row, as_of, steps, more })
    }

    /// The same for a sum over customers: a page of its evidence is read and nothing is folded.
    pub async fn explain_sum<V: Projection>(
        &self,
        cell: &V::Key,
        after: u64,
        limit: usize,
    ) -> Result<Explained<V>, ExplainError>
    where
        V::View: Figure,
    {
        let reader = self.reader::<V>();
        let cell = cell.clone();
        let (row, as_of, pointed) = off_the_async_threads(move || {
            let snapshot = reader.snapshot()?;
            let row = snapshot.get(&cell)?;
            let touched = row.as_ref().map_or(0, |row| row.provenance.count);
            let pointed = evidence::<V>(snapshot.store(), &cell, touched, after, limit + 1)
                .map_err(|error| snapshot.failed(error))?;
            Ok::<_, ReadError>((row, snapshot.as_of(), pointed))
        })
        .await?;
        let mut steps = self.steps_of_evidence(pointed).await?;
        let more = steps.len() > limit;
        steps.truncate(limit);
        Ok(Explained { row, as_of, steps, more })
    }

    /// The events of one stream up to a position, that one included, oldest first. Events that
    /// cannot be read are there as unknown ones.
    pub async fn history(
        &self,
        stream: &cx_model::StreamName,
        up_to: Position,
    ) -> Result<Vec<Recorded>, cx_ledger::ReadError> {
        let mut history = Vec::new();
        let mut from = 0;
        loop {
            let raw = self.ledger.read_stream(stream, from, Direction::Forwards, 1_000).await?;
            let Some(last) = raw.last() else { break };
            from = last.revision + 1;
            let wanted = raw.partition_point(|event| event.position <= up_to);
            history.extend(self.feed.decode(&raw[..wanted]).0.iter().cloned());
            if wanted < raw.len() {
                break;
            }
        }
        if history.iter().any(|event| event.ordinal == 0) {
            // An engine that cannot tell: their order in the stream is enough for one history.
            history.iter_mut().zip(1..).for_each(|(event, ordinal)| event.ordinal = ordinal);
        }
        Ok(history)
    }

    /// One view as one stream alone makes it, up to a position: a customer's rows as they stood.
    pub async fn fold_stream<V: Projection>(
        &self,
        stream: &cx_model::StreamName,
        up_to: Position,
    ) -> Result<Fold<V>, cx_ledger::ReadError> {
        Ok(crate::fold::fold_history(&self.history(stream, up_to).await?, up_to))
    }

    async fn steps_of_evidence<V: Projection>(
        &self,
        pointed: Vec<Pointed<V>>,
    ) -> Result<Vec<Step<V>>, ExplainError> {
        let mut steps = Vec::with_capacity(pointed.len());
        for Pointed { ordinal, position, before, after } in pointed {
            let raw = self.ledger.read_all(position, Direction::Backwards, 1).await?;
            let (events, _) = self.feed.decode(&raw);
            let Some(event) = events.first().cloned() else { continue };
            steps.push(Step { ordinal, position, event, before: Some(before), after: Some(after) });
        }
        Ok(steps)
    }
}

async fn off_the_async_threads<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> T {
    let read = tokio::task::spawn_blocking(read);
    read.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// The evidence of a sum after an ordinal.
fn evidence<V: Projection>(
    store: &dyn crate::store::Store,
    key: &V::Key,
    touched: u64,
    after: u64,
    limit: usize,
) -> Result<Vec<Pointed<V>>, StoreError>
where
    V::View: Figure,
{
    let mut prefix = vec![space::EVIDENCE];
    key.encode(&mut prefix);
    let block = |place: u64| {
        let mut block = prefix.clone();
        (place as u32).encode(&mut block);
        block
    };
    let first_of = |place: u64| -> Result<Option<u64>, StoreError> {
        let Some(bytes) = store.get(&block(place))? else { return Ok(None) };
        let found: Evidence<V::View> = stored::read_row(stored::open(&bytes)?.row)?;
        Ok(found.proofs.iter().next().map(|proof| proof.ordinal))
    };
    // Blocks are in the order of the ledger: halve the way to the one that holds `after`.
    let (mut low, mut high) = (0, touched.div_ceil(EVIDENCE_PER_ROW).max(1));
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        let early = first_of(middle)?.is_some_and(|first| first <= after);
        if early { low = middle } else { high = middle }
    }
    let mut pointed = Vec::new();
    let mut stretch = Stretch::under(&prefix);
    stretch.from = std::ops::Bound::Included(block(low));
    store.scan(&stretch, &mut |_, bytes| {
        let found: Evidence<V::View> = stored::read_row(stored::open(bytes)?.row)?;
        let mut sum = found.before;
        for proof in found.proofs.iter() {
            let before = sum.clone();
            sum.add(&proof.delta);
            if proof.ordinal > after && pointed.len() < limit {
                let (ordinal, position) = (proof.ordinal, proof.position());
                pointed.push(Pointed { ordinal, position, before, after: sum.clone() });
            }
        }
        Ok(pointed.len() < limit)
    })?;
    Ok(pointed)
}

/// Folds a stream event by event and notes those that touched the row.
fn steps_of_history<V: Projection>(
    history: &[Recorded],
    key: &V::Key,
    after: u64,
    limit: usize,
) -> Vec<Step<V>> {
    let mut fold = Fold::<V>::new();
    let mut steps = Vec::new();
    let mut before = None;
    for event in history {
        fold.fold(std::slice::from_ref(event));
        let now = fold.row(key);
        let touched = match &now {
            Some((_, provenance)) => provenance.last == event.ordinal,
            None => before.is_some(),
        };
        let now = now.map(|(row, _)| row);
        if touched && event.ordinal > after {
            steps.push(Step {
                ordinal: event.ordinal,
                position: event.position,
                event: event.clone(),
                before: before.clone(),
                after: now.clone(),
            });
            if steps.len() == limit {
                break;
            }
        }
        before = now;
    }
    steps
}
