//! Connections that ask for nothing: their requests are counted, and who has none for long goes.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use tokio::sync::watch;

use super::Draining;

/// What is open on a connection.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    open: usize,
    any: bool,
}

/// The requests of one connection. Clones share the count.
#[derive(Debug, Clone, Default)]
pub(crate) struct Requests(watch::Sender<Count>);

/// A request that is open until this is dropped.
#[derive(Debug)]
pub(crate) struct Open(watch::Sender<Count>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|count| count.open -= 1);
    }
}

impl Requests {
    /// Another request.
    pub(crate) fn begin(&self) -> Open {
        self.0.send_modify(|count| *count = Count { open: count.open + 1, any: true });
        Open(self.0.clone())
    }

    /// Until none was open for so long: `first` before any came, `later` after the last.
    async fn none_for(&self, first: Duration, later: Duration) {
        let mut counts = self.0.subscribe();
        loop {
            let count = *counts.borrow_and_update();
            if count.open > 0 {
                // The sender is here: it cannot be gone.
                let _ = counts.changed().await;
                continue;
            }
            let patience = if count.any { later } else { first };
            if tokio::time::timeout(patience, counts.changed()).await.is_err() {
                return;
            }
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
pub(crate) struct Answering {
    body: Body,
    _request: Open,
}

impl Answering {
    /// An answer to a request.
    pub fn new(body: Body, request: Open) -> Self {
        Self { body, _request: request }
    }
}

impl hyper::body::Body for Answering {
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
