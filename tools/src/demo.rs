//! `cxledger demo`: a believable year, served on loopback, with new interactions coming in.

pub mod story;
mod words;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use cx_ledger::{Book, Direction, Entry, Expected};
use cx_model::decide::{CustomerState, State};
use cx_model::{
    Actor, CustomerId, Envelope, Event, NewEvent, Position, Recorded, StreamName, event as e,
};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

use crate::node::{Node, asked_to_end};
use crate::open::Opened;
use crate::serve::Network;
use story::{Story, Told};

/// Make a believable year of customers, serve it, and keep new interactions coming.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cxledger demo
  cxledger demo --customers 500 --seed 7 --listen 127.0.0.1:0")]
pub struct Demo {
    /// How many customers.
    #[arg(long, default_value_t = 2_000)]
    customers: usize,
    /// The same seed gives the same year.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The data directory; a second run goes on from there.
    #[arg(long, env = "CXLEDGER_DATA", default_value = "./cxledger-data")]
    data: PathBuf,
    #[command(flatten)]
    network: Network,
}

/// Events appended together.
const BATCH: usize = 1_000;
/// Time between new interactions.
const NEW_EVERY: Duration = Duration::from_millis(700);

impl Demo {
    /// Tells the year where it is not told yet, then serves until Ctrl-C.
    pub fn run(&self) -> anyhow::Result<()> {
        let opened = Opened::to_write(&self.data)?;
        let meeting = self.network.meeting()?;
        opened.runtime.block_on(async {
            self.tell(&opened.book).await?;
            let node = Node::start(&opened, meeting).await?;
            let head = opened.book.ledger().head().await?;
            let engine = &node.system().engine;
            engine.at_least(head, &[], Duration::from_mins(10)).await?;
            let last = opened.book.ledger().read_all(head, Direction::Backwards, 1).await?;
            let count = last.first().map_or(0, |event| event.ordinal);
            self.print(node.address(), count, first_known(&opened.book, self.seed, self.customers));
            let coming = tokio::spawn(keep_coming(opened.book.clone(), self.seed, self.customers));
            let served = node.serve(asked_to_end()).await;
            coming.abort();
            served
        })
    }

    async fn tell(&self, book: &Book) -> anyhow::Result<()> {
        let year = regular(Story::new(self.seed).year(self.customers));
        if let Some(last) = year.last()
            && knows(book, last).await?
        {
            say!("The demo's year is in {} already; going on from there.", self.data.display());
            return Ok(());
        }
        let bar = ProgressBar::new(year.len() as u64);
        bar.set_style(
            ProgressStyle::with_template(
                "Making a year of customers {bar:40} {pos}/{len} events, {eta} left",
            )
            .expect("the template is one that indicatif knows"),
        );
        let mut told = year.into_iter().peekable();
        while told.peek().is_some() {
            let mut entries: BTreeMap<StreamName, Vec<NewEvent>> = BTreeMap::new();
            let mut count = 0;
            for Told { stream, event } in told.by_ref().take(BATCH) {
                entries.entry(stream).or_default().push(event);
                count += 1;
            }
            let entry = |(stream, events)| Entry { stream, expected: Expected::Any, events };
            book.append_many(entries.into_iter().map(entry).collect()).await?;
            bar.inc(count);
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn print(&self, address: SocketAddr, count: u64, customer: usize) {
        let customer = Story::new(self.seed).customer_id(customer);
        let program = std::env::args().next().unwrap_or_else(|| "cxledger".into());
        let data = self.data.display();
        let get = |query: &str| {
            format!("curl -sG http://{address}/graphql --data-urlencode 'query={query}'")
        };
        say!("cxledger demo: {count} events of {} customers at http://{address}\n", self.customers);
        say!("Five things to try:");
        say!("1. Look: a page with the figures and a customer's timeline, live");
        say!("   http://{address}/");
        say!("2. How did the recommendation go over the year?");
        let nps = "{ satisfaction(filter: {metric: NPS}, by: [MONTH]) { group { month } value interval { low high } n } }";
        say!("   {}", get(nps));
        say!("3. What happened to one customer?");
        let timeline = format!(
            "{{ timeline(customer: \"{customer}\", first: 10) {{ nodes {{ occurredAt kind channel label valence }} pageInfo {{ hasNextPage endCursor }} }} }}"
        );
        say!("   {}", get(&timeline));
        say!("4. Watch what comes in, as server-sent events (Ctrl-C ends it)");
        say!(
            "   curl -sNG http://{address}/graphql -H 'accept: text/event-stream' --data-urlencode 'query=subscription {{ projectionStatus {{ name position eventsPerSecond }} }}'"
        );
        say!("5. Replay the customer as an auditor reads it, beside the running server");
        say!("   {program} replay {customer} --data {data}");
        say!("\nCtrl-C ends the server; the next run goes on from here.");
    }
}

/// The events that the model would have decided, in order: what its rules refuse is left out.
fn regular(year: Vec<Told>) -> Vec<Told> {
    let mut states: BTreeMap<StreamName, CustomerState> = BTreeMap::new();
    let mut kept = Vec::with_capacity(year.len());
    for told in year {
        if CustomerId::of_stream(&told.stream).is_some() {
            let state = states.entry(told.stream.clone()).or_default();
            if state.is_irregular(&told.event.event) {
                continue;
            }
            state.apply(&as_recorded(&told));
        }
        kept.push(told);
    }
    kept
}

fn as_recorded(told: &Told) -> Recorded {
    Recorded {
        ordinal: 0,
        position: Position::START,
        stream: told.stream.clone(),
        revision: 0,
        id: told.event.id,
        recorded_at: told.event.envelope.occurred_at,
        envelope: told.event.envelope.clone(),
        event: told.event.event.clone(),
    }
}

/// Whether this event is in the ledger.
async fn knows(book: &Book, told: &Told) -> anyhow::Result<bool> {
    let ledger = book.ledger();
    let tail = ledger.read_stream(&told.stream, u64::MAX, Direction::Backwards, 10_000).await?;
    Ok(tail.iter().any(|event| event.id == told.event.id))
}

/// The first customer of the story who was not erased: the one the examples show.
fn first_known(book: &Book, seed: u64, customers: usize) -> usize {
    let story = Story::new(seed);
    let known = |number: &usize| !book.vault().is_erased(story.customer_id(*number));
    (0..customers).find(known).unwrap_or(0)
}

/// A new interaction of some customer every moment, until it is stopped.
async fn keep_coming(book: Book, seed: u64, customers: usize) {
    let story = Story::new(seed);
    let mut dice = fastrand::Rng::new();
    let mut every = tokio::time::interval(NEW_EVERY);
    loop {
        every.tick().await;
        // The first customer is the one the examples show: it gets every third interaction.
        let number = if dice.u8(..3) == 0 {
            first_known(&book, seed, customers)
        } else {
            dice.usize(..customers.max(1))
        };
        let customer = story.customer_id(number);
        // Nothing more is recorded of those who were erased.
        if book.vault().is_erased(customer) {
            continue;
        }
        let recorded = new_interaction(&mut dice);
        let event = NewEvent {
            id: uuid::Uuid::new_v4(),
            envelope: Envelope::new(Timestamp::now(), Actor::Customer { id: None }),
            event: Event::from(recorded),
        };
        if let Err(error) = book.append(customer.stream(), Expected::Any, vec![event]).await {
            tracing::warn!(%error, "a new interaction could not be recorded");
        }
    }
}

fn new_interaction(dice: &mut fastrand::Rng) -> e::InteractionRecorded {
    let (touchpoint, channel, kind, stage) = story::somewhere(dice);
    let score = dice.i16(-60..90);
    e::InteractionRecorded {
        interaction: uuid::Uuid::new_v4().into(),
        kind: kind.into(),
        touchpoint: Some(touchpoint),
        channel,
        direction: cx_model::Direction::In,
        initiator: cx_model::Initiator::Customer,
        counterparty: None,
        stage: Some(stage),
        thread: None,
        case: None,
        duration_seconds: Some(dice.u32(5..600)),
        outcome: None,
        text: None,
        valence: Some(e::Valence { score, basis: cx_model::ValenceBasis::Inferred }),
        expectation: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_tells_the_same_year_and_another_tells_another() {
        let ids = |seed| -> Vec<_> {
            let year = regular(Story::new(seed).year(30));
            year.into_iter().map(|told| (told.event.id, told.event.envelope.occurred_at)).collect()
        };
        assert_eq!(ids(1), ids(1));
        assert_ne!(ids(1), ids(2));
    }

    /// The NPS of each month, worked out by hand.
    fn nps_by_month(seed: u64, customers: usize) -> Vec<f64> {
        let mut months = vec![(0.0, 0.0); 12];
        for told in regular(Story::new(seed).year(customers)) {
            let Event::ResponseSubmitted(response) = &told.event.event else { continue };
            let date = told.event.envelope.occurred_at.to_zoned(jiff::tz::TimeZone::UTC);
            for answer in response.answers.iter().filter(|answer| answer.question == "recommend") {
                let cx_model::AnswerValue::Score(score) = answer.value else { continue };
                let month = &mut months[usize::from(date.month().unsigned_abs()) - 1];
                month.0 += f64::from(i32::from(score >= 9) - i32::from(score <= 6));
                month.1 += 1.0;
            }
        }
        months.into_iter().map(|(sum, n)| 100.0 * sum / f64::max(n, 1.0)).collect()
    }

    #[test]
    fn september_dips_in_the_nps_and_the_year_recovers() {
        for seed in 1..=3 {
            let months = nps_by_month(seed, 2_000);
            let mean = |range: std::ops::Range<usize>| {
                months[range.clone()].iter().sum::<f64>() / range.len() as f64
            };
            let (before, september, after) = (mean(3..8), months[8], mean(10..12));
            assert!(september < before - 15.0, "seed {seed}: {months:.1?}");
            assert!(after > september + 10.0, "seed {seed}: {months:.1?}");
        }
    }

    #[test]
    fn the_year_follows_the_rules_of_the_model_and_ends_in_time() {
        let year = Story::new(3).year(200);
        let told = year.len();
        assert!(
            year.iter()
                .all(|told| { told.event.envelope.occurred_at.as_second() < story::YEAR_END })
        );
        assert!(year.is_sorted_by_key(|told| told.event.envelope.occurred_at));
        let kept = regular(year).len();
        assert!(kept * 100 > told * 99, "{kept} of {told} follow the rules");
    }
}
