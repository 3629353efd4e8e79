//! A believable history, the same every time: customers who visit, call, buy, answer and complain.

use cx_model::event::{
    AgentReplied, Answer, AnswerValue, CaseAcknowledged, CaseClosed, CaseOpened, CaseResolved,
    CustomerRegistered, InstrumentPublished, InteractionRecorded, PurchaseMade, Question,
    ResponseSubmitted, Scale, TouchpointCatalogued,
};
use cx_model::{
    Actor, CaseId, CaseKind, Channel, CustomerId, CustomerKind, Direction, Envelope, Event,
    Initiator, InstrumentId, InteractionId, Metric, OrderId, Ownership, ResponseId, ScaleDirection,
    Severity, Stage, StreamName, TouchpointId,
};
use jiff::Timestamp;
use uuid::Uuid;

/// Events of one customer, on average.
const EVENTS_PER_CUSTOMER: u64 = 50;
const TOUCHPOINTS: u64 = 12;

/// Makes the events one after the other.
pub struct History {
    state: u64,
    customers: u64,
    registered: Vec<bool>,
    open_case: Vec<(u64, u8)>,
    number: u64,
}

impl History {
    /// A history that will have so many events.
    pub fn new(events: u64) -> Self {
        let customers = (events / EVENTS_PER_CUSTOMER).max(1);
        Self {
            state: 0x5EED,
            customers,
            registered: vec![false; customers as usize],
            open_case: vec![(0, 0); customers as usize],
            number: 0,
        }
    }

    /// Other events of the same kind.
    pub fn start_at(&mut self, seed: u64) {
        self.state = seed;
        self.number = 1 + TOUCHPOINTS;
    }

    fn random(&mut self, below: u64) -> u64 {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % below
    }

    fn id(&mut self) -> Uuid {
        let high = self.random(1 << 31) << 33 ^ self.random(1 << 31);
        let low = self.random(1 << 31) << 33 ^ self.random(1 << 31);
        Uuid::from_u64_pair(high, low)
    }

    fn touchpoint(&mut self) -> TouchpointId {
        TouchpointId(Uuid::from_u64_pair(0x70, self.random(TOUCHPOINTS)))
    }

    fn channel(&mut self) -> Channel {
        Channel::ALL[self.random(Channel::ALL.len() as u64) as usize]
    }

    /// The next event: its id, its stream, what surrounds it, what happened.
    pub fn next(&mut self) -> (Uuid, StreamName, Envelope, Event) {
        self.number += 1;
        // A year and a half of customers, events a few seconds to minutes apart.
        let second = 1_735_689_600
            + (self.number as i64 * 47_000_000) / (self.customers * EVENTS_PER_CUSTOMER) as i64;
        let time = Timestamp::from_second(second).unwrap_or_default();
        let envelope = Envelope::new(time, Actor::System { name: "bench".into() });
        let (stream, event) = match self.number {
            1 => (instrument().stream(), published()),
            n if n <= 1 + TOUCHPOINTS => catalogued(n - 2),
            _ => self.of_a_customer(),
        };
        (self.id(), stream, envelope, event)
    }

    fn of_a_customer(&mut self) -> (StreamName, Event) {
        // Some customers are busier than others.
        let place = self.random(self.customers).min(self.random(self.customers));
        let customer =
            CustomerId(Uuid::from_u64_pair((place + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15), place));
        let at = place as usize;
        if !self.registered[at] {
            self.registered[at] = true;
            let registered = CustomerRegistered { kind: CustomerKind::Person, name: None };
            return (customer.stream(), registered.into());
        }
        let event = match self.random(100) {
            0..60 => self.interaction(),
            60..72 => self.purchase(),
            72..80 => self.response(),
            _ => self.case(at),
        };
        (customer.stream(), event)
    }

    fn interaction(&mut self) -> Event {
        InteractionRecorded {
            interaction: InteractionId(self.id()),
            kind: ["visit", "call", "page_view", "chat"][self.random(4) as usize].into(),
            touchpoint: Some(self.touchpoint()),
            channel: self.channel(),
            direction: Direction::In,
            initiator: Initiator::Customer,
            counterparty: None,
            stage: Some(Stage::ALL[self.random(9) as usize]),
            thread: None,
            case: None,
            duration_seconds: Some(self.random(900) as u32),
            outcome: Some(["answered", "abandoned", "sold"][self.random(3) as usize].into()),
            text: None,
            valence: None,
            expectation: None,
        }
        .into()
    }

    fn purchase(&mut self) -> Event {
        PurchaseMade {
            order: OrderId(self.id()),
            lines: Vec::new(),
            amount_minor: 500 + self.random(40_000) as i64,
            currency: "EUR".into(),
            channel: Some(self.channel()),
            touchpoint: Some(self.touchpoint()),
        }
        .into()
    }

    fn response(&mut self) -> Event {
        let answers = [("recommend", 11, 0), ("satisfied", 5, 1), ("easy", 7, 1)];
        let answers = answers.map(|(question, scores, lowest)| Answer {
            question: question.into(),
            touchpoint: None,
            value: AnswerValue::Score(lowest + self.random(scores) as i32),
        });
        ResponseSubmitted {
            response: ResponseId(self.id()),
            instrument: instrument(),
            answers: answers.into(),
            weight_millionths: None,
            attributes: [("region".to_owned(), format!("r{}", self.random(4)))].into(),
            case: None,
            partial: false,
        }
        .into()
    }

    fn case(&mut self, at: usize) -> Event {
        let (number, step) = self.open_case[at];
        if step == 0 {
            let number = self.random(1 << 30);
            self.open_case[at] = (number, 1);
            let kind = CaseKind::ALL[self.random(4) as usize];
            let touchpoint = Some(self.touchpoint());
            return CaseOpened {
                case: case(number),
                kind,
                severity: Severity::Normal,
                subject: None,
                remedy_sought: None,
                touchpoint,
                channel: Some(Channel::Phone),
                reference: None,
            }
            .into();
        }
        self.open_case[at].1 = (step + 1) % 5;
        let case = case(number);
        match step {
            1 => CaseAcknowledged { case }.into(),
            2 => AgentReplied { case, human: true, public: true, text: None }.into(),
            3 => CaseResolved { case, resolution: "explained".into() }.into(),
            _ => CaseClosed { case }.into(),
        }
    }
}

fn case(number: u64) -> CaseId {
    CaseId(Uuid::from_u64_pair(0xCA, number))
}

fn instrument() -> InstrumentId {
    InstrumentId(Uuid::from_u64_pair(0x10, 1))
}

fn published() -> Event {
    let question = |name: &str, metric, min, max| Question {
        name: name.into(),
        wording: format!("{name}?"),
        scale: Some(Scale { min, max, direction: ScaleDirection::HigherIsBetter }),
        metric,
        touchpoint: None,
    };
    let questions = vec![
        question("recommend", Metric::Nps, 0, 10),
        question("satisfied", Metric::Csat, 1, 5),
        question("easy", Metric::Ces, 1, 7),
    ];
    InstrumentPublished { name: "after a visit".into(), language: "en".into(), questions }.into()
}

fn catalogued(place: u64) -> (StreamName, Event) {
    let event = TouchpointCatalogued {
        name: format!("touchpoint {place}"),
        channel: Channel::Web,
        stage: None,
        ownership: Ownership::Owned,
    };
    (TouchpointId(Uuid::from_u64_pair(0x70, place)).stream(), event.into())
}
