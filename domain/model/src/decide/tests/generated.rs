use proptest::prelude::*;

use super::*;
use crate::event::*;
use crate::ids::*;
use crate::vocabulary::*;

/// Few ids, so that commands meet one another.
fn few<T: From<Uuid>>(n: u8) -> T {
    Uuid::from_u128(u128::from(n % 3)).into()
}

fn instrument() -> Instrument {
    let history = crate::canonical::history();
    let first = history.iter().find(|event| event.stream.category() == "instrument");
    Instrument::of(first)
}

/// Gives the command that these numbers mean. The event it would make comes back too where it
/// stands in for the event of a decision.
fn give(told: &mut Told, what: u8, on: u8, with: u8) -> Result<(), Refusal> {
    let (case, interaction, response) = (few(on), few(on), few(on));
    let (order, offer) = (few(on), few::<Uuid>(on));
    let reason = || String::from("generated");
    let answers = || {
        let value = AnswerValue::Score(i32::from(with % 14) - 1);
        vec![Answer { question: "recommend".into(), touchpoint: None, value }]
    };
    let kind = CaseKind::ALL[usize::from(with) % CaseKind::ALL.len()];
    let amount_minor = i64::from(with) * 7 - 50;
    match what % 32 {
        0 => told
            .give(&RegisterCustomer(CustomerRegistered { kind: CustomerKind::Person, name: None })),
        1 | 2 => told.give(&RecordInteraction(InteractionRecorded {
            interaction,
            kind: "visit".into(),
            touchpoint: None,
            channel: Channel::Web,
            direction: Direction::In,
            initiator: Initiator::Customer,
            counterparty: None,
            stage: None,
            thread: None,
            case: None,
            duration_seconds: None,
            outcome: None,
            text: None,
            valence: Some(Valence { score: i16::from(with) - 120, basis: ValenceBasis::Stated }),
            expectation: None,
        })),
        3 => told.give(&VoidInteraction(InteractionVoided { interaction, reason: reason() })),
        4 => told.give(&RecordPurchase(PurchaseMade {
            order,
            lines: vec![],
            amount_minor,
            currency: if with == 0 { "eur".into() } else { "EUR".into() },
            channel: None,
            touchpoint: None,
        })),
        5 => told.give(&FulfilOrder(OrderFulfilled { order, late_by_seconds: 0 })),
        6 | 7 => told.give(&RecordReturn(ReturnMade {
            order,
            amount_minor,
            currency: "EUR".into(),
            reason: None,
        })),
        8 => told.give(&MakeOffer(OfferMade { offer, description: "more".into() })),
        9 => told.give(&AcceptOffer(OfferAccepted { offer })),
        10 => told.give(&DeclineOffer(OfferDeclined { offer })),
        11 | 12 => told.give(&SubmitResponse {
            response: ResponseSubmitted {
                response,
                instrument: instrument().id().expect("it is published"),
                answers: answers(),
                weight_millionths: None,
                attributes: std::collections::BTreeMap::default(),
                case: None,
                partial: false,
            },
            instrument: instrument(),
        }),
        13 => told.give(&AmendResponse {
            amendment: ResponseAmended { response, answers: answers() },
            instrument: instrument(),
        }),
        14 => told.give(&WithdrawResponse(ResponseWithdrawn { response, reason: reason() })),
        15 | 16 => told.give(&OpenCase(CaseOpened {
            case,
            kind,
            severity: Severity::Normal,
            subject: None,
            remedy_sought: None,
            touchpoint: None,
            channel: None,
            reference: None,
        })),
        17 | 18 => told.give(&AcknowledgeCase(CaseAcknowledged { case })),
        19 => told.give(&ReplyToCase(AgentReplied { case, human: true, public: true, text: None })),
        20 => told.give(&PauseCase(CasePaused { case, waiting_on: WaitingOn::Customer })),
        21 => told.give(&ResumeCase(CaseResumed { case })),
        22 | 23 => told.give(&ResolveCase(CaseResolved { case, resolution: reason() })),
        24 => told.give(&ReopenCase(CaseReopened { case, reason: None })),
        25 | 26 => told.give(&CloseCase(CaseClosed { case })),
        27 => told.give(&OfferSolution(SolutionOffered { case, description: None })),
        28 => told.give(&GiveConsent(ConsentGiven {
            purpose: "p".into(),
            wording_version: "1".into(),
            channel: Channel::Web,
        })),
        29 => told.give(&WithdrawConsent(ConsentWithdrawn { purpose: "p".into() })),
        30 => told.give(&AcceptResolution(CustomerAcceptedResolution { case })),
        _ if with > 250 => {
            let stream = CustomerId(Uuid::from_u128(1)).stream();
            told.record(&stream, SubjectErased { reason: reason() }.into());
            Ok(())
        }
        _ => told.give(&ChangeLifecycleStage {
            to: Stage::ALL[usize::from(with) % Stage::ALL.len()],
            rule: None,
        }),
    }
}

/// What must be true of a stream that was decided from its first event, said once more without
/// the states that the decisions used.
fn check_invariants(events: &[Event]) -> Result<(), TestCaseError> {
    let before = |place: usize, is: &dyn Fn(&Event) -> bool| {
        events[..place].iter().filter(|event| is(event)).count()
    };
    for (place, event) in events.iter().enumerate() {
        let erased = before(place, &|event| matches!(event, Event::SubjectErased(_)));
        prop_assert!(erased == 0 || matches!(event, Event::SubjectErased(_)));
        match event {
            Event::InteractionVoided(voided) => {
                let same = |event: &Event| matches!(event, Event::InteractionVoided(other) if other.interaction == voided.interaction);
                prop_assert_eq!(before(place, &same), 0);
            }
            Event::InteractionRecorded(met) => {
                prop_assert!((-100..=100).contains(&met.valence.unwrap().score));
            }
            Event::ResponseSubmitted(ResponseSubmitted { answers, .. })
            | Event::ResponseAmended(ResponseAmended { answers, .. }) => {
                let AnswerValue::Score(score) = answers[0].value else { unreachable!() };
                prop_assert!((0..=10).contains(&score));
            }
            Event::CaseResolved(step) => {
                let complaint = |event: &Event| matches!(event, Event::CaseOpened(opened) if opened.case == step.case && opened.kind == CaseKind::Complaint);
                let acknowledged = |event: &Event| matches!(event, Event::CaseAcknowledged(other) if other.case == step.case);
                let needs = before(place, &complaint) > 0;
                prop_assert!(!needs || before(place, &acknowledged) > 0);
            }
            Event::CaseReopened(step) => {
                let last = events[..place].iter().rev().find(|event| match event {
                    Event::CaseOpened(other) => other.case == step.case,
                    Event::CaseResolved(other) => other.case == step.case,
                    Event::CaseReopened(other) => other.case == step.case,
                    Event::CaseClosed(other) => other.case == step.case,
                    _ => false,
                });
                let ended = matches!(last, Some(Event::CaseResolved(_) | Event::CaseClosed(_)));
                prop_assert!(ended);
            }
            Event::ReturnMade(made) => {
                let returned: i64 = events[..=place]
                    .iter()
                    .filter_map(|event| match event {
                        Event::ReturnMade(other) if other.order == made.order => {
                            Some(other.amount_minor)
                        }
                        _ => None,
                    })
                    .sum();
                let bought = events[..place].iter().find_map(|event| match event {
                    Event::PurchaseMade(bought) if bought.order == made.order => {
                        Some(bought.amount_minor)
                    }
                    _ => None,
                });
                prop_assert!(Some(returned) <= bought);
            }
            _ => {}
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_decided_keeps_the_invariants_and_is_never_irregular(
        commands in prop::collection::vec(any::<(u8, u8, u8)>(), 1..60)
    ) {
        let mut told = Told::default();
        let _ = give(&mut told, 0, 0, 0);
        for (what, on, with) in commands {
            let before = told.events.len();
            let outcome = give(&mut told, what, on, with);
            prop_assert_eq!(outcome.is_ok(), told.events.len() > before);
            if outcome.is_ok() {
                let state = CustomerState::of(&told.events[..before]);
                prop_assert!(!state.is_irregular(&told.events[before].event));
            }
        }
        let events: Vec<_> = told.events.iter().map(|event| event.event.clone()).collect();
        check_invariants(&events)?;
    }

    #[test]
    fn facts_in_any_order_never_panic(
        order in prop::collection::vec(0_usize..642, 1..200)
    ) {
        let history = crate::canonical::history();
        let survey = instrument();
        let mut state = CustomerState::default();
        let mut places = (Instrument::default(), Touchpoint::default());
        for place in order {
            let event = &history[place];
            let _ = check_fact(&event.event, |_| Some(&survey));
            let _ = state.is_irregular(&event.event);
            state.apply(event);
            places.0.apply(event);
            places.1.apply(event);
        }
    }
}
