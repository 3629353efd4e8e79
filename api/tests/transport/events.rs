use super::server::Server;

const EVENT: &str = r#"{"specversion":"1.0","id":"1","source":"/crm","type":"cx.InteractionRecorded","subject":"crm:7","time":"2026-01-02T03:04:05Z","data":{"kind":"CALL"}}"#;
const STRUCTURED: (&str, &str) = ("content-type", "application/cloudevents+json");
const BATCH: (&str, &str) = ("content-type", "application/cloudevents-batch+json; charset=utf-8");

#[tokio::test]
async fn an_event_is_taken_once_whatever_mode_it_comes_in() {
    let server = Server::start().await;
    let taken = server.ask("POST /events", &[STRUCTURED], EVENT).await;
    assert_eq!((taken.status, taken.json()["items"][0]["outcome"].as_str()), (200, Some("taken")));
    let binary = [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/crm"),
        ("ce-type", "cx.InteractionRecorded"),
        ("ce-subject", "crm:M%C3%BCller"),
    ];
    let repeated = server.ask("POST /events", &binary, "{\"kind\":\"CALL\"}").await;
    assert_eq!(repeated.json()["items"][0]["outcome"], "repeated");
    let batch = format!(
        "[{EVENT}, {}, 7]",
        EVENT.replace("\"id\":\"1\"", "\"id\":\"2\"").replace("cx.Inter", "cx.Other")
    );
    let answer = server.ask("POST /events", &[BATCH], &batch).await.json();
    let outcomes: Vec<_> =
        (0..3).map(|n| answer["items"][n]["outcome"].as_str().unwrap().to_owned()).collect();
    assert_eq!(outcomes, ["repeated", "quarantined", "refused"]);
    assert_eq!((answer["taken"].as_u64(), answer["repeated"].as_u64()), (Some(0), Some(1)));
}

#[tokio::test]
async fn what_is_no_event_is_told_why() {
    let server = Server::start().await;
    let cases = [
        (EVENT.replace("1.0", "0.3"), "specversion"),
        (EVENT.replace("\"id\":\"1\"", "\"id\":\"\""), "id"),
        (EVENT.replace("2026-01-02T03:04:05Z", "yesterday"), "time"),
        (EVENT.replace("\"source\":\"/crm\",", ""), "source"),
        (EVENT.replace("\"data\":{\"kind\":\"CALL\"}", "\"data_base64\":\"!\""), "data"),
    ];
    for (event, reason) in cases {
        let answer = server.ask("POST /events", &[STRUCTURED], &event).await;
        let text = answer.json()["items"][0]["reason"].as_str().unwrap().to_owned();
        assert!(answer.status == 400 && text.contains(reason), "{text}");
    }
    assert_eq!(server.ask("POST /events", &[STRUCTURED], "{").await.status, 400);
    assert_eq!(server.ask("POST /events", &[("content-type", "text/csv")], "a").await.status, 415);
    let by_get = server.ask("GET /events", &[], "").await;
    assert_eq!((by_get.status, by_get.header("allow")), (405, Some("post")));
    let twice = EVENT.replace("/crm", "/twice");
    let answer = server.ask("POST /events", &[STRUCTURED], &twice).await;
    assert_eq!((answer.status, answer.json()["conflict"].as_u64()), (409, Some(1)));
    assert_eq!(answer.json()["items"][0]["outcome"], "conflict");
    let batch = server.ask("POST /events", &[BATCH], &format!("[{EVENT},{twice}]")).await;
    assert_eq!((batch.status, batch.json()["taken"].as_u64()), (200, Some(1)));
    let busy = server.ask("POST /events", &[STRUCTURED], &EVENT.replace("/crm", "/busy")).await;
    assert_eq!((busy.status, busy.header("retry-after")), (429, Some("1")));
}
