//! How much of what clients send is held at once, over all appends.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::FutureExt;
use futures::future::BoxFuture;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

use super::fault::Fault;

/// How many bytes of appends are held at once.
const BYTES: usize = 256 << 20;
/// How long an append waits for room before it is told to come again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Room for what clients send. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Room {
    free: Arc<Semaphore>,
    patience: Duration,
}

/// What one call has of the room, until it is dropped or gives it back.
#[derive(Debug, Clone, Default)]
pub(super) struct Held(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl Default for Room {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(BYTES)), patience: PATIENCE }
    }
}

impl Room {
    /// A body whose bytes are counted from when they come in until it is dropped, or given back.
    pub fn counted(&self, body: Body) -> (Body, Held) {
        let held = Held::default();
        let counted = Counted { body, room: self.clone(), held: held.clone(), waiting: None };
        (Body::new(counted), held)
    }

    async fn take(self, bytes: u32) -> Result<OwnedSemaphorePermit, Status> {
        let room = tokio::time::timeout(self.patience, self.free.acquire_many_owned(bytes));
        let full = "too much is being appended at once; append again in a moment";
        let room = room.await.map_err(|_| Status::from(Fault::Unavailable(full.into())))?;
        Ok(room.expect("the room is never closed"))
    }
}

impl Held {
    /// Gives so many bytes back.
    pub fn give_back(&self, bytes: usize) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = held.as_mut() {
            drop(held.split(bytes.min(held.num_permits())));
        }
    }

    fn add(&self, room: OwnedSemaphorePermit) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match held.as_mut() {
            Some(held) => held.merge(room),
            None => *held = Some(room),
        }
    }

    fn give_all_back(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// A piece of a body that waits for room, and the waiting.
type Waiting = (Frame<Bytes>, BoxFuture<'static, Result<OwnedSemaphorePermit, Status>>);

struct Counted {
    body: Body,
    room: Room,
    held: Held,
    waiting: Option<Waiting>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.held.give_all_back();
    }
}

impl hyper::body::Body for Counted {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let this = &mut *self;
        if this.waiting.is_none() {
            let frame = match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => return Poll::Ready(None),
            };
            let bytes = frame.data_ref().map_or(0, Bytes::len) as u32;
            match Arc::clone(&this.room.free).try_acquire_many_owned(bytes) {
                Ok(room) => {
                    this.held.add(room);
                    return Poll::Ready(Some(Ok(frame)));
                }
                Err(_) => this.waiting = Some((frame, this.room.clone().take(bytes).boxed())),
            }
        }
        let Some((_, waiting)) = &mut this.waiting else { return Poll::Pending };
        let room = ready!(waiting.as_mut().poll(context));
        let frame = this.waiting.take().map(|(frame, _)| frame);
        Poll::Ready(match room {
            Ok(room) => {
                this.held.add(room);
                frame.map(Ok)
            }
            Err(status) => Some(Err(status.into())),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.waiting.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // What waits here is not known to the body any more.
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::stream;
    use http_body_util::BodyExt;

    use super::*;

    fn body(pieces: &[usize]) -> Body {
        let pieces: Vec<_> =
            pieces.iter().map(|size| Ok::<_, Infallible>(vec![7; *size])).collect();
        Body::from_stream(stream::iter(pieces))
    }

    async fn next(body: &mut Body) -> Option<Result<usize, axum::Error>> {
        let frame = body.frame().await?;
        Some(frame.map(|frame| frame.into_data().unwrap().len()))
    }

    #[tokio::test]
    async fn what_has_no_room_waits_until_another_has_ended_or_gives_some_back() {
        let free = Arc::new(Semaphore::new(10));
        let room = Room { free: Arc::clone(&free), patience: Duration::from_mins(1) };
        let (mut first, held) = room.counted(body(&[8, 2]));
        let (mut second, _) = room.counted(body(&[4, 6]));
        assert_eq!(next(&mut first).await.unwrap().unwrap(), 8);
        assert!(next(&mut second).now_or_never().is_none());
        held.give_back(2);
        assert_eq!(next(&mut second).await.unwrap().unwrap(), 4);
        assert!(next(&mut second).now_or_never().is_none());
        drop(first);
        assert_eq!(next(&mut second).await.unwrap().unwrap(), 6);
        assert!(next(&mut second).await.is_none());
        assert_eq!(free.available_permits(), 0);
        drop(second);
        assert_eq!(free.available_permits(), 10);
    }

    #[tokio::test]
    async fn what_finds_no_room_in_time_is_told_to_come_again() {
        let free = Arc::new(Semaphore::new(3));
        let room = Room { free: Arc::clone(&free), patience: Duration::from_millis(1) };
        let (mut large, _) = room.counted(body(&[4]));
        let error = next(&mut large).await.unwrap().unwrap_err();
        let status = Status::from_error(error.into());
        assert_eq!(status.code(), tonic::Code::Unavailable, "{status:?}");
        assert_eq!(free.available_permits(), 3);
    }
}
