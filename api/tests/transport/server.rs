//! A server for one test, and a client that says exactly what it is told to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cx_api::auth::Tokens;
use cx_api::executor::{ExecutorConfig, Guarded};
use cx_api::health::AlwaysReady;
use cx_api::http::{Api, ApiConfig};
use cx_api::metrics::ApiMetrics;
use cx_api::serve::{Drain, ServeError, bind, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{intake, schema};

pub struct Server {
    pub address: SocketAddr,
    pub desk: schema::Desk,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<Result<(), ServeError>>,
}

/// What an answer was: status, headers in lower case, body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let line = |line: &'_ str| line.starts_with(&format!("{name}: "));
        self.head.lines().find(|text| line(text)).map(|text| &text[name.len() + 2..])
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    pub fn code(&self) -> String {
        self.json()["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Server {
    pub async fn start() -> Self {
        Self::with(ApiConfig::default(), ExecutorConfig::default(), None).await
    }

    pub async fn with(config: ApiConfig, executor: ExecutorConfig, tokens: Option<Tokens>) -> Self {
        let desk = schema::Desk::default();
        let executor = Guarded::new(schema::schema(desk.clone()), executor, ApiMetrics::default());
        let drain = Drain::default();
        let listener = bind(([127, 0, 0, 1], 0).into(), tokens.as_ref()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Api::new(executor, config, Arc::new(AlwaysReady), drain.clone())
            .with_tokens(tokens)
            .with_intake(Arc::new(intake::Held::default()))
            .router(axum::Router::new());
        let (stop, stopped) = oneshot::channel();
        let signal = async move {
            let _ = stopped.await;
        };
        let serving = tokio::spawn(serve(listener, router, drain, signal));
        Self { address, desk, stop: Some(stop), serving }
    }

    /// Sends the signal and waits for the server to end by itself.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        tokio::time::timeout(Duration::from_secs(20), self.serving)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }

    pub fn signal(&mut self) {
        drop(self.stop.take());
    }

    /// Sends these bytes on a connection of their own.
    pub async fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    /// Sends a request line, headers and a body; reads the answer to its end.
    pub async fn ask(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let host = format!("localhost:{}", self.address.port());
        let mut text = format!("{line} HTTP/1.1\r\nconnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            text = format!("{text}host: {host}\r\n");
        }
        for (name, value) in headers {
            text = format!("{text}{name}: {value}\r\n");
        }
        if !body.is_empty() {
            text = format!("{text}content-length: {}\r\n", body.len());
        }
        let mut stream = self.send(format!("{text}\r\n{body}").as_bytes()).await;
        let mut answer = Vec::new();
        let reading = stream.read_to_end(&mut answer);
        tokio::time::timeout(Duration::from_secs(20), reading).await.unwrap().unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    /// A GraphQL request by POST.
    pub async fn post(&self, body: &str, headers: &[(&str, &str)]) -> Answer {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.ask("POST /graphql", &all, body).await
    }

    pub async fn query(&self, document: &str) -> Answer {
        self.post(&serde_json::json!({ "query": document }).to_string(), &[]).await
    }
}
