//! The embedded log behind the port.

use cx_model::{Position, StreamName};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use jiff::Timestamp;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{oneshot, watch};

use super::answer::Reply;
use super::{DEADLINE, EmbeddedLog};
use crate::error::{AppendError, ReadError};
use crate::port::{Append, Appended, Direction, Follow, Health, Ledger, RawEvent};

/// Runs something that blocks without holding up other tasks: in place where the runtime has other
/// threads, on a thread for such work where it has not.
async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    unless_it_ended(work).await.expect("a runtime runs while something in it waits for a read")
}

/// As [`off_the_runtime`]; `None` if the runtime ended before it came to the work.
async fn unless_it_ended<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::CurrentThread) => match tokio::task::spawn_blocking(work).await {
            Ok(done) => Some(done),
            Err(ended) if ended.is_cancelled() => None,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        },
        Ok(_) => Some(tokio::task::block_in_place(work)),
        Err(_) => Some(work()),
    }
}

/// The duty to make a run durable, on its way to a thread. A runtime that ends drops it there: then
/// it falls to the committing thread, or nobody would ever lead.
struct Duty(Option<EmbeddedLog>);

impl Duty {
    fn lead(mut self) {
        if let Some(log) = self.0.take() {
            log.shared().lead();
        }
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        if let Some(log) = &self.0 {
            log.shared().hand_over();
        }
    }
}

impl Ledger for EmbeddedLog {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        let answers = self.append_many(vec![append]);
        async move { answers.await.map(|answers| answers[0]) }.boxed()
    }

    fn append_many(
        &self,
        appends: Vec<Append>,
    ) -> BoxFuture<'_, Result<Vec<Appended>, AppendError>> {
        async move {
            let (sender, answer) = oneshot::channel();
            if self.begin(appends, Reply::Task(sender, Handle::try_current().ok()))? {
                let duty = Duty(Some(self.clone()));
                // Nothing tells time in a runtime that ended: the append stands, or it does not.
                unless_it_ended(move || duty.lead()).await.ok_or(AppendError::Timeout)?;
            }
            let answer = match Handle::try_current() {
                Ok(_) => tokio::time::timeout(DEADLINE, answer).await,
                Err(_) => Ok(answer.await),
            };
            answer.map_err(|_| AppendError::Timeout)?.map_err(|_| AppendError::Timeout)?
        }
        .boxed()
    }

    fn read_stream<'a>(
        &'a self,
        stream: &'a StreamName,
        from: u64,
        direction: Direction,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<RawEvent>, ReadError>> {
        let (log, stream) = (self.clone(), stream.clone());
        off_the_runtime(move || log.read_stream_blocking(&stream, from, direction, limit)).boxed()
    }

    fn read_all(
        &self,
        from: Position,
        direction: Direction,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<RawEvent>, ReadError>> {
        let log = self.clone();
        off_the_runtime(move || log.read_all_blocking(from, direction, limit)).boxed()
    }

    fn read_stream_within<'a>(
        &'a self,
        stream: &'a StreamName,
        from: u64,
        direction: Direction,
        limit: usize,
        bytes: u64,
    ) -> BoxFuture<'a, Result<Vec<RawEvent>, ReadError>> {
        let (log, stream) = (self.clone(), stream.clone());
        let read = move || log.shared().read_stream(&stream, from, direction, limit, bytes);
        off_the_runtime(read).boxed()
    }

    fn read_all_within(
        &self,
        from: Position,
        direction: Direction,
        limit: usize,
        bytes: u64,
    ) -> BoxFuture<'_, Result<Vec<RawEvent>, ReadError>> {
        let log = self.clone();
        off_the_runtime(move || log.shared().read_all(from, direction, limit, bytes)).boxed()
    }

    fn head(&self) -> BoxFuture<'_, Result<Position, ReadError>> {
        ready(Ok(self.head_now())).boxed()
    }

    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Position, ReadError>> {
        let log = self.clone();
        off_the_runtime(move || log.position_at_blocking(time)).boxed()
    }

    fn follow(&self, after: Position) -> Box<dyn Follow> {
        let head = self.shared().head.subscribe();
        Box::new(Following { log: self.clone(), head, after })
    }

    fn health(&self) -> Health {
        self.health_now()
    }
}

struct Following {
    log: EmbeddedLog,
    head: watch::Receiver<u64>,
    after: Position,
}

impl Follow for Following {
    fn next(&mut self, limit: usize) -> BoxFuture<'_, Result<Vec<RawEvent>, ReadError>> {
        async move {
            loop {
                let head = Position::new(*self.head.borrow_and_update());
                if head > self.after {
                    let (log, after) = (self.log.clone(), self.after);
                    let events =
                        off_the_runtime(move || log.read_next_blocking(after, limit.max(1)))
                            .await?;
                    if let Some(last) = events.last() {
                        self.after = last.position;
                        return Ok(events);
                    }
                }
                self.head
                    .changed()
                    .await
                    .map_err(|_| ReadError::Engine { reason: "the log was closed".into() })?;
            }
        }
        .boxed()
    }
}
