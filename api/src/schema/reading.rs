//! How resolvers read views: at or after the position the request asks for, at one head, and with
//! the position reported.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_graphql::{Context, Error, Result};
use cx_ledger::{AppendError, Book, BookError};
use cx_model::{CustomerId, Position, StreamName};
use cx_projections::{
    Engine, Fold, Pasts, Projection, ReadError, Reader, Row, Scan, Snapshot, fold_history,
};

use super::moment::{AsOf, position_of};
use crate::errors::{Code, internal, unavailable};
use crate::positions::{AtLeast, ReadPositions};

/// What resolvers work with: the book that is written to and the views that are read.
#[derive(Clone)]
pub struct System {
    /// The ledger, as the model sees it.
    pub book: Book,
    /// The views.
    pub engine: Arc<Engine>,
}

/// The system of a request.
pub fn system<'a>(ctx: &Context<'a>) -> &'a System {
    ctx.data_unchecked::<System>()
}

/// The rows of a view, as they are or as they stood.
pub enum Source<'a, V: Projection> {
    /// As they are.
    Live(Snapshot<'a, V>),
    /// As they stood: folded in memory from one customer's events.
    Past {
        /// The rows.
        fold: &'a Fold<V>,
        /// At which position.
        position: Position,
    },
}

impl<V: Projection> Source<'_, V> {
    /// One row.
    pub fn get(&self, key: &V::Key) -> Result<Option<V::View>> {
        match self {
            Self::Live(snapshot) => Ok(self::row(snapshot, key)?.map(|row| row.view)),
            Self::Past { fold, .. } => Ok(fold.get(key)),
        }
    }

    /// The position the rows are true at.
    pub fn position(&self) -> Position {
        match self {
            Self::Live(snapshot) => snapshot.as_of(),
            Self::Past { position, .. } => *position,
        }
    }
}

/// One row with what surrounds it; refused if its lane has stalled.
pub fn row<V: Projection>(snapshot: &Snapshot<'_, V>, key: &V::Key) -> Result<Option<Row<V>>> {
    let row = snapshot.get(key).map_err(read_failed)?;
    match row.as_ref().and_then(|row| row.stalled_at) {
        None => Ok(row),
        Some(position) => Err(stalled::<V>(position)),
    }
}

/// A row that does not have the events from this position on.
fn stalled<V: Projection>(position: Position) -> Error {
    Code::Stalled.error_with(
        format!(
            "view {} cannot fold the event at position {position}; its code needs mending",
            V::NAME
        ),
        [("stalledAt", position.to_string().into())],
    )
}

/// The rows of a scan; refused if the lane of one of them has stalled.
pub fn scan<V: Projection>(snapshot: &Snapshot<'_, V>, scan: &Scan<V>) -> Result<Vec<Row<V>>> {
    let rows = snapshot.scan(scan).map_err(read_failed)?;
    match rows.iter().find_map(|row| row.stalled_at) {
        None => Ok(rows),
        Some(position) => Err(stalled::<V>(position)),
    }
}

/// A failed read as an answer.
pub fn read_failed(error: ReadError) -> Error {
    match error {
        ReadError::Rebuilding { .. } => Code::Rebuilding.error(error.to_string()),
        error => internal(error),
    }
}

/// A failed call on the book as an answer.
pub fn book_failed(error: BookError) -> Error {
    match error {
        BookError::UnknownCustomer { .. } => Code::NotFound.error(error.to_string()),
        BookError::Erased { .. } | BookError::KeyReused => Code::Conflict.error(error.to_string()),
        BookError::Read(error) => ledger_failed(error),
        BookError::Append(
            AppendError::Timeout | AppendError::NoSpace { .. } | AppendError::Poisoned { .. },
        ) => unavailable(&error),
        error => internal(error),
    }
}

/// A failed read of the ledger as an answer.
pub fn ledger_failed(error: cx_ledger::ReadError) -> Error {
    match error {
        cx_ledger::ReadError::Timeout => unavailable(&error),
        error => internal(error),
    }
}

/// The reader of a view, once the view has reached the position the request asks for.
pub async fn reader<V: Projection>(ctx: &Context<'_>) -> Result<Reader<V>> {
    let engine = &system(ctx).engine;
    if let Some(AtLeast(Some(required))) = ctx.data_opt::<AtLeast>().copied() {
        wait_for::<V>(engine, required).await?;
    }
    Ok(engine.reader::<V>())
}

/// Waits until every view has reached the position the request asks for, or says how far they are.
pub async fn all_at_least(ctx: &Context<'_>) -> Result<()> {
    let Some(AtLeast(Some(required))) = ctx.data_opt::<AtLeast>().copied() else { return Ok(()) };
    let reached = system(ctx).engine.at_least(required, &[], WAIT).await;
    reached.map_err(|stale| {
        Code::Stale.error_with(
            stale.to_string(),
            [
                ("required", required.to_string().into()),
                ("current", stale.current.to_string().into()),
            ],
        )
    })
}

/// How long a request waits for a view.
const WAIT: Duration = Duration::from_secs(1);

/// Waits until a view has reached a position, or says how far it is.
pub async fn wait_for<V: Projection>(engine: &Engine, required: Position) -> Result<()> {
    let mut heads = engine.reader::<V>().heads();
    let reached = heads.wait_for(|head| head.position >= required);
    if let Ok(Ok(_)) = tokio::time::timeout(WAIT, reached).await {
        return Ok(());
    }
    let current = engine.reader::<V>().head().position;
    Err(Code::Stale.error_with(
        format!("view {} has reached position {current}, not yet {required}; ask again", V::NAME),
        [("required", required.to_string().into()), ("current", current.to_string().into())],
    ))
}

/// Reads a view at one head and reports the position.
pub async fn read<V: Projection, T>(
    ctx: &Context<'_>,
    read: impl FnOnce(&Snapshot<'_, V>) -> Result<T>,
) -> Result<T> {
    read_by(ctx, &reader::<V>(ctx).await?, read)
}

fn read_by<V: Projection, T>(
    ctx: &Context<'_>,
    reader: &Reader<V>,
    read: impl FnOnce(&Snapshot<'_, V>) -> Result<T>,
) -> Result<T> {
    let positions = ctx.data_opt::<ReadPositions>();
    blocking(|| {
        let snapshot = reader.snapshot().map_err(read_failed)?;
        if let Some(positions) = positions {
            positions.report(snapshot.as_of());
        }
        read(&snapshot)
    })
}

/// Which views a figure over all customers is read from: the live ones, or a side generation.
#[derive(Clone)]
pub struct Standing(Option<(Arc<Engine>, Position)>);

impl std::fmt::Debug for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = self.0.as_ref().map(|(_, position)| position);
        f.debug_tuple("Standing").field(&at).finish()
    }
}

impl Standing {
    /// The views of a moment, or the live ones if none is named. Without a side generation of
    /// that moment the answer says how to make one.
    pub async fn at(ctx: &Context<'_>, as_of: Option<AsOf>) -> Result<Self> {
        let Some(as_of) = as_of else { return Ok(Self(None)) };
        let position = position_of(ctx, as_of).await?;
        let found = match ctx.data_opt::<Arc<Pasts>>() {
            Some(pasts) => pasts.engine(position).await.map_err(internal)?,
            None => None,
        };
        // The views stand at the last event before the position, and are waited for only up to it.
        let Some((position, engine)) = found else {
            let message = format!(
                "the views over all customers are not kept as they stood at position {position}: \
                 make them with `cxledger past --at {position}`, then ask again"
            );
            return Err(Code::NotFound.error_with(message, [("asOf", position.to_string().into())]));
        };
        Ok(Self(Some((engine, position))))
    }

    /// The engine the views belong to.
    pub fn engine<'a>(&'a self, ctx: &Context<'a>) -> &'a Arc<Engine> {
        self.0.as_ref().map_or(&system(ctx).engine, |(engine, _)| engine)
    }

    /// Reads a view at one head and reports the position.
    pub async fn read<V: Projection, T>(
        &self,
        ctx: &Context<'_>,
        read: impl FnOnce(&Snapshot<'_, V>) -> Result<T>,
    ) -> Result<T> {
        let Some((engine, position)) = &self.0 else { return self::read(ctx, read).await };
        // A side generation that is opened for the first time may still write its last rows.
        wait_for::<V>(engine, *position).await?;
        read_by(ctx, &engine.reader::<V>(), read)
    }
}

/// A look-up that takes longer than this waited for something.
const QUICK: Duration = Duration::from_millis(5);

/// For how long look-ups then go where waiting holds up nobody.
const WARY: Duration = Duration::from_millis(50);

/// Runs a look-up of a few rows on the spot, since moving to another thread costs several times
/// what it does. Once one has waited (for a commit, for a cold disk) those of the next moment run
/// where that holds up nobody.
fn quickly<T>(work: impl FnOnce() -> T) -> T {
    /// Microseconds since the first look-up, up to which look-ups are wary.
    static WARY_UNTIL: AtomicU64 = AtomicU64::new(0);
    static FIRST: OnceLock<Instant> = OnceLock::new();
    let first = *FIRST.get_or_init(Instant::now);
    let begun = first.elapsed();
    let done = if (begun.as_micros() as u64) < WARY_UNTIL.load(Ordering::Relaxed) {
        blocking(work)
    } else {
        work()
    };
    let now = first.elapsed();
    if now.saturating_sub(begun) > QUICK {
        WARY_UNTIL.store((now + WARY).as_micros() as u64, Ordering::Relaxed);
    }
    done
}

/// Runs something that may wait for a disk where that holds up nobody.
pub fn blocking<T>(work: impl FnOnce() -> T) -> T {
    match tokio::runtime::Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(tokio::runtime::RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

/// Reads a view of customers' rows: as they are, or one customer's as they stood.
pub async fn read_as_of<V: Projection, T>(
    ctx: &Context<'_>,
    customer: CustomerId,
    as_of: Option<AsOf>,
    read: impl FnOnce(&Source<'_, V>) -> Result<T>,
) -> Result<T> {
    let Some(as_of) = as_of else {
        let reader = reader::<V>(ctx).await?;
        let positions = ctx.data_opt::<ReadPositions>();
        return quickly(|| {
            let source = Source::Live(reader.snapshot().map_err(read_failed)?);
            if let Some(positions) = positions {
                positions.report(source.position());
            }
            read(&source)
        });
    };
    let (fold, position) = fold_at::<V>(ctx, &customer.stream(), as_of).await?;
    read(&Source::Past { fold: &fold, position })
}

/// A view as one stream alone had made it by a moment, and that moment's position, which is
/// reported; refused if a lane has stalled.
pub async fn fold_at<V: Projection>(
    ctx: &Context<'_>,
    stream: &StreamName,
    as_of: AsOf,
) -> Result<(Fold<V>, Position)> {
    let position = position_of(ctx, as_of).await?;
    let history = system(ctx).book.history(stream).await.map_err(book_failed)?;
    let fold = fold_history::<V>(&history, position);
    if let Some(stall) = fold.head().stalls.first() {
        return Err(stalled::<V>(stall.position));
    }
    if let Some(positions) = ctx.data_opt::<ReadPositions>() {
        positions.report(position);
    }
    Ok((fold, position))
}
