//! Which segments there are, and whether each follows the one before it.

use super::{Found, Mode, Opening};
use crate::embedded::format::{HEADER, SegmentHeader, segment_name, segment_number, sidecar_name};
use crate::embedded::scan::Window;
use crate::error::OpenError;

impl Opening<'_> {
    fn has_sidecar(&self, number: u32) -> bool {
        self.names.contains(&sidecar_name(number))
    }

    pub(super) fn find_segments(&self) -> Result<Vec<Found>, OpenError> {
        let mut numbers: Vec<_> =
            self.names.iter().filter_map(|name| segment_number(name)).collect();
        numbers.sort_unstable();
        for (expected, &number) in (1..).zip(&numbers) {
            if number != expected {
                return Err(self.damaged(expected, 0, "the segment's file is missing"));
            }
        }
        let last = numbers.last().copied().unwrap_or(0);
        if let Some(sealed) = (last..last + 2).rev().find(|&number| self.has_sidecar(number)) {
            return Err(self.damaged(sealed + 1, 0, "the segment's file is missing"));
        }
        let open = |number| {
            let file = self
                .storage
                .open(&segment_name(number), self.mode == Mode::Write)
                .map_err(self.io(number))?;
            let size = file.size().map_err(self.io(number))?;
            if size < HEADER {
                return Err(self.damaged(number, size, "the segment's file is cut short"));
            }
            let mut bytes = [0; HEADER as usize];
            file.read_at(&mut bytes, 0).map_err(self.io(number))?;
            let empty = bytes.iter().all(|&byte| byte == 0);
            let header = if empty { Ok(None) } else { SegmentHeader::decode(&bytes).map(Some) };
            Ok(Found { number, file, size, header })
        };
        numbers.into_iter().map(open).collect()
    }

    /// How many segments are in use. What follows is prepared: all zeros, or with a header that
    /// was torn before anything was written behind it.
    pub(super) fn count_used(&self, found: &mut [Found]) -> Result<usize, OpenError> {
        let mut used = found.len();
        while used > 0 {
            let segment = &found[used - 1];
            let number = segment.number;
            if matches!(segment.header, Ok(Some(_))) {
                break;
            }
            let mut window = Window::new(segment.file.clone(), segment.size);
            let end = window.end_of_bytes(HEADER).map_err(self.io(number))?;
            let reason = match &segment.header {
                Err(reason) => reason.as_str(),
                _ => "the segment's header is gone",
            };
            // The index of a segment is only written when the header of the next one is durable.
            if end > HEADER || (number > 1 && self.has_sidecar(number - 1)) {
                return Err(self.damaged(number, 0, reason));
            }
            used -= 1;
        }
        Ok(used)
    }

    pub(super) fn check_header(
        &self,
        segment: &Found,
        before: Option<&SegmentHeader>,
    ) -> Result<SegmentHeader, OpenError> {
        let number = segment.number;
        let header = match &segment.header {
            Ok(Some(header)) => header.clone(),
            Ok(None) => return Err(self.damaged(number, 0, "the segment's header is gone")),
            Err(reason) => return Err(self.damaged(number, 0, reason.as_str())),
        };
        if header.number != number {
            return Err(self.damaged(number, 12, "the header is that of another segment"));
        }
        if header.size != segment.size {
            let offset = header.size.min(segment.size);
            return Err(self.damaged(number, offset, "the segment's file has another length"));
        }
        let follows = match before {
            None => header.first_position == 1 && header.previous_end == 0,
            Some(before) => {
                before.ledger == header.ledger
                    && before.first_position <= header.first_position
                    && before.recorded_at <= header.recorded_at
                    && (HEADER..=before.size).contains(&header.previous_end)
            }
        };
        if follows {
            Ok(header)
        } else {
            Err(self.damaged(number, 0, "the segment does not follow the one before it"))
        }
    }
}
