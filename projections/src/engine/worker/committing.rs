//! Commits: when rows are written, who sees them then, and when they are surely in the files.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Worker;
use crate::folder::Head;
use crate::projection::Projection;
use crate::store::StoreError;

/// How often what was written is made to survive the process.
pub(super) const FLUSH_EVERY: Duration = Duration::from_millis(500);
/// How long rows may wait for their commit while there is history to fold.
const COMMIT_AT_LEAST_EVERY: Duration = Duration::from_secs(5);

impl<V: Projection> Worker<V> {
    /// All views together hold back only so much; of those, one of the largest commits.
    pub(super) fn is_commit_due(&mut self) -> bool {
        self.book_keep();
        let all = self.settings.overlay_bytes_now.load(Ordering::Relaxed);
        let full = all >= self.settings.overlay_bytes && self.booked * 8 >= all;
        // Rows that many events change are best written seldom: at most a fifth of the time.
        let patience = COMMIT_AT_LEAST_EVERY.max(self.last_commit_took * 4);
        full || (self.served && self.last_commit.elapsed() >= patience)
    }

    pub(super) fn commit(&mut self) -> Result<(), StoreError> {
        if self.shared.damaged.swap(false, Ordering::AcqRel) {
            if self.served {
                return Err(crate::stored::damaged("a reader met a damaged row"));
            }
            // The old generation, which nobody can mend: its code is gone.
            self.serve_nothing();
        }
        let start = Instant::now();
        if self.uncommitted > 0 && self.folder.only_head_moved() && !self.head_must_be_written {
            self.move_head();
        } else if self.uncommitted > 0 {
            let staged = self.folder.stage(self.check.is_some())?;
            let store = self.folder.store().clone();
            if self.served {
                let mut active = self.shared.active.write().unwrap_or_else(PoisonError::into_inner);
                store.apply()?;
                active.head = staged.head.clone();
            } else {
                store.apply()?;
            }
            self.progress().head = staged.head.clone();
            if self.served {
                self.shared.heads.send_replace(staged.head);
            }
            store.settle()?;
            if let Some(check) = &mut self.check {
                for (key, before, now) in staged.deltas {
                    check.change(&key, before, now);
                }
            }
            self.committed();
            self.last_commit_took = start.elapsed();
        }
        self.look_after()
    }

    pub(super) fn committed(&mut self) {
        self.uncommitted = 0;
        self.last_commit = Instant::now();
        self.head_must_be_written = false;
        self.folder.overlay.discard();
        self.book_keep();
    }

    /// Events that changed no row move the head in memory; it is written with the next flush.
    pub(super) fn move_head(&mut self) {
        let head = self.folder.head.clone();
        self.progress().head = head.clone();
        if self.served {
            self.shared.active.write().unwrap_or_else(PoisonError::into_inner).head = head.clone();
            self.shared.heads.send_replace(head);
        }
        self.committed();
    }

    /// Tells the other views how much memory this one's changed rows take.
    pub(super) fn book_keep(&mut self) {
        let bytes = self.folder.overlay.bytes();
        let all = &self.settings.overlay_bytes_now;
        if bytes >= self.booked {
            all.fetch_add(bytes - self.booked, Ordering::Relaxed);
        } else {
            all.fetch_sub(self.booked - bytes, Ordering::Relaxed);
        }
        self.booked = bytes;
    }

    /// What is done between batches, events or not.
    pub(super) fn look_after(&mut self) -> Result<(), StoreError> {
        if self.last_flush.elapsed() >= FLUSH_EVERY {
            self.flush()?;
            self.report();
        }
        let Some(mut check) = self.check.take() else { return Ok(()) };
        if check.step(&**self.folder.store(), 1_000)? {
            check.compare(&self.committed_head())?;
            self.progress().verified = true;
        } else {
            self.check = Some(check);
        }
        Ok(())
    }

    pub(super) fn committed_head(&self) -> Head {
        // Between commits the folder's root is that of the last commit: roots move in `stage`.
        self.folder.head.clone()
    }

    pub(super) fn flush(&mut self) -> Result<(), StoreError> {
        self.last_flush = Instant::now();
        if self.uncommitted == 0 && self.flushed < self.folder.head.ordinal {
            self.folder.commit()?;
            self.folder.store().flush()?;
            self.directory().note_flushed(&self.folder.head)?;
            self.flushed = self.folder.head.ordinal;
        }
        Ok(())
    }

    pub(super) fn close(&mut self) -> Result<(), StoreError> {
        self.commit()?;
        self.last_flush = Instant::now();
        self.folder.commit()?;
        self.folder.store().flush()?;
        self.directory().note_flushed(&self.folder.head)?;
        self.directory().mark_clean()
    }
}
