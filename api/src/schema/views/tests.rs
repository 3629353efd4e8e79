//! The fields of a list that has every kind of view.

use std::sync::Arc;

use async_graphql::{EmptyMutation, EmptySubscription, Request, Schema, SimpleObject};
use cx_ledger::{Book, MemoryLedger, Vault};
use cx_model::{Event, Recorded, StreamName};
use cx_projections::{
    Engine, Figure, Options, Projection, Rows, all_views, customer_lane, lane_of_customer,
    registered,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;
use crate::positions::{AtLeast, ReadPositions};
use crate::schema::{System, schema};

/// Rows that count interactions, under different keys.
macro_rules! counts {
    ($($view:ident by $key:ty: $key_of:expr, of $stream_of:expr;)*) => {$(
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, SimpleObject)]
        struct $view {
            contacts: i64,
        }

        impl Projection for $view {
            const NAME: &'static str = stringify!($view);
            type Key = $key;
            type View = Self;
            type Private = ();

            fn lane(event: &Recorded) -> u64 {
                customer_lane(event)
            }

            fn lane_of(key: &$key) -> Option<u64> {
                let customer: fn(&$key) -> CustomerId = $stream_of;
                Some(lane_of_customer(customer(key)))
            }

            fn stream_of(key: &$key) -> Option<StreamName> {
                let customer: fn(&$key) -> CustomerId = $stream_of;
                Some(customer(key).stream())
            }

            fn apply(event: &Recorded, rows: &mut Rows<'_, Self>) {
                let (Some(customer), Event::InteractionRecorded(met)) =
                    (event.customer(), &event.event)
                else {
                    return;
                };
                let key: fn(CustomerId, Channel) -> $key = $key_of;
                rows.update(&key(customer, met.channel), |row| row.contacts += 1);
                assert!(met.kind != "poison", "this fold does not like its event");
            }
        }
    )*};
}

counts! {
    Contacts by CustomerId: |customer, _| customer, of |key| *key;
    ContactsByChannel by (CustomerId, Desc<Channel>): |customer, channel| (customer, Desc(channel)),
        of |key| key.0;
    ContactsOnChannel by (Channel, CustomerId): |customer, channel| (channel, customer), of |key| key.1;
}

/// Interactions of all customers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, SimpleObject)]
struct Traffic {
    contacts: i64,
}

impl Figure for Traffic {
    fn add(&mut self, delta: &Self) {
        self.contacts += delta.contacts;
    }
}

impl Projection for Traffic {
    const NAME: &'static str = "traffic";
    type Key = (Channel, Month);
    type View = Self;
    type Private = ();

    fn lane(event: &Recorded) -> u64 {
        customer_lane(event)
    }

    fn lane_of(_: &Self::Key) -> Option<u64> {
        None
    }

    fn apply(event: &Recorded, rows: &mut Rows<'_, Self>) {
        if let Event::InteractionRecorded(met) = &event.event {
            let month = Month::of(event.envelope.occurred_at);
            rows.add(&(met.channel, month), &Self { contacts: 1 });
        }
    }
}

fields! {
    /// A row of one customer.
    contacts(customer: CustomerId) -> One<Contacts>,
    /// Rows under a customer.
    contacts_by_channel(customer: CustomerId, channel: Desc<Channel>) -> Many<ContactsByChannel>,
    /// Rows of several customers.
    contacts_on_channel(channel: Channel, customer: CustomerId) -> Many<ContactsOnChannel>,
    /// A figure.
    traffic(channel: Channel, month: Month) -> Sum<Traffic>,
    /// A figure with a field of its own.
    satisfaction(cell: Cell) -> OwnSum<Satisfaction>,
}

struct World {
    schema: Schema<ViewQueries, EmptyMutation, EmptySubscription>,
    /// The real schema, to tell with.
    real: crate::schema::Schema,
    engine: Arc<Engine>,
    _directory: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let book = Book::new(Arc::new(MemoryLedger::new()), Arc::new(Vault::in_memory()));
        let directory = tempfile::tempdir().unwrap();
        let mut views = all_views();
        views.extend([registered::<Contacts>(), registered::<ContactsByChannel>()]);
        views.extend([registered::<ContactsOnChannel>(), registered::<Traffic>()]);
        let options =
            Options { views, cache_bytes: 1 << 20, check_rows: false, ..Options::default() };
        let engine = Engine::start(book.ledger().clone(), directory.path(), options);
        let engine = Arc::new(engine.await.unwrap());
        let system = System { book, engine: engine.clone() };
        let asked = Schema::build(ViewQueries, EmptyMutation, EmptySubscription);
        let asked = asked.data(system.clone()).finish();
        Self { schema: asked, real: schema(system), engine, _directory: directory }
    }

    async fn answer(&self, request: impl Into<Request>) -> Value {
        serde_json::to_value(self.schema.execute(request).await).unwrap()
    }

    /// The payload of an accepted mutation.
    async fn act(&self, name: &str, input: &str, fields: &str) -> Value {
        let done = format!("mutation {{ {name}(input: {{ {input} }}) {{ position {fields} }} }}");
        let answer = serde_json::to_value(self.real.execute(done).await).unwrap();
        assert!(answer["data"][name]["position"].is_string(), "{answer:#}");
        answer["data"][name].clone()
    }

    async fn customer(&self) -> String {
        let done = self.act("registerCustomer", "kind: PERSON", "customer { id }").await;
        done["customer"]["id"].as_str().unwrap().to_owned()
    }

    /// Records a contact in January 2026; at which position.
    async fn met(&self, customer: &str, channel: &str, kind: &str) -> String {
        let input = format!(
            "customer: \"{customer}\", kind: \"{kind}\", channel: {channel}, direction: IN, \
             initiator: CUSTOMER, occurredAt: \"2026-01-15T12:00:00Z\""
        );
        let done = self.act("recordInteraction", &input, "").await;
        done["position"].as_str().unwrap().to_owned()
    }

    /// The answer at or after a position, and at which one it says it is true.
    async fn at_least(&self, position: &str, query: &str) -> (Value, String) {
        let positions = ReadPositions::default();
        let least = AtLeast(Some(position.parse().unwrap()));
        let answer = self.answer(Request::new(query).data(least).data(positions.clone())).await;
        let position = positions.lowest().map(|position| position.to_string());
        (answer, position.unwrap_or_default())
    }

    async fn end(self) {
        self.engine.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_one_stream_are_folded_as_they_stood() {
    let world = World::new().await;
    let customer = world.customer().await;
    let first = world.met(&customer, "PHONE", "call").await;
    let last = world.met(&customer, "WEB", "visit").await;
    let one =
        |as_of: &str| format!("{{ contacts(customer: \"{customer}\"{as_of}) {{ contacts }} }}");
    let many = |as_of: &str| {
        format!("{{ contactsByChannel(customer: \"{customer}\"{as_of}) {{ contacts }} }}")
    };
    let at = |position: &str| format!(", asOf: {{ position: \"{position}\" }}");
    let data = |(answer, position): (Value, String)| (answer["data"].clone(), position);
    let ask = async |query: String| data(world.at_least(&last, &query).await);
    let rows = json!({ "contactsByChannel": [{ "contacts": 1 }, { "contacts": 1 }] });
    assert_eq!(ask(one("")).await, (json!({ "contacts": { "contacts": 2 } }), last.clone()));
    assert_eq!(ask(many("")).await, (rows, last.clone()));
    let row = json!({ "contacts": { "contacts": 1 } });
    assert_eq!(ask(one(&at(&first))).await, (row.clone(), first.clone()));
    let rows = json!({ "contactsByChannel": [row["contacts"]] });
    assert_eq!(ask(many(&at(&first))).await, (rows, first));
    // When nothing had happened yet.
    assert_eq!(ask(one(&at("1"))).await, (json!({ "contacts": null }), "1".into()));
    assert_eq!(ask(many(&at("1"))).await, (json!({ "contactsByChannel": [] }), "1".into()));
    let few = many(", first: 1, asOf: { position: \"3\" }");
    assert_eq!(ask(few).await.0["contactsByChannel"].as_array().unwrap().len(), 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_figure_is_looked_up_by_its_key() {
    let world = World::new().await;
    let (ada, bob) = (world.customer().await, world.customer().await);
    let first = world.met(&ada, "PHONE", "call").await;
    let last = world.met(&bob, "PHONE", "call").await;
    let traffic = |rest: &str| format!("{{ traffic(channel: PHONE, {rest}) {{ contacts }} }}");
    let (answer, position) = world.at_least(&last, &traffic("month: \"2026-01\"")).await;
    assert_eq!(answer["data"], json!({ "traffic": { "contacts": 2 } }), "{answer:#}");
    assert_eq!(position, last);
    let (answer, _) = world.at_least(&last, &traffic("month: \"2026-02\"")).await;
    assert_eq!(answer["data"], json!({ "traffic": null }), "{answer:#}");
    // As they stood, a figure and rows of several streams are known to side generations only.
    let as_of = format!("asOf: {{ position: \"{first}\" }}");
    let figure = traffic(&format!("month: \"2026-01\", {as_of}"));
    let rows = format!("{{ contactsOnChannel(channel: PHONE, {as_of}) {{ contacts }} }}");
    for query in [figure, rows] {
        let answer = world.answer(query).await;
        let error = &answer["errors"][0];
        assert_eq!(error["extensions"]["code"], "NOT_FOUND", "{answer:#}");
        let hint = format!("cxledger past --at {first}");
        assert!(error["message"].as_str().unwrap().contains(&hint), "{answer:#}");
    }
    let (answer, _) =
        world.at_least(&last, "{ contactsOnChannel(channel: PHONE) { contacts } }").await;
    assert_eq!(answer["data"]["contactsOnChannel"].as_array().unwrap().len(), 2, "{answer:#}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_as_it_stood_is_not_shown_without_an_event_that_its_fold_does_not_take() {
    let world = World::new().await;
    let customer = world.customer().await;
    let before = world.met(&customer, "PHONE", "call").await;
    let poison = world.met(&customer, "PHONE", "poison").await;
    let as_of = async |position: &str| {
        let key = format!("customer: \"{customer}\", asOf: {{ position: \"{position}\" }}");
        world.answer(format!("{{ contacts({key}) {{ contacts }} }}")).await
    };
    assert_eq!(as_of(&before).await["data"]["contacts"]["contacts"], 1);
    let answer = as_of(&poison).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "STALLED", "{answer:#}");
    assert_eq!(answer["errors"][0]["extensions"]["stalledAt"], poison, "{answer:#}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_stalled_lane_are_not_shown_as_if_they_had_all_events() {
    let world = World::new().await;
    let (ada, bob) = (world.customer().await, world.customer().await);
    world.met(&ada, "PHONE", "call").await;
    world.met(&bob, "PHONE", "call").await;
    let poison = world.met(&ada, "PHONE", "poison").await;
    for field in ["contacts", "contactsByChannel"] {
        let of = |customer: &str| format!("{{ {field}(customer: \"{customer}\") {{ contacts }} }}");
        let (answer, _) = world.at_least(&poison, &of(&ada)).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "STALLED", "{field}: {answer:#}");
        assert_eq!(answer["errors"][0]["extensions"]["stalledAt"], poison, "{field}: {answer:#}");
        let (answer, _) = world.at_least(&poison, &of(&bob)).await;
        assert!(answer["errors"].is_null(), "{field}: {answer:#}");
    }
    world.end().await;
}
