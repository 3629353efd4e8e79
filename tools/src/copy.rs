//! `cxledger copy`: a ledger from one engine to another, proven at the end.

mod side;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;

use anyhow::{bail, ensure};
use clap::Args;
use cx_ledger::{Append, Direction, Expected, Ledger, RawEvent, RawNewEvent};
use cx_model::Position;
use cx_projections::{all_views, fold_roots};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::table::compact;
use side::Side;

/// Events read at a time.
const PAGE: usize = 1_000;
/// Events and bytes of one append.
const APPEND_EVENTS: usize = 1_000;
const APPEND_BYTES: usize = 8 << 20;

/// Copy a ledger to another engine, and compare the two.
///
/// Ids, order, metadata and the times at which events occurred and were first recorded stay. A copy that was stopped goes on where it was. At the end every event and
/// the roots of all views are compared. Keys are not copied: they stay in the data directory.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cxledger copy --from ./cxledger-data --to 'esdb://127.0.0.1:2113?tls=false'
  cxledger copy --from kurrentdb://node1:2113,node2:2113,node3:2113 --to ./copied

The user of an event store and their password come from CXLEDGER_LEDGER_USER and
CXLEDGER_LEDGER_PASSWORD_FILE.")]
pub struct Copy {
    /// Where the events are: a data directory or the address of an event store.
    #[arg(long, value_name = "DIR|ADDRESS")]
    from: String,
    /// Where they go: a data directory, made if it is not there, or the address of an event store. It is empty, or holds the beginning of the same ledger.
    #[arg(long, value_name = "DIR|ADDRESS")]
    to: String,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// What a copy came to.
#[derive(Debug)]
pub struct Copied {
    /// Events that were there already.
    pub there: u64,
    /// Events that were appended now.
    pub appended: u64,
    /// The views and their roots, which agree.
    pub roots: Vec<(&'static str, String)>,
}

impl Copy {
    /// Copies and compares.
    pub fn run(&self) -> anyhow::Result<()> {
        let runtime = Runtime::new()?;
        runtime.block_on(async {
            let from = Side::to_read(&self.from).await?;
            let to = Side::to_write(&self.to).await?;
            let bar = progress();
            let copied = copy(&from, &to, &bar).await;
            bar.finish_and_clear();
            self.print(&copied?)
        })
    }

    fn print(&self, copied: &Copied) -> anyhow::Result<()> {
        let Copied { there, appended, roots } = copied;
        let events = there + appended;
        if self.json {
            let roots = roots.iter().map(|(view, root)| json!({ "view": view, "root": root }));
            let roots: Vec<_> = roots.collect();
            let answer = json!({ "events": events, "appended": appended, "views": roots });
            say!("{}", serde_json::to_string_pretty(&answer)?);
            return Ok(());
        }
        let mut shown = compact(["view", "root on both sides"]);
        for (view, root) in roots {
            shown.add_row([(*view).to_owned(), root.clone()]);
        }
        say!("{shown}");
        say!("{events} events on both sides, byte for byte; {appended} were copied now");
        say!(
            "The keys stay where they are: put a copy of the directory keys beside the new ledger."
        );
        Ok(())
    }
}

fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = "{msg} {wide_bar} {pos}/{len} {eta}";
    ProgressBar::new(0).with_style(
        ProgressStyle::with_template(style).expect("the template above is one of indicatif's"),
    )
}

/// Copies what is missing, then compares everything.
pub async fn copy(from: &Side, to: &Side, bar: &ProgressBar) -> anyhow::Result<Copied> {
    let until = from.ledger.head().await?;
    let last = from.ledger.read_all(until, Direction::Backwards, 1).await?;
    bar.set_length(last.first().map_or(0, |event| event.ordinal));
    bar.set_message("comparing");
    let there = compare(&*from.ledger, &*to.ledger, until, bar).await?;
    bar.set_message("copying");
    let mut after = there.from;
    let mut appended = 0;
    while after < until {
        let mut events = from.ledger.read_all(after, Direction::Forwards, PAGE).await?;
        events.retain(|event| event.position <= until);
        let Some(last) = events.last() else { break };
        after = last.position;
        appended += events.len() as u64;
        let count = events.len() as u64;
        for together in groups(to, events) {
            append(to, together).await?;
        }
        bar.inc(count);
    }
    bar.set_message("comparing");
    bar.set_position(0);
    let whole = compare(&*from.ledger, &*to.ledger, until, bar).await?;
    ensure!(
        whole.count == there.count + appended && !whole.more,
        "{} holds {} events where {} were expected: something else appends to it",
        to.name,
        whole.count,
        there.count + appended
    );
    let head = to.ledger.head().await?;
    let ours = fold_roots(&*from.ledger, until, &all_views()).await?;
    let theirs = fold_roots(&*to.ledger, head, &all_views()).await?;
    for ((view, ours), (_, theirs)) in ours.iter().zip(&theirs) {
        ensure!(ours == theirs, "view {view}: the roots differ, {ours} and {theirs}");
    }
    let roots = ours.into_iter().map(|(view, root)| (view, root.to_string())).collect();
    Ok(Copied { there: there.count, appended, roots })
}

/// Neighbours that are appended together: recorded at the same time, where the engine stamps its
/// own on all of them.
fn groups(to: &Side, events: Vec<RawEvent>) -> Vec<Vec<RawEvent>> {
    let mut groups: Vec<Vec<RawEvent>> = Vec::new();
    let mut bytes = 0;
    for event in events {
        let size = event.data.len() + event.metadata.len();
        let fits = groups.last().and_then(|group| Some((group.len(), group.last()?))).is_some_and(
            |(count, last)| {
                to.stamps(last.recorded_at, event.recorded_at)
                    && count < APPEND_EVENTS
                    && bytes + size < APPEND_BYTES
            },
        );
        bytes = if fits { bytes + size } else { size };
        match groups.last_mut().filter(|_| fits) {
            Some(group) => group.push(event),
            None => groups.push(vec![event]),
        }
    }
    groups
}

/// Appends a group, an append for each run of one stream's events.
async fn append(to: &Side, events: Vec<RawEvent>) -> anyhow::Result<()> {
    let Some(first) = events.first() else { return Ok(()) };
    to.time.set(first.recorded_at);
    let mut appends: Vec<Append> = Vec::new();
    let mut ends = Vec::new();
    for event in events {
        let new = RawNewEvent {
            id: event.id,
            event_type: event.event_type,
            data: event.data,
            metadata: to.metadata(event.metadata, event.recorded_at),
        };
        if let Some(append) = appends.last_mut().filter(|append| append.stream == event.stream) {
            append.events.push(new);
        } else {
            let before = event.revision.checked_sub(1);
            let expected = before.map_or(Expected::NoStream, Expected::Revision);
            appends.push(Append { stream: event.stream.clone(), expected, events: vec![new] });
            ends.push((event.stream.clone(), 0));
        }
        if let Some((_, end)) = ends.last_mut() {
            *end = event.revision;
        }
    }
    let appended = to.ledger.append_many(appends).await?;
    for ((stream, end), appended) in ends.into_iter().zip(appended) {
        ensure!(appended.revision == Some(end), "stream {stream} has another end than it should");
    }
    Ok(())
}

/// How far two ledgers have the same events.
struct Common {
    /// How many.
    count: u64,
    /// The position of the last of them in the first ledger.
    from: Position,
    /// The second has more.
    more: bool,
}

/// Reads both side by side. Fails where the second has another event than the first.
async fn compare(
    from: &dyn Ledger,
    to: &dyn Ledger,
    until: Position,
    bar: &ProgressBar,
) -> anyhow::Result<Common> {
    let mut common = Common { count: 0, from: Position::START, more: false };
    let mut after = Position::START;
    loop {
        let theirs = to.read_all(after, Direction::Forwards, PAGE).await?;
        let Some(last) = theirs.last() else { return Ok(common) };
        after = last.position;
        let mut ours = from.read_all(common.from, Direction::Forwards, theirs.len()).await?;
        ours.retain(|event| event.position <= until);
        for (ours, theirs) in ours.iter().zip(&theirs) {
            if !same(ours, theirs) {
                bail!(
                    "event {} differs: {} revision {} on one side, {} revision {} on the other; \
                     copy into an empty ledger",
                    common.count + 1,
                    ours.stream,
                    ours.revision,
                    theirs.stream,
                    theirs.revision
                );
            }
            common.count += 1;
            common.from = ours.position;
        }
        bar.set_position(common.count);
        if ours.len() < theirs.len() {
            common.more = true;
            return Ok(common);
        }
    }
}

/// The same event. Times are kept to the microsecond.
fn same(a: &RawEvent, b: &RawEvent) -> bool {
    (a.id, &a.stream, a.revision, &a.event_type) == (b.id, &b.stream, b.revision, &b.event_type)
        && a.data == b.data
        && a.metadata == b.metadata
        && a.recorded_at.as_microsecond() == b.recorded_at.as_microsecond()
}
