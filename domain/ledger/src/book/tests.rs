use cx_model::event::{CaseClosed, CustomerRegistered, IntentDeclared, InteractionVoided};
use cx_model::{Actor, CaseId, CustomerKind, InteractionId};
use jiff::Timestamp;

use super::*;
use crate::memory::MemoryLedger;

fn book() -> Book {
    Book::new(Arc::new(MemoryLedger::new()), Arc::new(Vault::in_memory()))
}

fn customer(number: u128) -> CustomerId {
    CustomerId(Uuid::from_u128(number))
}

fn system() -> Actor {
    Actor::System { name: "test".into() }
}

fn envelope() -> Envelope {
    Envelope::new(Timestamp::UNIX_EPOCH, system())
}

fn new(id: u128, event: impl Into<Event>) -> NewEvent {
    NewEvent { id: Uuid::from_u128(id), envelope: envelope(), event: event.into() }
}

fn registered(name: &str) -> CustomerRegistered {
    CustomerRegistered { kind: CustomerKind::Person, name: Some(name.to_owned().into()) }
}

fn intent(intent: &str) -> Event {
    IntentDeclared { intent: intent.to_owned() }.into()
}

/// Counts what was declared.
#[derive(Default)]
struct Intents(Vec<String>);

impl State for Intents {
    fn apply(&mut self, event: &Recorded) {
        if let Event::IntentDeclared(event) = &event.event {
            self.0.push(event.intent.clone());
        }
    }
}

#[tokio::test]
async fn facts_are_sealed_on_the_way_in_and_open_on_the_way_out() {
    let book = book();
    let stream = customer(1).stream();
    let events = vec![new(1, registered("Ada Lovelace"))];
    book.append(stream.clone(), Expected::NoStream, events).await.unwrap();
    let raw = book.ledger().read_stream(&stream, 0, Direction::Forwards, 9).await.unwrap();
    assert!(!String::from_utf8_lossy(&raw[0].data).contains("Ada"));
    let mut history = book.history(&stream).await.unwrap();
    book.open(&mut history[0]).unwrap();
    let Event::CustomerRegistered(event) = &history[0].event else { unreachable!() };
    assert_eq!(event.name.as_ref().unwrap().clear().unwrap(), "Ada Lovelace");
}

#[tokio::test]
async fn the_same_facts_again_are_taken_once() {
    let book = book();
    let events = || vec![new(1, registered("Ada")), new(2, intent("leave"))];
    let stream = customer(1).stream();
    let first = book.append(stream.clone(), Expected::Any, events()).await.unwrap();
    let again = book.append(stream, Expected::Any, events()).await.unwrap();
    assert_eq!(again, Appended { repeated: true, ..first });
}

#[tokio::test]
async fn a_long_history_is_read_whole() {
    let book = book();
    let stream = customer(1).stream();
    let many = 2 * PAGE as u128 + 7;
    let events = (1..=many).map(|n| new(n, intent("leave"))).collect();
    book.append(stream.clone(), Expected::Any, events).await.unwrap();
    let history = book.history(&stream).await.unwrap();
    assert_eq!(history.len() as u128, many);
    assert!(history.iter().zip(0..).all(|(event, n)| event.revision == n));
}

#[tokio::test]
async fn decisions_of_many_writers_see_one_another() {
    let book = book();
    let stream = customer(1).stream();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (book, stream) = (book.clone(), stream.clone());
        tasks.spawn(async move {
            let act = Act::new(envelope()).unwrap();
            let next = |state: &Intents| Ok::<_, ()>(vec![intent(&state.0.len().to_string())]);
            book.decide(&stream, &act, next).await.unwrap()
        });
    }
    while let Some(done) = tasks.join_next().await {
        assert!(!done.unwrap().repeated);
    }
    let (state, revision) = book.state::<Intents>(&stream).await.unwrap();
    let expected: Vec<_> = (0..16).map(|n| n.to_string()).collect();
    assert_eq!((state.0, revision), (expected, Some(15)));
}

#[tokio::test]
async fn a_repeated_deed_gets_the_first_answer_and_another_body_is_refused() {
    let book = book();
    let stream = customer(1).stream();
    let two = |_: &Intents| Ok::<_, ()>(vec![intent("a"), intent("b")]);
    let act = book.act_once("key", b"body", envelope());
    let first = book.decide(&stream, &act, two).await.unwrap();
    let plain = Act::new(envelope()).unwrap();
    book.decide(&stream, &plain, two).await.unwrap();
    let act = book.act_once("key", b"body", envelope());
    let refuse = |_: &Intents| Err("too late");
    let again = book.decide(&stream, &act, refuse).await.unwrap();
    assert_eq!((again.position, again.revision), (first.position, first.revision));
    assert_eq!((again.repeated, again.events), (true, first.events));
    let other = book.act_once("key", b"another body", envelope());
    let refused = book.decide(&stream, &other, two).await;
    assert!(matches!(refused, Err(DecideError::Book(BookError::KeyReused))));
    let elsewhere = book.decide(&customer(2).stream(), &act, two).await;
    assert!(matches!(elsewhere, Err(DecideError::Book(BookError::KeyReused))));
    let refused = book.decide(&stream, &plain_act(), refuse).await;
    assert!(matches!(refused, Err(DecideError::Refused("too late"))));
}

fn plain_act() -> Act {
    Act::new(envelope()).unwrap()
}

#[tokio::test]
async fn of_many_who_claim_an_identifier_one_gets_it() {
    let book = book();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let book = book.clone();
        tasks.spawn(async move { book.claim("crm", "4711").await.unwrap() });
    }
    let mut claims = Vec::new();
    while let Some(claim) = tasks.join_next().await {
        claims.push(claim.unwrap());
    }
    assert_eq!(claims.iter().filter(|claim| claim.new).count(), 1);
    assert!(claims.iter().all(|claim| claim.customer == claims[0].customer));
    assert_eq!(book.holder("crm", "4711").await.unwrap(), Some(claims[0].customer));
    assert_eq!(book.holder("crm", "4712").await.unwrap(), None);
}

#[tokio::test]
async fn many_identifiers_are_claimed_together_and_again() {
    let book = book();
    let known = book.claim("crm", "5").await.unwrap().customer;
    let values: Vec<String> = (0..3000).map(|n| (n % 1500).to_string()).collect();
    let wanted = |value| Wanted { scheme: "crm", value, customer: None };
    let wanted: Vec<_> = values.iter().map(|value| wanted(value.as_str())).collect();
    let claims = book.claim_many(&wanted).await.unwrap();
    assert_eq!(claims[5], Claim { customer: known, new: false });
    assert_eq!(claims.iter().filter(|claim| claim.new).count(), 1499);
    for (one, two) in claims.iter().zip(&claims[1500..]) {
        assert_eq!(one.customer, two.customer);
        assert!(!two.new);
    }
    let again = book.claim_many(&wanted).await.unwrap();
    assert!(again.iter().zip(&claims).all(|(a, b)| a.customer == b.customer && !a.new));
}

#[tokio::test]
async fn nothing_but_tombstones_is_recorded_after_an_erasure() {
    let book = book();
    let stream = customer(1).stream();
    let claim = Wanted { scheme: "crm", value: "1", customer: Some(customer(1)) };
    book.claim_many(&[claim]).await.unwrap();
    let events = vec![new(1, registered("Ada"))];
    book.append(stream.clone(), Expected::Any, events).await.unwrap();
    let first = book.erase(customer(1), "request", system()).await.unwrap();
    let again = book.erase(customer(1), "request", system()).await.unwrap();
    assert_eq!(again, Erasure { repeated: true, ..first });
    let mut history = book.history(&stream).await.unwrap();
    let types: Vec<_> = history.iter().map(|event| event.event.event_type().to_owned()).collect();
    assert_eq!(types, ["CustomerRegistered", "ErasureRequested", "SubjectErased"]);
    book.open(&mut history[0]).unwrap();
    let Event::CustomerRegistered(event) = &history[0].event else { unreachable!() };
    assert!(event.name.as_ref().unwrap().clear().is_none());

    let closed = CaseClosed { case: CaseId(Uuid::from_u128(3)) };
    let refused = book.append(stream.clone(), Expected::Any, vec![new(2, closed)]).await;
    assert!(matches!(refused, Err(BookError::Erased { customer: who }) if who == customer(1)));
    let decide = |_: &Intents| Ok::<_, ()>(vec![intent("leave")]);
    let refused = book.decide(&stream, &plain_act(), decide).await;
    assert!(matches!(refused, Err(DecideError::Book(BookError::Erased { .. }))));
    // The claim still leads to the erased customer, so late facts are not taken for somebody new.
    let claim = book.claim("crm", "1").await.unwrap();
    assert_eq!(claim, Claim { customer: customer(1), new: false });
    let unknown = book.erase(customer(9), "request", system()).await;
    assert!(matches!(unknown, Err(BookError::UnknownCustomer { .. })));
}

#[tokio::test]
async fn nobody_can_prevent_an_erasure_by_taking_its_ids_before() {
    let (one, other) = (book(), book());
    let stream = customer(1).stream();
    for book in [&one, &other] {
        let known = vec![new(1, registered("Ada"))];
        book.append(stream.clone(), Expected::Any, known).await.unwrap();
    }
    // What can be computed from the customer alone, and what another ledger's erasure took.
    other.erase(customer(1), "request", system()).await.unwrap();
    let mut ids: Vec<_> = other.history(&stream).await.unwrap()[1..].iter().map(|e| e.id).collect();
    for what in ["erasure-requested", "subject-erased"] {
        ids.push(cx_model::derived_id(&[what, &customer(1).to_string()]));
    }
    let squat = |id| NewEvent { id, envelope: envelope(), event: intent("leave") };
    let events = ids.into_iter().map(squat).collect();
    one.append(customer(2).stream(), Expected::Any, events).await.unwrap();
    assert!(!one.erase(customer(1), "request", system()).await.unwrap().repeated);
    assert!(one.vault().is_erased(customer(1)));
    assert_eq!(one.history(&stream).await.unwrap().len(), 3);
}

#[tokio::test]
async fn an_erasure_waits_for_whoever_appends_to_the_engine_below() {
    let book = book();
    book.append(customer(1).stream(), Expected::Any, vec![new(1, registered("Ada"))])
        .await
        .unwrap();
    let held = book.no_erasure().await;
    let mut erasing = std::pin::pin!(book.erase(customer(1), "request", system()));
    assert!(futures::poll!(erasing.as_mut()).is_pending());
    assert!(!book.vault().is_erased(customer(1)));
    drop(held);
    erasing.await.unwrap();
    assert!(book.vault().is_erased(customer(1)));
}

#[tokio::test]
async fn an_erasure_that_was_cut_off_is_finished_by_the_next() {
    // Whichever of the three steps was the last, erasing again leads to the same end.
    for done in 0..4 {
        let book = book();
        let stream = customer(1).stream();
        let events = vec![new(1, registered("Ada"))];
        book.append(stream.clone(), Expected::Any, events).await.unwrap();
        if done == 3 {
            // An old copy of the key store came back after the erasure.
            book.erase(customer(1), "request", system()).await.unwrap();
            let book = Book::new(Arc::clone(book.ledger()), Arc::new(Vault::in_memory()));
            book.vault().ensure(&[customer(1)]).unwrap();
            assert_eq!(book.repeat_erasures().await.unwrap(), 1);
            assert_eq!(book.repeat_erasures().await.unwrap(), 0);
            assert!(book.vault().is_erased(customer(1)));
            continue;
        }
        if done >= 1 {
            let requested = cx_model::event::ErasureRequested { channel: None };
            let events = vec![new(7, requested)];
            book.append(stream.clone(), Expected::Any, events).await.unwrap();
        }
        if done >= 2 {
            book.vault().destroy(customer(1)).unwrap();
        }
        assert!(!book.erase(customer(1), "request", system()).await.unwrap().repeated);
        assert!(book.vault().is_erased(customer(1)));
        assert_eq!(book.history(&stream).await.unwrap().len(), 3);
    }
}

#[tokio::test]
async fn what_only_the_keys_know_of_an_erasure_is_said_once_of_customers_who_are_known() {
    let book = book();
    let known = |n| vec![new(n, registered("Ada"))];
    for n in 1..=3 {
        book.append(customer(n).stream(), Expected::Any, known(n)).await.unwrap();
    }
    // One erasure came to its end, one was forgotten with the ledger's last events, and one is of
    // a customer of whom the ledger has nothing left.
    book.erase(customer(1), "request", system()).await.unwrap();
    book.vault().destroy(customer(2)).unwrap();
    book.vault().destroy(customer(9)).unwrap();
    assert_eq!(book.say_erasures().await.unwrap(), 1);
    let history = book.history(&customer(2).stream()).await.unwrap();
    let types: Vec<_> = history.iter().map(|event| event.event.event_type().to_owned()).collect();
    assert_eq!(types, ["CustomerRegistered", "ErasureRequested", "SubjectErased"]);
    let head = book.ledger().head().await.unwrap();
    assert_eq!(book.say_erasures().await.unwrap(), 0);
    assert!(book.erase(customer(2), "request", system()).await.unwrap().repeated);
    assert_eq!(book.ledger().head().await.unwrap(), head, "nothing was added");
    assert!(book.history(&customer(9).stream()).await.unwrap().is_empty());
    assert_eq!(book.history(&customer(3).stream()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_append_to_several_streams_names_the_erased_customer() {
    let book = book();
    let entry = |number: u128, id| Entry {
        stream: customer(number).stream(),
        expected: Expected::Any,
        events: vec![new(id, registered("somebody"))],
    };
    book.append_many((1..100).map(|n| entry(n, n)).collect()).await.unwrap();
    assert_eq!(book.vault().counts().live, 99);
    book.erase(customer(50), "request", system()).await.unwrap();
    let refused = book.append_many((1..100).map(|n| entry(n, 1000 + n)).collect()).await;
    assert!(matches!(refused, Err(BookError::Erased { customer: who }) if who == customer(50)));
    let voided = |n| InteractionVoided {
        interaction: InteractionId(Uuid::from_u128(n)),
        reason: "test".into(),
    };
    let plain = vec![new(5000, voided(1))];
    book.append(customer(200).stream(), Expected::Any, plain).await.unwrap();
    // A customer about whom nothing personal is known costs no key.
    assert_eq!(book.vault().counts().live, 98);
}
