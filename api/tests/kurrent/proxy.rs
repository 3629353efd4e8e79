//! A network between a client and a server that does what networks do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

/// What the network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// Nothing but its work.
    Fair,
    /// Everything is late.
    Late(Duration),
    /// Connections are reset, new ones too.
    Reset,
    /// Connections look open and carry nothing, new ones too; those that lost something stay so.
    Swallow,
    /// One byte a second.
    Dribble,
    /// A connection ends after so many more bytes to the client, in a frame most likely.
    Cut(u32),
}

/// The network, until it is dropped.
pub struct Proxy {
    pub address: SocketAddr,
    weather: Arc<watch::Sender<Weather>>,
    carried: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// Before a server.
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let weather = Arc::new(watch::Sender::new(Weather::Fair));
        let shared = Arc::clone(&weather);
        let carried = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&carried);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server, Arc::clone(&shared), Arc::clone(&counted)));
            }
        });
        Self { address, weather, carried, task }
    }

    /// How many bytes went to the client.
    pub fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }

    /// Lets the weather be so from now on.
    pub fn let_be(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.weather.send_replace(Weather::Reset);
        self.task.abort();
    }
}

/// Carries one connection until it ends.
async fn carry(
    client: TcpStream,
    server: SocketAddr,
    weather: Arc<watch::Sender<Weather>>,
    carried: Arc<AtomicU64>,
) {
    let mut seen = weather.subscribe();
    if *seen.borrow() == Weather::Reset {
        let _ = client.set_zero_linger();
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else { return };
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let (client_reads, client_writes) = client.into_split();
    let (server_reads, server_writes) = server.into_split();
    let up = pump(client_reads, server_writes, weather.subscribe(), None);
    let down = pump(server_reads, client_writes, weather.subscribe(), Some(carried));
    // Whatever ends one way ends both.
    tokio::select! {
        () = up => {}
        () = down => {}
        _ = seen.wait_for(|weather| *weather == Weather::Reset) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
    to_client: Option<Arc<AtomicU64>>,
) {
    let mut buffer = vec![0; 64 << 10];
    let mut lost = false;
    let mut left = None;
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        acknowledge(&from);
        let mut bytes = &buffer[..read];
        let now = *weather.borrow();
        lost |= now == Weather::Swallow;
        if lost {
            continue;
        }
        match now {
            Weather::Late(time) => sleep_until(Instant::now() + time).await,
            Weather::Cut(after) if to_client.is_some() => {
                let after = left.unwrap_or(after as usize);
                left = Some(after.saturating_sub(read));
                bytes = &bytes[..read.min(after)];
            }
            _ => {}
        }
        let written = if now == Weather::Dribble {
            dribble(&mut to, bytes, &mut weather).await
        } else {
            to.write_all(bytes).await
        };
        if let Some(carried) = &to_client {
            carried.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        if written.is_err() || left == Some(0) {
            break;
        }
    }
    if lost {
        // Nobody hears of its end either, until the other side gives up.
        std::future::pending::<()>().await;
    }
}

async fn dribble(
    to: &mut OwnedWriteHalf,
    bytes: &[u8],
    weather: &mut watch::Receiver<Weather>,
) -> std::io::Result<()> {
    for (place, byte) in bytes.iter().enumerate() {
        to.write_all(&[*byte]).await?;
        let better = weather.wait_for(|weather| *weather != Weather::Dribble);
        if timeout(Duration::from_secs(1), better).await.is_ok() {
            return to.write_all(&bytes[place + 1..]).await;
        }
    }
    Ok(())
}

/// The client leaves Nagle's algorithm on: without this each of its calls is 40 ms late.
#[cfg(target_os = "linux")]
fn acknowledge(from: &OwnedReadHalf) {
    let _ = from.as_ref().set_quickack(true);
}

#[cfg(not(target_os = "linux"))]
fn acknowledge(_: &OwnedReadHalf) {}
