use std::time::Duration;

use cx_api::executor::ExecutorConfig;
use cx_api::http::ApiConfig;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::server::Server;

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

async fn connect(server: &Server, headers: &[(&'static str, &str)]) -> Result<Socket, Error> {
    let mut request =
        format!("ws://localhost:{}/graphql", server.address.port()).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
    }
    connect_async(request).await.map(|(socket, _)| Socket(socket))
}

const SPOKEN: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

impl Socket {
    async fn open(server: &Server) -> Self {
        let mut socket = connect(server, &[SPOKEN]).await.unwrap();
        socket.say(json!({ "type": "connection_init" })).await;
        assert_eq!(socket.hear().await["type"], "connection_ack");
        socket
    }

    async fn say(&mut self, message: Value) {
        self.0.send(Message::Text(message.to_string().into())).await.unwrap();
    }

    async fn subscribe(&mut self, id: &str, query: &str) {
        self.say(json!({ "type": "subscribe", "id": id, "payload": { "query": query } })).await;
    }

    async fn next(&mut self) -> Message {
        let next = tokio::time::timeout(Duration::from_secs(20), self.0.next());
        next.await.expect("a message in time").expect("a message").expect("an unbroken line")
    }

    /// The next message of the protocol.
    async fn hear(&mut self) -> Value {
        loop {
            match self.next().await {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?} instead of a message"),
            }
        }
    }

    /// The code the server closes with, whatever comes before it.
    async fn closed(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.next().await {
                return frame.unwrap().code.into();
            }
        }
    }
}

#[tokio::test]
async fn a_subscription_delivers_history_then_live_then_ends_when_told() {
    let server = Server::start().await;
    server.desk.record("1", "FIRST");
    let mut socket = Socket::open(&server).await;
    socket
        .subscribe("a", "subscription { timeline(customer: \"1\") { position entry { kind } } }")
        .await;
    let first = socket.hear().await;
    assert_eq!((first["type"].as_str(), first["id"].as_str()), (Some("next"), Some("a")));
    assert_eq!(first["payload"]["data"]["timeline"]["entry"]["kind"], "FIRST");
    assert_eq!(first["payload"]["extensions"]["position"], "1");
    server.desk.record("1", "SECOND");
    assert_eq!(socket.hear().await["payload"]["extensions"]["position"], "2");
    socket.say(json!({ "type": "complete", "id": "a" })).await;
    // The pong says that the server has read what stood before the ping.
    socket.say(json!({ "type": "ping" })).await;
    assert_eq!(socket.hear().await["type"], "pong");
    server.desk.record("1", "UNHEARD");
    // The id is free again at once.
    socket.subscribe("a", "subscription { count(to: 1) }").await;
    assert_eq!(socket.hear().await["payload"]["data"]["count"], 1);
    assert_eq!(socket.hear().await, json!({ "id": "a", "type": "complete" }));
    drop(socket);
    server.stop().await;
}

#[tokio::test]
async fn queries_and_refusals_come_over_the_socket_too() {
    let server = Server::start().await;
    let mut socket = Socket::open(&server).await;
    socket.subscribe("q", "{ thing { name } }").await;
    assert_eq!(socket.hear().await["payload"]["data"]["thing"]["name"], "a thing");
    assert_eq!(socket.hear().await["type"], "complete");
    for (query, code) in [
        ("{ a ".repeat(100), "TOO_COSTLY"),
        ("{ nope }".into(), "VALIDATION_FAILED"),
        ("subscription { nope }".into(), "VALIDATION_FAILED"),
    ] {
        socket.subscribe("q", &query).await;
        let error = socket.hear().await;
        assert_eq!(error["type"], "error", "{error}");
        assert_eq!(error["payload"][0]["extensions"]["code"], code, "{error}");
    }
    socket.say(json!({ "type": "ping" })).await;
    assert_eq!(socket.hear().await["type"], "pong");
}

#[tokio::test]
async fn who_breaks_the_protocol_is_closed_with_its_code() {
    let server = Server::start().await;
    let never = "subscription { timeline(customer: \"nobody\") { position } }";
    let subscribe = json!({ "type": "subscribe", "id": "a", "payload": { "query": never } });
    let init = json!({ "type": "connection_init" });
    let cases = [
        (vec![subscribe.clone()], 4401),
        (vec![init.clone(), init.clone()], 4429),
        (vec![init.clone(), subscribe.clone(), subscribe.clone()], 4409),
        (vec![json!(7)], 4400),
        (vec![json!({ "type": "dance" })], 4400),
        (vec![init.clone(), json!({ "type": "subscribe", "payload": {} })], 4400),
        (
            vec![
                init.clone(),
                json!({ "type": "subscribe", "id": "a", "payload": { "query": 1 } }),
            ],
            4400,
        ),
    ];
    for (messages, code) in cases {
        let mut socket = connect(&server, &[SPOKEN]).await.unwrap();
        for message in &messages {
            socket.say(message.clone()).await;
        }
        assert_eq!(socket.closed().await, code, "{messages:?}");
    }
    let mut socket = connect(&server, &[SPOKEN]).await.unwrap();
    socket.0.send(Message::Text("[".repeat(10_000).into())).await.unwrap();
    assert_eq!(socket.closed().await, 4400);
    let mut silent = connect(&server, &[]).await.unwrap();
    assert_eq!(silent.closed().await, 4406);
}

#[tokio::test]
async fn who_never_begins_is_closed_in_time() {
    let mut config = ApiConfig::default();
    config.live.init_deadline = Duration::from_millis(20);
    let server = Server::with(config, ExecutorConfig::default(), None).await;
    let mut socket = connect(&server, &[SPOKEN]).await.unwrap();
    assert_eq!(socket.closed().await, 4408);
}

#[tokio::test]
async fn a_socket_of_another_origin_is_not_opened() {
    let server = Server::start().await;
    let refused = connect(&server, &[SPOKEN, ("origin", "https://evil.example")]).await;
    assert!(matches!(refused, Err(Error::Http(answer)) if answer.status() == 403));
}

#[tokio::test]
async fn one_connection_holds_a_bounded_number_of_operations() {
    let mut config = ApiConfig::default();
    config.live.operations = 2;
    let server = Server::with(config, ExecutorConfig::default(), None).await;
    let mut socket = Socket::open(&server).await;
    let never = "subscription { timeline(customer: \"nobody\") { position } }";
    for id in ["a", "b", "c"] {
        socket.subscribe(id, never).await;
    }
    let error = socket.hear().await;
    assert_eq!((error["id"].as_str(), error["type"].as_str()), (Some("c"), Some("error")));
    assert_eq!(error["payload"][0]["extensions"]["code"], "TOO_COSTLY");
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_sent_away() {
    let mut config = ApiConfig::default();
    config.live.slow_reader = Duration::from_millis(200);
    let server = Server::with(config, ExecutorConfig::default(), None).await;
    let mut socket = Socket::open(&server).await;
    socket.subscribe("a", "subscription { flood(size: 100000) }").await;
    // Not a byte is read here until the server has given up, which its figures tell.
    loop {
        let page = server.ask("GET /metrics", &[], "").await.body;
        if page.contains("cx_slow_readers_total 1") && page.contains("cx_streams 0") {
            break;
        }
        tokio::task::yield_now().await;
    }
    drop(socket);
    server.stop().await;
}

/// What is asked while nothing is read: beyond the limit (1), and below it, refused each (3).
#[tokio::test]
async fn who_asks_on_without_reading_has_no_more_operations_than_the_limit() {
    for limit in [1, 3] {
        let mut config = ApiConfig::default();
        config.live.slow_reader = Duration::from_millis(300);
        config.live.operations = limit;
        let server = Server::with(config, ExecutorConfig::default(), None).await;
        let mut socket = Socket::open(&server).await;
        socket.subscribe("a", "subscription { flood(size: 100000) }").await;
        // Not a byte is read here until the server has given up, which its figures tell.
        let (mut most, mut asked) = (0, 0);
        loop {
            let page = server.ask("GET /metrics", &[], "").await.body;
            let figure = |name: &str| -> usize {
                let line = page.lines().find_map(|line| line.strip_prefix(name)).unwrap();
                line.trim().parse().unwrap()
            };
            most = most.max(figure("cx_streams "));
            if figure("cx_slow_readers_total ") == 1 && figure("cx_streams ") == 0 {
                break;
            }
            // One at a time, so that each is heard alone.
            if asked < 500 && figure("cx_slow_readers_total ") == 0 {
                socket.subscribe(&asked.to_string(), "{ nope }").await;
                asked += 1;
            }
            tokio::task::yield_now().await;
        }
        assert!(most <= limit, "{most} operations with a limit of {limit}");
        drop(socket);
        server.stop().await;
    }
}

#[tokio::test]
async fn sockets_are_told_goodbye_when_the_server_ends() {
    let mut server = Server::start().await;
    let mut socket = Socket::open(&server).await;
    server.signal();
    assert_eq!(socket.closed().await, 1001);
    drop(socket);
    server.stop().await;
}
