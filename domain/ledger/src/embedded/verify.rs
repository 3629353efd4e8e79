//! Reading every byte again: checksums, the chain of digests, and that memory agrees.

use cx_model::Position;

use super::EmbeddedLog;
use super::format::{Digest, HEADER, SegmentHeader, segment_name};
use super::scan::{ScanError, Standing, Stop, Window, walk};
use crate::error::ReadError;

/// What a log is, after every byte of it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// The last position.
    pub head: Position,
    /// The digest of the last append, which vouches for all before it.
    pub digest: Digest,
    /// How many appends there are.
    pub appends: u64,
    /// How many bytes they take.
    pub size_bytes: u64,
}

impl Verified {
    /// The digest in hexadecimal, as people compare it.
    pub fn digest_text(&self) -> String {
        let digits = self.digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
    }
}

impl EmbeddedLog {
    /// Reads every frame up to the head, and checks the checksums and the chain of digests.
    pub fn verify(&self) -> Result<Verified, ReadError> {
        let shared = self.shared();
        let (segments, head, digest) = {
            let index = shared.index();
            let segments: Vec<_> =
                index.segments.iter().map(|s| (s.number, s.place, s.file.clone(), s.end)).collect();
            let count = index.segments.last().map_or(0, |last| last.first_position - 1);
            (segments, count.max(shared.head()), index.digest)
        };
        let mut verified =
            Verified { head: Position::START, digest: [0; 32], appends: 0, size_bytes: 0 };
        for (number, place, file, end) in segments {
            let path = shared.storage.path(&segment_name(number));
            let damaged =
                |offset, reason| ReadError::Damaged { path: path.clone(), offset, reason };
            let failed = |error: std::io::Error| ReadError::Engine {
                reason: format!("{}: {error}", path.display()),
            };
            let mut bytes = [0; HEADER as usize];
            file.read_at(&mut bytes, 0).map_err(failed)?;
            let header = SegmentHeader::decode(&bytes).map_err(|reason| damaged(0, reason))?;
            let follows = header.digest == verified.digest
                && header.first_position == verified.head.commit() + 1;
            if !follows {
                return Err(damaged(0, "the segment does not follow the one before it".into()));
            }
            let mut standing = Standing::at_begin(&header);
            let mut window = Window::new(file, end);
            let stop = walk(&mut window, place, &mut standing, (end, u64::MAX), |_, header, _| {
                verified.appends += u64::from(header.count > 0);
                Ok(())
            });
            match stop {
                Ok(Stop::Arrived) => {}
                Ok(Stop::NoFrame(reason)) => return Err(damaged(standing.end, reason)),
                Err(ScanError::Damaged { offset, reason }) => return Err(damaged(offset, reason)),
                Err(ScanError::Io(error)) => return Err(failed(error)),
            }
            verified.head = Position::new(standing.next_position - 1);
            verified.digest = standing.digest;
            verified.size_bytes += standing.end - HEADER;
        }
        if (verified.head, verified.digest) == (Position::new(head), digest) {
            Ok(verified)
        } else {
            let path = shared.storage.path("");
            let reason = "the files hold another history than the one that was opened".into();
            Err(ReadError::Damaged { path, offset: 0, reason })
        }
    }
}
