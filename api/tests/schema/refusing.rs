//! What is refused, and who may not.

use std::sync::Arc;

use async_graphql::Request;
use cx_api::auth::{Caller, Role};
use serde_json::{Value, json};

use crate::world::{World, accepted, refusal};

async fn instrument(world: &World) -> String {
    let scale =
        |min: i32, max: i32| json!({ "min": min, "max": max, "direction": "HIGHER_IS_BETTER" });
    let input = json!({ "name": "After a call", "language": "en", "questions": [
        { "name": "recommend", "wording": "Would you?", "scale": scale(0, 10), "metric": "NPS" },
        { "name": "desk", "wording": "The desk?", "scale": scale(1, 5), "metric": "CSAT" },
        { "name": "why", "wording": "Why?", "metric": "OTHER" },
    ] });
    let fields = "instrument { id questions { name } }";
    let done = world.act("publishInstrument", "PublishInstrumentInput", fields, input).await;
    accepted(&done);
    assert_eq!(done["instrument"]["questions"].as_array().unwrap().len(), 3);
    done["instrument"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_outside_the_scale_is_refused() {
    let world = World::new().await;
    let customer = world.customer("Ada").await;
    let instrument = instrument(&world).await;
    let submit = |answers: Value| {
        let input = json!({ "customer": customer, "instrument": instrument, "answers": answers });
        world.act("submitResponse", "SubmitResponseInput", "response", input)
    };
    for (question, value, code) in [
        ("recommend", json!({ "score": 11 }), "SCORE_OUT_OF_SCALE"),
        ("desk", json!({ "score": 0 }), "SCORE_OUT_OF_SCALE"),
        ("why", json!({ "score": 1 }), "NO_SCALE"),
        ("when", json!({ "score": 1 }), "UNKNOWN_QUESTION"),
    ] {
        let refused = submit(json!([{ "question": question, "value": value }])).await;
        assert_eq!(refusal(&refused), (code, vec!["input", "answers"]), "{question}");
    }
    let done = submit(json!([
        { "question": "recommend", "value": { "score": 9 } },
        { "question": "desk", "value": { "notUsed": true } },
        { "question": "why", "value": { "text": "Quick" } },
    ]))
    .await;
    accepted(&done);

    let amend = |score: i32| {
        let answers = json!([{ "question": "recommend", "value": { "score": score } }]);
        let input =
            json!({ "customer": customer, "response": done["response"], "answers": answers });
        world.act("amendResponse", "AmendResponseInput", "customer { lastScores { score } }", input)
    };
    assert_eq!(refusal(&amend(12).await).0, "SCORE_OUT_OF_SCALE");
    accepted(&amend(3).await);
    let input =
        json!({ "customer": customer, "response": done["response"], "reason": "by mistake" });
    accepted(&world.act("withdrawResponse", "WithdrawResponseInput", "", input).await);
    assert_eq!(refusal(&amend(4).await), ("ALREADY_WITHDRAWN", vec!["input", "response"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instrument_that_is_not_in_use_invites_nobody() {
    let world = World::new().await;
    let customer = world.customer("Ada").await;
    let instrument = instrument(&world).await;
    let invite = |instrument: &str| {
        let input = json!({ "customer": customer, "instrument": instrument });
        world.act("sendInvitation", "SendInvitationInput", "", input)
    };
    let other = "instrument-00000000-0000-0000-0000-000000000001";
    assert_eq!(refusal(&invite(other).await).0, "UNKNOWN_INSTRUMENT");
    accepted(&invite(&instrument).await);
    let input =
        json!({ "customer": customer, "instrument": instrument, "reason": "asked_recently" });
    accepted(&world.act("suppressInvitation", "SuppressInvitationInput", "", input).await);
    let input = json!({ "instrument": instrument, "reason": "a new one" });
    let fields = "instrument { retired }";
    let retired = world.act("retireInstrument", "RetireInstrumentInput", fields, input).await;
    assert_eq!(retired["instrument"]["retired"], true);
    let refused = invite(&instrument).await;
    assert_eq!(refusal(&refused), ("INSTRUMENT_RETIRED", vec!["input", "instrument"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_touchpoint_is_catalogued_before_it_is_led() {
    let world = World::new().await;
    let division = "division-00000000-0000-0000-0000-0000000000d1";
    let own = |touchpoint: &str| {
        let input = json!({ "touchpoint": touchpoint, "division": division });
        world.act("assignOwner", "AssignOwnerInput", "touchpoint { division }", input)
    };
    let unknown = own("touchpoint-00000000-0000-0000-0000-000000000001").await;
    assert_eq!(refusal(&unknown), ("UNKNOWN_TOUCHPOINT", vec!["input", "touchpoint"]));
    let input = json!({ "name": "Desk", "channel": "IN_PERSON", "ownership": "OWNED" });
    let fields = "touchpoint { id name }";
    let done = world.act("catalogueTouchpoint", "CatalogueTouchpointInput", fields, input).await;
    assert_eq!(done["touchpoint"]["name"], "Desk");
    let id = done["touchpoint"]["id"].as_str().unwrap();
    assert_eq!(own(id).await["touchpoint"]["division"], division);
    let instrument = instrument(&world).await;
    let input = json!({
        "touchpoint": id, "instrument": instrument, "trigger": "visit", "samplingPermille": 1001,
        "restDays": 90,
    });
    let kind = "AttachCollectionMechanismInput";
    let refused = world.act("attachCollectionMechanism", kind, "", input).await;
    assert_eq!(refusal(&refused), ("BAD_SAMPLING", vec!["input", "samplingPermille"]));
    let input = json!({ "touchpoint": id, "division": division, "score": 4 });
    accepted(&world.act("submitSelfAssessment", "SubmitSelfAssessmentInput", "", input).await);
    let input = json!({ "touchpoint": id, "reason": "closed" });
    let fields = "touchpoint { retired }";
    let retired = world.act("retireTouchpoint", "RetireTouchpointInput", fields, input).await;
    assert_eq!(retired["touchpoint"]["retired"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_customer_reads_erased_and_takes_nothing_more() {
    let world = World::new().await;
    let customer = world.customer("Ada Lovelace").await;
    let erase = || {
        let fields = "customer { name erased }";
        let input = json!({ "customer": customer, "reason": "request" });
        world.act("eraseCustomer", "EraseCustomerInput", fields, input)
    };
    let erased = erase().await;
    accepted(&erased);
    assert_eq!(erased["customer"], json!({ "name": "ERASED", "erased": true }));
    let again = erase().await;
    assert_eq!((&again["duplicate"], &again["position"]), (&json!(true), &erased["position"]));
    let input = json!({ "customer": customer, "name": "Ada" });
    let refused = world.act("changeDetails", "ChangeDetailsInput", "", input).await;
    assert_eq!(refusal(&refused), ("CUSTOMER_ERASED", vec!["input", "customer"]));
    let nobody = "customer-00000000-0000-0000-0000-000000000001";
    let input = json!({ "customer": nobody, "reason": "request" });
    let refused = world.act("eraseCustomer", "EraseCustomerInput", "", input).await;
    assert_eq!(refusal(&refused), ("UNKNOWN_CUSTOMER", vec!["input", "customer"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_write_nothing_and_only_operators_erase() {
    let world = World::new().await;
    let customer = world.customer("Ada").await;
    let register = "mutation { registerCustomer(input: { kind: PERSON }) { position } }";
    let erase = format!(
        "mutation {{ eraseCustomer(input: {{ customer: \"{customer}\", reason: \"request\" }}) \
         {{ position }} }}"
    );
    for (document, role, code) in [
        (register, Role::Reader, json!("FORBIDDEN")),
        (register, Role::Auditor, json!("FORBIDDEN")),
        (&erase, Role::Writer, json!("FORBIDDEN")),
        (register, Role::Writer, Value::Null),
        (&erase, Role::Operator, Value::Null),
    ] {
        let caller = Caller { role, name: Some(Arc::from("desk")) };
        let answer = world.answer(Request::new(document).data(caller)).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{role:?}: {answer:#}");
    }
    let last = "query { ledger { head } }";
    let head = world.ask(last, json!({})).await["ledger"]["head"].clone();
    let event = "query E($at: Position!) { event(position: $at) { type actor { kind id } } }";
    let event = world.ask(event, json!({ "at": head })).await["event"].clone();
    let expected = json!({ "type": "SubjectErased", "actor": { "kind": "SYSTEM", "id": "desk" } });
    assert_eq!(event, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn auditors_read_larger_pages() {
    let world = World::new().await;
    let customer = world.customer("Ada").await;
    let page = async |field: &str, first: u32, role: Role| {
        let document = format!("{{ {} }}", field.replace('$', &first.to_string()));
        let caller = Caller { role, name: None };
        world.answer(Request::new(document).data(caller)).await
    };
    let timeline = format!("timeline(customer: \"{customer}\", first: $) {{ asOf }}");
    let explained =
        format!("explain(view: \"customer\", key: \"{customer}\", first: $) {{ asOf }}");
    for field in [timeline.as_str(), &explained, "openCases(first: $) { asOf }"] {
        for (first, role) in [(100, Role::Reader), (1_000, Role::Auditor)] {
            let answer = page(field, first, role).await;
            assert!(answer.get("errors").is_none(), "{answer:#}");
            let refused = page(field, first + 1, role).await;
            assert_eq!(refused["errors"][0]["extensions"]["code"], "BAD_REQUEST", "{refused:#}");
            let message = refused["errors"][0]["message"].as_str().unwrap();
            assert!(message.contains(&format!("between 0 and {first}")), "{message}");
        }
    }
}
