//! What a customer bought and was offered.

use async_graphql::InputObject;
use cx_model::decide::{
    AcceptOffer, DeclineOffer, FulfilOrder, MakeOffer, RecordPurchase, RecordReturn,
};
use cx_model::event::{
    OfferAccepted, OfferDeclined, OfferMade, OrderFulfilled, OrderLine, PurchaseMade, ReturnMade,
};
use cx_model::{Channel, CustomerId, OrderId, TouchpointId};
use uuid::Uuid;

use super::super::scalars::Duration;
use super::payload::{OfferPayload, OrderPayload};
use super::refused::UserError;

/// One line of an order.
#[derive(Clone, InputObject)]
pub struct OrderLineInput {
    /// What.
    pub item: String,
    /// How many.
    pub quantity: u32,
    /// For how much in all, in the currency's minor units (cents).
    pub amount_minor: i64,
}

impl From<OrderLineInput> for OrderLine {
    fn from(OrderLineInput { item, quantity, amount_minor }: OrderLineInput) -> Self {
        Self { item, quantity, amount_minor }
    }
}

mutations! { PurchaseMutations {
    /// Records what a customer bought.
    record_purchase(RecordPurchaseInput {
        /// Who bought.
        customer: CustomerId,
        /// What was bought.
        #[graphql(default)]
        lines: Vec<OrderLineInput>,
        /// The whole amount, in the currency's minor units (cents).
        amount_minor: i64,
        /// ISO 4217, such as `EUR`.
        currency: String,
        /// By which way.
        channel: Option<Channel>,
        /// Where.
        touchpoint: Option<TouchpointId>,
    }) -> OrderPayload = |deed, input| {
        let order: OrderId = deed.id_of("order");
        let command = RecordPurchase(PurchaseMade {
            order,
            lines: input.lines.into_iter().map(Into::into).collect(),
            amount_minor: input.amount_minor,
            currency: input.currency,
            channel: input.channel,
            touchpoint: input.touchpoint,
        });
        let written = deed.command(&input.customer.stream(), &command).await?;
        Ok(OrderPayload::new(written, input.customer, order))
    }

    /// Records that what was bought arrived.
    fulfil_order(FulfilOrderInput {
        /// Whose order.
        customer: CustomerId,
        /// Which.
        order: OrderId,
        /// How late, such as `P1D`; in time if left out. Whole seconds count.
        late_by: Option<Duration>,
    }) -> OrderPayload = |deed, input| {
        let (customer, order) = (input.customer, input.order);
        let late = input.late_by.map_or(0, |Duration(late)| late.as_secs());
        let Ok(late_by_seconds) = u32::try_from(late) else {
            let message = "a delay is not negative and shorter than 136 years";
            let error = UserError::new("BAD_DURATION", message, "lateBy");
            return Ok(OrderPayload::new(error.into(), customer, order));
        };
        let command = FulfilOrder(OrderFulfilled { order, late_by_seconds });
        Ok(OrderPayload::new(deed.command(&customer.stream(), &command).await?, customer, order))
    }

    /// Records that a customer gave something back: no more in all than the order was worth.
    record_return(RecordReturnInput {
        /// Whose order.
        customer: CustomerId,
        /// Which.
        order: OrderId,
        /// What it is worth, in the currency's minor units (cents).
        amount_minor: i64,
        /// ISO 4217: the order's currency.
        currency: String,
        /// Why.
        reason: Option<String>,
    }) -> OrderPayload = |deed, input| {
        let (order, amount_minor, reason) = (input.order, input.amount_minor, input.reason);
        let currency = input.currency;
        let command = RecordReturn(ReturnMade { order, amount_minor, currency, reason });
        let written = deed.command(&input.customer.stream(), &command).await?;
        Ok(OrderPayload::new(written, input.customer, order))
    }

    /// Notes that the organisation offers a customer something.
    make_offer(MakeOfferInput {
        /// To whom.
        customer: CustomerId,
        /// What; not personal.
        description: String,
    }) -> OfferPayload = |deed, input| {
        let offer: Uuid = deed.id_of("offer");
        let command = MakeOffer(OfferMade { offer, description: input.description });
        let written = deed.command(&input.customer.stream(), &command).await?;
        Ok(OfferPayload::new(written, input.customer, offer))
    }

    /// Records that a customer took an offer.
    accept_offer(AcceptOfferInput {
        /// Who.
        customer: CustomerId,
        /// Which offer.
        offer: Uuid,
    }) -> OfferPayload = |deed, input| {
        let command = AcceptOffer(OfferAccepted { offer: input.offer });
        let written = deed.command(&input.customer.stream(), &command).await?;
        Ok(OfferPayload::new(written, input.customer, input.offer))
    }

    /// Records that a customer did not want an offer.
    decline_offer(DeclineOfferInput {
        /// Who.
        customer: CustomerId,
        /// Which offer.
        offer: Uuid,
    }) -> OfferPayload = |deed, input| {
        let command = DeclineOffer(OfferDeclined { offer: input.offer });
        let written = deed.command(&input.customer.stream(), &command).await?;
        Ok(OfferPayload::new(written, input.customer, input.offer))
    }
} }
