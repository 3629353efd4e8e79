//! Answers that are not taken: how much is held of them over all connections, and how long.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use hyper::body::Frame;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tonic::Status;

use super::fault::{Fault, MESSAGE_LIMIT};
use super::portion::READ_BYTES;

/// How many bytes of pages are held at once.
const BYTES: usize = 256 << 20;
/// How many of them one page counts for at most.
const PAGE: usize = BYTES / 4;
/// What is set aside for a page before it is read.
const UNREAD: usize = READ_BYTES as usize + MESSAGE_LIMIT;
/// How long a read waits for room before it is told to come again.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a client may leave what was read for it.
pub(super) const UNTAKEN: Duration = Duration::from_secs(20);
/// The most that is handed to a connection at a time: what it has cannot be taken back.
const PIECE: usize = 64 << 10;

/// Room for the pages that are read for clients. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Pages {
    free: Arc<Semaphore>,
    patience: Duration,
}

impl Default for Pages {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(BYTES)), patience: PATIENCE }
    }
}

impl Pages {
    /// Room for a page that was not read yet.
    pub async fn unread(&self) -> Result<OwnedSemaphorePermit, Fault> {
        self.take(UNREAD).await
    }

    /// Room for a page of this size, of what was set aside for it if something was.
    pub async fn of(
        &self,
        unread: Option<OwnedSemaphorePermit>,
        bytes: usize,
    ) -> Result<OwnedSemaphorePermit, Fault> {
        let bytes = bytes.min(PAGE);
        let Some(mut unread) = unread else { return self.take(bytes).await };
        let set_aside = unread.num_permits();
        if bytes > set_aside {
            unread.merge(self.take(bytes - set_aside).await?);
        } else {
            drop(unread.split(set_aside - bytes));
        }
        Ok(unread)
    }

    /// How much is free.
    #[cfg(test)]
    pub fn free(&self) -> usize {
        self.free.available_permits()
    }

    async fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Fault> {
        let taking = Arc::clone(&self.free).acquire_many_owned(bytes as u32);
        let full = "too much is being read at once and not taken; read again in a moment";
        let taken = tokio::time::timeout(self.patience, taking).await;
        let taken = taken.map_err(|_| Fault::Unavailable(full.into()))?;
        Ok(taken.expect("the room is never closed"))
    }
}

/// The body of an answer that ends, and gives back what it holds, if it is left for too long.
pub(super) fn taken(body: Body, patience: Duration) -> Body {
    let left = Left { body: Some(body), rest: Bytes::new(), offered: None, told: false };
    let left = Arc::new(Mutex::new(left));
    let watching = tokio::spawn(watch(Arc::downgrade(&left), patience));
    Body::new(Taking { left, watching: watching.abort_handle() })
}

/// What is left of an answer.
struct Left {
    /// None once it was left for too long.
    body: Option<Body>,
    /// Of a frame, what was not handed to the connection.
    rest: Bytes,
    /// When the connection got something, unless it asked for more since.
    offered: Option<Instant>,
    /// Whether the client was told that it came too late.
    told: bool,
}

struct Taking {
    left: Arc<Mutex<Left>>,
    watching: AbortHandle,
}

impl Drop for Taking {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

async fn watch(left: Weak<Mutex<Left>>, patience: Duration) {
    let mut next = Instant::now() + patience;
    loop {
        tokio::time::sleep_until(next).await;
        let Some(left) = left.upgrade() else { return };
        let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
        next = left.offered.unwrap_or_else(Instant::now) + patience;
        if next <= Instant::now() {
            left.body = None;
            left.rest = Bytes::new();
            return;
        }
    }
}

impl Left {
    fn piece(&mut self) -> Frame<Bytes> {
        let piece = self.rest.split_to(PIECE.min(self.rest.len()));
        // A copy: a part of it would keep the whole.
        Frame::data(Bytes::copy_from_slice(&piece))
    }

    fn too_late(&mut self) -> Option<Frame<Bytes>> {
        if std::mem::replace(&mut self.told, true) {
            return None;
        }
        let late = "what was read was not taken in time; read again from where this ended";
        let mut trailers = HeaderMap::new();
        let told = Status::from(Fault::Unavailable(late.into())).add_header(&mut trailers);
        told.is_ok().then(|| Frame::trailers(trailers))
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(self.piece())));
        }
        let Some(body) = &mut self.body else { return Poll::Ready(self.too_late().map(Ok)) };
        let frame = ready!(hyper::body::Body::poll_frame(Pin::new(body), context));
        Poll::Ready(match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) if data.len() > PIECE => {
                    self.rest = data;
                    Some(Ok(self.piece()))
                }
                Ok(data) => Some(Ok(Frame::data(data))),
                Err(frame) => Some(Ok(frame)),
            },
            other => other,
        })
    }
}

impl hyper::body::Body for Taking {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let polled = left.poll(context);
        left.offered = polled.is_ready().then(Instant::now);
        polled
    }

    fn is_end_stream(&self) -> bool {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = left.body.as_ref().map_or(left.told, hyper::body::Body::is_end_stream);
        ended && left.rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::stream::{self, StreamExt};
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn what_is_not_taken_in_time_is_given_back_and_the_read_ends() {
        let room = Pages { free: Arc::new(Semaphore::new(UNREAD)), patience: PATIENCE };
        let place = room.of(Some(room.unread().await.unwrap()), UNREAD).await.unwrap();
        let page = stream::iter([Ok::<_, Infallible>(vec![7; 3 * PIECE])]);
        let waits = stream::pending();
        let body = page.chain(waits).map(move |page| {
            let _held = &place;
            page
        });
        let mut body = taken(Body::from_stream(body), Duration::from_millis(50));
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap().len(), PIECE);
        // Another finds room only because the page was given back.
        drop(room.unread().await.unwrap());
        let end = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
        assert_eq!(end["grpc-status"], "14");
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn a_read_that_was_taken_whole_and_waits_for_more_stays() {
        let page = stream::iter([Ok::<_, Infallible>(vec![7; 2 * PIECE + 1])]);
        let (sender, more) = futures::channel::oneshot::channel::<()>();
        let more = stream::once(async move {
            more.await.unwrap();
            Ok(vec![8])
        });
        let patience = Duration::from_millis(5);
        let mut body = taken(Body::from_stream(page.chain(more)), patience);
        for bytes in [PIECE, PIECE, 1] {
            let frame = body.frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap().len(), bytes);
        }
        let more = tokio::time::timeout(4 * patience, body.frame()).await;
        assert!(more.is_err(), "nothing ends it meanwhile");
        sender.send(()).unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), vec![8]);
    }

    #[tokio::test]
    async fn a_page_that_finds_no_room_in_time_is_told_to_come_again() {
        let free = Arc::new(Semaphore::new(UNREAD));
        let room = Pages { free, patience: Duration::from_millis(1) };
        let small = room.of(Some(room.unread().await.unwrap()), 1).await.unwrap();
        assert!(matches!(room.unread().await, Err(Fault::Unavailable(_))));
        drop(small);
        assert!(room.unread().await.is_ok());
    }
}
