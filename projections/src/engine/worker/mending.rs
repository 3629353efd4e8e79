//! What goes wrong: folds that panic, directories that are damaged, disks that refuse.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cx_model::Recorded;

use super::{CHUNK_EVENTS, Worker};
use crate::engine::reader::Active;
use crate::engine::status::State;
use crate::folder::{Folded, Folder, Head};
use crate::projection::Projection;
use crate::store::StoreError;

impl<V: Projection> Worker<V> {
    /// The fold panicked over an event: everything before it is folded again and committed, its
    /// lane stalls, the rest goes on.
    pub(super) fn stall(&mut self, culprit: &Recorded) -> Result<(), StoreError> {
        self.reset()?;
        while self.folder.head.ordinal + 1 < culprit.ordinal {
            if self.feed.stopped() {
                return Ok(());
            }
            let Some(events) = self.read(self.folder.head.position, CHUNK_EVENTS) else { continue };
            for event in events.iter().take_while(|event| event.ordinal < culprit.ordinal) {
                if self.folder.fold(event) == Folded::Panicked {
                    // Not the one that panicked before: the fold does not depend on its event alone.
                    return self.stall(event);
                }
            }
        }
        self.commit()?;
        tracing::error!(
            view = V::NAME,
            position = %culprit.position,
            event_type = culprit.event.event_type(),
            lane = V::lane(culprit),
            "a fold panicked: its lane stalls until the view's code changes"
        );
        self.folder.stall(culprit);
        self.uncommitted += 1;
        self.head_must_be_written = true;
        self.commit()
    }

    /// Back to the last commit.
    pub(super) fn reset(&mut self) -> Result<(), StoreError> {
        self.folder = Folder::open(self.folder.store().clone())?;
        self.uncommitted = 0;
        Ok(())
    }

    /// Puts the damaged directory aside and begins anew.
    pub(super) fn repair(&mut self, reason: &str) {
        {
            let mut progress = self.progress();
            progress.state = State::Repairing;
            progress.repairs += 1;
            progress.head = Head::default();
            progress.reason = Some(reason.to_owned());
            progress.last_repair = Some(reason.to_owned());
        }
        tracing::error!(
            view = V::NAME,
            reason,
            "a view's directory is damaged: it is put aside and rebuilt"
        );
        if self.served {
            self.serve_nothing();
        }
        while let Err(error) = self.begin_anew(reason) {
            tracing::error!(view = V::NAME, %error, "a view cannot be begun anew; trying again");
            self.feed.rest(Duration::from_secs(1));
            if self.feed.stopped() {
                break;
            }
        }
    }

    pub(super) fn serve_nothing(&self) {
        let generation = self.fingerprint.generation.clone();
        self.shared.serve(Active { store: None, head: Head::default(), generation });
    }

    pub(super) fn begin_anew(&mut self, reason: &str) -> Result<(), StoreError> {
        self.shared.damaged.store(false, Ordering::Release);
        self.folder = Folder::open(Arc::new(crate::store::memory::MemoryStore::default()))?;
        self.uncommitted = 0;
        self.check = None;
        self.flushed = 0;
        self.flipped = false;
        let directory = self.directory();
        if directory.exists() {
            directory.put_aside(reason)?;
        }
        let store = directory.open(&self.fingerprint.meaning, self.settings.cache_bytes)?;
        self.folder = Folder::open(store.clone())?;
        if self.served {
            self.shared.serve(Active {
                store: Some(store),
                head: self.folder.head.clone(),
                generation: self.fingerprint.generation.clone(),
            });
        }
        Ok(())
    }

    /// The disk refuses: everything since the last commit is folded again later.
    pub(super) fn fail(&mut self, reason: &str) {
        tracing::error!(view = V::NAME, reason, "a view cannot write; trying again");
        {
            let mut progress = self.progress();
            progress.state = State::Failing;
            progress.reason = Some(reason.to_owned());
        }
        self.feed.rest(Duration::from_secs(1));
        if let Err(StoreError::Damaged { reason }) = self.reset() {
            self.repair(&reason);
        }
    }
}
