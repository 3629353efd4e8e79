//! Which year a ledger holds: the demo writes it down before the year's first event.

use std::path::Path;

use anyhow::bail;
use cx_ledger::{Book, Expected};
use cx_model::event::{ImportFinished, ImportStarted};
use cx_model::{Actor, Envelope, Event, ImportId, NewEvent, Position, derived_id};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::import::hex;

/// What makes a year: the same customers and the same seed make the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Year {
    /// How many customers.
    pub customers: usize,
    /// What the dice begin with.
    pub seed: u64,
}

/// How far a ledger holds its year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The ledger is empty.
    New,
    /// The telling was stopped.
    Begun,
    /// All of it is there.
    Told,
}

/// The customers and the seed where nothing else is asked for.
const USUAL: Year = Year { customers: 2_000, seed: 1 };

impl Year {
    /// The year that is asked for, and how far the ledger of a data directory holds it. What is
    /// left out is as in the year that is there. A ledger with another year, or that no demo made,
    /// is refused: two of them in one would be no year of anybody's.
    pub async fn find(
        book: &Book,
        data: &Path,
        customers: Option<usize>,
        seed: Option<u64>,
    ) -> anyhow::Result<(Self, Standing)> {
        let (data, stream) = (data.display(), import().stream());
        if book.ledger().head().await? == Position::START {
            let customers = customers.unwrap_or(USUAL.customers);
            return Ok((Self { customers, seed: seed.unwrap_or(USUAL.seed) }, Standing::New));
        }
        let history = book.history(&stream).await?;
        let started = history.iter().find_map(|event| match &event.event {
            Event::ImportStarted(started) => Self::named(&started.mapping),
            _ => None,
        });
        let Some(there) = started else {
            bail!(
                "{data} holds a ledger that no demo made, and nothing was added to it: serve it with \
                 `cxledger serve --data {data}`, or name a new directory for the demo with --data"
            );
        };
        let same = customers.is_none_or(|asked| asked == there.customers)
            && seed.is_none_or(|asked| asked == there.seed);
        if !same {
            bail!(
                "{data} holds the year of `{}`, and nothing was added to it: run `{0} --data {data}` \
                 to go on from there, or name a new directory for another year with --data",
                there.command()
            );
        }
        let finished = history.iter().any(|event| matches!(event.event, Event::ImportFinished(_)));
        Ok((there, if finished { Standing::Told } else { Standing::Begun }))
    }

    /// The command that makes it.
    pub fn command(self) -> String {
        format!("cxledger {}", self.name())
    }

    fn name(self) -> String {
        format!("demo --customers {} --seed {}", self.customers, self.seed)
    }

    fn named(name: &str) -> Option<Self> {
        let (customers, seed) = name.strip_prefix("demo --customers ")?.split_once(" --seed ")?;
        Some(Self { customers: customers.parse().ok()?, seed: seed.parse().ok()? })
    }

    /// Writes down that the year is about to be told.
    pub async fn begin(self, book: &Book) -> anyhow::Result<()> {
        let digest = hex(&Sha256::digest(self.name()));
        let started = ImportStarted {
            file_digest: digest.clone(),
            mapping_digest: digest,
            mapping: self.name(),
        };
        note(book, "started", started.into()).await
    }

    /// Writes down that it was told.
    pub async fn end(self, book: &Book, events: u64) -> anyhow::Result<()> {
        let finished = ImportFinished {
            read: events,
            taken: events,
            repeated: 0,
            quarantined: 0,
            irregular: 0,
        };
        note(book, "finished", finished.into()).await
    }
}

/// The import as which a demo's year comes into its ledger.
fn import() -> ImportId {
    ImportId(derived_id(&["demo"]))
}

async fn note(book: &Book, what: &str, event: Event) -> anyhow::Result<()> {
    let id = derived_id(&["demo", what]);
    let actor = Actor::System { name: "cxledger demo".into() };
    let event = NewEvent { id, envelope: Envelope::new(Timestamp::now(), actor), event };
    book.append(import().stream(), Expected::Any, vec![event]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cx_ledger::{MemoryLedger, Vault};

    use super::*;

    fn book() -> Book {
        Book::new(Arc::new(MemoryLedger::new()), Arc::new(Vault::in_memory()))
    }

    async fn found(
        book: &Book,
        customers: Option<usize>,
        seed: Option<u64>,
    ) -> Result<(Year, Standing), String> {
        let found = Year::find(book, Path::new("here"), customers, seed).await;
        found.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn the_same_year_goes_on_and_another_is_refused_with_what_to_do() {
        let book = book();
        let (year, standing) = found(&book, Some(150), None).await.unwrap();
        assert_eq!((year, standing), (Year { customers: 150, seed: 1 }, Standing::New));
        year.begin(&book).await.unwrap();
        assert_eq!(found(&book, Some(150), Some(1)).await.unwrap().1, Standing::Begun);
        year.end(&book, 9).await.unwrap();
        let head = book.ledger().head().await.unwrap();
        for (customers, seed) in [(Some(150), Some(1)), (None, None), (None, Some(1))] {
            assert_eq!(found(&book, customers, seed).await.unwrap(), (year, Standing::Told));
        }
        for (customers, seed) in [(Some(151), None), (None, Some(2)), (Some(2_000), Some(1))] {
            let said = found(&book, customers, seed).await.unwrap_err();
            assert!(said.contains("demo --customers 150 --seed 1 --data here"), "{said}");
        }
        assert_eq!(book.ledger().head().await.unwrap(), head, "nothing is written by looking");
    }

    #[tokio::test]
    async fn a_ledger_that_no_demo_made_is_refused() {
        let book = book();
        let actor = Actor::System { name: "test".into() };
        let event = cx_model::event::CustomerRegistered {
            kind: cx_model::CustomerKind::Person,
            name: None,
        };
        let event = NewEvent {
            id: derived_id(&["x"]),
            envelope: Envelope::new(Timestamp::UNIX_EPOCH, actor),
            event: event.into(),
        };
        let stream = cx_model::CustomerId(derived_id(&["y"])).stream();
        book.append(stream, Expected::Any, vec![event]).await.unwrap();
        let said = found(&book, None, None).await.unwrap_err();
        assert!(said.contains("no demo made") && said.contains("--data"), "{said}");
    }
}
