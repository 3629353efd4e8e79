//! How often a customer met the organisation on each channel.

use async_graphql::SimpleObject;
use cx_model::{Channel, CustomerId, Event, Recorded, StreamName};
use serde::{Deserialize, Serialize};

use crate::projection::{Projection, customer_lane, lane_of_customer};
use crate::rows::Rows;

/// How often a customer met the organisation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, SimpleObject)]
pub struct InteractionCounts {
    /// Interactions recorded.
    pub interactions: u32,
    /// The same by channel, in the order of the channels' list; those never used are left out.
    pub by_channel: Vec<ChannelCount>,
}

/// How often a customer met the organisation on one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, SimpleObject)]
pub struct ChannelCount {
    /// The channel.
    pub channel: Channel,
    /// Interactions recorded.
    pub interactions: u32,
}

impl InteractionCounts {
    fn count(&mut self, channel: Channel) {
        self.interactions += 1;
        match self.by_channel.binary_search_by_key(&channel, |count| count.channel) {
            Ok(place) => self.by_channel[place].interactions += 1,
            Err(place) => self.by_channel.insert(place, ChannelCount { channel, interactions: 1 }),
        }
    }
}

impl Projection for InteractionCounts {
    const NAME: &'static str = "interaction_counts";
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
        if let Event::InteractionRecorded(interaction) = &event.event {
            rows.update(&customer, |row| row.count(interaction.channel));
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
        .then(
            customer(1),
            InteractionCounts {
                interactions: 3,
                by_channel: vec![
                    ChannelCount { channel: Channel::Phone, interactions: 2 },
                    ChannelCount { channel: Channel::Web, interactions: 1 },
                ],
            },
        )
        .then_none(customer(3));
    }

    crate::laws!(InteractionCounts);
}
