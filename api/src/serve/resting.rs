//! Connections that ask for nothing: their requests are counted, and who has none for long goes.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

use super::Draining;

/// The requests of one connection. Clones share the count.
///
/// A request only counts: nobody is woken by it. Who waits for a connection to rest looks when it
/// might have rested long enough.
#[derive(Debug, Clone)]
pub(crate) struct Requests(Arc<Tally>);

#[derive(Debug)]
struct Tally {
    begun: Instant,
    open: AtomicUsize,
    any: AtomicBool,
    /// When one ended last, in microseconds since `begun`.
    ended: AtomicU64,
}

impl Default for Requests {
    fn default() -> Self {
        let (open, any, ended) = Default::default();
        Self(Arc::new(Tally { begun: Instant::now(), open, any, ended }))
    }
}

/// A request that is open until this is dropped.
#[derive(Debug)]
pub(crate) struct Open(Arc<Tally>);

impl Drop for Open {
    fn drop(&mut self) {
        let now = self.0.begun.elapsed().as_micros() as u64;
        self.0.ended.fetch_max(now, Ordering::Relaxed);
        // Who sees the count sees when it became so.
        self.0.open.fetch_sub(1, Ordering::Release);
    }
}

impl Requests {
    /// Another request.
    pub(crate) fn begin(&self) -> Open {
        self.0.any.store(true, Ordering::Relaxed);
        self.0.open.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(&self.0))
    }

    /// Until none was open for so long: `first` before any came, `later` after the last.
    async fn none_for(&self, first: Duration, later: Duration) {
        let start = Instant::now();
        loop {
            let is_open = self.0.open.load(Ordering::Acquire) > 0;
            let any = self.0.any.load(Ordering::Relaxed);
            let patience = if any { later } else { first };
            let ended = Duration::from_micros(self.0.ended.load(Ordering::Relaxed));
            // One that is open ends after now, and so no rest is over before that.
            let since = if is_open { Instant::now() } else { start.max(self.0.begun + ended) };
            if !is_open && since.elapsed() >= patience {
                return;
            }
            // The first may come and end meanwhile.
            tokio::time::sleep_until((since + patience).min(Instant::now() + later)).await;
        }
    }
}

/// How long a connection may rest, and how long it has to end once it should.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rest {
    /// Until its first request.
    pub first: Duration,
    /// Between requests.
    pub later: Duration,
    /// Once it should end.
    pub grace: Duration,
}

/// Serves a connection until it ends, rests for too long, or everything ends. `end` asks it to end
/// in order.
pub(crate) async fn converse<C, E>(
    connection: C,
    end: impl Fn(Pin<&mut C>),
    requests: Requests,
    rest: Rest,
    mut ending: Draining,
) -> Result<(), E>
where
    C: Future<Output = Result<(), E>>,
{
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = ending.begun() => {
            end(connection.as_mut());
            // What takes longer is cut off.
            return tokio::time::timeout(rest.grace, connection).await.unwrap_or(Ok(()));
        }
        () = requests.none_for(rest.first, rest.later) => {}
    }
    end(connection.as_mut());
    // A request that came at this moment is answered; who has none and does not go is put out.
    tokio::select! {
        ended = connection => ended,
        () = requests.none_for(rest.grace, rest.grace) => Ok(()),
    }
}

/// The body of an answer: its request is open while it is there.
pub(crate) struct Counted {
    body: Body,
    _request: Open,
}

impl Counted {
    /// An answer to a request.
    pub fn new(body: Body, request: Open) -> Self {
        Self { body, _request: request }
    }
}

impl hyper::body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
