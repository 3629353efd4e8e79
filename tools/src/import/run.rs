//! One file from its first row to its last.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use anyhow::{Context, bail};
use cx_ledger::Expected;
use cx_ledger::book::Book;
use cx_model::event::{ImportFinished, ImportStarted};
use cx_model::{Envelope, Event, ImportId, NewEvent, derived_id};
use indicatif::ProgressBar;
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::intake::{ERASED, Intake, Outcome, system};
use super::mapping::Mapping;
use super::prepare::{Identity, Prepared, Preparer};
use super::reader::{self, Rows};
use super::row::{Fault, Row};
use super::source::{self, hex};
use crate::quarantine::store::{Entry, Quarantine, Settled};

/// Rows that go to the ledger together.
const BATCH: usize = 4096;
/// Bytes of rows that go to the ledger together, about.
const BATCH_BYTES: usize = 4 << 20;
/// So many rows are looked at before anything is written, where a file does not name its columns.
const LOOKED_AT: usize = 1000;

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

/// What became of the rows of a file: `read = taken + repeated + quarantined`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Rows read.
    pub read: u64,
    /// Rows that became events.
    pub taken: u64,
    /// Rows that were in the ledger before.
    pub repeated: u64,
    /// Rows that could not be taken.
    pub quarantined: u64,
    /// Rows that break an invariant of ours and were taken all the same.
    pub irregular: u64,
    /// Events of the rows taken.
    pub events: u64,
    /// Of the rows quarantined, those that say something new of customers who were erased.
    pub erased: u64,
}

/// The summary of one file.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The file.
    pub file: String,
    /// Its stream is `import-` and this.
    pub import: ImportId,
    /// The mapping's name.
    pub mapping: String,
    /// What became of the rows.
    #[serde(flatten)]
    pub counts: Counts,
    /// How long it took.
    pub seconds: f64,
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

/// Imports one file.
pub fn import_file(
    data: Data<'_>,
    path: &Path,
    mapping: &MappingText,
    quarantine: &mut Quarantine,
    bar: &ProgressBar,
) -> anyhow::Result<Summary> {
    let begun = Instant::now();
    let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let (digest, size) = source::digest(path)?;
    bar.set_length(size);
    bar.set_message(file.clone());
    let done = Arc::new(AtomicU64::new(0));
    let spec = &mapping.mapping.file;
    let columns = &mapping.mapping.columns;
    let source = source::open(path, spec.encoding()?, done.clone())?;
    let mut rows = reader::open(source, spec, columns).with_context(|| file.clone())?;
    let mut first = look_ahead(rows.as_mut(), mapping).with_context(|| file.clone())?;
    let keyed = |purpose: &str, name: &str| data.book.vault().keyed_id(purpose, &[name.as_bytes()]);
    let origin = Origin { file: file.clone(), digest };
    let mut run = Run::start(data, mapping, &keyed, quarantine, origin)?;
    loop {
        let next = match first.pop_front() {
            Some(row) => Some(row),
            None => rows.next(columns).with_context(|| stopped(&file, &run.counts))?,
        };
        let Some(row) = next else { break };
        run.offer(row)?;
        if run.waiting.is_empty() {
            bar.set_position(done.load(std::sync::atomic::Ordering::Relaxed));
        }
    }
    let (import, counts, _) = run.finish()?;
    bar.set_position(size);
    let mapping = mapping.mapping.name.clone();
    Ok(Summary { file, import, mapping, counts, seconds: begun.elapsed().as_secs_f64() })
}

fn stopped(file: &str, counts: &Counts) -> String {
    format!(
        "{file} could not be read to its end ({} rows were read before); mend the file and import it \
         again: what was taken is not taken twice",
        counts.read
    )
}

/// Reads the first rows, and fails if the mapping names a column that none of them has.
fn look_ahead(rows: &mut dyn Rows, mapping: &MappingText) -> anyhow::Result<VecDeque<Row>> {
    let columns = &mapping.mapping.columns;
    let mut first = VecDeque::new();
    while first.len() < LOOKED_AT
        && let Some(row) = rows.next(columns)?
    {
        first.push_back(row);
    }
    let missing = columns.missing(|name| first.iter().any(|row| row.has(name)));
    if !first.is_empty() && !missing.is_empty() {
        bail!(
            "the mapping names columns that none of the first {} rows has: {}\n\
             correct the names in the mapping, or say `optional = true` where a column may be left out",
            first.len(),
            missing.join(", ")
        );
    }
    Ok(first)
}
