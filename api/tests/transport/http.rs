use std::time::Duration;

use cx_api::auth::Tokens;
use cx_api::documents::{Trust, Trusted};
use cx_api::executor::ExecutorConfig;
use cx_api::http::{ApiConfig, StatusRules};
use cx_api::serve::{ServeError, bind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::server::Server;

const MUTATION: &str =
    "mutation { registerCustomer(input: {kind: PERSON, name: \"A\"}) { position } }";

#[tokio::test]
async fn a_mutation_never_comes_by_get() {
    let server = Server::start().await;
    let by_get =
        "GET /graphql?query=mutation%7BregisterCustomer(input:%7Bkind:PERSON%7D)%7Bposition%7D%7D";
    let answer = server.ask(by_get, &[], "").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("post")));
    assert_eq!(server.desk.head().commit(), 0);
    // The operation that is named counts, not one that stands beside it.
    let two = "query%20Q%7Bthing%7Bname%7D%7D%20mutation%20M%7BregisterCustomer(input:%7Bkind:PERSON%7D)%7Bposition%7D%7D";
    let answer = server.ask(&format!("GET /graphql?query={two}&operationName=Q"), &[], "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = server.ask(&format!("GET /graphql?query={two}&operationName=M"), &[], "").await;
    assert_eq!(answer.status, 405);
    assert_eq!(server.desk.head().commit(), 0);
}

#[tokio::test]
async fn an_address_without_anything_says_where_to_ask() {
    let server = Server::start().await;
    let answer = server.ask("GET /nothing", &[], "").await;
    assert_eq!(answer.status, 404);
    assert!(answer.body.contains("/graphql"), "{answer:?}");
}

#[tokio::test]
async fn who_has_an_answer_already_is_told_so() {
    let server = Server::start().await;
    let line = "GET /graphql?query=%7Bthing%7Bname%7D%7D";
    let first = server.ask(line, &[], "").await;
    let tag = first.header("etag").unwrap().to_owned();
    for known in [tag.clone(), format!("\"other\", W/{tag}"), "*".into()] {
        let again = server.ask(line, &[("if-none-match", &known)], "").await;
        assert_eq!((again.status, again.header("etag")), (304, Some(tag.as_str())), "{known}");
    }
    let other = server.ask(line, &[("if-none-match", "\"other\"")], "").await;
    assert_eq!((other.status, other.json()), (200, first.json()));
    let failed = server.ask("GET /graphql?query=%7Bnothing%7D", &[], "").await;
    assert_eq!(failed.header("etag"), None);
}

#[tokio::test]
async fn only_json_and_only_get_and_post_are_taken() {
    let server = Server::start().await;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/json; charset=latin1",
    ] {
        let answer = server.ask("POST /graphql", &[("content-type", kind)], "{}").await;
        assert_eq!((answer.status, answer.code().as_str()), (415, "BAD_REQUEST"), "{kind}");
    }
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer = server.ask(&format!("{method} /graphql"), &[], "").await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("get, post")), "{method}");
    }
    let answer = server.post("[{\"query\":\"{ thing { name } }\"}]", &[]).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "BAD_REQUEST"));
    let answer =
        server.post("{\"query\":\"{ thing { name } }\"}", &[("accept", "text/html")]).await;
    assert_eq!(answer.status, 406);
}

#[tokio::test]
async fn other_hosts_and_origins_are_sent_away() {
    let server = Server::start().await;
    let body = "{\"query\":\"{ thing { name } }\"}";
    for headers in
        [("host", "evil.example"), ("origin", "https://evil.example"), ("origin", "null")]
    {
        assert_eq!(server.post(body, &[headers]).await.status, 403, "{headers:?}");
        assert_eq!(server.ask("GET /health/live", &[headers], "").await.status, 403);
    }
    let near = server.post(body, &[("origin", "http://localhost:3000")]).await;
    assert_eq!((near.status, near.header("access-control-allow-origin")), (200, None));
}

#[tokio::test]
async fn a_page_that_may_call_across_sites_is_named_exactly() {
    let mut config = ApiConfig::default();
    config.origins = vec!["https://desk.example".into()];
    let server = Server::with(config, ExecutorConfig::default(), None).await;
    let origin = [("origin", "https://desk.example")];
    let before = server.ask("OPTIONS /graphql", &origin, "").await;
    assert_eq!(before.status, 204);
    let answer = server.post("{\"query\":\"{ thing { name } }\"}", &origin).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://desk.example"));
}

#[tokio::test]
async fn a_body_is_read_to_its_limit_and_no_further() {
    let server = Server::start().await;
    let declared = server.post(&" ".repeat(300 << 10), &[]).await;
    assert_eq!(declared.status, 413);
    // A body in pieces does not say how long it will be: the server hangs up on the way.
    let head = "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut stream = server.send(head.as_bytes()).await;
    let piece = format!("10000\r\n{}\r\n", " ".repeat(0x1_0000));
    let mut sent = 0_usize;
    while sent < 300 << 20 {
        match tokio::time::timeout(Duration::from_secs(2), stream.write_all(piece.as_bytes())).await
        {
            Ok(Ok(())) => sent += 0x1_0000,
            _ => break,
        }
    }
    assert!(sent < 64 << 20, "{sent} bytes were taken");
    let mut answer = String::new();
    let mut start = vec![0; 64];
    if let Ok(n) = stream.read(&mut start).await {
        answer = String::from_utf8_lossy(&start[..n]).into_owned();
    }
    assert!(answer.is_empty() || answer.contains("413"), "{answer}");
}

#[tokio::test]
async fn an_answer_carries_its_position_and_the_request_its_demand() {
    let server = Server::start().await;
    server.desk.record("1", "CALL");
    let answer = server.query("{ timeline(customer: \"1\") { edges { cursor } } }").await;
    assert_eq!(answer.header("cx-position"), Some("1"));
    assert_eq!(answer.json()["extensions"]["position"], "1");
    let body = "{\"query\":\"{ atLeast }\"}";
    let answer = server.post(body, &[("cx-at-least", "17")]).await;
    assert_eq!(answer.json()["data"]["atLeast"], "17");
    let wrong = server.post(body, &[("cx-at-least", "soon")]).await;
    assert_eq!((wrong.status, wrong.code().as_str()), (400, "BAD_REQUEST"));
}

#[tokio::test]
async fn every_error_has_a_code_and_the_id_of_its_request() {
    let server = Server::start().await;
    for body in [
        "",
        "{",
        "[]",
        "{}",
        "{\"query\":7}",
        "{\"query\":\"{ nope }\"}",
        "{\"query\":\"{ panics }\"}",
    ] {
        let answer = server.post(body, &[]).await;
        let extensions = answer.json()["errors"][0]["extensions"].clone();
        assert!(!answer.code().is_empty(), "{answer:?}");
        assert_eq!(extensions["requestId"].as_str(), answer.header("x-request-id"), "{body}");
    }
    let deep = format!("{{\"query\":\"{{ a }}\",\"variables\":{{\"v\":{}", "[".repeat(5_000));
    let answer = server.post(&deep, &[]).await;
    assert_eq!(answer.json()["errors"][0]["extensions"]["rule"], "variables_nesting");
}

#[tokio::test]
async fn statuses_and_media_types_follow_what_is_accepted() {
    let mut newer = ApiConfig::default();
    newer.statuses = StatusRules::NewerDraft;
    let today = Server::start().await;
    let newer = Server::with(newer, ExecutorConfig::default(), None).await;
    let response_json = [("accept", "application/graphql-response+json, application/json;q=0.9")];
    let plain = [("accept", "application/json")];
    let cases = [
        ("{ nope }", 200, 400, 422),
        ("{", 200, 400, 400),
        ("{ thing { mayFail } }", 200, 200, 294),
        ("{ thing { name } }", 200, 200, 200),
    ];
    for (document, as_plain, as_response, in_newer) in cases {
        let body = serde_json::json!({ "query": document }).to_string();
        assert_eq!(today.post(&body, &plain).await.status, as_plain, "{document}");
        let answer = today.post(&body, &response_json).await;
        assert_eq!(answer.status, as_response, "{document}");
        let kind = answer.header("content-type").unwrap();
        assert!(kind.starts_with("application/graphql-response+json"), "{kind}");
        assert_eq!(newer.post(&body, &response_json).await.status, in_newer, "{document}");
        let failed = answer.json().get("data").is_none();
        assert_eq!(failed, as_response == 400, "{document}");
    }
}

#[tokio::test]
async fn what_takes_too_long_is_told_so() {
    let mut executor = ExecutorConfig::default();
    executor.deadline = Duration::from_millis(20);
    let server = Server::with(ApiConfig::default(), executor, None).await;
    let answer = server.query("{ forEver }").await;
    assert_eq!((answer.status, answer.code().as_str()), (504, "TIMEOUT"));
}

fn tokens() -> Tokens {
    let line = |role: &str, token: &str| {
        use sha2::{Digest, Sha256};
        let hash = Sha256::digest(token.as_bytes());
        let hex = hash.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        format!("{role} {hex}\n")
    };
    let text = line("reader", "read") + &line("writer", "write") + &line("auditor", "audit");
    Tokens::parse(&text).unwrap()
}

#[tokio::test]
async fn with_tokens_each_role_does_what_it_may() {
    let server =
        Server::with(ApiConfig::default(), ExecutorConfig::default(), Some(tokens())).await;
    let ask = |document: &'static str, token: &'static str| {
        let server = &server;
        async move {
            let body = serde_json::json!({ "query": document }).to_string();
            let value = format!("Bearer {token}");
            server.post(&body, &[("authorization", &value)]).await
        }
    };
    let without = server.query("{ thing { name } }").await;
    assert_eq!((without.status, without.code().as_str()), (401, "UNAUTHENTICATED"));
    assert_eq!(without.header("www-authenticate"), Some("bearer"));
    assert_eq!(ask("{ thing { name } }", "guess").await.status, 401);
    assert_eq!(ask("{ thing { name } }", "read").await.status, 200);
    let forbidden = ask(MUTATION, "read").await;
    assert_eq!((forbidden.status, forbidden.code().as_str()), (403, "FORBIDDEN"));
    assert_eq!(ask(MUTATION, "audit").await.status, 403);
    assert_eq!(ask(MUTATION, "write").await.status, 200);
    let page = "{ timeline(customer: \"1\", first: 1000) { edges { cursor } } }";
    assert_eq!(ask(page, "audit").await.json()["data"]["timeline"]["edges"], serde_json::json!([]));
    assert_eq!(ask(page, "read").await.json()["errors"][0]["extensions"]["rule"], "page");
    assert_eq!(server.ask("GET /metrics", &[], "").await.status, 401);
    assert_eq!(server.ask("GET /health/ready", &[], "").await.status, 200);
}

#[tokio::test]
async fn beyond_loopback_nobody_listens_without_tokens() {
    let everywhere = ([0, 0, 0, 0], 0).into();
    assert!(matches!(bind(everywhere, None).await, Err(ServeError::Unprotected { .. })));
    assert!(bind(everywhere, Some(&tokens())).await.is_ok());
}

#[tokio::test]
async fn health_and_metrics_tell_how_it_is() {
    let server = Server::start().await;
    server.query("{ thing { name } }").await;
    server.query("{ nope }").await;
    server.query(&"{ a ".repeat(100)).await;
    assert_eq!(server.ask("GET /health/live", &[], "").await.body, "alive\n");
    let ready = server.ask("GET /health/ready", &[], "").await;
    assert_eq!((ready.status, ready.json()["ready"].as_bool()), (200, Some(true)));
    let page = server.ask("GET /metrics", &[], "").await.body;
    for line in [
        "cx_graphql_answers_total{operation=\"query\",code=\"OK\"} 1",
        "cx_graphql_answers_total{operation=\"query\",code=\"VALIDATION_FAILED\"} 1",
        "cx_refusals_total{rule=\"nesting\"} 1",
        "cx_graphql_duration_seconds_count 2",
    ] {
        assert!(page.contains(line), "{line} is not in\n{page}");
    }
}

#[tokio::test]
async fn what_was_begun_is_answered_before_the_server_ends() {
    let mut server = Server::start().await;
    let mut half = server.send(b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 30\r\n\r\n{\"query\":").await;
    // An answer to another request shows that the half one has been taken up.
    server.query("{ thing { name } }").await;
    server.signal();
    half.write_all(b"\"{ thing { name } }\"}").await.unwrap();
    let mut answer = String::new();
    half.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("a thing"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn a_trusted_document_is_named_instead_of_sent_and_others_may_be_kept_out() {
    let (thing, head) = ("query Q { thing { name } }", "{ ledger { head } }");
    let manifest = serde_json::json!({ "q1": thing, "m1": MUTATION }).to_string();
    for trust in [Trust::Prefer, Trust::Require] {
        let mut config = ApiConfig::default();
        config.trusted = Trusted::parse(manifest.as_bytes(), trust).unwrap();
        let server = Server::with(config, ExecutorConfig::default(), None).await;
        let by_id = server.post(r#"{"documentId":"q1","operationName":"Q"}"#, &[]).await;
        assert_eq!(
            (by_id.status, &by_id.json()["data"]["thing"]["name"]),
            (200, &"a thing".into())
        );
        let by_get = server.ask("GET /graphql?documentId=q1", &[], "").await;
        assert_eq!(by_get.json(), by_id.json());
        // A mutation by GET stays one, however it is named.
        let by_get = server.ask("GET /graphql?documentId=m1", &[], "").await;
        assert_eq!(by_get.status, 405);
        let unknown = server.post(r#"{"documentId":"q2"}"#, &[]).await;
        assert_eq!((unknown.status, unknown.code().as_str()), (404, "NOT_FOUND"));
        assert_eq!(server.query(thing).await.status, 200);
        let brought = server.query(head).await;
        match trust {
            Trust::Require => {
                assert_eq!((brought.status, brought.code().as_str()), (403, "FORBIDDEN"));
            }
            _ => assert_ne!(brought.code(), "FORBIDDEN"),
        }
    }
    let server = Server::start().await;
    let none = server.post(r#"{"documentId":"q1"}"#, &[]).await;
    assert_eq!((none.status, none.code().as_str()), (400, "BAD_REQUEST"));
}
