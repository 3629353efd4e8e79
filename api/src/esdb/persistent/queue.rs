//! Messages that wait to be handed out, and how many bytes they take up.

use std::collections::VecDeque;

use super::consumers::Message;

/// How many bytes of events wait in a queue, or are with one consumer, before there are no more.
pub(super) const QUEUED_BYTES: usize = 32 << 20;

/// Messages in the order in which they are handed out.
#[derive(Default)]
pub(super) struct Queue {
    messages: VecDeque<Message>,
    bytes: usize,
}

impl Queue {
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there may be one more where so many may wait.
    pub fn has_room(&self, most: usize) -> bool {
        self.messages.len() < most && self.bytes < QUEUED_BYTES
    }

    /// At most so many of them, the next one first.
    pub fn first(&self, count: usize) -> impl Iterator<Item = &Message> {
        self.messages.iter().take(count)
    }

    pub fn push_back(&mut self, message: Message) {
        self.bytes += message.bytes();
        self.messages.push_back(message);
    }

    pub fn push_front(&mut self, message: Message) {
        self.bytes += message.bytes();
        self.messages.push_front(message);
    }

    pub fn remove(&mut self, place: usize) -> Option<Message> {
        let message = self.messages.remove(place)?;
        self.bytes -= message.bytes();
        Some(message)
    }
}

impl Extend<Message> for Queue {
    fn extend<I: IntoIterator<Item = Message>>(&mut self, messages: I) {
        messages.into_iter().for_each(|message| self.push_back(message));
    }
}
