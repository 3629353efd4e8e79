//! One run of the importer: rows in, events and quarantined rows out.

use cx_ledger::Expected;
use cx_ledger::book::Book;
use cx_model::event::{ImportFinished, ImportStarted};
use cx_model::{Envelope, Event, ImportId, NewEvent, derived_id};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::counts::Counts;
use super::intake::{ERASED, Intake, Outcome, system};
use super::mapping::Mapping;
use super::prepare::{Identity, Prepared, Preparer};
use super::row::{Fault, Row};
use super::source::hex;
use crate::quarantine::store::{Entry, Quarantine, Settled};

/// Rows that go to the ledger together.
const BATCH: usize = 4096;
/// Bytes of rows that go to the ledger together, about.
const BATCH_BYTES: usize = 4 << 20;

/// A mapping and the text it was read from.
pub struct MappingText {
    /// What it says.
    pub mapping: Mapping,
    /// As it was written.
    pub text: String,
    /// SHA-256 of the text, hex.
    pub digest: String,
}

impl MappingText {
    /// Reads and checks a mapping.
    pub fn parse(text: String) -> anyhow::Result<Self> {
        let mapping = Mapping::parse(&text)?;
        let digest = hex(&Sha256::digest(&text));
        Ok(Self { mapping, text, digest })
    }
}

/// The file that the rows of a run come from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Its name.
    pub file: String,
    /// SHA-256 of it, hex.
    pub digest: String,
}

/// What a run needs of the data directory.
#[derive(Clone, Copy)]
pub struct Data<'a> {
    /// The ledger.
    pub book: &'a Book,
    /// What the ledger's calls run on.
    pub runtime: &'a Runtime,
}

/// One run of the importer over one file, or over rows of the quarantine.
pub struct Run<'a> {
    mapping: &'a MappingText,
    import: ImportId,
    origin: Origin,
    intake: Intake<'a>,
    preparer: Preparer<'a>,
    quarantine: &'a mut Quarantine,
    prepared: Vec<Prepared>,
    waiting: Vec<Waiting>,
    waiting_bytes: usize,
    /// Rows of the quarantine that were refused again, and why.
    pub refused: Vec<(Uuid, Fault)>,
    counts: Counts,
}

struct Waiting {
    row: Row,
    source: Option<String>,
    held: Option<Uuid>,
    irregular: bool,
    events: u64,
}

/// Ids made of names with the ledger's secret.
pub type Keyed<'a> = &'a dyn Fn(&str, &str) -> Uuid;

/// An import that ended: its id, its counts, and what it refused of rows it was given again.
pub type Finished = (ImportId, Counts, Vec<(Uuid, Fault)>);

impl<'a> Run<'a> {
    /// Writes down that the import begins, and what the mapping says of the catalogue.
    pub fn start(
        data: Data<'a>,
        mapping: &'a MappingText,
        keyed: Keyed<'a>,
        quarantine: &'a mut Quarantine,
        origin: Origin,
    ) -> anyhow::Result<Self> {
        let import = ImportId(Uuid::new_v4());
        let preparer = Preparer::new(&mapping.mapping, import, keyed);
        let run = Self {
            mapping,
            import,
            origin,
            intake: Intake::new(data.book, data.runtime),
            preparer,
            quarantine,
            prepared: Vec::new(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            refused: Vec::new(),
            counts: Counts::default(),
        };
        run.intake.catalogue(&mapping.mapping.catalogue, &run.envelope())?;
        let started = ImportStarted {
            file_digest: run.origin.digest.clone(),
            mapping_digest: mapping.digest.clone(),
            mapping: mapping.mapping.name.clone(),
        };
        run.note("started", started.into())?;
        Ok(run)
    }

    fn envelope(&self) -> Envelope {
        let mut envelope = Envelope::new(Timestamp::now(), system());
        envelope.correlation = Some(self.import.0);
        envelope
    }

    fn note(&self, what: &str, event: Event) -> anyhow::Result<()> {
        let id = derived_id(&[what, &self.import.to_string()]);
        let event = NewEvent { id, envelope: self.envelope(), event };
        self.intake.append(self.import.stream(), Expected::Any, vec![event])?;
        Ok(())
    }

    /// What became of the rows so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Whether every row that was offered has its place.
    pub fn has_nothing_waiting(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes a row of the file.
    pub fn offer(&mut self, row: Row) -> anyhow::Result<()> {
        let identity = self.preparer.identify(&row);
        match (identity, &row.fault) {
            (Ok(Identity::Same), _) => {
                self.counts.read += 1;
                self.counts.repeated += 1;
                Ok(())
            }
            (Ok(Identity::New(source)), _) => self.offer_as(row, Some(source), None),
            (Err(fault), None) => {
                self.counts.read += 1;
                self.refuse(&row, None, None, fault)
            }
            (Err(_), Some(fault)) => {
                self.counts.read += 1;
                let fault = fault.clone();
                self.refuse(&row, None, None, fault)
            }
        }
    }

    /// Takes a row of the quarantine.
    pub fn offer_again(&mut self, row: Row, entry: &Entry) -> anyhow::Result<()> {
        let by_content = self.mapping.mapping.row_id.is_empty();
        let source = match entry.source.clone().filter(|_| by_content) {
            Some(source) => Ok(Identity::New(source)),
            None => self.preparer.identify(&row),
        };
        match source {
            Ok(Identity::New(source)) => self.offer_as(row, Some(source), Some(entry.id)),
            Ok(Identity::Same) => {
                self.counts.read += 1;
                self.counts.repeated += 1;
                self.quarantine.settle(&[entry.id], Settled::Taken)
            }
            Err(fault) => {
                self.counts.read += 1;
                let fault = row.fault.clone().unwrap_or(fault);
                self.refuse(&row, None, Some(entry.id), fault)
            }
        }
    }

    fn offer_as(
        &mut self,
        row: Row,
        source: Option<String>,
        held: Option<Uuid>,
    ) -> anyhow::Result<()> {
        self.counts.read += 1;
        match self.preparer.prepare(&row, source.as_deref().unwrap_or_default()) {
            Err(fault) => self.refuse(&row, source, held, fault),
            Ok(prepared) => {
                self.waiting_bytes += row.size_bytes();
                let events = (prepared.opening.len() + prepared.events.len()) as u64;
                let irregular = prepared.irregular;
                self.waiting.push(Waiting { row, source, held, irregular, events });
                self.prepared.push(prepared);
                if self.waiting.len() >= BATCH || self.waiting_bytes >= BATCH_BYTES {
                    self.flush()?;
                }
                Ok(())
            }
        }
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        let outcomes = self.intake.take(std::mem::take(&mut self.prepared))?;
        self.waiting_bytes = 0;
        let mut settled = Vec::new();
        for (waiting, outcome) in std::mem::take(&mut self.waiting).into_iter().zip(outcomes) {
            match outcome {
                Outcome::Taken => {
                    self.counts.taken += 1;
                    self.counts.events += waiting.events;
                    self.counts.irregular += u64::from(waiting.irregular);
                }
                Outcome::Repeated => self.counts.repeated += 1,
                Outcome::Refused(reason) => {
                    let Waiting { row, source, held, .. } = waiting;
                    self.refuse(&row, source, held, Fault::row(reason))?;
                    continue;
                }
            }
            if !self.quarantine.is_empty() {
                let id = waiting.held.unwrap_or_else(|| self.entry_id(waiting.row.line));
                if self.quarantine.holds(id) {
                    settled.push(id);
                }
            }
        }
        if !settled.is_empty() {
            self.quarantine.settle(&settled, Settled::Taken)?;
        }
        self.quarantine.write()
    }

    fn entry_id(&self, line: u64) -> Uuid {
        derived_id(&["quarantine", &self.origin.digest, &line.to_string()])
    }

    fn refuse(
        &mut self,
        row: &Row,
        source: Option<String>,
        held: Option<Uuid>,
        fault: Fault,
    ) -> anyhow::Result<()> {
        if let Some(id) = held {
            self.counts.quarantined += 1;
            self.refused.push((id, fault));
            return Ok(());
        }
        let id = self.entry_id(row.line);
        if self.quarantine.settled(id) == Some(Settled::Taken) {
            self.counts.repeated += 1;
            return Ok(());
        }
        let erased = fault.reason == ERASED;
        // Nothing makes a fact about an erased customer acceptable: saying it again is no news.
        if erased && (self.quarantine.holds(id) || self.quarantine.settled(id).is_some()) {
            self.counts.repeated += 1;
            return Ok(());
        }
        self.counts.quarantined += 1;
        self.counts.erased += u64::from(erased);
        if self.quarantine.holds(id) {
            return Ok(());
        }
        self.quarantine.keep_mapping(&self.mapping.digest, &self.mapping.text)?;
        self.quarantine.put(Entry {
            id,
            import: self.import,
            at: Timestamp::now(),
            file: self.origin.file.clone(),
            file_digest: self.origin.digest.clone(),
            line: row.line,
            column: fault.column,
            reason: fault.reason,
            mapping: self.mapping.mapping.name.clone(),
            mapping_digest: self.mapping.digest.clone(),
            source,
            unread: row.fault.is_some(),
            values: row.pairs(),
        })
    }

    /// Writes down how the import ended.
    pub fn finish(mut self) -> anyhow::Result<Finished> {
        self.flush()?;
        let Counts { read, taken, repeated, quarantined, irregular, .. } = self.counts;
        let finished = ImportFinished { read, taken, repeated, quarantined, irregular };
        self.note("finished", finished.into())?;
        Ok((self.import, self.counts, self.refused))
    }
}
