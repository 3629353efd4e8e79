//! Which answers are counted together.

use cx_model::{InstrumentId, TouchpointId};

use crate::key::{Key, KeyError, StartsWith};

/// Which answers a cell counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// Of which questionnaire.
    pub instrument: InstrumentId,
    /// To which question.
    pub question: String,
    /// About which touchpoint, where the answer names another than the question does.
    pub touchpoint: Option<TouchpointId>,
    /// Of responses with this attribute, `name=value`; empty: of all.
    pub attribute: String,
    /// In which month they were given: 12 times the year plus the month, less 1.
    pub month: u32,
}

impl Key for Cell {
    fn encode(&self, out: &mut Vec<u8>) {
        self.instrument.encode(out);
        self.question.encode(out);
        self.touchpoint.encode(out);
        self.attribute.encode(out);
        self.month.encode(out);
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self, KeyError> {
        Ok(Self {
            instrument: Key::decode(bytes)?,
            question: Key::decode(bytes)?,
            touchpoint: Key::decode(bytes)?,
            attribute: Key::decode(bytes)?,
            month: Key::decode(bytes)?,
        })
    }
}

impl StartsWith<InstrumentId> for Cell {}
