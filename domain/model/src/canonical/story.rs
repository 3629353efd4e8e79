//! The told part: each event at least once, with the cases that folds get wrong. Times stand beside
//! the events they belong to; what came late or was corrected says so.

#![allow(clippy::wildcard_imports)] // it names nearly every event there is

use crate::canonical::{Teller, from_elsewhere, number, sealed, time};
use crate::envelope::{Actor, Envelope};
use crate::event::*;
use crate::ids::*;
use crate::vocabulary::*;

pub(super) const DESK: u128 = 1;
pub(super) const SITE: u128 = 2;
const KIOSK: u128 = 3;
const UNCATALOGUED: u128 = 9;

pub(super) fn touchpoint(n: u128) -> TouchpointId {
    number(0x7, n).into()
}

pub(super) fn survey() -> InstrumentId {
    number(0x1, 1).into()
}

pub(super) fn customer(n: u128) -> CustomerId {
    number(0xC, n).into()
}

pub(super) fn tell(book: &mut Teller) {
    catalogue(book);
    ada(book);
    ada_answers(book);
    bob_is_ada_and_is_not(book);
    cyd_complains(book);
    cyd_is_erased(book);
    irregular_and_unknown(book);
    imports(book);
}

fn catalogue(book: &mut Teller) {
    let at = time("2025-01-02T08:00:00Z");
    let places = [
        (DESK, "Front desk", Channel::InPerson, Some(Stage::Use), Ownership::Owned),
        (SITE, "Web site", Channel::Web, Some(Stage::Consideration), Ownership::Owned),
        (KIOSK, "Kiosk", Channel::Kiosk, None, Ownership::Partner),
    ];
    for (n, name, channel, stage, ownership) in places {
        let event = TouchpointCatalogued { name: name.into(), channel, stage, ownership };
        book.tell(&touchpoint(n).stream(), at, event);
    }
    let desk = touchpoint(DESK).stream();
    let division = DivisionId(number(0xD, 1));
    book.tell(&desk, at, OwnerAssigned { division, agent: Some(number(0xA, 1).into()) });
    let scale = |min, max| Some(Scale { min, max, direction: ScaleDirection::HigherIsBetter });
    let question = |name: &str, scale, metric, touchpoint| Question {
        name: name.into(),
        wording: format!("Question {name}?"),
        scale,
        metric,
        touchpoint,
    };
    let lower = Scale { min: 1, max: 5, direction: ScaleDirection::LowerIsBetter };
    let questions = vec![
        question("recommend", scale(0, 10), Metric::Nps, None),
        question("desk", scale(1, 5), Metric::Csat, Some(touchpoint(DESK))),
        question("ease", scale(1, 7), Metric::Ces, None),
        question("wait", Some(lower), Metric::Other, Some(touchpoint(DESK))),
        question("comment", None, Metric::Other, None),
    ];
    let name = "Visit survey".to_owned();
    let visit = InstrumentPublished { name, language: "en".into(), questions };
    book.tell(&survey().stream(), at, visit);
    let old = InstrumentId(number(0x1, 2)).stream();
    let questions = vec![question("happy", scale(1, 3), Metric::Csat, None)];
    let name = "Old survey".to_owned();
    book.tell(&old, at, InstrumentPublished { name, language: "fr".into(), questions });
    book.tell(&old, at, InstrumentRetired { reason: "replaced".into() });
    let collection = CollectionMechanismAttached {
        instrument: survey(),
        trigger: "visit".into(),
        sampling_permille: 250,
        rest_days: 90,
    };
    book.tell(&desk, at, collection);
    book.tell(&desk, at, SelfAssessmentSubmitted { division, score: 5 });
    let kiosk = touchpoint(KIOSK).stream();
    book.tell(&kiosk, time("2025-06-01T08:00:00Z"), TouchpointRetired { reason: "gone".into() });
}

/// An interaction with nothing said about it but where, how and that the customer came.
pub(super) fn interaction(n: u128, channel: Channel) -> InteractionRecorded {
    InteractionRecorded {
        interaction: number(0x2, n).into(),
        kind: "visit".into(),
        touchpoint: None,
        channel,
        direction: Direction::In,
        initiator: Initiator::Customer,
        counterparty: None,
        stage: None,
        thread: None,
        case: None,
        duration_seconds: None,
        outcome: None,
        text: None,
        valence: None,
        expectation: None,
    }
}

fn ada(book: &mut Teller) {
    let ada = customer(1).stream();
    let at = time("2025-01-10T09:00:00Z");
    book.tell(&ada, at, CustomerRegistered { kind: CustomerKind::Person, name: Some(sealed(1)) });
    let name = Some(sealed(2));
    book.tell(&ada, at, DetailsChanged { name, language: Some("en-GB".into()) });
    let attached = |scheme: &str, n, unique| IdentifierAttached {
        scheme: scheme.into(),
        value: sealed(n),
        unique,
    };
    let phone = book.tell(&ada, at, attached("phone", 3, false));
    book.tell(&ada, at, attached("email", 4, true));
    book.tell(&ada, at, IdentifierDetached { scheme: "phone".into(), attached: phone });
    let claims = crate::StreamName::of("identifier", number(0x8, 1));
    book.tell(&claims, at, IdentifierClaimed { customer: sealed(5) });
    book.tell(&claims, at, IdentifierReleased { reason: "wrong".into() });
    let consent = |purpose: &str| ConsentGiven {
        purpose: purpose.into(),
        wording_version: "2".into(),
        channel: Channel::Web,
    };
    book.tell(&ada, at, consent("marketing"));
    book.tell(&ada, at, consent("research"));
    book.tell(&ada, at, ConsentWithdrawn { purpose: "marketing".into() });
    let (from, to) = (None, Stage::Awareness);
    book.tell(&ada, at, LifecycleStageChanged { from, to, rule: None });
    let (from, rule) = (Some(Stage::Awareness), Some("first_purchase".into()));
    book.tell(&ada, at, LifecycleStageChanged { from, to: Stage::Purchase, rule });
    let name = "contact_channel".into();
    book.tell(&ada, at, PreferenceSet { name, value: sealed(6) });
    book.tell(&ada, at, IntentDeclared { intent: "recommend".into() });
    let valence = |score, basis| Valence { score, basis };
    let impression = ImpressionRecorded {
        of: ImpressionOf::Product,
        valence: valence(60, ValenceBasis::Stated),
        emotion: Some("joy".into()),
    };
    book.tell(&ada, time("2025-02-01T10:00:00Z"), impression);
    let met = InteractionRecorded {
        touchpoint: Some(touchpoint(DESK)),
        counterparty: Some(Counterparty::Person),
        stage: Some(Stage::Use),
        thread: Some("t-1".into()),
        duration_seconds: Some(420),
        outcome: Some("answered".into()),
        text: Some(sealed(7)),
        valence: Some(valence(-40, ValenceBasis::Inferred)),
        expectation: Some(Expectation::Below),
        ..interaction(1, Channel::InPerson)
    };
    book.tell(&ada, time("2025-02-03T10:00:00Z"), met);
    // Came late: it happened before the visit above. Its touchpoint is not in the catalogue.
    let seen = InteractionRecorded {
        touchpoint: Some(touchpoint(UNCATALOGUED)),
        ..interaction(2, Channel::Web)
    };
    let late = from_elsewhere(time("2025-02-02T00:00:00Z"), Precision::Day, "web-1");
    book.tell_with(&ada, late, seen);
    // Two at the very same time: the position decides.
    let same = time("2025-02-05T12:00:00Z");
    book.tell(&ada, same, interaction(3, Channel::Phone));
    book.tell(&ada, same, interaction(4, Channel::Email));
    let corrected = InteractionCorrected {
        interaction: number(0x2, 1).into(),
        channel: Some(Channel::LiveChat),
        touchpoint: Some(touchpoint(SITE)),
        stage: Some(Stage::Support),
        outcome: Some("solved".into()),
        valence: Some(valence(20, ValenceBasis::Stated)),
        reason: "typed into the wrong form".into(),
    };
    book.tell(&ada, time("2025-02-06T10:00:00Z"), corrected);
    let voided =
        InteractionVoided { interaction: number(0x2, 3).into(), reason: "wrong number".into() };
    book.tell(&ada, time("2025-02-06T11:00:00Z"), voided);
}

fn ada_answers(book: &mut Teller) {
    let ada = customer(1).stream();
    let purchase = |n, amount_minor| PurchaseMade {
        order: number(0x3, n).into(),
        lines: vec![OrderLine { item: "ticket".into(), quantity: 2, amount_minor }],
        amount_minor,
        currency: "EUR".into(),
        channel: Some(Channel::OnlineOrder),
        touchpoint: Some(touchpoint(SITE)),
    };
    book.tell(&ada, time("2025-02-10T10:00:00Z"), purchase(1, 5990));
    let order = OrderId(number(0x3, 1));
    let fulfilled = OrderFulfilled { order, late_by_seconds: 86_400 };
    book.tell(&ada, time("2025-02-12T10:00:00Z"), fulfilled);
    let returned = ReturnMade {
        order,
        amount_minor: 2995,
        currency: "EUR".into(),
        reason: Some("late".into()),
    };
    book.tell(&ada, time("2025-02-13T10:00:00Z"), returned);
    for n in 1..=3 {
        let offer = number(0x4, n);
        let at = time("2025-02-14T10:00:00Z");
        book.tell(&ada, at, OfferMade { offer, description: "upgrade".into() });
        match n {
            1 => {
                book.tell(&ada, at, OfferAccepted { offer });
            }
            2 => {
                book.tell(&ada, at, OfferDeclined { offer });
            }
            _ => {}
        }
    }
    let (instrument, at) = (survey(), time("2025-02-15T10:00:00Z"));
    book.tell(&ada, at, InvitationSent { instrument, touchpoint: Some(touchpoint(DESK)) });
    let reason = "asked_recently".into();
    book.tell(&ada, at, InvitationSuppressed { instrument, reason });
    let answers = vec![
        answer("recommend", AnswerValue::Score(9)),
        answer("desk", AnswerValue::Score(4)),
        answer("ease", AnswerValue::NotUsed),
        answer("wait", AnswerValue::Blank),
        answer("comment", AnswerValue::Text(sealed(8))),
    ];
    let attributes = [("area".to_owned(), "G".to_owned())].into();
    let submitted = ResponseSubmitted {
        weight_millionths: Some(1_250_000),
        attributes,
        ..response(1, answers)
    };
    book.tell(&ada, time("2025-02-16T10:00:00Z"), submitted);
    let answers = vec![answer("recommend", AnswerValue::Score(3)), answer("ease", score(6))];
    let amended = ResponseAmended { response: number(0x5, 1).into(), answers };
    book.tell(&ada, time("2025-02-17T10:00:00Z"), amended);
    // The same month again: the latest of a person counts.
    let answers = vec![answer("recommend", score(10)), answer("desk", score(5))];
    book.tell(&ada, time("2025-02-20T10:00:00Z"), response_partial(2, answers));
    let answers = vec![answer("recommend", score(0))];
    book.tell(&ada, time("2025-03-01T10:00:00Z"), response(3, answers));
    let response = number(0x5, 3).into();
    let withdrawn = ResponseWithdrawn { response, reason: "not me".into() };
    book.tell(&ada, time("2025-03-02T10:00:00Z"), withdrawn);
}

pub(super) fn score(score: i32) -> AnswerValue {
    AnswerValue::Score(score)
}

pub(super) fn answer(question: &str, value: AnswerValue) -> Answer {
    Answer { question: question.into(), touchpoint: None, value }
}

pub(super) fn response(n: u128, answers: Vec<Answer>) -> ResponseSubmitted {
    ResponseSubmitted {
        response: number(0x5, n).into(),
        instrument: survey(),
        answers,
        weight_millionths: None,
        attributes: std::collections::BTreeMap::default(),
        case: None,
        partial: false,
    }
}

fn response_partial(n: u128, answers: Vec<Answer>) -> ResponseSubmitted {
    ResponseSubmitted { partial: true, ..response(n, answers) }
}

fn bob_is_ada_and_is_not(book: &mut Teller) {
    let bob = customer(2).stream();
    let at = time("2025-03-10T09:00:00Z");
    book.tell(&bob, at, CustomerRegistered { kind: CustomerKind::Household, name: None });
    let evidence = vec![book.tell(&bob, at, interaction(5, Channel::Social))];
    let (survivor, reason) = (customer(1), "same address".into());
    let merge = book.tell(&bob, at, CustomersMerged { survivor, evidence, reason });
    book.tell(&bob, time("2025-03-11T09:00:00Z"), interaction(6, Channel::Sms));
    book.tell(&bob, time("2025-03-12T09:00:00Z"), CustomersUnmerged { merge });
    // Merged again, and stays so.
    let again = CustomersMerged { survivor, evidence: vec![], reason: "proved".into() };
    book.tell(&bob, time("2025-03-13T09:00:00Z"), again);
}

pub(super) fn case(n: u128) -> CaseId {
    number(0x6, n).into()
}

pub(super) fn opened(n: u128, kind: CaseKind) -> CaseOpened {
    CaseOpened {
        case: case(n),
        kind,
        severity: Severity::Normal,
        subject: Some(sealed(9)),
        remedy_sought: None,
        touchpoint: None,
        channel: Some(Channel::Email),
        reference: None,
    }
}

fn cyd_complains(book: &mut Teller) {
    let cyd = customer(3).stream();
    let (case, day) =
        (case(1), |n: i64| time("2025-04-01T09:00:00Z") + jiff::Span::new().hours(24 * n));
    let (division, agent) = (Some(number(0xD, 1).into()), Some(number(0xA, 1).into()));
    book.tell(
        &cyd,
        day(0),
        CustomerRegistered { kind: CustomerKind::Person, name: Some(sealed(10)) },
    );
    let complaint = CaseOpened {
        severity: Severity::High,
        remedy_sought: Some("refund".into()),
        touchpoint: Some(touchpoint(DESK)),
        reference: Some("4711".into()),
        ..opened(1, CaseKind::Complaint)
    };
    let thread = Some(number(0x9, 1));
    let said = from_elsewhere(day(1), Precision::Exact, "c-1");
    let said = Envelope { correlation: thread, ..said };
    let first = book.tell_with(&cyd, said.clone(), complaint);
    let answer = Envelope { causation: Some(first), occurred_at: day(2), ..said };
    book.tell_with(&cyd, answer, AgentReplied { case, human: false, public: true, text: None });
    book.tell(&cyd, day(2), CaseAcknowledged { case });
    book.tell(&cyd, day(2), CaseAssigned { case, division, agent: None });
    book.tell(&cyd, day(3), CaseTransferred { case, division, agent });
    let text = Some(sealed(11));
    book.tell(&cyd, day(4), AgentReplied { case, human: true, public: true, text });
    book.tell(&cyd, day(4), CasePaused { case, waiting_on: WaitingOn::Customer });
    let asked = Envelope::new(day(6), Actor::Customer { id: None });
    book.tell_with(&cyd, asked, CustomerReplied { case, text: Some(sealed(12)) });
    book.tell(&cyd, day(6), CaseResumed { case });
    book.tell(&cyd, day(7), CaseEscalated { case, reason: "no answer".into() });
    book.tell(&cyd, day(8), SolutionOffered { case, description: Some(sealed(13)) });
    book.tell(&cyd, day(9), CaseResolved { case, resolution: "refunded".into() });
    book.tell(&cyd, day(10), CustomerRejectedResolution { case });
    book.tell(&cyd, day(10), CaseReopened { case, reason: Some("too little".into()) });
    book.tell(&cyd, day(12), CaseResolved { case, resolution: "refunded more".into() });
    book.tell(&cyd, day(13), CustomerAcceptedResolution { case });
    book.tell(&cyd, day(14), CaseClosed { case });
    // Still open at the end, and never answered.
    book.tell(&cyd, day(20), opened(2, CaseKind::Question));
}

fn cyd_is_erased(book: &mut Teller) {
    let cyd = customer(3).stream();
    let at = time("2025-06-01T09:00:00Z");
    book.tell(&cyd, at, ErasureRequested { channel: Some(Channel::Post) });
    book.tell(&cyd, at, SubjectErased { reason: "request".into() });
}

/// Facts from elsewhere that break what decisions must keep, and a type from the future.
fn irregular_and_unknown(book: &mut Teller) {
    let dan = customer(4).stream();
    let at = time("2025-05-01T09:00:00Z");
    // Nobody registered Dan. The case is resolved before it is opened, and closed twice.
    let resolved = CaseResolved { case: case(3), resolution: "fixed".into() };
    book.tell(&dan, at, resolved.clone());
    book.tell(&dan, time("2025-04-30T09:00:00Z"), opened(3, CaseKind::Problem));
    book.tell(&dan, at, resolved);
    book.tell(&dan, at, CaseClosed { case: case(3) });
    book.tell(&dan, at, CaseClosed { case: case(3) });
    let nobody =
        InteractionVoided { interaction: number(0x2, 999).into(), reason: "unknown".into() };
    book.tell(&dan, at, nobody);
    let withdrawn =
        ResponseWithdrawn { response: number(0x5, 999).into(), reason: "unknown".into() };
    book.tell(&dan, at, withdrawn);
    // A score outside its scale, a question nobody asked, a questionnaire nobody published.
    let here = Answer { touchpoint: Some(touchpoint(SITE)), ..answer("desk", score(2)) };
    let odd = vec![answer("recommend", score(11)), answer("weather", score(3)), here];
    let odd = ResponseSubmitted { case: Some(case(3)), ..response(4, odd) };
    book.tell(&dan, at, odd);
    let instrument = number(0x1, 999).into();
    let answers = vec![answer("recommend", score(8))];
    book.tell(&dan, at, ResponseSubmitted { instrument, ..response(5, answers) });
    let data = br#"{"v":1,"occurredAt":"2025-05-02T09:00:00Z","actor":{"kind":"system","name":"loyalty"},"body":{"points":10}}"#;
    let event_type = "LoyaltyPointsGranted".to_owned();
    let unknown = Event::Unknown(UnknownEvent { event_type, data: data.to_vec() });
    book.tell(&dan, time("2025-05-02T09:00:00Z"), unknown);
}

fn imports(book: &mut Teller) {
    let import = ImportId(number(0xF, 1)).stream();
    let at = time("2025-06-10T09:00:00Z");
    let (file_digest, mapping_digest) = ("0f".repeat(32), "1e".repeat(32));
    book.tell(&import, at, ImportStarted { file_digest, mapping_digest, mapping: "visits".into() });
    let (read, taken, repeated, quarantined, irregular) = (100, 90, 7, 3, 2);
    let finished = ImportFinished { read, taken, repeated, quarantined, irregular };
    book.tell(&import, at, finished);
}
