use super::*;
use crate::event::*;
use crate::ids::*;
use crate::vocabulary::*;

fn id<T: From<Uuid>>(n: u128) -> T {
    Uuid::from_u128(n).into()
}

fn known() -> Told {
    Told::of(1, [CustomerRegistered { kind: CustomerKind::Person, name: None }.into()])
}

fn open(kind: CaseKind) -> OpenCase {
    OpenCase(CaseOpened {
        case: id(1),
        kind,
        severity: Severity::Normal,
        subject: None,
        remedy_sought: None,
        touchpoint: None,
        channel: None,
        reference: None,
    })
}

fn resolve() -> ResolveCase {
    ResolveCase(CaseResolved { case: id(1), resolution: "fixed".into() })
}

fn close() -> CloseCase {
    CloseCase(CaseClosed { case: id(1) })
}

fn reply() -> ReplyToCase {
    ReplyToCase(AgentReplied { case: id(1), human: true, public: true, text: None })
}

#[test]
fn a_complaint_is_acknowledged_before_it_is_resolved_and_closed_after_it_was_communicated() {
    let mut told = known();
    told.give(&open(CaseKind::Complaint)).unwrap();
    assert_eq!(told.give(&resolve()), Err(Refusal::NotAcknowledged));
    assert_eq!(told.give(&close()), Err(Refusal::NotResolved));
    told.give(&AcknowledgeCase(CaseAcknowledged { case: id(1) })).unwrap();
    let again = told.give(&AcknowledgeCase(CaseAcknowledged { case: id(1) }));
    assert_eq!(again, Err(Refusal::AlreadyAcknowledged));
    told.give(&reply()).unwrap();
    told.give(&resolve()).unwrap();
    assert_eq!(told.give(&resolve()), Err(Refusal::AlreadyResolved));
    // The reply before the decision did not communicate it.
    assert_eq!(told.give(&close()), Err(Refusal::NotCommunicated));
    told.give(&reply()).unwrap();
    told.give(&close()).unwrap();
    assert_eq!(told.give(&close()), Err(Refusal::AlreadyClosed));
    assert_eq!(told.give(&reply()), Err(Refusal::AlreadyClosed));
}

#[test]
fn a_question_needs_neither() {
    let mut told = known();
    told.give(&open(CaseKind::Question)).unwrap();
    told.give(&close()).unwrap();
}

#[test]
fn only_a_resolved_or_closed_case_is_reopened() {
    let reopen = || ReopenCase(CaseReopened { case: id(1), reason: None });
    let mut told = known();
    assert_eq!(told.give(&reopen()), Err(Refusal::UnknownCase));
    told.give(&open(CaseKind::Problem)).unwrap();
    assert_eq!(told.give(&open(CaseKind::Problem)), Err(Refusal::AlreadyOpened));
    assert_eq!(told.give(&reopen()), Err(Refusal::NotResolved));
    told.give(&resolve()).unwrap();
    told.give(&reopen()).unwrap();
    told.give(&close()).unwrap();
    told.give(&reopen()).unwrap();
}

#[test]
fn a_case_waits_once_and_goes_on_once() {
    let pause = || PauseCase(CasePaused { case: id(1), waiting_on: WaitingOn::Customer });
    let resume = || ResumeCase(CaseResumed { case: id(1) });
    let mut told = known();
    told.give(&open(CaseKind::Problem)).unwrap();
    assert_eq!(told.give(&resume()), Err(Refusal::NotPaused));
    told.give(&pause()).unwrap();
    assert_eq!(told.give(&pause()), Err(Refusal::AlreadyPaused));
    told.give(&resume()).unwrap();
    let nobody = CaseAssigned { case: id(1), division: None, agent: None };
    assert_eq!(told.give(&AssignCase(nobody)), Err(Refusal::NobodyNamed));
    let accepted = AcceptResolution(CustomerAcceptedResolution { case: id(1) });
    assert_eq!(told.give(&accepted), Err(Refusal::NotResolved));
}

#[test]
fn an_interaction_is_voided_once_and_never_corrected_after() {
    let met = crate::canonical::history()
        .into_iter()
        .find_map(|event| match event.event {
            Event::InteractionRecorded(met) => Some(met),
            _ => None,
        })
        .unwrap();
    let (interaction, reason) = (met.interaction, String::from("twice"));
    let void = || VoidInteraction(InteractionVoided { interaction, reason: reason.clone() });
    let correct = |outcome| {
        CorrectInteraction(InteractionCorrected {
            interaction,
            channel: None,
            touchpoint: None,
            stage: None,
            outcome,
            valence: None,
            reason: reason.clone(),
        })
    };
    let mut told = known();
    assert_eq!(told.give(&void()), Err(Refusal::UnknownInteraction));
    told.give(&RecordInteraction(met.clone())).unwrap();
    assert_eq!(told.give(&RecordInteraction(met.clone())), Err(Refusal::AlreadyRecorded));
    assert_eq!(told.give(&correct(None)), Err(Refusal::NothingChanged));
    told.give(&correct(Some("answered".into()))).unwrap();
    told.give(&void()).unwrap();
    assert_eq!(told.give(&void()), Err(Refusal::AlreadyVoided));
    assert_eq!(told.give(&correct(Some("x".into()))), Err(Refusal::AlreadyVoided));
    let valence = Some(Valence { score: 101, basis: ValenceBasis::Stated });
    let loud = InteractionRecorded { interaction: id(99), valence, ..met };
    assert_eq!(told.give(&RecordInteraction(loud)), Err(Refusal::ValenceOutOfRange));
}

fn visit_survey() -> Instrument {
    let history = crate::canonical::history();
    let first = history.iter().find(|event| event.stream.category() == "instrument").unwrap();
    Instrument::of([first])
}

fn response(answers: Vec<Answer>) -> SubmitResponse {
    let instrument = visit_survey();
    let response = ResponseSubmitted {
        response: id(1),
        instrument: instrument.id().unwrap(),
        answers,
        weight_millionths: None,
        attributes: std::collections::BTreeMap::default(),
        case: None,
        partial: false,
    };
    SubmitResponse { response, instrument }
}

fn answer(question: &str, value: AnswerValue) -> Answer {
    Answer { question: question.into(), touchpoint: None, value }
}

#[test]
fn an_answer_lies_within_its_questions_scale() {
    let score = |question: &str, score| vec![answer(question, AnswerValue::Score(score))];
    let mut told = known();
    let outside = Refusal::ScoreOutOfScale { question: "recommend".into(), min: 0, max: 10 };
    assert_eq!(told.give(&response(score("recommend", 11))), Err(outside.clone()));
    assert_eq!(told.give(&response(score("recommend", -1))), Err(outside));
    let no_scale = Refusal::NoScale { question: "comment".into() };
    assert_eq!(told.give(&response(score("comment", 1))), Err(no_scale));
    let unknown = Refusal::UnknownQuestion { question: "weather".into() };
    assert_eq!(told.give(&response(score("weather", 1))), Err(unknown));
    let twice = vec![answer("ease", AnswerValue::Blank), answer("ease", AnswerValue::NotUsed)];
    let refused = Refusal::AnsweredTwice { question: "ease".into() };
    assert_eq!(told.give(&response(twice)), Err(refused));
    told.give(&response(score("recommend", 0))).unwrap();
    assert_eq!(told.give(&response(score("recommend", 0))), Err(Refusal::AlreadySubmitted));
    let amend = |score| AmendResponse {
        amendment: ResponseAmended {
            response: id(1),
            answers: vec![answer("ease", AnswerValue::Score(score))],
        },
        instrument: visit_survey(),
    };
    told.give(&amend(7)).unwrap();
    assert!(matches!(told.give(&amend(8)), Err(Refusal::ScoreOutOfScale { .. })));
    let withdrawn = ResponseWithdrawn { response: id(1), reason: "not me".into() };
    told.give(&WithdrawResponse(withdrawn)).unwrap();
    assert_eq!(told.give(&amend(7)), Err(Refusal::AlreadyWithdrawn));
}

#[test]
fn a_published_instrument_is_frozen_and_a_retired_one_takes_no_response() {
    let published = crate::canonical::history()
        .into_iter()
        .find_map(|event| match event.event {
            Event::InstrumentPublished(published) => Some(published),
            _ => None,
        })
        .unwrap();
    let stream = InstrumentId(Uuid::from_u128(1)).stream();
    let mut told = Told::default();
    let publish = PublishInstrument(published.clone());
    let event = publish.decide(&Instrument::default()).unwrap().remove(0);
    told.record(&stream, event);
    let instrument = Instrument::of(&told.events);
    assert_eq!(publish.decide(&instrument), Err(Refusal::AlreadyPublished));
    told.record(&stream, crate::event::InstrumentRetired { reason: "old".into() }.into());
    let mut late = response(vec![answer("ease", AnswerValue::Score(4))]);
    late.instrument = Instrument::of(&told.events);
    assert_eq!(known().give(&late), Err(Refusal::InstrumentRetired));
    let mut other = published;
    other.questions[0].scale.as_mut().unwrap().max = 5;
    let refused = PublishInstrument(other).decide(&Instrument::default());
    assert_eq!(refused, Err(Refusal::BadScale { question: "recommend".into() }));
}

#[test]
fn merges_are_trees_and_can_be_undone() {
    let merge = |survivor: u128, profile: &Told| MergeCustomers {
        merge: CustomersMerged {
            survivor: id(survivor),
            evidence: vec![],
            reason: "same person".into(),
        },
        survivor: Profile::of(&profile.events),
    };
    let registered = || Event::from(CustomerRegistered { kind: CustomerKind::Person, name: None });
    let mut told = known();
    let other = Told::of(2, [registered()]);
    assert_eq!(told.give(&merge(1, &other)), Err(Refusal::SameCustomer));
    assert_eq!(told.give(&merge(3, &Told::default())), Err(Refusal::UnknownCustomer));
    let away = CustomersMerged { survivor: id(9), evidence: vec![], reason: "same".into() };
    let absorbed = Told::of(2, [registered(), away.into()]);
    assert_eq!(told.give(&merge(2, &absorbed)), Err(Refusal::SurvivorMerged));
    told.give(&merge(2, &other)).unwrap();
    let done = told.last_id();
    assert_eq!(told.give(&merge(2, &other)), Err(Refusal::AlreadyMerged));
    let undo = |merge| UnmergeCustomers(CustomersUnmerged { merge });
    assert_eq!(told.give(&undo(id(5))), Err(Refusal::NotMerged));
    told.give(&undo(done)).unwrap();
    assert_eq!(told.give(&undo(done)), Err(Refusal::NotMerged));
    told.give(&merge(2, &other)).unwrap();
}

#[test]
fn unique_identifiers_of_one_scheme_forbid_a_merge() {
    let attached = |unique| IdentifierAttached {
        scheme: "passport".into(),
        value: String::from("1").into(),
        unique,
    };
    for (mine, theirs, fits) in [(true, true, false), (true, false, true), (false, false, true)] {
        let mut told = known();
        told.give(&AttachIdentifier(attached(mine))).unwrap();
        let attachment = told.last_id();
        let other = Told::of(2, [attached(theirs).into()]);
        let merge = CustomersMerged { survivor: id(2), evidence: vec![], reason: "same".into() };
        let merge = MergeCustomers { merge, survivor: Profile::of(&other.events) };
        let detach =
            |attached| DetachIdentifier(IdentifierDetached { scheme: "passport".into(), attached });
        if !fits {
            let conflict = Refusal::IdentifiersConflict { scheme: "passport".into() };
            assert_eq!(told.give(&merge), Err(conflict));
            assert_eq!(told.give(&detach(id(5))), Err(Refusal::NotAttached));
            told.give(&detach(attachment)).unwrap();
        }
        told.give(&merge).unwrap();
    }
}

#[test]
fn an_order_has_one_currency_and_gives_back_no_more_than_it_was_worth() {
    let buy = |currency: &str| {
        RecordPurchase(PurchaseMade {
            order: id(1),
            lines: vec![],
            amount_minor: 1000,
            currency: currency.into(),
            channel: None,
            touchpoint: None,
        })
    };
    let give_back = |amount_minor| {
        RecordReturn(ReturnMade {
            order: id(1),
            amount_minor,
            currency: "EUR".into(),
            reason: None,
        })
    };
    let mut told = known();
    for bad in ["", "eur", "EURO", "EU1"] {
        assert_eq!(told.give(&buy(bad)), Err(Refusal::BadCurrency), "{bad}");
    }
    assert_eq!(told.give(&give_back(1)), Err(Refusal::UnknownOrder));
    told.give(&buy("EUR")).unwrap();
    assert_eq!(told.give(&buy("EUR")), Err(Refusal::AlreadyPurchased));
    assert_eq!(told.give(&give_back(0)), Err(Refusal::BadAmount));
    let mut other = give_back(1);
    other.0.currency = "USD".into();
    assert_eq!(told.give(&other), Err(Refusal::AnotherCurrency));
    told.give(&give_back(600)).unwrap();
    assert_eq!(told.give(&give_back(401)), Err(Refusal::ReturnExceedsOrder));
    told.give(&give_back(400)).unwrap();
}

#[test]
fn nothing_is_decided_about_nobody_or_about_somebody_erased() {
    let intent = || DeclareIntent(IntentDeclared { intent: "leave".into() });
    assert_eq!(Told::default().give(&intent()), Err(Refusal::UnknownCustomer));
    let mut told = known();
    told.give(&RequestErasure(ErasureRequested { channel: None })).unwrap();
    let again = told.give(&RequestErasure(ErasureRequested { channel: None }));
    assert_eq!(again, Err(Refusal::AlreadyRequested));
    let erased = SubjectErased { reason: "request".into() };
    told.record(&CustomerId(Uuid::from_u128(1)).stream(), erased.into());
    assert_eq!(told.give(&intent()), Err(Refusal::CustomerErased));
    assert_eq!(told.give(&open(CaseKind::Problem)), Err(Refusal::CustomerErased));
    let register = RegisterCustomer(CustomerRegistered { kind: CustomerKind::Person, name: None });
    assert_eq!(told.give(&register), Err(Refusal::CustomerErased));
}

#[test]
fn a_stage_changes_from_the_one_that_is_known() {
    let to = |to| ChangeLifecycleStage { to, rule: None };
    let mut told = known();
    told.give(&to(Stage::Awareness)).unwrap();
    assert_eq!(told.give(&to(Stage::Awareness)), Err(Refusal::AlreadyAtStage));
    told.give(&to(Stage::Purchase)).unwrap();
    let Event::LifecycleStageChanged(changed) = &told.events[2].event else { unreachable!() };
    assert_eq!((changed.from, changed.to), (Some(Stage::Awareness), Stage::Purchase));
}

#[test]
fn a_fact_is_kept_if_it_can_be_understood_and_counted_if_it_breaks_an_invariant() {
    let survey = visit_survey();
    let fact = |answers| Event::from(response(answers).response);
    let check = |event: &Event| check_fact(event, |_| Some(&survey));
    let good = fact(vec![answer("ease", AnswerValue::Score(7))]);
    let bad = fact(vec![answer("ease", AnswerValue::Score(8))]);
    assert_eq!(check(&good), Ok(()));
    assert!(matches!(check(&bad), Err(Refusal::ScoreOutOfScale { .. })));
    // An instrument that nobody published yet: the fact is kept.
    assert_eq!(check_fact(&bad, |_| None), Ok(()));
    let data = b"{}".to_vec();
    let unknown = Event::Unknown(UnknownEvent { event_type: "Strange".into(), data });
    assert!(matches!(check(&unknown), Err(Refusal::UnknownEventType { .. })));

    let heavy = |weight| {
        let submitted = response(vec![answer("ease", AnswerValue::Score(7))]).response;
        Event::from(ResponseSubmitted { weight_millionths: Some(weight), ..submitted })
    };
    assert_eq!(check(&heavy(1_000_000_000_000)), Ok(()));
    assert_eq!(check(&heavy(1_000_000_000_001)), Err(Refusal::BadWeight));
    let named = |name: &str| {
        let mut submitted = response(vec![answer("ease", AnswerValue::Score(7))]).response;
        submitted.attributes.insert(name.into(), "y=z".into());
        submitted
    };
    assert_eq!(check(&named("area").into()), Ok(()));
    for name in ["", "=", "area=x"] {
        assert_eq!(check(&named(name).into()), Err(Refusal::BadAttribute));
        let response = named(name);
        let command = SubmitResponse { response, instrument: survey.clone() };
        assert_eq!(command.decide(&Responses::of(&known().events)), Err(Refusal::BadAttribute));
    }
    let returned = |amount_minor| {
        let (order, currency) = (id(9), "EUR".into());
        Event::from(ReturnMade { order, amount_minor, currency, reason: None })
    };
    assert_eq!(check(&returned(-1_000_000_000_000_000)), Ok(()));
    assert_eq!(check(&returned(i64::MIN)), Err(Refusal::BadAmount));

    let told = known();
    let state = CustomerState::of(&told.events);
    assert!(!state.is_irregular(&good));
    let closed = Event::from(CaseClosed { case: id(1) });
    assert!(state.is_irregular(&closed));
    assert!(CustomerState::default().is_irregular(&closed));
    assert!(!CustomerState::default().is_irregular(&good));
}

#[test]
fn the_canonical_history_holds_as_many_irregular_facts_as_it_tells() {
    let mut states = std::collections::BTreeMap::<_, CustomerState>::new();
    let mut irregular = Vec::new();
    for event in crate::canonical::history() {
        let Some(customer) = event.customer() else { continue };
        let state = states.entry(customer).or_default();
        if state.is_irregular(&event.event) {
            irregular.push(event.event.event_type().to_owned());
        }
        state.apply(&event);
    }
    let told =
        ["CaseResolved", "CaseResolved", "CaseClosed", "InteractionVoided", "ResponseWithdrawn"];
    assert_eq!(irregular[..told.len()], told);
}
