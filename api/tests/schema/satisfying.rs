//! Figures told apart by an attribute of the responses, and how weighted ones are worked out.

use async_graphql::Request;
use serde_json::{Value, json};

use crate::world::{World, accepted, refusal};

/// A questionnaire with one question.
async fn instrument(world: &World) -> String {
    let scale = json!({ "min": 0, "max": 10, "direction": "HIGHER_IS_BETTER" });
    let input = json!({ "name": "After a call", "language": "en", "questions": [
        { "name": "recommend", "wording": "Would you?", "scale": scale, "metric": "NPS" },
    ] });
    let fields = "instrument { id }";
    let done = world.act("publishInstrument", "PublishInstrumentInput", fields, input).await;
    done["instrument"]["id"].as_str().unwrap().to_owned()
}

async fn respond(world: &World, instrument: &str, customer: &str, score: i32, area: &str) -> Value {
    let attributes = match area {
        "" => json!([]),
        area => json!([{ "name": "area", "value": area }, { "name": "hall", "value": "1" }]),
    };
    let input = json!({
        "customer": customer, "instrument": instrument, "attributes": attributes,
        "answers": [{ "question": "recommend", "value": { "score": score } }],
    });
    let done = world.act("submitResponse", "SubmitResponseInput", "response", input).await;
    accepted(&done);
    done
}

async fn figures(world: &World, arguments: &str) -> Vec<Value> {
    let document = format!(
        "{{ satisfaction{arguments} {{ group {{ attribute attributeMissing }} n value
            distribution {{ score n }}
            evidence(first: 2) {{ edges {{ node {{ event {{ type position }} }} }}
                pageInfo {{ hasNextPage }} }} }} }}"
    );
    let mut data = world.ask(&document, json!({})).await;
    data["satisfaction"].take().as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_without_the_attribute_are_a_group_so_that_groups_add_up() {
    let world = World::new().await;
    let instrument = instrument(&world).await;
    let mut last = Value::Null;
    let mut bare = Vec::new();
    for (n, area) in ["G", "", "G", "H", "", "G", ""].into_iter().enumerate() {
        let customer = world.customer("Ada").await;
        last = respond(&world, &instrument, &customer, n as i32 + 3, area).await;
        if area.is_empty() {
            bare.push(last.clone());
        }
    }
    let last: cx_model::Position = last["position"].as_str().unwrap().parse().unwrap();
    world.engine.at_least(last, &[], std::time::Duration::from_secs(10)).await.unwrap();
    let all = figures(&world, "").await;
    assert_eq!(all[0]["n"], 7);
    assert_eq!(all[0]["group"], json!({ "attribute": null, "attributeMissing": false }));

    for policy in ["LATEST", "FIRST", "ALL"] {
        let by = figures(&world, &format!("(byAttribute: \"area\", policy: {policy})")).await;
        let groups: Vec<_> = by.iter().map(|one| (&one["group"], &one["n"])).collect();
        let group =
            |value: Value, missing| json!({ "attribute": value, "attributeMissing": missing });
        let expected = [
            (&group(Value::Null, true), &json!(3)),
            (&group(json!("G"), false), &json!(3)),
            (&group(json!("H"), false), &json!(1)),
        ];
        assert_eq!(groups, expected, "{policy}");
    }
    let by = figures(&world, "(byAttribute: \"area\")").await;
    let given = |score: i32| json!({ "score": score, "n": 1 });
    assert_eq!(by[0]["distribution"], json!([given(4), given(7), given(9)]));

    // The evidence of the group is its own responses, and reads on over those of the others.
    let evidence = &by[0]["evidence"];
    let positions: Vec<_> = evidence["edges"].as_array().unwrap().iter().collect();
    let found: Vec<_> = positions.iter().map(|e| &e["node"]["event"]["position"]).collect();
    assert_eq!(found, [&bare[0]["position"], &bare[1]["position"]]);
    assert_eq!(evidence["pageInfo"]["hasNextPage"], true);

    // A filter by a value has that value's answers, and no group without.
    let filter = "filter: { attribute: { name: \"area\", value: \"G\" } }";
    let only = figures(&world, &format!("({filter}, byAttribute: \"area\")")).await;
    assert_eq!((only.len(), &only[0]["n"]), (1, &json!(3)));
    assert_eq!(only[0]["group"]["attribute"], "G");
    let none = "filter: { attribute: { name: \"area\", value: \"Z\" } }";
    assert!(figures(&world, &format!("({none})")).await.is_empty(), "nobody said so");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attribute_that_no_response_has_is_refused_with_the_names_there_are() {
    let world = World::new().await;
    let refused = async |arguments: &str| {
        let document = format!("{{ satisfaction{arguments} {{ n }} }}");
        let answer = world.answer(Request::new(document)).await;
        let error = answer["errors"][0].clone();
        assert_eq!(error["extensions"]["code"], "BAD_REQUEST", "{answer:#}");
        (error["message"].as_str().unwrap().to_owned(), error["extensions"]["known"].clone())
    };
    let (message, known) = refused("(byAttribute: \"area\")").await;
    assert!(message.contains("no attributes here"), "{message}");
    assert_eq!(known, json!([]));
    let instrument = instrument(&world).await;
    let customer = world.customer("Ada").await;
    let done = respond(&world, &instrument, &customer, 9, "G").await;
    let position = done["position"].as_str().unwrap().parse().unwrap();
    world.engine.at_least(position, &[], std::time::Duration::from_secs(10)).await.unwrap();
    for arguments in
        ["(byAttribute: \"aera\")", "(filter: { attribute: { name: \"aera\", value: \"G\" } })"]
    {
        let (message, known) = refused(arguments).await;
        assert!(message.contains("`aera`") && message.contains("`area`, `hall`"), "{message}");
        assert_eq!(known, json!(["area", "hall"]));
    }
    let both = "(byAttribute: \"hall\", filter: { attribute: { name: \"area\", value: \"G\" } })";
    assert!(refused(both).await.0.contains("one attribute at a time"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attribute_of_a_response_has_one_value_and_a_name_that_can_be_asked_for() {
    let world = World::new().await;
    let (instrument, customer) = (instrument(&world).await, world.customer("Ada").await);
    let attribute = |name: &str| json!({ "name": name, "value": "G" });
    for attributes in [
        json!([attribute("area"), attribute("area")]),
        json!([attribute("")]),
        json!([attribute("a=b")]),
    ] {
        let input = json!({
            "customer": customer, "instrument": instrument, "attributes": attributes,
            "answers": [{ "question": "recommend", "value": { "score": 9 } }],
        });
        let refused = world.act("submitResponse", "SubmitResponseInput", "response", input).await;
        assert_eq!(refusal(&refused), ("BAD_ATTRIBUTE", vec!["input", "attributes"]));
    }
}

/// The bounds of an interval as its definition's text says, of an NPS in points.
fn interval_of(text: &str, p: f64, d: f64, n: f64) -> (f64, f64) {
    let (p, d, n) = if text.contains("n' = n_eff+3") {
        ((p * n + 0.75) / (n + 3.0), (d * n + 0.75) / (n + 3.0), n + 3.0)
    } else {
        assert!(text.contains("sqrt((p+d-(p-d)²)/n_eff)"), "{text}");
        (p, d, n)
    };
    let half = 1.96 * ((p + d - (p - d) * (p - d)) / n).sqrt();
    ((100.0 * (p - d - half)).max(-100.0), (100.0 * (p - d + half)).min(100.0))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weighted_figure_says_the_weighted_formula_and_was_computed_by_it() {
    let world = World::new().await;
    let scale = json!({ "min": 0, "max": 10, "direction": "HIGHER_IS_BETTER" });
    let question = |name: &str, metric: &str| json!({ "name": name, "wording": "?", "scale": scale, "metric": metric });
    let input = json!({ "name": "After a call", "language": "en", "questions": [
        question("recommend", "NPS"), question("easy", "OTHER"),
    ] });
    let fields = "instrument { id }";
    let done = world.act("publishInstrument", "PublishInstrumentInput", fields, input).await;
    let mut last = Value::Null;
    // Σw = 6, of promoters 3, of detractors 1; Σw² = 14.
    for (score, weight) in [(10, 3.0), (8, 2.0), (0, 1.0)] {
        let answer = |name| json!({ "question": name, "value": { "score": score } });
        let input = json!({
            "customer": world.customer("Ada").await, "instrument": done["instrument"]["id"],
            "weight": weight, "answers": [answer("recommend"), answer("easy")],
        });
        last = world.act("submitResponse", "SubmitResponseInput", "response", input).await;
        accepted(&last);
    }
    let last: cx_model::Position = last["position"].as_str().unwrap().parse().unwrap();
    world.engine.at_least(last, &[], std::time::Duration::from_secs(10)).await.unwrap();
    let figure = async |metric: &str, interval: &str| {
        let document = format!(
            "{{ satisfaction(filter: {{metric: {metric}}}, weighted: true, interval: {interval}) {{
                value mean effectiveN interval {{ low high }} definition {{ name text }} }} }}"
        );
        world.ask(&document, json!({})).await["satisfaction"][0].clone()
    };
    let near = |value: &Value, expected: f64| {
        let value = value.as_f64().unwrap();
        assert!((value - expected).abs() < 0.01, "{value} is not {expected}");
    };
    let kish = 36.0 / 14.0;
    for interval in ["ADJUSTED_WALD", "WALD"] {
        let nps = figure("NPS", interval).await;
        assert_eq!(nps["definition"]["name"], "weighted_nps");
        near(&nps["value"], 100.0 * (3.0 - 1.0) / 6.0);
        near(&nps["effectiveN"], kish);
        let text = nps["definition"]["text"].as_str().unwrap();
        let (low, high) = interval_of(text, 3.0 / 6.0, 1.0 / 6.0, kish);
        near(&nps["interval"]["low"], low);
        near(&nps["interval"]["high"], high);
    }
    let document = "{ satisfaction(filter: {metric: NPS}) { cells } }";
    let cell = world.ask(document, json!({})).await["satisfaction"][0]["cells"][0].clone();
    let document = "query($key: String!) { explain(view: \"satisfaction\", key: $key) { row } }";
    let shown = world.ask(document, json!({ "key": cell })).await["explain"]["row"].clone();
    for policy in ["all", "first", "latest"] {
        let ten = &shown[policy]["by_score"]["10"];
        assert_eq!(ten, &json!({ "n": 1, "weight": 3.0, "weight_squared": 9.0 }), "{shown}");
    }
    let mean = figure("OTHER", "WALD").await;
    assert_eq!(mean["definition"]["name"], "weighted_mean");
    near(&mean["mean"], (10.0 * 3.0 + 8.0 * 2.0) / 6.0);
    near(&mean["effectiveN"], kish);
}
