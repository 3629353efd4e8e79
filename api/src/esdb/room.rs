//! How much of what clients send is held at once, over all appends.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
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
const BYTES: usize = 320 << 20;
/// How many of them one caller may hold: the largest message of a batch fits.
const SHARE: usize = BYTES / 4;
/// How long an append waits for room before it is told to come again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Callers by name, and what each may still have.
type Shares = HashMap<Option<Arc<str>>, Weak<Semaphore>>;

/// Room for what clients send. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Room {
    free: Arc<Semaphore>,
    share: usize,
    /// What each caller who has some may still have.
    shares: Arc<Mutex<Shares>>,
    patience: Duration,
}

/// Some of the room, and of a caller's share of it, until it is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    room: OwnedSemaphorePermit,
    share: OwnedSemaphorePermit,
}

/// What one call has of the room, until it is dropped or gives it back.
#[derive(Debug, Clone, Default)]
pub(super) struct Held(Arc<Mutex<Option<Taken>>>);

impl Default for Room {
    fn default() -> Self {
        Self::new(BYTES, SHARE, PATIENCE)
    }
}

impl Room {
    fn new(bytes: usize, share: usize, patience: Duration) -> Self {
        Self { free: Arc::new(Semaphore::new(bytes)), share, shares: Arc::default(), patience }
    }

    /// A body whose bytes are counted from when they come in until it is dropped, or given back.
    pub fn counted(&self, caller: Option<Arc<str>>, body: Body) -> (Body, Held) {
        let held = Held::default();
        let place = Place { free: Arc::clone(&self.free), share: self.share_of(caller) };
        let patience = self.patience;
        let counted = Counted { body, place, patience, held: held.clone(), waiting: None };
        (Body::new(counted), held)
    }

    /// How much is free.
    #[cfg(test)]
    pub fn free(&self) -> usize {
        self.free.available_permits()
    }

    fn share_of(&self, caller: Option<Arc<str>>) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares.retain(|_, share| share.strong_count() > 0);
        let share = shares.entry(caller).or_default();
        share.upgrade().unwrap_or_else(|| {
            let new = Arc::new(Semaphore::new(self.share));
            *share = Arc::downgrade(&new);
            new
        })
    }
}

/// Where room is taken: of a caller's share first, then of all there is.
#[derive(Debug, Clone)]
struct Place {
    free: Arc<Semaphore>,
    share: Arc<Semaphore>,
}

impl Place {
    fn take_now(&self, bytes: u32) -> Option<Taken> {
        let share = Arc::clone(&self.share).try_acquire_many_owned(bytes).ok()?;
        let room = Arc::clone(&self.free).try_acquire_many_owned(bytes).ok()?;
        Some(Taken { room, share })
    }

    async fn take(self, bytes: u32, patience: Duration) -> Result<Taken, Status> {
        let taking = async {
            let share = self.share.acquire_many_owned(bytes).await;
            let room = self.free.acquire_many_owned(bytes).await;
            let closed = "the room is never closed";
            Taken { room: room.expect(closed), share: share.expect(closed) }
        };
        let full = "too much is being appended at once; append again in a moment";
        let taken = tokio::time::timeout(patience, taking).await;
        taken.map_err(|_| Fault::Unavailable(full.into()).into())
    }
}

impl Held {
    /// So many bytes of it, to be held by something else.
    pub fn part(&self, bytes: usize) -> Option<Taken> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = held.as_mut()?;
        let bytes = bytes.min(held.room.num_permits());
        Some(Taken { room: held.room.split(bytes)?, share: held.share.split(bytes)? })
    }

    /// All of it, to be held by something else.
    pub fn all(&self) -> Option<Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether it is nothing.
    pub fn is_nothing(&self) -> bool {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().is_none_or(|held| held.room.num_permits() == 0)
    }

    fn add(&self, taken: Taken) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match held.as_mut() {
            Some(held) => {
                held.room.merge(taken.room);
                held.share.merge(taken.share);
            }
            None => *held = Some(taken),
        }
    }
}

/// A piece of a body that waits for room, and the waiting.
type Waiting = (Frame<Bytes>, BoxFuture<'static, Result<Taken, Status>>);

struct Counted {
    body: Body,
    place: Place,
    patience: Duration,
    held: Held,
    waiting: Option<Waiting>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        drop(self.held.all());
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
            if let Some(taken) = this.place.take_now(bytes) {
                this.held.add(taken);
                return Poll::Ready(Some(Ok(frame)));
            }
            let taking = this.place.clone().take(bytes, this.patience);
            this.waiting = Some((frame, taking.boxed()));
        }
        let Some((_, waiting)) = &mut this.waiting else { return Poll::Pending };
        let taken = ready!(waiting.as_mut().poll(context));
        let frame = this.waiting.take().map(|(frame, _)| frame);
        Poll::Ready(match taken {
            Ok(taken) => {
                this.held.add(taken);
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
        let room = Room::new(10, 10, Duration::from_mins(1));
        let free = Arc::clone(&room.free);
        let (mut first, held) = room.counted(Some("ada".into()), body(&[8, 2]));
        let (mut second, _) = room.counted(Some("bob".into()), body(&[4, 6]));
        assert_eq!(next(&mut first).await.unwrap().unwrap(), 8);
        assert!(next(&mut second).now_or_never().is_none());
        drop(held.part(2));
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
        let room = Room::new(3, 3, Duration::from_millis(1));
        let free = Arc::clone(&room.free);
        let (mut large, _) = room.counted(None, body(&[4]));
        let error = next(&mut large).await.unwrap().unwrap_err();
        let status = Status::from_error(error.into());
        assert_eq!(status.code(), tonic::Code::Unavailable, "{status:?}");
        assert_eq!(free.available_permits(), 3);
    }

    #[tokio::test]
    async fn one_caller_leaves_room_for_others_however_many_calls_they_make() {
        let room = Room::new(8, 4, Duration::from_mins(1));
        let ada = || Some("ada".into());
        let (mut first, _) = room.counted(ada(), body(&[3]));
        let (mut second, _) = room.counted(ada(), body(&[2]));
        let (mut third, _) = room.counted(Some("bob".into()), body(&[4]));
        assert_eq!(next(&mut first).await.unwrap().unwrap(), 3);
        assert!(next(&mut second).now_or_never().is_none());
        assert_eq!(next(&mut third).await.unwrap().unwrap(), 4);
        drop(first);
        assert_eq!(next(&mut second).await.unwrap().unwrap(), 2);
    }
}
