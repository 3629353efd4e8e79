//! New code whose keys mean something else than those of the old rows.

use cx_model::{CustomerId, Event, Recorded};
use serde::{Deserialize, Serialize};

use super::generations::{held::Held, served};
use super::*;
use crate::engine::{ReadError, registered};
use crate::projection::Projection;
use crate::rows::Rows;

/// How many events touched a row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Count {
    count: u64,
}

/// Codes of one view: under which keys each counts an event.
macro_rules! counted {
    ($($(#[$doc:meta])* $code:ident by $key:ty $(, revision $revision:literal)?: $keys:expr;)*) => {$(
        $(#[$doc])*
        struct $code;

        impl Projection for $code {
            const NAME: &'static str = "counted";
            $(const REVISION: u32 = $revision;)?
            type Key = $key;
            type View = Count;
            type Private = ();

            fn apply(event: &Recorded, rows: &mut Rows<'_, Self>) {
                let keys: fn(&Recorded) -> Vec<$key> = $keys;
                for key in keys(event) {
                    rows.update(&key, |row| row.count += 1);
                }
            }
        }
    )*};
}

fn met_on(event: &Recorded) -> Option<Channel> {
    match &event.event {
        Event::InteractionRecorded(met) => Some(met.channel),
        _ => None,
    }
}

fn catalogued_on(event: &Recorded) -> Option<Channel> {
    match &event.event {
        Event::TouchpointCatalogued(it) => Some(it.channel),
        _ => None,
    }
}

fn ends(event: &Recorded) -> Option<(u32, u32)> {
    let channel = met_on(event)? as u32;
    Some((channel, channel + 100))
}

counted! {
    /// Interactions by their channel.
    Met by Channel: |event| met_on(event).into_iter().collect();
    /// Touchpoints by theirs: there are rows under the same keys.
    Catalogued by Channel: |event| catalogued_on(event).into_iter().collect();
    /// Interactions and touchpoints.
    MetOrCatalogued by Channel: |event| met_on(event).or(catalogued_on(event)).into_iter().collect();
    /// Interactions again, made anew because the author says so.
    MetRevised by Channel, revision 2: |event| met_on(event).into_iter().collect();
    /// Interactions by two numbers.
    Numbered by (u32, u32): |event| ends(event).into_iter().collect();
    /// The same numbers the other way round.
    NumberedBack by (u32, u32): |event| ends(event).map(|(a, b)| (b, a)).into_iter().collect();
    /// A customer's interactions, under the customer.
    Customers by CustomerId: |event| met_on(event).and(event.customer()).into_iter().collect();
}

/// What a code shows under a key while its own rows are made.
async fn meanwhile<Code: Projection<View = Count>>(
    ledger: &MemoryLedger,
    directory: &Path,
    key: Code::Key,
) -> Result<Option<u64>, ReadError> {
    // A ledger that answers about its end and hands out no events: the new generation stays empty.
    let held: Arc<dyn Ledger> = Arc::new(Held(ledger.clone()));
    let views = vec![registered::<Code>()];
    let options = Options { views, cache_bytes: 1 << 20, ..Options::default() };
    let engine = Engine::start(held, directory, options).await.unwrap();
    let reader = engine.reader::<Code>();
    let shown = reader.snapshot().and_then(|snapshot| snapshot.get(&key));
    engine.shutdown().await;
    shown.map(|row| row.map(|row| row.view.count))
}

/// What a code shows under a key once its own rows are made.
async fn at_last<Code: Projection<View = Count>>(
    ledger: &MemoryLedger,
    directory: &Path,
    key: Code::Key,
) -> Option<u64> {
    let engine = start(ledger, directory, vec![registered::<Code>()]).await;
    served(&engine).await;
    let row = engine.reader::<Code>().snapshot().unwrap().get(&key).unwrap();
    engine.shutdown().await;
    row.map(|row| row.view.count)
}

/// Thirty interactions, ten on each of three channels.
async fn ledger() -> MemoryLedger {
    let ledger = MemoryLedger::new();
    append(&ledger, contacts(30)).await;
    ledger
}

fn rebuilding<T: std::fmt::Debug>(shown: &Result<T, ReadError>) -> bool {
    matches!(shown, Err(ReadError::Rebuilding { view: "counted" }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_under_keys_that_mean_something_else_are_not_served() {
    let (ledger, directory) = (ledger().await, tempfile::tempdir().unwrap());
    let (path, phone) = (directory.path(), Channel::Phone);
    assert_eq!(at_last::<Met>(&ledger, path, phone).await, Some(10));
    // The keys are of the same type, and those of the one are among those of the other.
    let shown = meanwhile::<Catalogued>(&ledger, path, phone).await;
    assert!(rebuilding(&shown), "{shown:?}");
    assert_eq!(at_last::<Catalogued>(&ledger, path, phone).await, None);
    // Keys of another type.
    let shown = meanwhile::<Customers>(&ledger, path, customer(1)).await;
    assert!(rebuilding(&shown), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_whose_parts_changed_places_is_another_key() {
    let (ledger, directory) = (ledger().await, tempfile::tempdir().unwrap());
    let path = directory.path();
    let phone = Channel::Phone as u32;
    assert_eq!(at_last::<Numbered>(&ledger, path, (phone, phone + 100)).await, Some(10));
    let shown = meanwhile::<NumberedBack>(&ledger, path, (phone + 100, phone)).await;
    assert!(rebuilding(&shown), "{shown:?}");
    assert_eq!(at_last::<NumberedBack>(&ledger, path, (phone + 100, phone)).await, Some(10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fold_that_counts_more_or_less_goes_on_with_the_old_rows() {
    let (ledger, directory) = (ledger().await, tempfile::tempdir().unwrap());
    let (path, phone) = (directory.path(), Channel::Phone);
    assert_eq!(at_last::<Met>(&ledger, path, phone).await, Some(10));
    assert_eq!(meanwhile::<MetOrCatalogued>(&ledger, path, phone).await.unwrap(), Some(10));
    assert_eq!(at_last::<MetOrCatalogued>(&ledger, path, phone).await, Some(10));
    // What the old rows mean stays written beside them, whoever reads them.
    assert_eq!(meanwhile::<Catalogued>(&ledger, path, phone).await.unwrap(), Some(10));
    let shown = meanwhile::<Numbered>(&ledger, path, (0, 100)).await;
    assert!(rebuilding(&shown), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_raised_revision_makes_rows_anew_and_serves_the_old_ones_meanwhile() {
    let (ledger, directory) = (ledger().await, tempfile::tempdir().unwrap());
    let (path, phone) = (directory.path(), Channel::Phone);
    assert_eq!(at_last::<Met>(&ledger, path, phone).await, Some(10));
    assert_eq!(meanwhile::<MetRevised>(&ledger, path, phone).await.unwrap(), Some(10));
    let generation = |view: crate::engine::Registered| view.generation();
    assert_ne!(generation(registered::<Met>()), generation(registered::<MetRevised>()));
    assert_eq!(at_last::<MetRevised>(&ledger, path, phone).await, Some(10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generation_that_does_not_say_what_it_means_is_served_to_its_own_code_only() {
    let (ledger, directory) = (ledger().await, tempfile::tempdir().unwrap());
    let (path, phone) = (directory.path(), Channel::Phone);
    assert_eq!(at_last::<Met>(&ledger, path, phone).await, Some(10));
    let said = path.join("counted").join(registered::<Met>().generation()).join("meaning");
    // As an earlier program left it.
    std::fs::remove_file(&said).unwrap();
    let shown = meanwhile::<MetOrCatalogued>(&ledger, path, phone).await;
    assert!(rebuilding(&shown), "{shown:?}");
    // Its own code knows what it means, and says so.
    assert_eq!(meanwhile::<Met>(&ledger, path, phone).await.unwrap(), Some(10));
    assert!(said.exists());
    assert_eq!(meanwhile::<MetOrCatalogued>(&ledger, path, phone).await.unwrap(), Some(10));
}
