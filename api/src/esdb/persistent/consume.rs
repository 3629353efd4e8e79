//! A consumer's conversation with its group.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tonic::{Status, Streaming};

use super::super::call::PLAIN_LIMIT;
use super::super::event::Ids;
use super::super::fault::{Fault, unread};
use super::super::wire::persistent::{ConsumerAnswer, ConsumerContent, ConsumerReq, ConsumerResp};
use super::super::wire::shared::WireId;
use super::super::wire::streams::Confirmation;
use super::calls::of;
use super::command::{Action, Command, Joined, Wish};
use super::register::{Groups, ended};

/// The most events that one consumer may have at a time.
const SLOTS: usize = 10_000;

/// A consumer, from its options to its end.
pub(super) async fn consume(
    groups: Arc<Groups>,
    name: String,
    mut questions: Streaming<ConsumerReq>,
) -> Result<BoxStream<'static, Result<ConsumerResp, Status>>, Status> {
    let too_large = |status| unread(status, PLAIN_LIMIT);
    let first =
        questions.next().await.transpose().map_err(too_large)?.and_then(|first| first.content);
    let Some(ConsumerContent::Options(options)) = first else {
        return Err(Fault::Bad("a consumer begins with its options".into()).into());
    };
    let key = of(options.of.as_ref(), options.group.clone())?;
    let slots = usize::try_from(options.buffer_size).unwrap_or(0).clamp(1, SLOTS);
    let wish = Wish { ids: Ids::of(options.ids.as_ref()), slots, name };
    let task = groups.task(&key).await?;
    let (answer, joined) = oneshot::channel();
    task.send(Command::Connect { wish, answer }).await.map_err(ended)?;
    let Joined { number, messages } = joined.await.map_err(ended)??;
    let subscription = format!("{}::{}", key.stream(), key.group);
    let confirmation = ConsumerAnswer::Confirmation(Confirmation { subscription });
    let confirmed = stream::iter([Ok(ConsumerResp { content: Some(confirmation) })]);
    let left = Arc::new(AtomicBool::new(false));
    let hearing = Hearing { task, number, questions, left: Arc::clone(&left) };
    tokio::spawn(hearing.hear());
    let told = stream::unfold((messages, left, false), |(mut messages, left, ended)| async move {
        if ended {
            return None;
        }
        let told = match messages.recv().await {
            Some(told) => told,
            // It said that it has no more to say: that is its goodbye, and no fault.
            None if left.load(Ordering::Acquire) => return None,
            None => Err(Status::unavailable("the persistent subscription ended; subscribe again")),
        };
        let ended = told.is_err();
        Some((told, (messages, left, ended)))
    });
    Ok(confirmed.chain(told).boxed())
}

/// Hears what a consumer says until it is gone.
struct Hearing {
    task: mpsc::Sender<Command>,
    number: u64,
    questions: Streaming<ConsumerReq>,
    /// Set when the consumer ended the conversation itself.
    left: Arc<AtomicBool>,
}

impl Hearing {
    async fn hear(mut self) {
        let ids = |ids: &[WireId]| ids.iter().filter_map(WireId::id).collect();
        loop {
            let said = match self.questions.next().await {
                Some(Ok(said)) => said,
                Some(Err(_)) => break,
                None => {
                    self.left.store(true, Ordering::Release);
                    break;
                }
            };
            let consumer = self.number;
            let command = match said.content {
                Some(ConsumerContent::Ack(ack)) => Command::Done { consumer, ids: ids(&ack.ids) },
                Some(ConsumerContent::Nack(nack)) => {
                    let action = match nack.action {
                        1 => Action::Park,
                        3 => Action::Skip,
                        4 => Action::Stop,
                        _ => Action::Retry,
                    };
                    let (ids, reason) = (ids(&nack.ids), nack.reason);
                    Command::NotDone { consumer, ids, action, reason }
                }
                Some(ConsumerContent::Options(_)) | None => break,
            };
            if self.task.send(command).await.is_err() {
                return;
            }
        }
        // The group may have ended first.
        let _ = self.task.send(Command::Gone(self.number)).await;
    }
}
