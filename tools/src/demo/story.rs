//! A believable year of a few thousand customers, the same for the same seed.
//!
//! A shop with eleven touchpoints. In September the parcel service fails for three weeks: orders
//! come late, complaints and calls go up, scores go down, and both recover. Who is made to look at
//! the figures should be able to find that.

use std::collections::BTreeMap;

use cx_model::event as e;
use cx_model::{
    Actor, AgentId, AnswerValue, CaseId, CaseKind, Channel, Counterparty, CustomerId, CustomerKind,
    Direction, Envelope, Event, Expectation, Initiator, InstrumentId, InteractionId, Metric,
    NewEvent, OrderId, Ownership, ResponseId, ScaleDirection, Severity, Source, Stage, StreamName,
    TouchpointId, ValenceBasis, WaitingOn, derived_id,
};
use jiff::Timestamp;
use uuid::Uuid;

use super::words;

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

/// A place of the shop.
#[derive(Clone, Copy)]
struct Place {
    key: &'static str,
    name: &'static str,
    channel: Channel,
    stage: Stage,
    ownership: Ownership,
}

const fn place(
    key: &'static str,
    name: &'static str,
    channel: Channel,
    stage: Stage,
    ownership: Ownership,
) -> Place {
    Place { key, name, channel, stage, ownership }
}

const NEWSLETTER: Place =
    place("newsletter", "Newsletter", Channel::Email, Stage::Awareness, Ownership::Owned);
const SOCIAL: Place =
    place("social", "Social media", Channel::Social, Stage::Awareness, Ownership::Social);
const SEARCH: Place =
    place("search", "Product search", Channel::Search, Stage::Consideration, Ownership::Owned);
const WEB_SHOP: Place =
    place("web-shop", "Web shop", Channel::Web, Stage::Consideration, Ownership::Owned);
const APP: Place =
    place("app", "Mobile app", Channel::MobileApp, Stage::Consideration, Ownership::Owned);
const STORE: Place = place("store", "Store", Channel::InPerson, Stage::Purchase, Ownership::Owned);
const DELIVERY: Place =
    place("delivery", "Delivery", Channel::Post, Stage::Onboarding, Ownership::Partner);
const CALL_CENTRE: Place =
    place("call-centre", "Call centre", Channel::CallCentre, Stage::Support, Ownership::Owned);
const CHAT: Place = place("chat", "Live chat", Channel::LiveChat, Stage::Support, Ownership::Owned);
const HELP: Place =
    place("help", "Help pages", Channel::SelfService, Stage::Support, Ownership::Owned);
const RETURNS: Place =
    place("returns", "Returns desk", Channel::Post, Stage::Support, Ownership::Owned);
const PLACES: [Place; 11] =
    [NEWSLETTER, SOCIAL, SEARCH, WEB_SHOP, APP, STORE, DELIVERY, CALL_CENTRE, CHAT, HELP, RETURNS];

impl Place {
    fn id(self) -> TouchpointId {
        TouchpointId(derived_id(&["demo", "touchpoint", self.key]))
    }
}

fn relationship() -> InstrumentId {
    InstrumentId(derived_id(&["demo", "instrument", "relationship"]))
}

fn after_contact() -> InstrumentId {
    InstrumentId(derived_id(&["demo", "instrument", "after-contact"]))
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

    fn catalogue(&mut self) {
        let shop = || Actor::System { name: "shop".into() };
        for place in PLACES {
            let event = e::TouchpointCatalogued {
                name: place.name.into(),
                channel: place.channel,
                stage: Some(place.stage),
                ownership: place.ownership,
            };
            self.tell(place.id().stream(), YEAR_BEGIN, shop(), event);
        }
        let scale =
            |min, max| Some(e::Scale { min, max, direction: ScaleDirection::HigherIsBetter });
        let question = |name: &str, wording: &str, scale, metric| e::Question {
            name: name.into(),
            wording: wording.into(),
            scale,
            metric,
            touchpoint: None,
        };
        let relationship_survey = e::InstrumentPublished {
            name: "Relationship survey".into(),
            language: "en".into(),
            questions: vec![
                question(
                    "recommend",
                    "How likely are you to recommend us to a friend?",
                    scale(0, 10),
                    Metric::Nps,
                ),
                question("why", "What is the reason for your score?", None, Metric::Other),
            ],
        };
        self.tell(relationship().stream(), YEAR_BEGIN, shop(), relationship_survey);
        let contact_survey = e::InstrumentPublished {
            name: "After a contact".into(),
            language: "en".into(),
            questions: vec![
                question("satisfied", "How satisfied are you?", scale(1, 5), Metric::Csat),
                question("easy", "We made it easy to handle my issue.", scale(1, 7), Metric::Ces),
            ],
        };
        self.tell(after_contact().stream(), YEAR_BEGIN, shop(), contact_survey);
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

    /// A visit and what comes of it; answers when it was over.
    fn episode(&mut self, life: &mut Life, begin: i64) -> i64 {
        let mut at = begin;
        let thread = self.fresh("thread").to_string();
        if self.chance(0.35) {
            let from = if self.chance(0.6) { NEWSLETTER } else { SOCIAL };
            self.meet(life, at, from, "view", &thread, None);
            at += self.between(MINUTE, 3 * HOUR);
        }
        if self.chance(0.12) {
            at = self.visit_store(life, at, &thread);
            return at;
        }
        let shop = if life.mobile { APP } else { WEB_SHOP };
        for _ in 0..self.between(1, 5) {
            let (where_, kind) = if self.chance(0.25) {
                (SEARCH, "search")
            } else {
                (shop, ["page_view", "product_view", "add_to_cart"][self.dice.usize(..3)])
            };
            self.meet(life, at, where_, kind, &thread, None);
            at += self.between(20, 10 * MINUTE);
        }
        if self.chance(0.42 + 0.15 * life.mood) {
            at = self.order(life, at, shop);
        } else if self.chance(0.1) {
            at = self.case(life, at, CaseKind::Question);
        }
        at
    }

    fn visit_store(&mut self, life: &mut Life, at: i64, thread: &str) -> i64 {
        let felt = self.feeling(life, 0.35);
        self.meet(life, at, STORE, "visit", thread, Some(felt));
        if self.chance(0.6) {
            self.purchase(life, at + 20 * MINUTE, STORE);
            self.ask(life, at + DAY, STORE, felt);
        }
        at + HOUR
    }

    fn order(&mut self, life: &mut Life, at: i64, shop: Place) -> i64 {
        let order = self.purchase(life, at, shop);
        let failing = FAILURE.contains(&at);
        let late = self.chance(if failing { 0.9 } else { 0.07 });
        let promised = at + 3 * DAY;
        let arrived = if late {
            promised + self.between(DAY, 9 * DAY)
        } else {
            promised - self.between(0, DAY)
        };
        let late_by_seconds = (arrived - promised).max(0) as u32;
        self.by_shop(life, arrived, e::OrderFulfilled { order: order.0, late_by_seconds });
        let quality = match (late, failing) {
            (true, true) => -1.0,
            (true, false) => -0.55,
            (false, _) => 0.3,
        };
        let felt = self.feeling(life, quality);
        let thread = self.fresh("thread").to_string();
        self.meet(life, arrived, DELIVERY, "parcel", &thread, Some(felt));
        let mut at = arrived + self.between(HOUR, DAY);
        if late && self.chance(0.5) {
            let noticed = promised + self.between(DAY, 2 * DAY);
            at = self.case(life, noticed, CaseKind::Complaint);
        } else if self.chance(0.05) {
            at = self.case(life, at, CaseKind::Problem);
        }
        if self.chance(0.06) {
            let back = e::ReturnMade {
                order: order.0,
                amount_minor: order.1,
                currency: "EUR".into(),
                reason: Some("does_not_fit".into()),
            };
            self.by_customer(life, at + 2 * DAY, back);
            let felt = self.feeling(life, 0.05);
            self.meet(life, at + 2 * DAY, RETURNS, "return", &thread, Some(felt));
        }
        self.ask(life, arrived + DAY, DELIVERY, felt);
        if self.chance(0.3) {
            // Those who wait for a late parcel are asked, and answer, while they wait.
            let asked = arrived.min(promised + DAY) + self.between(HOUR, 5 * DAY);
            self.relationship_survey(life, asked, felt);
        }
        at
    }

    fn purchase(&mut self, life: &mut Life, at: i64, where_: Place) -> (OrderId, i64) {
        let order = OrderId(self.fresh("order"));
        let mut lines = Vec::new();
        for _ in 0..self.between(1, 4) {
            let item = words::ITEMS[self.dice.usize(..words::ITEMS.len())];
            let quantity = self.dice.u32(1..3);
            let amount_minor = i64::from(quantity) * (499 + 100 * self.between(0, 90));
            lines.push(e::OrderLine { item: item.into(), quantity, amount_minor });
        }
        let amount_minor = lines.iter().map(|line| line.amount_minor).sum();
        let channel =
            if where_.key == STORE.key { Channel::InPerson } else { Channel::OnlineOrder };
        let made = e::PurchaseMade {
            order,
            lines,
            amount_minor,
            currency: "EUR".into(),
            channel: Some(channel),
            touchpoint: Some(where_.id()),
        };
        self.by_customer(life, at, made);
        (order, amount_minor)
    }

    /// A case from its opening to its close; answers when that was.
    fn case(&mut self, life: &mut Life, begin: i64, kind: CaseKind) -> i64 {
        let case = CaseId(self.fresh("case"));
        let busy = FAILURE.contains(&begin);
        let place = [CALL_CENTRE, CHAT, HELP][self.dice.choose_weighted_place()];
        let severity = match kind {
            CaseKind::Complaint => Severity::High,
            CaseKind::Problem => Severity::Normal,
            _ => Severity::Low,
        };
        let subject = words::subject(kind, self.dice.usize(..8));
        let opened = e::CaseOpened {
            case,
            kind,
            severity,
            subject: Some(subject.to_owned().into()),
            remedy_sought: (kind == CaseKind::Complaint).then(|| "refund".to_owned()),
            touchpoint: Some(place.id()),
            channel: Some(place.channel),
            reference: Some(format!("C-{:06}", self.count)),
        };
        self.by_customer(life, begin, opened);
        let thread = self.fresh("thread").to_string();
        self.meet_about(life, begin + 5, place, "contact", &thread, None, Some(case));
        self.by_shop(life, begin + 30, e::CaseAcknowledged { case });
        self.by_shop(
            life,
            begin + 31,
            e::AgentReplied { case, human: false, public: true, text: None },
        );
        let wait = self.between(20 * MINUTE, if busy { 60 * HOUR } else { 10 * HOUR });
        let mut at = begin + wait;
        let unanswered = self.chance(if busy { 0.05 } else { 0.01 });
        if unanswered {
            life.mood -= 0.25;
            return at;
        }
        let reply = words::REPLIES[self.dice.usize(..words::REPLIES.len())];
        let replied = e::AgentReplied {
            case,
            human: true,
            public: true,
            text: Some(reply.to_owned().into()),
        };
        self.by_agent(life, at, replied);
        if self.chance(0.15) {
            at += self.between(HOUR, 5 * HOUR);
            self.by_agent(life, at, e::CaseTransferred { case, division: None, agent: None });
        }
        if self.chance(0.25) {
            self.by_agent(life, at + 60, e::CasePaused { case, waiting_on: WaitingOn::Customer });
            at += self.between(HOUR, 3 * DAY);
            self.by_customer(life, at, e::CustomerReplied { case, text: None });
            self.by_shop(life, at + 1, e::CaseResumed { case });
        }
        at += self.between(HOUR, 2 * DAY);
        self.by_agent(life, at, e::CaseResolved { case, resolution: "explained".into() });
        if self.chance(0.08) {
            at += self.between(HOUR, DAY);
            self.by_customer(life, at, e::CustomerRejectedResolution { case });
            self.by_shop(life, at + 1, e::CaseReopened { case, reason: Some("not_solved".into()) });
            at += self.between(HOUR, 2 * DAY);
            self.by_agent(life, at, e::CaseResolved { case, resolution: "refunded".into() });
            life.mood -= 0.1;
        }
        at += self.between(HOUR, DAY);
        self.by_shop(life, at, e::CaseClosed { case });
        let felt = self.feeling(life, if wait > DAY { -0.4 } else { 0.25 });
        self.ask(life, at + HOUR, place, felt);
        if life.mood < -0.45 && self.chance(0.5) {
            life.gone = true;
            let leaves = e::LifecycleStageChanged {
                from: None,
                to: Stage::Defection,
                rule: Some("said_so".into()),
            };
            self.by_customer(life, at + DAY, leaves);
        }
        at
    }

    /// How a meeting felt, from -100 to 100; it moves the mood.
    fn feeling(&mut self, life: &mut Life, quality: f64) -> i16 {
        let noise = self.dice.f64() + self.dice.f64() - 1.0;
        let felt = (0.55 * quality + 0.45 * life.mood + 0.45 * noise).clamp(-1.0, 1.0);
        life.mood = (0.85 * life.mood + 0.15 * felt + 0.01).clamp(-1.0, 1.0);
        (felt * 100.0) as i16
    }

    fn meet(
        &mut self,
        life: &Life,
        at: i64,
        place: Place,
        kind: &str,
        thread: &str,
        felt: Option<i16>,
    ) {
        self.meet_about(life, at, place, kind, thread, felt, None);
    }

    // One argument for each thing a meeting has; a struct would only name them twice.
    #[allow(clippy::too_many_arguments)]
    fn meet_about(
        &mut self,
        life: &Life,
        at: i64,
        place: Place,
        kind: &str,
        thread: &str,
        felt: Option<i16>,
        case: Option<CaseId>,
    ) {
        let interaction = InteractionId(self.fresh("interaction"));
        let outwards = place.key == NEWSLETTER.key || place.key == DELIVERY.key;
        let counterparty = match place.channel {
            Channel::InPerson | Channel::CallCentre => Counterparty::Person,
            Channel::LiveChat => Counterparty::Bot,
            _ => Counterparty::System,
        };
        let recorded = e::InteractionRecorded {
            interaction,
            kind: kind.into(),
            touchpoint: Some(place.id()),
            channel: place.channel,
            direction: if outwards { Direction::Out } else { Direction::In },
            initiator: if outwards { Initiator::Organisation } else { Initiator::Customer },
            counterparty: Some(counterparty),
            stage: Some(place.stage),
            thread: Some(thread.to_owned()),
            case,
            duration_seconds: Some(self.dice.u32(5..900)),
            outcome: None,
            text: None,
            valence: felt.map(|score| e::Valence { score, basis: ValenceBasis::Inferred }),
            expectation: felt.map(|score| match score {
                ..=-20 => Expectation::Below,
                40.. => Expectation::Above,
                _ => Expectation::Met,
            }),
        };
        self.by_customer(life, at, recorded);
        let mishap = self.dice.u16(0..1_000);
        if mishap < 3 {
            let reason = "recorded twice".to_owned();
            self.by_shop(life, at + HOUR, e::InteractionVoided { interaction, reason });
        } else if mishap < 6 {
            let corrected = e::InteractionCorrected {
                interaction,
                channel: Some(Channel::Phone),
                touchpoint: None,
                stage: None,
                outcome: None,
                valence: None,
                reason: "wrong channel".into(),
            };
            self.by_shop(life, at + HOUR, corrected);
        }
    }

    /// Asks after a contact; most do not answer.
    fn ask(&mut self, life: &Life, at: i64, place: Place, felt: i16) {
        if !self.chance(0.4) {
            return;
        }
        let instrument = after_contact();
        self.by_shop(life, at, e::InvitationSent { instrument, touchpoint: Some(place.id()) });
        if !self.chance(0.35) {
            return;
        }
        let satisfied = 1 + ((f64::from(felt) + 100.0) / 200.0 * 4.4).floor().min(4.0) as i32;
        let easy = 1 + ((f64::from(felt) + 110.0) / 210.0 * 6.6).floor().clamp(0.0, 6.0) as i32;
        let easy = if self.chance(0.1) { AnswerValue::Blank } else { AnswerValue::Score(easy) };
        let touchpoint = Some(place.id());
        let answer =
            |question: &str, value| e::Answer { question: question.into(), touchpoint, value };
        let answers =
            vec![answer("satisfied", AnswerValue::Score(satisfied)), answer("easy", easy)];
        self.respond(life, at + 3 * HOUR, instrument, &answers);
    }

    /// Asks how likely a recommendation is: the mood speaks, and the last delivery if it was bad.
    fn relationship_survey(&mut self, life: &Life, at: i64, felt: i16) {
        let instrument = relationship();
        self.by_shop(life, at, e::InvitationSent { instrument, touchpoint: None });
        if !self.chance(0.45) {
            return;
        }
        let noise = 2.2 * (self.dice.f64() + self.dice.f64() - 1.0);
        let sting = 7.0 * f64::from(felt.min(0)) / 100.0;
        let score = (7.2 + 4.2 * life.mood + sting + noise).round().clamp(0.0, 10.0) as i32;
        let answer = |question: &str, value| e::Answer {
            question: question.into(),
            touchpoint: None,
            value,
        };
        let mut answers = vec![answer("recommend", AnswerValue::Score(score))];
        if self.chance(0.5) {
            let comment = words::comment(score, self.dice.usize(..4));
            answers.push(answer("why", AnswerValue::Text(comment.to_owned().into())));
        }
        let answered = at + self.between(HOUR, 2 * DAY);
        self.respond(life, answered, instrument, &answers);
    }

    fn respond(&mut self, life: &Life, at: i64, instrument: InstrumentId, answers: &[e::Answer]) {
        let response = ResponseId(self.fresh("response"));
        let device = if life.mobile { "phone" } else { "computer" };
        let submitted = e::ResponseSubmitted {
            response,
            instrument,
            answers: answers.to_vec(),
            weight_millionths: None,
            attributes: BTreeMap::from([("device".to_owned(), device.to_owned())]),
            case: None,
            partial: false,
        };
        self.by_customer(life, at, submitted);
        if self.chance(0.01) {
            let mut changed = answers[0].clone();
            if let AnswerValue::Score(score) = &mut changed.value {
                *score = (*score - 1).max(1);
            }
            let amended = e::ResponseAmended { response, answers: vec![changed] };
            self.by_customer(life, at + 10 * MINUTE, amended);
        } else if self.chance(0.004) {
            let reason = "asked to be left out".to_owned();
            self.by_customer(life, at + DAY, e::ResponseWithdrawn { response, reason });
        }
    }
}

/// Where cases come in: most by telephone.
trait WeightedPlace {
    fn choose_weighted_place(&mut self) -> usize;
}

impl WeightedPlace for fastrand::Rng {
    fn choose_weighted_place(&mut self) -> usize {
        match self.u32(0..10) {
            0..=4 => 0,
            5..=8 => 1,
            _ => 2,
        }
    }
}

/// A place with something to do there, for the interactions that keep coming.
pub fn somewhere(dice: &mut fastrand::Rng) -> (TouchpointId, Channel, &'static str, Stage) {
    let (place, kind) = [
        (WEB_SHOP, "page_view"),
        (APP, "product_view"),
        (SEARCH, "search"),
        (STORE, "visit"),
        (CHAT, "contact"),
        (CALL_CENTRE, "contact"),
        (HELP, "page_view"),
    ][dice.usize(..7)];
    (place.id(), place.channel, kind, place.stage)
}
