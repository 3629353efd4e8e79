//! Small views that show one trait each.

use cx_model::{Channel, CustomerId, Event, InteractionId, Recorded, StreamName};
use serde::{Deserialize, Serialize};

use crate::projection::{Figure, Projection, customer_lane, lane_of_customer};
use crate::rows::Rows;

/// A sum over customers, which corrections and voidings take back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Traffic {
    pub contacts: i64,
    pub seconds: i64,
}

impl Figure for Traffic {
    fn add(&mut self, delta: &Self) {
        self.contacts += delta.contacts;
        self.seconds += delta.seconds;
    }
}

/// What an interaction said, to be taken back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Said {
    channel: Option<Channel>,
    seconds: i64,
}

impl Projection for Traffic {
    const NAME: &'static str = "traffic";
    type Key = Channel;
    type View = Self;
    type Private = ((CustomerId, InteractionId), Said);

    fn lane(event: &Recorded) -> u64 {
        customer_lane(event)
    }

    fn lane_of(_: &Channel) -> Option<u64> {
        None
    }

    fn apply(event: &Recorded, rows: &mut Rows<'_, Self>) {
        let Some(customer) = event.customer() else { return };
        match &event.event {
            Event::InteractionRecorded(recorded) => {
                let seconds = i64::from(recorded.duration_seconds.unwrap_or(0));
                let said = Said { channel: Some(recorded.channel), seconds };
                rows.add(&recorded.channel, &Traffic { contacts: 1, seconds });
                rows.put_private(&(customer, recorded.interaction), said);
            }
            Event::InteractionVoided(voided) => {
                if let Some(said) = rows.take_private(&(customer, voided.interaction))
                    && let Some(channel) = said.channel
                {
                    rows.add(&channel, &Traffic { contacts: -1, seconds: -said.seconds });
                }
            }
            _ => {}
        }
    }
}

/// Counts a customer's interactions, and panics over the kind `poison`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Touchy {
    pub count: u32,
}

impl Projection for Touchy {
    const NAME: &'static str = "touchy";
    type Key = CustomerId;
    type View = Self;
    type Private = ();

    fn lane(event: &Recorded) -> u64 {
        customer_lane(event)
    }

    fn lane_of(customer: &CustomerId) -> Option<u64> {
        Some(lane_of_customer(*customer))
    }

    fn stream_of(customer: &CustomerId) -> Option<StreamName> {
        Some(customer.stream())
    }

    fn apply(event: &Recorded, rows: &mut Rows<'_, Self>) {
        let Some(customer) = event.customer() else { return };
        if let Event::InteractionRecorded(recorded) = &event.event {
            rows.update(&customer, |row| row.count += 1);
            assert!(recorded.kind != "poison", "this fold does not like its event");
        }
    }
}

macro_rules! counting {
    ($($(#[$doc:meta])* $name:ident { $field:ident: $number:ty } by $step:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        pub(crate) struct $name {
            pub $field: $number,
        }

        impl Projection for $name {
            const NAME: &'static str = "counting";
            type Key = CustomerId;
            type View = Self;
            type Private = ();

            fn apply(event: &Recorded, rows: &mut Rows<'_, Self>) {
                let Some(customer) = event.customer() else { return };
                rows.update(&customer, |row| row.$field += $step);
            }
        }
    )*};
}

counting! {
    /// The first code of a view.
    CountingOnes { count: u64 } by 1;
    /// Its fold changed, its rows look the same.
    CountingTwos { count: u64 } by 2;
    /// Its rows look different.
    CountingDown { left: i64 } by -1;
}
