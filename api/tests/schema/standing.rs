//! Moments that the ledger has not reached.

use async_graphql::Request;
use futures::StreamExt;
use serde_json::Value;

use crate::world::World;

fn refused(answer: &Value, head: &str) -> String {
    let error = &answer["errors"][0];
    assert_eq!(error["extensions"]["code"], "BAD_REQUEST", "{answer:#}");
    assert_eq!(error["extensions"]["head"], head, "{answer:#}");
    let message = error["message"].as_str().unwrap().to_owned();
    assert!(message.contains("in the future") && message.contains(head), "{message}");
    message
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_as_of_the_future() {
    let world = World::new().await;
    let customer = world.customer("Ada").await;
    let head = world.book.ledger().head().await.unwrap().to_string();
    let as_of = async |moment: &str| {
        let document = format!(
            "{{ customer(by: {{ id: \"{customer}\" }}, asOf: {{ {moment} }}) {{ name }} }}"
        );
        world.answer(Request::new(document)).await
    };
    refused(&as_of("position: \"99\"").await, &head);
    let said = refused(&as_of("time: \"2999-01-01T00:00:00Z\"").await, &head);
    assert!(said.contains("2999-01-01T00:00:00Z") && said.contains("recorded at"), "{said}");
    let now = jiff::Timestamp::now();
    let answer = as_of(&format!("time: \"{now}\"")).await;
    assert_eq!(answer["data"]["customer"]["name"], "Ada", "{answer:#}");
    let figures = "{ satisfaction(asOf: { time: \"2999-01-01T00:00:00Z\" }) { n } }";
    refused(&world.answer(Request::new(figures)).await, &head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeline_is_not_followed_from_beyond_the_end() {
    let world = World::new().await;
    let customer = world.customer("Ada").await;
    let head = world.book.ledger().head().await.unwrap().to_string();
    let follow = async |after: &str| {
        let document = format!(
            "subscription {{ timeline(customer: \"{customer}\", after: \"{after}\") {{ position }} }}"
        );
        let mut answers = world.stream(Request::new(document));
        serde_json::to_value(answers.next().await.unwrap()).unwrap()
    };
    refused(&follow("99").await, &head);
    let answer = follow("0").await;
    assert_eq!(answer["data"]["timeline"]["position"], "1", "{answer:#}");
    // A stream that is taken up again at a position that is gone is told so as well.
    let document = format!("subscription {{ timeline(customer: \"{customer}\") {{ position }} }}");
    let resume = cx_api::positions::ResumeAfter("99".parse().unwrap());
    let answer = world.stream(Request::new(document).data(resume)).next().await.unwrap();
    refused(&serde_json::to_value(answer).unwrap(), &head);
}
