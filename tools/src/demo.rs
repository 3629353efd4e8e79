//! `cxledger demo`: a believable year, served on loopback, with new interactions coming in.

pub mod story;
#[cfg(test)]
mod tests;
mod words;
mod year;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use cx_ledger::{Book, Entry, Expected};
use cx_model::decide::{CustomerState, State};
use cx_model::{
    Actor, CustomerId, Envelope, Event, NewEvent, Position, Recorded, StreamName, event as e,
};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

use crate::census::{Census, grouped};
use crate::node::{Node, asked_to_end};
use crate::open::Opened;
use crate::serve::Network;
use story::{Story, Told};
use year::{Standing, Year};

/// Make a believable year of customers, serve it, and keep new interactions coming.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cxledger demo
  cxledger demo --customers 500 --seed 7 --listen 127.0.0.1:0")]
pub struct Demo {
    /// How many customers: 2000 if left out, or as many as the data directory has.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    customers: Option<u32>,
    /// The same seed gives the same year: 1 if left out, or that of the data directory.
    #[arg(long)]
    seed: Option<u64>,
    /// The data directory: a new one, or a demo's, where a second run goes on.
    #[arg(long, env = "CXLEDGER_DATA", default_value = "./cxledger-data", value_name = "DIR")]
    data: PathBuf,
    #[command(flatten)]
    network: Network,
}

/// Events appended together.
const BATCH: usize = 1_000;
/// Time between new interactions.
const NEW_EVERY: Duration = Duration::from_millis(700);

impl Demo {
    /// Tells the year where it is not told yet, then serves until Ctrl-C. The address is taken and
    /// the directory looked at before anything is written.
    pub fn run(&self) -> anyhow::Result<()> {
        let listening = self.network.meeting()?.listen(&self.data)?;
        // What cannot be read is explained by the opening below.
        if let Ok(there) = Opened::to_read(&self.data) {
            there.runtime.block_on(self.find(&there.book))?;
        }
        let opened = Opened::to_write(&self.data)?;
        opened.runtime.block_on(async {
            let (year, standing) = self.find(&opened.book).await?;
            self.tell(&opened.book, year, standing).await?;
            let node = Node::start(&opened, listening).await?;
            let head = opened.book.ledger().head().await?;
            let engine = &node.system().engine;
            engine.at_least(head, &[], Duration::from_mins(10)).await?;
            self.print(&opened, year, node.address()).await?;
            let coming = tokio::spawn(keep_coming(opened.book.clone(), year));
            let served = node.serve(asked_to_end()).await;
            coming.abort();
            served
        })
    }

    async fn find(&self, book: &Book) -> anyhow::Result<(Year, Standing)> {
        let customers = self.customers.map(|count| count as usize);
        Year::find(book, &self.data, customers, self.seed).await
    }

    async fn tell(&self, book: &Book, year: Year, standing: Standing) -> anyhow::Result<()> {
        let data = self.data.display();
        match standing {
            Standing::Told => {
                say!("The demo's year is in {data} already; going on from there.");
                return Ok(());
            }
            Standing::Begun => say!("The last run was stopped before its year was told; going on."),
            Standing::New => year.begin(book).await?,
        }
        let told = regular(Story::new(year.seed).year(year.customers));
        let count = told.len() as u64;
        let bar = ProgressBar::new(count);
        bar.set_style(
            ProgressStyle::with_template(
                "Making a year of customers {bar:40} {pos}/{len} events, {eta} left",
            )
            .expect("the template is one that indicatif knows"),
        );
        append_all(book, told, &bar).await?;
        bar.finish_and_clear();
        year.end(book, count).await
    }

    async fn print(&self, opened: &Opened, year: Year, address: SocketAddr) -> anyhow::Result<()> {
        let census = Census::of(opened).await?;
        let customer = Story::new(year.seed).customer_id(first_known(&opened.book, year));
        let program = std::env::args().next().unwrap_or_else(|| "cxledger".into());
        let data = self.data.display();
        let get = |query: &str| {
            format!("curl -sG http://{address}/graphql --data-urlencode 'query={query}'")
        };
        let (events, customers) = (grouped(census.events), grouped(census.customers));
        say!("cxledger demo: {events} events of {customers} customers at http://{address}\n");
        say!("Five things to try:");
        say!("1. Look: a page with the figures and a customer's timeline, live");
        say!("   http://{address}/#{customer}");
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
        Ok(())
    }
}

/// Appends a year, as many events at a time as make a good batch.
async fn append_all(book: &Book, told: Vec<Told>, bar: &ProgressBar) -> anyhow::Result<()> {
    let mut told = told.into_iter().peekable();
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
    Ok(())
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

/// The first customer of the story who was not erased: the one the examples show.
fn first_known(book: &Book, year: Year) -> usize {
    let story = Story::new(year.seed);
    let known = |number: &usize| !book.vault().is_erased(story.customer_id(*number));
    (0..year.customers).find(known).unwrap_or(0)
}

/// A new interaction of some customer every moment, until it is stopped.
async fn keep_coming(book: Book, year: Year) {
    let story = Story::new(year.seed);
    let mut dice = fastrand::Rng::new();
    let mut every = tokio::time::interval(NEW_EVERY);
    loop {
        every.tick().await;
        // The first customer is the one the examples show: it gets every third interaction.
        let number =
            if dice.u8(..3) == 0 { first_known(&book, year) } else { dice.usize(..year.customers) };
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
