//! How many interactions a customer had.

use async_graphql::SimpleObject;
use cx_model::{CustomerId, Event, Recorded, StreamName};
use serde::{Deserialize, Serialize};

use crate::projection::{Projection, customer_lane, lane_of_customer};
use crate::rows::Rows;

/// How many interactions a customer had.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, SimpleObject)]
pub struct NewView {
    /// Interactions recorded.
    pub count: u32,
}

impl Projection for NewView {
    const NAME: &'static str = "new_view";
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
        if let Event::InteractionRecorded(_) = &event.event {
            rows.update(&customer, |row| row.count += 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use cx_model::Channel;

    use super::*;
    use crate::given::{customer, given, happened, interaction};

    #[test]
    fn each_interaction_counts_once() {
        given::<NewView>([
            happened(customer(1), interaction(Channel::Phone)),
            happened(customer(1), interaction(Channel::Web)),
        ])
        .then(customer(1), NewView { count: 2 })
        .then_none(customer(2));
    }

    crate::laws!(NewView);
}
