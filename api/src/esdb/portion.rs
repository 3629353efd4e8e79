//! How much is read of the ledger at a time.

use cx_ledger::{Direction, Ledger, RawEvent, ReadError};
use cx_model::{Position, StreamName};

/// How many bytes a read of the ledger takes up before it stops; the last event may be over it.
pub(super) const READ_BYTES: u64 = 4 << 20;

/// How many events are read at a time: few at first, more while they are small.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portion(usize);

impl Default for Portion {
    fn default() -> Self {
        Self(16)
    }
}

impl Portion {
    const MOST: usize = 1024;
    const BYTES: usize = 1 << 20;

    pub fn size(self) -> usize {
        self.0
    }

    /// So many and no more than `most`.
    fn at_most(self, most: u64) -> usize {
        self.0.min(usize::try_from(most).unwrap_or(usize::MAX))
    }

    /// Learns from what was read.
    pub fn learn(&mut self, read: &[RawEvent]) {
        let bytes: usize = read.iter().map(|event| event.data.len() + event.metadata.len()).sum();
        let size = bytes / read.len().max(1);
        self.0 = (Self::BYTES / size.max(1)).clamp(1, Self::MOST).min(self.0 * 4);
    }

    /// The next events of a stream, at most so many.
    pub async fn of_stream(
        &mut self,
        ledger: &dyn Ledger,
        stream: &StreamName,
        from: u64,
        direction: Direction,
        most: u64,
    ) -> Result<Vec<RawEvent>, ReadError> {
        let limit = self.at_most(most);
        let read = ledger.read_stream_within(stream, from, direction, limit, READ_BYTES).await?;
        self.learn(&read);
        Ok(read)
    }

    /// The next events of all streams, at most so many.
    pub async fn of_all(
        &mut self,
        ledger: &dyn Ledger,
        from: Position,
        direction: Direction,
        most: u64,
    ) -> Result<Vec<RawEvent>, ReadError> {
        let limit = self.at_most(most);
        let read = ledger.read_all_within(from, direction, limit, READ_BYTES).await?;
        self.learn(&read);
        Ok(read)
    }
}
