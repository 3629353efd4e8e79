use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::server::Server;

const FOLLOW: &str = "subscription { timeline(customer: \"1\") { position entry { kind } } }";

async fn open(server: &Server, headers: &str) -> TcpStream {
    let body = serde_json::json!({ "query": FOLLOW }).to_string();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\naccept: text/event-stream\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    server.send(format!("{head}{body}").as_bytes()).await
}

/// Reads until the text contains `what`.
async fn until(stream: &mut TcpStream, what: &str) -> String {
    let mut text = String::new();
    let mut piece = [0; 4096];
    while !text.contains(what) {
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut piece));
        let n = read.await.unwrap_or_else(|_| panic!("no {what} in {text}")).unwrap();
        assert!(n > 0, "the stream ended before {what}: {text}");
        text += &String::from_utf8_lossy(&piece[..n]);
    }
    text
}

#[tokio::test]
async fn an_event_stream_goes_on_exactly_where_it_was_cut() {
    let server = Server::start().await;
    server.desk.record("1", "FIRST");
    server.desk.record("2", "ANOTHERS");
    let mut stream = open(&server, "").await;
    let text = until(&mut stream, "FIRST").await;
    assert!(text.contains("event: next\nid: 1\ndata: {\"data\":"), "{text}");
    server.desk.record("1", "SECOND");
    assert!(until(&mut stream, "SECOND").await.contains("id: 3\n"));
    drop(stream);
    server.desk.record("1", "THIRD");
    let mut resumed = open(&server, "last-event-id: 3\r\n").await;
    let text = until(&mut resumed, "THIRD").await;
    assert!(!text.contains("SECOND") && text.contains("id: 4\n"), "{text}");
    drop(resumed);
    server.stop().await;
}

#[tokio::test]
async fn a_stream_that_is_over_says_complete_and_a_refusal_has_a_status() {
    let server = Server::start().await;
    let events = [("accept", "text/event-stream")];
    let body = "{\"query\":\"subscription { count(to: 2) }\"}";
    let answer = server.post(body, &events).await;
    assert!(answer.body.contains("{\"data\":{\"count\":2}}"), "{}", answer.body);
    assert!(answer.body.contains("event: complete\ndata:\n\n"));
    let by_get = "GET /graphql?query=subscription%7Bcount(to:1)%7D";
    assert!(server.ask(by_get, &events, "").await.body.contains("event: complete"));
    let query = server.post("{\"query\":\"{ thing { name } }\"}", &events).await;
    assert!(query.body.contains("a thing") && query.body.contains("event: complete"));
    let deep = format!("{{\"query\":\"{}\"}}", "{ a ".repeat(100));
    assert_eq!(server.post(&deep, &events).await.status, 400);
    let no_stream = server.post(body, &[]).await;
    assert_eq!(no_stream.status, 406);
}

#[tokio::test]
async fn streams_hear_goodbye_when_the_server_ends() {
    let mut server = Server::start().await;
    server.desk.record("1", "FIRST");
    let mut stream = open(&server, "").await;
    until(&mut stream, "FIRST").await;
    server.signal();
    let goodbye = until(&mut stream, "retry:").await;
    assert!(!goodbye.contains("complete"));
    server.stop().await;
}
