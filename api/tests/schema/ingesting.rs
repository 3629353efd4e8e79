//! CloudEvents: taken once, or put aside with a reason.

use std::sync::{Arc, Mutex};

use cx_api::ingest::{CloudEvent, Intake, Outcome};
use cx_api::intake::{Aside, BookIntake};
use serde_json::{Value, json};

use crate::world::World;

fn cloud_event(id: &str, kind: &str, subject: &str, data: Value) -> CloudEvent {
    let mut event = json!({
        "specversion": "1.0", "id": id, "source": "/tests", "type": format!("cx.{kind}"),
        "subject": subject, "time": "2026-01-02T03:04:05Z",
    });
    event["data"] = data;
    CloudEvent::from_json(event).unwrap()
}

fn met(id: &str, subject: &str) -> CloudEvent {
    let data = json!({
        "kind": "call", "channel": "phone", "direction": "in", "initiator": "customer",
        "text": "Where is it?",
    });
    cloud_event(id, "InteractionRecorded", subject, data)
}

async fn take(intake: &BookIntake, items: Vec<CloudEvent>) -> Vec<Outcome> {
    intake.take(items).await.unwrap()
}

fn reason(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Quarantined { reason } => reason,
        other => panic!("{other:?} is not put aside"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fact_is_taken_once_by_source_and_id() {
    let world = World::new().await;
    let intake = BookIntake::new(world.book.clone());
    let subject = "email:ada@example.org";
    let first = take(&intake, vec![met("1", subject), met("1", subject), met("2", subject)]).await;
    let Outcome::Taken { position } = first[0] else { panic!("{first:?}") };
    assert_eq!(first[1], Outcome::Repeated { position });
    assert!(matches!(first[2], Outcome::Taken { .. }));
    let again = take(&intake, vec![met("1", subject)]).await;
    assert_eq!(again, [Outcome::Repeated { position }]);

    let Outcome::Taken { position } = first[2] else { unreachable!() };
    world.engine.at_least(position, &[], std::time::Duration::from_secs(10)).await.unwrap();
    let document =
        "{ customer(by: { identifier: { scheme: \"email\", value: \"ada@example.org\" } }) {
        interactions identifiers { value } timeline { edges { node { kind } } }
    } }";
    let customer = world.ask(document, json!({})).await["customer"].clone();
    assert_eq!(customer["interactions"], 2);
    assert_eq!(customer["identifiers"], json!([{ "value": "ada@example.org" }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_holds_no_personal_text_of_an_event() {
    let world = World::new().await;
    let intake = BookIntake::new(world.book.clone());
    let customer = world.customer("Ada").await;
    take(&intake, vec![met("1", &customer)]).await;
    let end = cx_model::Position::new(u64::MAX);
    let raw = world.book.ledger().read_all(end, cx_ledger::Direction::Backwards, 1).await.unwrap();
    assert_eq!(&*raw[0].event_type, "InteractionRecorded");
    assert!(!String::from_utf8_lossy(&raw[0].data).contains("Where"));
    let document = "query E($at: Position!) { event(position: $at) { body source { system id } } }";
    let event = world.ask(document, json!({ "at": raw[0].position.to_string() })).await;
    assert_eq!(event["event"]["body"]["text"], "Where is it?");
    assert_eq!(event["event"]["source"], json!({ "system": "/tests", "id": "1" }));
}

#[derive(Default)]
struct Kept(Mutex<Vec<String>>);

impl Aside for Kept {
    fn keep(&self, event: &CloudEvent, _: &str) -> Result<(), String> {
        self.0.lock().unwrap().push(event.id.clone());
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_understood_is_put_aside_with_a_reason() {
    let world = World::new().await;
    let kept = Arc::new(Kept::default());
    let intake = BookIntake::new(world.book.clone()).with_aside(kept.clone());
    let ada = world.customer("Ada").await;
    let with = |field: &str, value: Value| {
        let mut event = met("x", &ada);
        event.data[field] = value;
        event
    };
    let mut foreign = met("x", &ada);
    foreign.event_type = "com.example.called".into();
    let valence = json!({ "score": 200, "basis": "stated" });
    for (event, expected) in [
        (cloud_event("x", "NoSuchEvent", &ada, json!({})), "knows no event"),
        (foreign, "the type is not"),
        (cloud_event("x", "SubjectErased", &ada, json!({ "reason": "x" })), "by the ledger alone"),
        (met("x", "nobody at all"), "the subject is"),
        (with("channel", json!("smoke")), "none of its list"),
        (with("channel", Value::Null), "does not have the form"),
        (with("secret", json!("x")), "a field that this type does not have"),
        (with("text", json!({ "v": 1 })), "the field text must be text"),
        (with("valence", valence), "between -100 and 100"),
        (cloud_event("x", "PreferenceSet", &ada, json!({ "name": "x" })), "lacks the field value"),
        (cloud_event("x", "PreferenceSet", &ada, json!([])), "must be a JSON object"),
    ] {
        let outcomes = take(&intake, vec![event]).await;
        assert!(reason(&outcomes[0]).contains(expected), "{expected}: {outcomes:?}");
    }
    assert_eq!(kept.0.lock().unwrap().len(), 11);
    // One that is put aside holds up no other.
    let outcomes = take(&intake, vec![met("1", &ada), met("2", "?"), met("3", &ada)]).await;
    assert!(matches!(outcomes[0], Outcome::Taken { .. }));
    reason(&outcomes[1]);
    assert!(matches!(outcomes[2], Outcome::Taken { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_id_with_other_content_is_a_conflict_and_nothing_is_recorded() {
    let world = World::new().await;
    let intake = BookIntake::new(world.book.clone());
    let (ada, bob) = (world.customer("Ada").await, world.customer("Bob").await);
    let first = take(&intake, vec![met("1", &ada)]).await;
    let Outcome::Taken { position } = first[0] else { panic!("{first:?}") };
    let with = |change: &dyn Fn(&mut CloudEvent)| {
        let mut event = met("1", &ada);
        change(&mut event);
        event
    };
    let renamed = with(&|event| {
        event.event_type = "cx.PreferenceSet".into();
        event.data = json!({ "name": "channel", "value": "post" });
    });
    let others = [
        (with(&|event| event.data["text"] = "Where is she?".into()), "(text)"),
        (with(&|event| event.data["channel"] = "web".into()), "(channel)"),
        (with(&|event| drop(event.data.as_object_mut().unwrap().remove("text"))), "(text)"),
        (with(&|event| event.data["outcome"] = "answered".into()), "(outcome)"),
        (with(&|event| event.time = Some(jiff::Timestamp::UNIX_EPOCH)), "(time)"),
        (renamed, "as InteractionRecorded"),
        (met("1", &bob), "another subject"),
    ];
    for (n, (other, said)) in others.into_iter().enumerate() {
        let outcomes = take(&intake, vec![other.clone()]).await;
        let Outcome::Conflict { reason } = &outcomes[0] else { panic!("{said}: {outcomes:?}") };
        assert!(reason.contains(said) && !reason.contains("Where"), "{said}: {reason}");
        // The same within one call, beside others that hold up nobody.
        let id = format!("beside {n}");
        let mut other = other;
        other.id.clone_from(&id);
        let together = take(&intake, vec![met(&id, &ada), other, met(&id, &ada)]).await;
        assert!(matches!(together[0], Outcome::Taken { .. }), "{together:?}");
        assert!(matches!(together[1], Outcome::Conflict { .. }), "{together:?}");
        assert!(matches!(together[2], Outcome::Repeated { .. }), "{together:?}");
    }
    // Content that is the same in other words, or does not say when, is no other content.
    let timeless = with(&|event| event.time = None);
    let spelt = with(&|event| event.data["thread"] = Value::Null);
    let outcomes = take(&intake, vec![met("1", &ada), timeless, spelt]).await;
    assert_eq!(outcomes, vec![Outcome::Repeated { position }; 3]);
    let history = world.book.history(&ada.parse::<cx_model::CustomerId>().unwrap().stream()).await;
    let told = history.unwrap().iter().filter(|event| event.envelope.source.is_some()).count();
    assert_eq!(told, 8, "each id once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_before_an_erasure_is_repeated_and_new_things_are_put_aside() {
    let world = World::new().await;
    let intake = BookIntake::new(world.book.clone());
    let (ada, bob) = (world.customer("Ada").await, world.customer("Bob").await);
    let first = take(&intake, vec![met("1", &ada)]).await;
    let Outcome::Taken { position } = first[0] else { panic!("{first:?}") };
    let actor = cx_model::Actor::System { name: "tests".into() };
    world.book.erase(ada.parse().unwrap(), "request", actor).await.unwrap();
    let outcomes = take(&intake, vec![met("3", &ada), met("4", &bob)]).await;
    assert!(reason(&outcomes[0]).contains("erased"));
    assert!(matches!(outcomes[1], Outcome::Taken { .. }));
    // Nobody can tell whether an erased text was another one; what was not erased can be told.
    let (mut text, mut channel) = (met("1", &ada), met("1", &ada));
    text.data["text"] = "Where is she?".into();
    channel.data["channel"] = "web".into();
    let outcomes = take(&intake, vec![met("1", &ada), text, channel]).await;
    assert_eq!(outcomes[..2], vec![Outcome::Repeated { position }; 2]);
    assert!(matches!(&outcomes[2], Outcome::Conflict { reason } if reason.contains("(channel)")));
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_of_a_known_instrument_must_fit_and_its_catalogue_comes_by_events_too() {
    let world = World::new().await;
    let intake = BookIntake::new(world.book.clone());
    let instrument = "instrument-00000000-0000-0000-0000-0000000000c1";
    let scale = json!({ "min": 0, "max": 10, "direction": "higher_is_better" });
    let question = json!({
        "name": "recommend", "wording": "Would you?", "scale": scale, "metric": "nps",
    });
    let data = json!({ "name": "After", "language": "en", "questions": [question] });
    let touchpoint = json!({ "name": "Desk", "channel": "in_person", "ownership": "owned" });
    let desk = "touchpoint-00000000-0000-0000-0000-0000000000a1";
    let response = |id: &str, score: i32| {
        let value = json!({ "score": score });
        let answers = json!([
            { "question": "recommend", "value": value },
        ]);
        let data = json!({ "instrument": instrument, "answers": answers });
        cloud_event(id, "ResponseSubmitted", "crm:7", data)
    };
    let outcomes = take(
        &intake,
        vec![
            cloud_event("i", "InstrumentPublished", instrument, data),
            cloud_event("t", "TouchpointCatalogued", desk, touchpoint.clone()),
            cloud_event("u", "TouchpointCatalogued", "crm:7", touchpoint),
        ],
    )
    .await;
    assert!(matches!(outcomes[0], Outcome::Taken { .. }), "{outcomes:?}");
    assert!(matches!(outcomes[1], Outcome::Taken { .. }), "{outcomes:?}");
    assert!(reason(&outcomes[2]).contains("touchpoint-UUID"));
    let outcomes = take(&intake, vec![response("1", 10), response("2", 11)]).await;
    assert!(matches!(outcomes[0], Outcome::Taken { .. }), "{outcomes:?}");
    assert!(reason(&outcomes[1]).contains("takes scores from 0 to 10"));
}
