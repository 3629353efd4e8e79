//! A child process writes and is killed at random moments; its parent counts what is there.
//!
//! The child says on its standard output what it is about to send and what was acknowledged. The
//! parent makes the same events again from their numbers and compares them with the log.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cx_model::{Position, StreamName};
use uuid::Uuid;

use crate::embedded::{EmbeddedLog, Options};
use crate::port::{Append, Direction, Expected, RawEvent, RawNewEvent};
use crate::seeded::Seeded;

const THREADS: u64 = 4;

/// What the kills did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often a child was killed.
    pub kills: u64,
    /// Appends that a child was told are durable.
    pub acknowledged: u64,
    /// Acknowledged appends that were not there afterwards. Must be 0.
    pub lost: u64,
    /// Events that are there and were never sent, or are other than sent. Must be 0.
    pub phantoms: u64,
    /// Appends of which only a part is there. Must be 0.
    pub torn: u64,
    /// Appends that were not acknowledged and are there: they were durable before their answer.
    pub unacknowledged_kept: u64,
}

impl Tally {
    /// Nothing lost, nothing made up, nothing torn.
    pub fn is_clean(&self) -> bool {
        (self.lost, self.phantoms, self.torn) == (0, 0, 0)
    }
}

/// Small segments, so that kills meet segment changes too.
fn options() -> Options {
    Options { segment_bytes: 1 << 18, first_segment_bytes: 1 << 14, ..Options::default() }
}

/// The appends with this number, the same in parent and child.
fn appends(round: u64, number: u64) -> Vec<Append> {
    let mut random = Seeded::new((round << 32) ^ number);
    let of: Vec<usize> = (0..=random.below(3)).map(|_| 1 + random.below(3) as usize).collect();
    let count: usize = of.iter().sum();
    let mut index = 0;
    let mut event = |random: &mut Seeded| {
        let pad = "x".repeat(random.below(500) as usize);
        let data = format!(
            r#"{{"round":{round},"number":{number},"index":{index},"of":{count},"pad":"{pad}"}}"#
        );
        index += 1;
        RawNewEvent {
            id: random.id(),
            event_type: "Tortured".into(),
            data: data.into(),
            metadata: bytes::Bytes::new(),
        }
    };
    let mut append = |length: usize| Append {
        stream: StreamName::of("torture", Uuid::from_u128(u128::from(random.below(20)))),
        expected: Expected::Any,
        events: (0..length).map(|_| event(&mut random)).collect(),
    };
    of.into_iter().map(&mut append).collect()
}

/// The child: writes with several threads until it is killed.
pub fn child(directory: &Path, round: u64) -> std::io::Result<()> {
    let (log, _) = EmbeddedLog::open(directory, options()).map_err(std::io::Error::other)?;
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let set = appends(round, number);
                    let mut said = writeln!(std::io::stdout().lock(), "\nsending {number}");
                    if log.append_many_blocking(set).is_ok() {
                        said = said
                            .and_then(|()| writeln!(std::io::stdout().lock(), "\ntook {number}"));
                    }
                    if said.is_err() {
                        return; // The parent is gone.
                    }
                }
            });
        }
    });
    Ok(())
}

/// The parent: starts a child by `start`, kills it at a random moment, counts, and goes on in the
/// same directory; every 25 kills in a new one below `directory`.
pub fn run(
    directory: &Path,
    kills: u64,
    seed: u64,
    mut start: impl FnMut(&Path, u64) -> Command,
) -> Result<Tally, Box<dyn std::error::Error + Send + Sync>> {
    let mut random = Seeded::new(seed);
    let mut tally = Tally::default();
    let mut folder = directory.to_owned();
    let mut checked = Position::START;
    for round in 0..kills {
        if round % 25 == 0 {
            folder = directory.join(format!("log-{}", round / 25));
            std::fs::create_dir_all(&folder)?;
            checked = Position::START;
        }
        let said = live_and_die(start(&folder, round), &mut random)?;
        tally.kills += 1;
        tally.acknowledged += said.values().filter(|&&took| took).count() as u64;
        // Half of the time the next child is the first to open the log after the kill.
        let opened = if round % 2 == 0 {
            EmbeddedLog::open(&folder, options())
        } else {
            EmbeddedLog::open_read_only(&folder)
        };
        let log = match opened {
            Ok((log, _)) => log,
            Err(crate::OpenError::Missing { .. }) if said.values().all(|took| !took) => continue,
            Err(error) => return Err(error.into()),
        };
        if log.head_now() < checked {
            tally.lost += 1;
            continue;
        }
        let events = log.read_all_blocking(checked, Direction::Forwards, usize::MAX)?;
        judge(round, said, &events, &mut tally);
        checked = log.head_now();
        if round % 25 == 24 || round + 1 == kills {
            log.verify()?;
        }
    }
    Ok(tally)
}

/// What a child said it sent, and whether it was told that it is durable.
fn live_and_die(mut command: Command, random: &mut Seeded) -> std::io::Result<HashMap<u64, bool>> {
    let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn()?;
    let output = child.stdout.take().ok_or_else(|| std::io::Error::other("no output"))?;
    let mut lines = BufReader::new(output).lines();
    let mut said = HashMap::new();
    let mut hear = |line: &str| {
        if let Some((word, number)) = line.split_once(' ')
            && let Ok(number) = number.parse()
        {
            match word {
                "sending" => drop(said.entry(number).or_insert(false)),
                "took" => drop(said.insert(number, true)),
                _ => {}
            }
        }
    };
    // A child is killed while it opens, or some time after its first word.
    let while_opening = random.one_in(6);
    if !while_opening {
        for line in lines.by_ref() {
            let line = line?;
            hear(&line);
            if line.starts_with("sending") {
                break;
            }
        }
    }
    let delay = Duration::from_micros(random.below(if while_opening { 15_000 } else { 60_000 }));
    let killer = std::thread::spawn(move || {
        std::thread::sleep(delay);
        let killed = child.kill();
        child.wait().and(killed)
    });
    for line in lines {
        hear(&line?);
    }
    killer.join().map_err(|_| std::io::Error::other("the killer died"))??;
    Ok(said)
}

fn judge(round: u64, mut said: HashMap<u64, bool>, events: &[RawEvent], tally: &mut Tally) {
    let mut rest = events;
    while let Some(first) = rest.first() {
        let Some(set) = set_of(first, round).filter(|(_, number)| said.contains_key(number)) else {
            tally.phantoms += 1;
            rest = &rest[1..];
            continue;
        };
        let (set, number) = set;
        let wanted: Vec<_> = set
            .iter()
            .flat_map(|append| append.events.iter().map(move |event| (&append.stream, event)))
            .collect();
        let same = rest.iter().zip(&wanted).take_while(|(read, (stream, event))| {
            read.stream == **stream && read.id == event.id && read.data == event.data
        });
        let same = same.count();
        if same < wanted.len() {
            tally.torn += 1;
        }
        if said.remove(&number) == Some(false) {
            tally.unacknowledged_kept += 1;
        }
        rest = &rest[same.max(1)..];
    }
    tally.lost += said.values().filter(|&&took| took).count() as u64;
}

/// The appends that an event says it belongs to.
fn set_of(event: &RawEvent, round: u64) -> Option<(Vec<Append>, u64)> {
    #[derive(serde::Deserialize)]
    struct Data {
        round: u64,
        number: u64,
    }
    let data: Data = serde_json::from_slice(&event.data).ok()?;
    (data.round == round).then(|| (appends(round, data.number), data.number))
}
