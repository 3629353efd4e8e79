//! What is done whole once it was begun, whether its client stays or not.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::runtime::Handle;

use super::fault::Fault;

/// Does something to its end, even if the client that asked for it goes away meanwhile.
///
/// Whoever waits for it goes on asking for it, or drops it: what is begun may hold up others. So it is
/// for a call with one answer, and not for a stream of answers, which rests while its client takes
/// none.
pub(super) async fn whole<T: Send + 'static>(
    doing: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Result<T, Fault> {
    let cut_off = |_| Fault::Failed("the work was cut off; its outcome is not known".into());
    let doing = AssertUnwindSafe(doing).catch_unwind();
    Whole(Some(doing.map(move |done| done.map_err(cut_off).flatten()).boxed())).await
}

/// Goes on by itself if it is dropped before its end. A task of its own from the beginning would
/// cost every call two changes of threads, for the few whose clients go away.
struct Whole<T: Send + 'static>(Option<BoxFuture<'static, Result<T, Fault>>>);

impl<T: Send + 'static> Future for Whole<T> {
    type Output = Result<T, Fault>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let doing = self.0.as_mut().expect("it is not asked again after its end");
        let done = ready!(doing.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(done)
    }
}

impl<T: Send + 'static> Drop for Whole<T> {
    fn drop(&mut self) {
        if let Some(doing) = self.0.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(doing);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_was_begun_is_done_though_nobody_waits_for_it_any_more() {
        let (go_on, waits) = oneshot::channel::<()>();
        let (tell, told) = oneshot::channel();
        let doing = async move {
            let _ = waits.await;
            tell.send(7).map_err(|_| Fault::Failed("nobody listens".into()))
        };
        let mut asked = Box::pin(whole(doing));
        assert!(asked.as_mut().now_or_never().is_none());
        drop(asked);
        go_on.send(()).unwrap();
        assert_eq!(told.await, Ok(7));
    }

    #[tokio::test]
    async fn what_panics_is_cut_off() {
        let cut: Result<(), Fault> = whole(async { panic!("on purpose") }).await;
        assert!(matches!(cut, Err(Fault::Failed(_))));
    }
}
