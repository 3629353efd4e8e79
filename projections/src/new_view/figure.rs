//! How many interactions there were in a month, of all customers.

use async_graphql::SimpleObject;
use cx_model::{CustomerId, Event, InteractionId, Month, Recorded};
use serde::{Deserialize, Serialize};

use crate::projection::{Figure, Projection, customer_lane};
use crate::rows::Rows;

/// How many interactions there were.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, SimpleObject)]
pub struct NewView {
    /// Interactions recorded, less those voided.
    pub count: i64,
}

impl Figure for NewView {
    fn add(&mut self, delta: &Self) {
        self.count += delta.count;
    }
}

impl Projection for NewView {
    const NAME: &'static str = "new_view";
    type Key = Month;
    type View = Self;
    /// The month in which an interaction counts: a voided one is taken back from there.
    type Private = ((CustomerId, InteractionId), Option<Month>);

    fn lane(event: &Recorded) -> u64 {
        customer_lane(event)
    }

    fn lane_of(_: &Month) -> Option<u64> {
        None
    }

    fn apply(event: &Recorded, rows: &mut Rows<'_, Self>) {
        let Some(customer) = event.customer() else { return };
        match &event.event {
            Event::InteractionRecorded(it) => {
                let month = Month::of(event.envelope.occurred_at);
                rows.add(&month, &NewView { count: 1 });
                rows.put_private(&(customer, it.interaction), Some(month));
            }
            Event::InteractionVoided(it) => {
                if let Some(Some(month)) = rows.take_private(&(customer, it.interaction)) {
                    rows.add(&month, &NewView { count: -1 });
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use cx_model::Channel;
    use cx_model::event::InteractionVoided;

    use super::*;
    use crate::given::{customer, given, happened, interaction};

    #[test]
    fn a_voided_interaction_counts_in_its_month_no_more() {
        let call = interaction(Channel::Phone);
        let voided = InteractionVoided { interaction: call.interaction, reason: "twice".into() };
        given::<NewView>([
            happened(customer(1), call.clone()).at("2026-01-31T12:00:00Z"),
            happened(customer(2), call).at("2026-01-31T13:00:00Z"),
            happened(customer(1), voided).at("2026-02-01T12:00:00Z"),
        ])
        .then("2026-01".parse().unwrap(), NewView { count: 1 })
        .then_none("2026-02".parse().unwrap());
    }

    crate::laws!(NewView);
}
