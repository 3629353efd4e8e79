//! The seam behind which the rows of one view are kept: sorted bytes, and a batch that is written
//! whole or not at all.

pub(crate) mod disk;
pub(crate) mod memory;

use std::ops::Bound;

/// The rows cannot be kept or read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// What was read is not what was written. The engine puts the directory aside and builds anew.
    #[error("the rows of a view are damaged: {reason}")]
    Damaged {
        /// What does not agree.
        reason: String,
    },
    /// The disk failed.
    #[error("the rows of a view cannot be kept: {reason}; check the disk, then restart")]
    Failed {
        /// How.
        reason: String,
    },
}

/// What one commit changes: sorted by key, `None` removes.
pub(crate) type Changes = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// A stretch of keys.
#[derive(Debug, Clone)]
pub(crate) struct Stretch {
    pub from: Bound<Vec<u8>>,
    pub to: Bound<Vec<u8>>,
    pub reverse: bool,
}

impl Stretch {
    /// All keys that begin so.
    pub fn under(prefix: &[u8]) -> Self {
        let mut end = prefix.to_vec();
        let to = loop {
            match end.pop() {
                None => break Bound::Unbounded,
                Some(0xFF) => {}
                Some(byte) => {
                    end.push(byte + 1);
                    break Bound::Excluded(end);
                }
            }
        };
        Self { from: Bound::Included(prefix.to_vec()), to, reverse: false }
    }
}

/// Sees each row of a scan; `false` ends it.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<bool, StoreError>;

/// Where rows are kept. One writer at a time calls `stage`, `apply`, `settle`, in this order; what
/// readers see changes in `apply` and nowhere else.
pub(crate) trait Store: Send + Sync + 'static {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// The rows of a stretch of keys, in order.
    fn scan(&self, stretch: &Stretch, visit: Visit<'_>) -> Result<(), StoreError>;

    /// Prepares a commit. Readers see nothing of it yet.
    fn stage(&self, changes: Changes) -> Result<(), StoreError>;

    /// Makes what was staged visible, all of it, quickly.
    fn apply(&self) -> Result<(), StoreError>;

    /// Finishes the writing of what is visible already.
    fn settle(&self) -> Result<(), StoreError>;

    /// Sees to it that what was settled survives the process, and answers with how sure it is.
    fn flush(&self) -> Result<(), StoreError>;

    /// The bytes it takes on disk.
    fn size_bytes(&self) -> u64;
}
