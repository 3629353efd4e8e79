//! One side of a copy: an engine, and how it keeps the time at which an event was first recorded.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Context, bail};
use bytes::Bytes;
use cx_ledger::embedded::Options;
use cx_ledger::kurrent::kept;
use cx_ledger::kurrent::settings::is_address;
use cx_ledger::{Clock, EmbeddedLog, KurrentLedger, Ledger};
use jiff::Timestamp;

use crate::elsewhere;
use crate::open::Places;

/// The time that a log is to stamp on what it takes next.
#[derive(Clone, Default)]
pub struct Time(Arc<AtomicI64>);

impl Time {
    /// From now on it is so late.
    pub fn set(&self, time: Timestamp) {
        self.0.store(time.as_microsecond(), Ordering::Release);
    }

    fn clock(&self) -> Clock {
        let time = self.clone();
        Clock::new(move || {
            let micros = time.0.load(Ordering::Acquire);
            Timestamp::from_microsecond(micros).expect("it was a time when it was set")
        })
    }
}

/// One side of a copy.
pub struct Side {
    /// As it was named.
    pub name: String,
    /// The engine.
    pub ledger: Arc<dyn Ledger>,
    /// What the engine's clock says, if it is ours.
    pub time: Time,
    /// The engine stamps its own time: the first one goes beside it.
    beside: bool,
}

impl Side {
    /// What is copied from.
    pub async fn to_read(name: &str) -> anyhow::Result<Self> {
        if is_address(name) {
            return Self::elsewhere(name).await;
        }
        let ledger = Places::new(Path::new(name)).ledger();
        if !ledger.exists() {
            bail!(
                "{name} is neither a data directory with a ledger nor the address of an event store"
            );
        }
        let (log, _) = EmbeddedLog::open_read_only(&ledger)?;
        let (name, time) = (name.to_owned(), Time::default());
        Ok(Self { name, ledger: Arc::new(log), time, beside: false })
    }

    /// What is copied to.
    pub async fn to_write(name: &str) -> anyhow::Result<Self> {
        if is_address(name) {
            return Self::elsewhere(name).await;
        }
        let ledger = Places::new(Path::new(name)).ledger();
        std::fs::create_dir_all(&ledger)
            .with_context(|| format!("the directory {} cannot be made", ledger.display()))?;
        let time = Time::default();
        let options = Options { clock: time.clock(), ..Options::default() };
        let (log, _) = EmbeddedLog::open(&ledger, options)?;
        Ok(Self { name: name.to_owned(), ledger: Arc::new(log), time, beside: false })
    }

    async fn elsewhere(name: &str) -> anyhow::Result<Self> {
        let ledger = KurrentLedger::connect(elsewhere::settings(name)?).await?;
        let (name, time) = (name.to_owned(), Time::default());
        Ok(Self { name, ledger: Arc::new(ledger), time, beside: true })
    }

    /// Whether what was recorded at these two times can be appended together.
    pub fn stamps(&self, one: Timestamp, other: Timestamp) -> bool {
        self.beside || one == other
    }

    /// Metadata as this side is to hold them.
    pub fn metadata(&self, metadata: Bytes, recorded_at: Timestamp) -> Bytes {
        if self.beside { kept::beside(&metadata, recorded_at) } else { metadata }
    }
}
