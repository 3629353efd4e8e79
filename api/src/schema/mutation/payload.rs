//! What mutations answer.

use async_graphql::{Context, Object, Result};
use cx_model::{
    CaseId, CustomerId, InstrumentId, InteractionId, OrderId, Position, ResponseId, TouchpointId,
};
use cx_projections::views;
use uuid::Uuid;

use super::super::Query;
use super::super::catalogue::{Instrument, Touchpoint};
use super::super::customer::{self, Customer};
use super::super::reading;
use super::deed::{Written, shown, shown_by};
use super::refused::UserError;

/// Declares payloads: the fields every payload has, the customer where it is about one, and the
/// ids of what was changed.
macro_rules! payloads {
    ($($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $type:ty,)* } + { $($more:tt)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name {
            written: Written,
            $($field: $type,)*
        }

        impl $name {
            /// The payload of a write.
            pub fn new(written: Written, $($field: $type),*) -> Self {
                Self { written, $($field),* }
            }
        }

        $(#[$doc])*
        #[Object]
        impl $name {
            /// Where the change stands in the ledger: send it as `cx-at-least` to read at or after it. Null if it was refused.
            async fn position(&self) -> Option<Position> {
                self.written.position
            }

            /// The idempotency key had been used for this very input before: this is the first answer again, and nothing was recorded now.
            async fn duplicate(&self) -> bool {
                self.written.duplicate
            }

            /// Why nothing was recorded; empty if it was.
            async fn errors(&self) -> &[UserError] {
                &self.written.errors
            }

            /// Everything that can be asked, true at or after `position`.
            async fn query(&self, ctx: &Context<'_>) -> Result<Query> {
                shown(ctx, self.written.position).await?;
                Ok(Query::default())
            }

            $($more)*
        }
    )*};
}

/// As `payloads`, for what is about a customer.
macro_rules! customer_payloads {
    ($($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $type:ty,)* })*) => {
        payloads! {$(
            $(#[$doc])* $name { customer: CustomerId, $($field: $type,)* } + {
                /// The customer as they are now; null if the change was refused.
                async fn customer(&self, ctx: &Context<'_>) -> Option<Result<Customer>> {
                    let position = self.written.position?;
                    customer_at(ctx, self.customer, position).await.transpose()
                }

                $($(#[$fdoc])*
                async fn $field(&self) -> Option<$type> {
                    self.written.position.map(|_| self.$field.clone())
                })*
            }
        )*}
    };
}

customer_payloads! {
    /// What became of a change to a customer.
    CustomerPayload {}
    /// What became of a change to an interaction.
    InteractionPayload {
        /// The interaction's id: name it to correct or void it. Null if the change was refused.
        interaction: InteractionId,
    }
    /// What became of a change to an order.
    OrderPayload {
        /// The order's id. Null if the change was refused.
        order: OrderId,
    }
    /// What became of a change to an offer.
    OfferPayload {
        /// The offer's id: name it when the customer answers. Null if the change was refused.
        offer: Uuid,
    }
    /// What became of a change to a response.
    ResponsePayload {
        /// The response's id: name it to amend or withdraw it. Null if the change was refused.
        response: ResponseId,
    }
    /// What became of a change to a case.
    CasePayload {
        /// The case's id: name it in the steps that follow. Null if the change was refused.
        case: CaseId,
    }
}

payloads! {
    /// What became of a change to a touchpoint.
    TouchpointPayload { touchpoint: TouchpointId, } + {
        /// The touchpoint as it is now; null if the change was refused.
        async fn touchpoint(&self, ctx: &Context<'_>) -> Option<Result<Touchpoint>> {
            let position = self.written.position?;
            touchpoint_at(ctx, self.touchpoint, position).await.transpose()
        }
    }
    /// What became of a change to a questionnaire.
    InstrumentPayload { instrument: InstrumentId, } + {
        /// The questionnaire as it is now; null if the change was refused.
        async fn instrument(&self, ctx: &Context<'_>) -> Option<Result<Instrument>> {
            let position = self.written.position?;
            instrument_at(ctx, self.instrument, position).await.transpose()
        }
    }
}

// What was changed, as it is at or after the change. A fault leaves the rest of the payload.

async fn customer_at(
    ctx: &Context<'_>,
    id: CustomerId,
    position: Position,
) -> Result<Option<Customer>> {
    shown_by::<views::Customer>(ctx, position).await?;
    customer::read(ctx, id, None).await
}

async fn touchpoint_at(
    ctx: &Context<'_>,
    id: TouchpointId,
    position: Position,
) -> Result<Option<Touchpoint>> {
    shown_by::<views::Touchpoint>(ctx, position).await?;
    reading::read::<views::Touchpoint, _>(ctx, |snapshot| {
        Ok(reading::row(snapshot, &id)?.map(|row| Touchpoint::new(id, row.view)))
    })
    .await
}

async fn instrument_at(
    ctx: &Context<'_>,
    id: InstrumentId,
    position: Position,
) -> Result<Option<Instrument>> {
    shown_by::<views::Instrument>(ctx, position).await?;
    reading::read::<views::Instrument, _>(ctx, |snapshot| {
        Ok(reading::row(snapshot, &id)?.map(|row| Instrument::new(id, row.view)))
    })
    .await
}

/// What became of several interactions.
#[derive(Debug, Clone)]
pub struct InteractionsPayload {
    items: Vec<InteractionPayload>,
}

impl InteractionsPayload {
    /// The payload of several writes.
    pub fn new(items: Vec<InteractionPayload>) -> Self {
        Self { items }
    }

    fn last(&self) -> Option<Position> {
        self.items.iter().filter_map(|item| item.written.position).max()
    }
}

/// What became of several interactions, each by itself.
#[Object]
impl InteractionsPayload {
    /// Where the last of them stands in the ledger; null if all were refused.
    async fn position(&self) -> Option<Position> {
        self.last()
    }

    /// Every one of them had been recorded before.
    async fn duplicate(&self) -> bool {
        !self.items.is_empty() && self.items.iter().all(|item| item.written.duplicate)
    }

    /// Why some were not recorded; the path names which. The same errors stand beside their items.
    async fn errors(&self) -> Vec<UserError> {
        let of = |(place, item): (usize, &InteractionPayload)| {
            let errors = item.written.errors.clone().into_iter();
            let errors = errors.map(move |mut error| {
                error.path.insert(1, place.to_string());
                error
            });
            errors.collect::<Vec<_>>()
        };
        self.items.iter().enumerate().flat_map(of).collect()
    }

    /// The answer to each, in the order they were given.
    async fn items(&self) -> &[InteractionPayload] {
        &self.items
    }

    /// Everything that can be asked, true at or after `position`.
    async fn query(&self, ctx: &Context<'_>) -> Result<Query> {
        shown(ctx, self.last()).await?;
        Ok(Query::default())
    }
}
