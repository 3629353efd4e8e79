//! Who waits for a run, and how all of them hear of it.

use std::sync::mpsc::SyncSender;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::error::AppendError;
use crate::port::Appended;

/// Fewer tasks than this are woken one by one.
const CROWD: usize = 4;

/// What an append is told.
pub(crate) type Outcome = Result<Vec<Appended>, AppendError>;

/// Who waits.
pub(crate) enum Reply {
    Task(oneshot::Sender<Outcome>, Option<Handle>),
    Thread(SyncSender<Outcome>),
}

impl Reply {
    fn send(self, outcome: Outcome) {
        // Who no longer waits does not need the answer.
        match self {
            Self::Task(sender, _) => drop(sender.send(outcome)),
            Self::Thread(sender) => drop(sender.try_send(outcome)),
        }
    }

    fn runtime(&self) -> Option<&Handle> {
        match self {
            Self::Task(_, runtime) => runtime.as_ref(),
            Self::Thread(_) => None,
        }
    }
}

/// Answers that are sent when this is dropped, whatever becomes of the task that holds it.
#[derive(Default)]
struct Crowd(Vec<(Reply, Outcome)>);

impl Drop for Crowd {
    fn drop(&mut self) {
        for (reply, outcome) in self.0.drain(..) {
            reply.send(outcome);
        }
    }
}

/// Sends all answers. Tasks are woken by a task of their own runtime: from inside, that takes no
/// lock and no call of the system for each.
pub(crate) fn send(answers: impl Iterator<Item = (Reply, Outcome)>) {
    let (mut crowd, mut runtime) = (Crowd::default(), None);
    for (reply, outcome) in answers {
        let same = match (&runtime, reply.runtime()) {
            (None, Some(first)) => {
                runtime = Some(first.clone());
                true
            }
            (Some(known), Some(other)) => known.id() == other.id(),
            (_, None) => false,
        };
        if same {
            crowd.0.push((reply, outcome));
        } else {
            reply.send(outcome);
        }
    }
    if let Some(runtime) = runtime.filter(|_| crowd.0.len() >= CROWD) {
        runtime.spawn(async move { drop(crowd) });
    }
}
