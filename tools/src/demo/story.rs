//! A believable year of a few thousand customers, the same for the same seed.
//!
//! A shop with eleven touchpoints. In September the parcel service fails for three weeks: orders
//! come late, complaints and calls go up, scores go down, and both recover. Who is made to look at
//! the figures should be able to find that.

mod cases;
mod meetings;
mod places;
mod shopping;
mod surveys;

use cx_model::event as e;
use cx_model::{
    Actor, AgentId, Channel, CustomerId, CustomerKind, Envelope, Event, NewEvent, Source,
    StreamName, derived_id,
};
use jiff::Timestamp;
use uuid::Uuid;

use super::words;
pub use places::somewhere;

/// The year's first moment, seconds since the Unix epoch: 2025-01-01T00:00:00Z.
const YEAR_BEGIN: i64 = 1_735_689_600;
/// The first moment after it.
pub const YEAR_END: i64 = YEAR_BEGIN + 365 * DAY;
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// The parcel service fails from 8 to 28 September.
const FAILURE: std::ops::Range<i64> = (YEAR_BEGIN + 250 * DAY)..(YEAR_BEGIN + 271 * DAY);

/// An event and the stream it belongs to.
pub struct Told {
    /// The stream.
    pub stream: StreamName,
    /// The event.
    pub event: NewEvent,
}

/// Tells the year.
pub struct Story {
    dice: fastrand::Rng,
    seed: u64,
    count: u64,
    told: Vec<(i64, Told)>,
}

/// One customer while the year is told.
struct Life {
    id: CustomerId,
    /// How the customer feels about the shop, from -1 to 1.
    mood: f64,
    /// Prefers the app to the web shop.
    mobile: bool,
    gone: bool,
}

impl Story {
    /// A story of a seed.
    pub fn new(seed: u64) -> Self {
        Self { dice: fastrand::Rng::with_seed(seed), seed, count: 0, told: Vec::new() }
    }

    /// The whole year of some customers, in the order it happened.
    pub fn year(mut self, customers: usize) -> Vec<Told> {
        self.catalogue();
        for number in 0..customers {
            self.customer(number);
        }
        // Sorted by time alone, stable: within one moment the order told stays.
        self.told.sort_by_key(|(at, _)| *at);
        self.told.into_iter().filter(|(at, _)| *at < YEAR_END).map(|(_, told)| told).collect()
    }

    /// The id of a customer of the story.
    pub fn customer_id(&self, number: usize) -> CustomerId {
        CustomerId(derived_id(&["demo", &self.seed.to_string(), "customer", &number.to_string()]))
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.dice.f64() < probability
    }

    fn between(&mut self, from: i64, to: i64) -> i64 {
        self.dice.i64(from..to.max(from + 1))
    }

    /// A fresh id, the same for the same seed and place in the story.
    fn fresh(&mut self, kind: &str) -> Uuid {
        self.count += 1;
        derived_id(&["demo", &self.seed.to_string(), kind, &self.count.to_string()])
    }

    fn tell(&mut self, stream: StreamName, at: i64, actor: Actor, event: impl Into<Event>) {
        let id = self.fresh("event");
        let occurred_at = Timestamp::from_second(at).unwrap_or_default();
        let envelope = Envelope {
            source: Some(Source { system: "demo".into(), id: self.count.to_string() }),
            ..Envelope::new(occurred_at, actor)
        };
        let event = NewEvent { id, envelope, event: event.into() };
        self.told.push((at, Told { stream, event }));
    }

    fn by_customer(&mut self, life: &Life, at: i64, event: impl Into<Event>) {
        self.tell(life.id.stream(), at, Actor::Customer { id: None }, event);
    }

    fn by_shop(&mut self, life: &Life, at: i64, event: impl Into<Event>) {
        self.tell(life.id.stream(), at, Actor::System { name: "shop".into() }, event);
    }

    fn by_agent(&mut self, life: &Life, at: i64, event: impl Into<Event>) {
        let agent = self.dice.u32(0..24).to_string();
        let id = AgentId(derived_id(&["demo", "agent", &agent]));
        self.tell(life.id.stream(), at, Actor::Agent { id }, event);
    }

    fn customer(&mut self, number: usize) {
        let id = self.customer_id(number);
        let mood = 0.3 + 0.35 * (self.dice.f64() + self.dice.f64() - 1.0);
        let mobile = self.chance(0.45);
        let mut life = Life { id, mood, mobile, gone: false };
        let joined = if self.chance(0.7) {
            YEAR_BEGIN + self.between(HOUR, 20 * DAY)
        } else {
            YEAR_BEGIN + self.between(20 * DAY, 350 * DAY)
        };
        self.register(&life, joined);
        let mut at = joined + self.between(MINUTE, 6 * HOUR);
        while at < YEAR_END && !life.gone {
            at = self.episode(&mut life, at);
            let pause = -self.dice.f64().max(1e-9).ln() * (38.0 - 14.0 * life.mood);
            at += HOUR + (pause * DAY as f64) as i64;
        }
    }

    fn register(&mut self, life: &Life, at: i64) {
        let kind =
            if self.chance(0.06) { CustomerKind::Organisation } else { CustomerKind::Person };
        let first = words::FIRST_NAMES[self.dice.usize(..words::FIRST_NAMES.len())];
        let last = words::LAST_NAMES[self.dice.usize(..words::LAST_NAMES.len())];
        let name = format!("{first} {last}");
        self.by_shop(life, at, e::CustomerRegistered { kind, name: Some(name.clone().into()) });
        let number = self.dice.u32(10..999);
        let address =
            format!("{}.{}{number}@example.org", first.to_lowercase(), last.to_lowercase());
        let email =
            e::IdentifierAttached { scheme: "email".into(), value: address.into(), unique: true };
        self.by_shop(life, at + 1, email);
        if self.chance(0.6) {
            let consent = e::ConsentGiven {
                purpose: "marketing".into(),
                wording_version: "2024-11".into(),
                channel: Channel::Web,
            };
            self.by_customer(life, at + 2, consent);
        }
    }
}
