//! A keep-alive client of a few lines: it sends requests that were made before and reads answers
//! by their length, so that it costs both servers the same and little.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bench::machine;

/// One server and what it is asked, in turn.
pub struct Load {
    address: SocketAddr,
    requests: Arc<[Vec<u8>]>,
}

/// What a round saw.
pub struct Round {
    /// How long each request took, in microseconds.
    pub latencies: Vec<f64>,
    /// How long the round took.
    pub took: Duration,
    /// The share of it that the client's thread was busy.
    pub client_busy: f64,
    /// The processor time of everything else in this process, in seconds: the server's.
    pub server_seconds: f64,
}

impl Round {
    /// Requests a second.
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }
}

/// A POST of JSON.
pub fn post(to: SocketAddr, path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: {to}\r\naccept: application/json\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A GET.
pub fn get(to: SocketAddr, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: {to}\r\naccept: application/json\r\n\r\n").into_bytes()
}

impl Load {
    /// A server and its requests.
    pub fn new(address: SocketAddr, requests: Vec<Vec<u8>>) -> Self {
        Self { address, requests: requests.into() }
    }

    /// The body of the first request's answer.
    pub fn once(&self) -> anyhow::Result<Vec<u8>> {
        client()?.block_on(async {
            let mut connection = Connection::open(self.address).await?;
            let body = connection.ask(&self.requests[0]).await?;
            Ok(connection.held[body..].to_vec())
        })
    }

    /// Asks on so many connections, each waiting for its answer, for so long.
    pub fn run(&self, connections: usize, length: Duration) -> anyhow::Result<Round> {
        let (address, requests) = (self.address, Arc::clone(&self.requests));
        let thread = std::thread::spawn(move || {
            client()?.block_on(round(address, requests, connections, length))
        });
        thread.join().map_err(|_| anyhow::anyhow!("the client panicked"))?
    }
}

fn client() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

async fn round(
    address: SocketAddr,
    requests: Arc<[Vec<u8>]>,
    connections: usize,
    length: Duration,
) -> anyhow::Result<Round> {
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(Connection::open(address).await?);
    }
    let (start, busy, all) = (Instant::now(), thread_seconds(), machine::cpu_seconds());
    let mut tasks = tokio::task::JoinSet::new();
    for (number, mut connection) in open.into_iter().enumerate() {
        let requests = Arc::clone(&requests);
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            let mut next = number * 7;
            while start.elapsed() < length {
                let sent = Instant::now();
                connection.ask(&requests[next % requests.len()]).await?;
                latencies.push(sent.elapsed().as_secs_f64() * 1e6);
                next += 1;
            }
            anyhow::Ok(latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(task) = tasks.join_next().await {
        latencies.extend(task??);
    }
    let took = start.elapsed();
    let client = thread_seconds() - busy;
    let server_seconds = machine::cpu_seconds() - all - client;
    let client_busy = client / took.as_secs_f64();
    Ok(Round { latencies, took, client_busy, server_seconds })
}

/// The processor time of this thread, in seconds.
fn thread_seconds() -> f64 {
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = line.split_whitespace().next().and_then(|text| text.parse::<u64>().ok());
    nanoseconds.unwrap_or(0) as f64 / 1e9
}

struct Connection {
    stream: TcpStream,
    held: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, held: Vec::with_capacity(64 << 10) })
    }

    /// Sends a request and reads its answer; says where the body begins.
    async fn ask(&mut self, request: &[u8]) -> anyhow::Result<usize> {
        self.stream.write_all(request).await?;
        self.held.clear();
        loop {
            if self.stream.read_buf(&mut self.held).await? == 0 {
                bail!("the server closed the connection");
            }
            let Some(end) = self.held.windows(4).position(|four| four == b"\r\n\r\n") else {
                continue;
            };
            let head = std::str::from_utf8(&self.held[..end])?;
            if !head.starts_with("HTTP/1.1 200") {
                bail!("the server answered {head}");
            }
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.context("an answer without a length")?.parse()?;
            let body = end + 4;
            while self.held.len() < body + length {
                if self.stream.read_buf(&mut self.held).await? == 0 {
                    bail!("the server closed the connection");
                }
            }
            return Ok(body);
        }
    }
}

/// A percentile over all requests of all rounds, in microseconds.
pub fn percentile(rounds: &[Round], part: f64) -> f64 {
    let mut all: Vec<f64> =
        rounds.iter().flat_map(|round| round.latencies.iter().copied()).collect();
    all.sort_by(f64::total_cmp);
    let place = ((all.len() as f64 * part) as usize).min(all.len().saturating_sub(1));
    all.get(place).copied().unwrap_or(0.0)
}
