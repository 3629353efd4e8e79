//! Taking in sealed segments: by their sidecars, on all cores, or by reading those that have none.

use super::{Found, Opening, new_segment};
use crate::embedded::format::{SegmentHeader, sidecar_name};
use crate::embedded::index::{Index, Segment};
use crate::embedded::scan::{Standing, Stop, Window};
use crate::embedded::sidecar::{self, Builder, Summary};
use crate::error::OpenError;

/// So many sidecars are in memory at once.
const AT_ONCE: usize = 16;

/// How many threads load sidecars: a number that divides that of the index's parts.
fn threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    1 << cores.clamp(1, 16).ilog2()
}

/// Works on all items in several threads; the answers are in order.
fn in_threads<T: Sync, U: Send>(items: &[T], work: impl Fn(&T) -> U + Sync) -> Vec<U> {
    let each = items.len().div_ceil(threads()).max(1);
    let work = &work;
    std::thread::scope(|scope| {
        let started: Vec<_> = items
            .chunks(each)
            .map(|items| scope.spawn(move || items.iter().map(work).collect::<Vec<_>>()))
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Vec<U>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        started.into_iter().flat_map(join).collect()
    })
}

/// What the sidecar of a segment must say, by the headers.
fn summary(header: &SegmentHeader, next: &SegmentHeader) -> Summary {
    Summary {
        segment: header.number,
        ledger: header.ledger,
        first_position: header.first_position,
        events: next.first_position - header.first_position,
        end: next.previous_end,
        recorded_at: next.recorded_at,
        digest: next.digest,
    }
}

impl Opening<'_> {
    /// Takes all sealed segments in, in order: by their sidecars, many at once, or by reading those
    /// that have none. How many were read.
    pub(super) fn load_all_sealed(
        &mut self,
        found: &[Found],
        headers: &[SegmentHeader],
    ) -> Result<usize, OpenError> {
        let mut rebuilt = 0;
        let pairs: Vec<_> = headers.windows(2).zip(found).collect();
        for group in pairs.chunks(AT_ONCE) {
            let summaries: Vec<_> =
                group.iter().map(|(pair, _)| summary(&pair[0], &pair[1])).collect();
            let sidecars = in_threads(&summaries, |summary| self.read_sidecar(summary));
            let mut ready = Vec::new();
            for (n, sidecar) in sidecars.into_iter().enumerate() {
                if let Some(bytes) = sidecar {
                    ready.push((n, bytes));
                    continue;
                }
                self.load_sidecars(group, &summaries, &ready)?;
                ready.clear();
                let (pair, found) = group[n];
                self.load_sealed(found, &pair[0], &pair[1], &summaries[n])?;
                rebuilt += 1;
            }
            self.load_sidecars(group, &summaries, &ready)?;
        }
        let threads = threads();
        let Index { streams, ids, .. } = &mut self.index;
        std::thread::scope(|scope| {
            for mut share in sidecar::shares(streams, ids, threads) {
                scope.spawn(move || share.settle());
            }
        });
        Ok(rebuilt)
    }

    /// Takes in segments that follow each other, each thread a share of their streams and ids.
    fn load_sidecars(
        &mut self,
        group: &[(&[SegmentHeader], &Found)],
        summaries: &[Summary],
        ready: &[(usize, Vec<u8>)],
    ) -> Result<(), OpenError> {
        let threads = threads();
        let Index { streams, ids, .. } = &mut self.index;
        let load = |mut share: sidecar::Share<'_>| {
            let load = |(n, bytes): &(usize, Vec<u8>)| share.load(bytes, &summaries[*n]);
            ready.iter().map(load).collect::<Vec<_>>()
        };
        let loaded = std::thread::scope(|scope| {
            let work: Vec<_> = sidecar::shares(streams, ids, threads)
                .map(|share| scope.spawn(move || load(share)))
                .collect();
            let done = work
                .into_iter()
                .map(|share| share.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            // All threads see the same frames; what one of them could not take in, none has.
            let both = |one: Option<_>, other: Option<_>| one.filter(|_| other.is_some());
            let meet = |one: Vec<_>, other: Vec<_>| {
                one.into_iter().zip(other).map(|(a, b)| both(a, b)).collect()
            };
            done.reduce(meet).expect("there is at least one share")
        });
        for ((n, _), frames) in ready.iter().zip(loaded) {
            let (pair, found) = group[*n];
            let path = self.storage.path(&sidecar_name(pair[0].number));
            let reason = "its checksum is right and its contents are not: remove it".into();
            let frames = frames.ok_or(OpenError::Damaged { path, offset: 0, reason })?;
            let segment = new_segment(found, &pair[0], pair[1].previous_end);
            self.index.segments.push(Segment { frames, ..segment });
        }
        Ok(())
    }

    /// Takes a sealed segment in by reading it.
    fn load_sealed(
        &mut self,
        found: &Found,
        header: &SegmentHeader,
        next: &SegmentHeader,
        summary: &Summary,
    ) -> Result<(), OpenError> {
        let number = header.number;
        let mut segment = new_segment(found, header, next.previous_end);
        let mut standing = Standing::at_begin(header);
        let mut builder = Builder::default();
        let mut window = Window::new(found.file.clone(), header.size);
        let to = (next.previous_end, u64::MAX);
        let stop = self.walk_into(&mut window, &mut segment, &mut builder, &mut standing, to)?;
        let reached = (standing.end, standing.next_position, standing.digest);
        if reached != (next.previous_end, next.first_position, next.digest) {
            let reason = match stop {
                Stop::NoFrame(reason) => reason,
                Stop::Arrived => "the segment is not what the next one says".into(),
            };
            return Err(self.damaged(number, standing.end, reason));
        }
        self.index.segments.push(segment);
        self.sidecars.push((number, builder.finish(summary)));
        Ok(())
    }

    /// The sidecar of a segment, if it is whole and says the same as the headers.
    fn read_sidecar(&self, summary: &Summary) -> Option<Vec<u8>> {
        let file = self.storage.open(&sidecar_name(summary.segment), false).ok()?;
        let mut bytes = vec![0; file.size().ok()? as usize];
        file.read_at(&mut bytes, 0).ok()?;
        (sidecar::read_summary(&bytes).as_ref() == Some(summary)).then_some(bytes)
    }
}
