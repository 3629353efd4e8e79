//! What is done is done once, and seen by whoever did it.

use async_graphql::Request;
use serde_json::{Value, json};

use crate::world::{World, accepted, refusal};

fn call(customer: &str, key: &str) -> Value {
    json!({
        "customer": customer, "kind": "call", "channel": "PHONE", "direction": "IN",
        "initiator": "CUSTOMER", "text": "Where is it?", "idempotencyKey": key,
        "valence": { "score": -40, "basis": "STATED" }, "duration": "PT3M",
        "occurredAt": "2026-01-02T03:04:05Z",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn one_round_trip_sees_its_own_write() {
    let world = World::new().await;
    let customer = world.customer("Ada").await;
    let document = "mutation Act($input: RecordInteractionInput!, $customer: ID!) {
        recordInteraction(input: $input) {
            position duplicate errors { code } interaction
            query {
                timeline(customer: $customer) { edges { node { kind occurredAt } } }
                customer(by: { id: $customer }) { name interactions }
            }
        }
    }";
    for n in 1..=20 {
        let input = call(&customer, &format!("call {n}"));
        let variables = json!({ "input": input, "customer": customer });
        let data = world.ask(document, variables).await;
        let done = &data["recordInteraction"];
        accepted(done);
        assert_eq!(done["query"]["customer"]["interactions"], n);
        assert_eq!(done["query"]["customer"]["name"], "Ada");
        let edges = done["query"]["timeline"]["edges"].as_array().unwrap();
        assert_eq!(edges.len(), n + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_and_input_give_the_first_answer_again() {
    let world = World::new().await;
    let input = json!({ "kind": "PERSON", "name": "Ada", "idempotencyKey": "one" });
    let register =
        || world.act("registerCustomer", "RegisterCustomerInput", "customer { id }", input.clone());
    let (first, again) = (register().await, register().await);
    assert_eq!((&first["duplicate"], &again["duplicate"]), (&json!(false), &json!(true)));
    assert_eq!(first["position"], again["position"]);
    assert_eq!(first["customer"], again["customer"]);

    let customer = first["customer"]["id"].as_str().unwrap();
    let record = || {
        let input = call(customer, "two");
        world.act("recordInteraction", "RecordInteractionInput", "interaction", input)
    };
    let (first, again) = (record().await, record().await);
    assert_eq!(again["duplicate"], true);
    assert_eq!(first["interaction"], again["interaction"]);
    assert_eq!(world.book.history(&customer.parse().unwrap()).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_comes_back_with_another_input_is_a_conflict() {
    let world = World::new().await;
    let (ada, bob) = (world.customer("Ada").await, world.customer("Bob").await);
    let record = |input: Value| {
        world.act("recordInteraction", "RecordInteractionInput", "interaction", input)
    };
    accepted(&record(call(&ada, "key")).await);
    let mut other = call(&ada, "key");
    other["kind"] = json!("visit");
    for input in [other, call(&bob, "key")] {
        let refused = record(input).await;
        assert_eq!(refusal(&refused), ("CONFLICT", vec!["input", "idempotencyKey"]));
    }
    let intent = json!({ "customer": ada, "intent": "leave", "idempotencyKey": "key" });
    let refused = world.act("declareIntent", "DeclareIntentInput", "", intent).await;
    assert_eq!(refusal(&refused).0, "CONFLICT");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_several_interactions_is_answered_by_itself() {
    let world = World::new().await;
    let (ada, bob) = (world.customer("Ada").await, world.customer("Bob").await);
    let nobody = "customer-00000000-0000-0000-0000-000000000001";
    let mut far = call(&bob, "4");
    far["valence"]["score"] = json!(101);
    let input = json!([
        call(&ada, "1"),
        call(nobody, "2"),
        call(&bob, "3"),
        far,
        call(&ada, "5"),
        call(&ada, "1"),
    ]);
    let document = "mutation Act($input: [RecordInteractionInput!]!) {
        recordInteractions(input: $input) {
            position duplicate errors { code path }
            items { position duplicate errors { code } interaction customer { id } }
        }
    }";
    let data = world.ask(document, json!({ "input": input })).await;
    let done = &data["recordInteractions"];
    let items = done["items"].as_array().unwrap();
    let codes: Vec<_> = items.iter().map(|item| item["errors"][0]["code"].clone()).collect();
    let no = Value::Null;
    let expected = [&no, &json!("UNKNOWN_CUSTOMER"), &no, &json!("VALENCE_OUT_OF_RANGE"), &no, &no];
    assert_eq!(codes.iter().collect::<Vec<_>>(), expected);
    assert_eq!(items[5]["duplicate"], true);
    assert_eq!(items[5]["interaction"], items[0]["interaction"]);
    assert_eq!(items[2]["customer"]["id"], json!(bob));
    assert_eq!(items[1]["customer"], Value::Null);
    assert_eq!(done["duplicate"], false);
    assert_eq!(done["errors"][0]["path"], json!(["input", "1", "customer"]));
    assert_eq!(done["errors"][1]["path"], json!(["input", "3", "valence"]));
    let last = items.iter().filter_map(|item| item["position"].as_str()?.parse::<u64>().ok());
    assert_eq!(done["position"], json!(last.max().unwrap().to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interaction_is_corrected_and_voided() {
    let world = World::new().await;
    let customer = world.customer("Ada").await;
    let input = call(&customer, "call");
    let done = world.act("recordInteraction", "RecordInteractionInput", "interaction", input).await;
    let interaction = &done["interaction"];
    let input = json!({
        "customer": customer, "interaction": interaction, "channel": "EMAIL", "reason": "misread",
    });
    accepted(&world.act("correctInteraction", "CorrectInteractionInput", "", input).await);
    let input = json!({ "customer": customer, "interaction": interaction, "reason": "twice" });
    let void = || {
        let fields = "customer { interactions }";
        world.act("voidInteraction", "VoidInteractionInput", fields, input.clone())
    };
    let done = void().await;
    accepted(&done);
    assert_eq!(done["customer"]["interactions"], 0);
    assert_eq!(refusal(&void().await), ("ALREADY_VOIDED", vec!["input", "interaction"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complaint_is_led_to_its_close() {
    let world = World::new().await;
    let customer = world.customer("Ada").await;
    let input = json!({ "customer": customer, "kind": "COMPLAINT", "subject": "Broken" });
    let fields = "case query { openCases { edges { node { id state } } } }";
    let opened = world.act("openCase", "OpenCaseInput", fields, input).await;
    accepted(&opened);
    let case = &opened["case"];
    assert_eq!(opened["query"]["openCases"]["edges"][0]["node"]["id"], *case);
    let step = |name: &'static str, more: Value| {
        let mut input = json!({ "customer": customer, "case": case });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
        let world = &world;
        async move { world.act(name, &kind, "case", input).await }
    };
    let resolution = json!({ "resolution": "fixed" });
    let early = step("resolveCase", resolution.clone()).await;
    assert_eq!(refusal(&early), ("NOT_ACKNOWLEDGED", vec!["input", "case"]));
    let agent = json!({ "agent": "agent-00000000-0000-0000-0000-0000000000a1" });
    let reply = json!({ "human": true, "public": true, "text": "It is on its way" });
    for (name, more) in [
        ("acknowledgeCase", json!({})),
        ("assignCase", agent.clone()),
        ("transferCase", agent),
        ("pauseCase", json!({ "waitingOn": "CUSTOMER" })),
        ("takeCustomerReply", json!({ "text": "And?" })),
        ("resumeCase", json!({})),
        ("escalateCase", json!({ "reason": "late" })),
        ("offerSolution", json!({ "description": "A new one" })),
        ("resolveCase", resolution.clone()),
        ("rejectResolution", json!({})),
        ("reopenCase", json!({})),
        ("resolveCase", resolution),
        ("replyToCase", reply),
        ("acceptResolution", json!({})),
        ("closeCase", json!({})),
    ] {
        accepted(&step(name, more).await);
    }
    assert_eq!(refusal(&step("closeCase", json!({})).await).0, "ALREADY_CLOSED");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identifier_belongs_to_the_first_who_claims_it() {
    let world = World::new().await;
    let (ada, bob) = (world.customer("Ada").await, world.customer("Bob").await);
    let input = |customer: &str| json!({ "customer": customer, "scheme": "crm", "value": "42" });
    let attach = |customer: &str| {
        let fields = "customer { identifiers { scheme value } }";
        world.act("attachIdentifier", "AttachIdentifierInput", fields, input(customer))
    };
    let attached = attach(&ada).await;
    accepted(&attached);
    assert_eq!(attached["customer"]["identifiers"], json!([{ "scheme": "crm", "value": "42" }]));
    assert_eq!(refusal(&attach(&bob).await), ("IDENTIFIER_TAKEN", vec!["input", "value"]));
    let nobody = "customer-00000000-0000-0000-0000-000000000001";
    assert_eq!(refusal(&attach(nobody).await).0, "UNKNOWN_CUSTOMER");
    let by = "query By { customer(by: { identifier: { scheme: \"crm\", value: \"42\" } }) { id } }";
    assert_eq!(world.ask(by, json!({})).await["customer"]["id"], json!(ada));

    let detach = || {
        let fields = "customer { identifiers { scheme } }";
        world.act("detachIdentifier", "DetachIdentifierInput", fields, input(&ada))
    };
    assert_eq!(detach().await["customer"]["identifiers"], json!([]));
    assert_eq!(refusal(&detach().await), ("NOT_ATTACHED", vec!["input", "value"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_is_declared_and_undone() {
    let world = World::new().await;
    let (ada, adah) = (world.customer("Ada").await, world.customer("Adah").await);
    let input = json!({ "customer": adah, "survivor": ada, "reason": "same e-mail" });
    let fields = "customer { mergedInto }";
    let merged = world.act("mergeCustomers", "MergeCustomersInput", fields, input).await;
    assert_eq!(merged["customer"]["mergedInto"], json!(ada));
    let undo = || {
        let input = json!({ "customer": adah });
        world.act("unmergeCustomers", "UnmergeCustomersInput", fields, input)
    };
    assert_eq!(undo().await["customer"]["mergedInto"], Value::Null);
    assert_eq!(refusal(&undo().await), ("NOT_MERGED", vec!["input", "customer"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_bought_fulfilled_and_partly_given_back() {
    let world = World::new().await;
    let customer = world.customer("Ada").await;
    let input = json!({
        "customer": customer, "amountMinor": 5_000, "currency": "EUR",
        "lines": [{ "item": "lamp", "quantity": 1, "amountMinor": 5_000 }],
    });
    let fields = "order customer { spent { amountMinor currency } }";
    let bought = world.act("recordPurchase", "RecordPurchaseInput", fields, input).await;
    let spent = json!([{ "amountMinor": "5000", "currency": "EUR" }]);
    assert_eq!(bought["customer"]["spent"], spent);
    let order = &bought["order"];
    let input = json!({ "customer": customer, "order": order, "lateBy": "PT24H" });
    accepted(&world.act("fulfilOrder", "FulfilOrderInput", "", input).await);
    let back = |amount: i64| {
        let input = json!({
            "customer": customer, "order": order, "amountMinor": amount, "currency": "EUR",
        });
        world.act("recordReturn", "RecordReturnInput", "", input)
    };
    accepted(&back(2_000).await);
    assert_eq!(refusal(&back(4_000).await), ("RETURN_EXCEEDS_ORDER", vec!["input", "amountMinor"]));

    let input = json!({ "customer": customer, "description": "A second lamp at half price" });
    let offer = world.act("makeOffer", "MakeOfferInput", "offer", input).await["offer"].clone();
    let input = json!({ "customer": customer, "offer": offer });
    accepted(&world.act("acceptOffer", "AcceptOfferInput", "", input.clone()).await);
    let twice = world.act("declineOffer", "DeclineOfferInput", "", input).await;
    assert_eq!(refusal(&twice), ("ALREADY_ANSWERED", vec!["input", "offer"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_a_customer_is_kept_up_to_date() {
    let world = World::new().await;
    let customer = world.customer("Ada").await;
    let act = |name: &'static str, more: Value| {
        let mut input = json!({ "customer": customer });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
        let world = &world;
        async move {
            let done = world.act(name, &kind, "customer { name stage consents }", input).await;
            accepted(&done);
            done["customer"].clone()
        }
    };
    assert_eq!(act("changeDetails", json!({ "name": "Ada L." })).await["name"], "Ada L.");
    assert_eq!(act("changeLifecycleStage", json!({ "stage": "USE" })).await["stage"], "USE");
    act("setPreference", json!({ "name": "contact_channel", "value": "email" })).await;
    act("declareIntent", json!({ "intent": "recommend" })).await;
    let consent = json!({ "purpose": "marketing", "wordingVersion": "3", "channel": "WEB" });
    assert_eq!(act("giveConsent", consent).await["consents"], json!(["marketing"]));
    let consents = act("withdrawConsent", json!({ "purpose": "marketing" })).await;
    assert_eq!(consents["consents"], json!([]));
    let impression = json!({ "of": "FIRM", "valence": { "score": 60, "basis": "STATED" } });
    act("recordImpression", impression).await;
    act("requestErasure", json!({ "channel": "EMAIL" })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn views_that_lag_do_not_hide_where_a_write_stands() {
    let world = World::new().await;
    world.engine.shutdown().await;
    let register = |fields: &str| {
        let document = format!(
            "mutation {{ registerCustomer(input: {{ kind: PERSON }}) {{ position {fields} }} }}"
        );
        world.answer(Request::new(document))
    };
    let (by_object, by_query) =
        tokio::join!(register("customer { id }"), register("query { ledger { head } }"));
    let written = &by_object["data"]["registerCustomer"];
    assert!(written["position"].is_string(), "{by_object:#}");
    assert_eq!(written["customer"], Value::Null);
    for answer in [&by_object, &by_query] {
        let extensions = &answer["errors"][0]["extensions"];
        assert_eq!(extensions["code"], "STALE", "{answer:#}");
        assert!(extensions["required"].is_string(), "{answer:#}");
    }
    assert_eq!(by_object["errors"][0]["extensions"]["required"], written["position"]);
}
