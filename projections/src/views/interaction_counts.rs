//! How often a customer met the organisation on each channel.

use async_graphql::SimpleObject;
use cx_model::{Channel, CustomerId, Event, Recorded, StreamName};
use serde::{Deserialize, Serialize};

use crate::projection::{Projection, customer_lane, lane_of_customer};
use crate::rows::Rows;

/// How often a customer met the organisation on one channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, SimpleObject)]
pub struct InteractionCounts {
    /// Interactions recorded.
    pub interactions: u32,
}

impl Projection for InteractionCounts {
    const NAME: &'static str = "interaction_counts";
    type Key = (CustomerId, Channel);
    type View = Self;
    type Private = ();

    fn lane(event: &Recorded) -> u64 {
        customer_lane(event)
    }

    fn lane_of((customer, _): &Self::Key) -> Option<u64> {
        Some(lane_of_customer(*customer))
    }

    fn stream_of((customer, _): &Self::Key) -> Option<StreamName> {
        Some(customer.stream())
    }

    fn apply(event: &Recorded, rows: &mut Rows<'_, Self>) {
        let Some(customer) = event.customer() else { return };
        if let Event::InteractionRecorded(interaction) = &event.event {
            rows.update(&(customer, interaction.channel), |row| row.interactions += 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::{customer, given, happened, interaction};

    #[test]
    fn each_channel_is_counted_by_itself() {
        given::<InteractionCounts>([
            happened(customer(1), interaction(Channel::Phone)),
            happened(customer(1), interaction(Channel::Web)),
            happened(customer(2), interaction(Channel::Phone)),
            happened(customer(1), interaction(Channel::Phone)),
        ])
        .then((customer(1), Channel::Phone), InteractionCounts { interactions: 2 })
        .then((customer(1), Channel::Web), InteractionCounts { interactions: 1 })
        .then_none((customer(2), Channel::Web));
    }

    crate::laws!(InteractionCounts);
}
