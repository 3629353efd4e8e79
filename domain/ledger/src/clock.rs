//! The time at which the ledger stamps events, as a value that a test can replace.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

/// Where the time of recording comes from: the system's clock, or what a test says.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Arc::new(Timestamp::now))
    }

    /// A clock that asks this function.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time, in whole microseconds, as the ledger keeps it.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_microsecond((self.0)().as_microsecond())
            .expect("whole microseconds of a timestamp are a timestamp")
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
