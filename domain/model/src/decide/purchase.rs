//! What a customer bought and was offered.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Refusal, State, Subject, decisions, refuse, said};
use crate::envelope::Recorded;
use crate::event::Event;
use crate::ids::OrderId;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Order {
    amount_minor: i64,
    currency: Option<String>,
    returned_minor: i64,
    fulfilled: bool,
}

/// What decisions about a customer's purchases and offers depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Purchases {
    pub(super) subject: Subject,
    orders: BTreeMap<OrderId, Order>,
    /// Whether each offer was answered.
    offers: BTreeMap<Uuid, bool>,
}

impl Purchases {
    fn order(&self, order: OrderId) -> Result<&Order, Refusal> {
        self.subject.check()?;
        let bought = self.orders.get(&order).filter(|order| order.currency.is_some());
        bought.ok_or(Refusal::UnknownOrder)
    }

    fn unanswered(&self, offer: Uuid) -> Result<(), Refusal> {
        self.subject.check()?;
        let answered = self.offers.get(&offer).ok_or(Refusal::UnknownOffer)?;
        refuse(*answered, Refusal::AlreadyAnswered)
    }
}

impl State for Purchases {
    fn apply(&mut self, event: &Recorded) {
        self.subject.apply(&event.event);
        match &event.event {
            Event::PurchaseMade(made) => {
                let order = self.orders.entry(made.order).or_default();
                if order.currency.is_none() {
                    order.amount_minor = made.amount_minor;
                    order.currency = Some(made.currency.clone());
                }
            }
            Event::OrderFulfilled(fulfilled) => {
                self.orders.entry(fulfilled.order).or_default().fulfilled = true;
            }
            Event::ReturnMade(returned) => {
                let order = self.orders.entry(returned.order).or_default();
                order.returned_minor = order.returned_minor.saturating_add(returned.amount_minor);
            }
            Event::OfferMade(made) => {
                self.offers.entry(made.offer).or_insert(false);
            }
            Event::OfferAccepted(accepted) => {
                self.offers.insert(accepted.offer, true);
            }
            Event::OfferDeclined(declined) => {
                self.offers.insert(declined.offer, true);
            }
            _ => {}
        }
    }
}

/// The most minor units of one purchase or return: far above any, and so far below 2^63 that sums
/// of thousands still fit.
const MOST_MINOR: i64 = 1_000_000_000_000_000;

/// Whether an amount can be added up.
pub(super) fn check_amount(amount_minor: i64) -> Result<(), Refusal> {
    refuse(!(-MOST_MINOR..=MOST_MINOR).contains(&amount_minor), Refusal::BadAmount)
}

/// What a currency must be to be understood.
pub(super) fn check_currency(currency: &str) -> Result<(), Refusal> {
    let code = currency.as_bytes();
    let is_code = code.len() == 3 && code.iter().all(u8::is_ascii_uppercase);
    refuse(!is_code, Refusal::BadCurrency)
}

decisions! { Purchases {
    /// Records what a customer bought.
    RecordPurchase(PurchaseMade) = |purchases, made| {
        purchases.subject.check()?;
        check_currency(&made.currency)?;
        refuse(made.amount_minor < 0, Refusal::BadAmount)?;
        check_amount(made.amount_minor)?;
        let order = purchases.orders.get(&made.order);
        refuse(order.is_some_and(|order| order.currency.is_some()), Refusal::AlreadyPurchased)
    };
    /// Records that what was bought arrived, once.
    FulfilOrder(OrderFulfilled) = |purchases, fulfilled| {
        refuse(purchases.order(fulfilled.order)?.fulfilled, Refusal::AlreadyFulfilled)
    };
    /// Records that a customer gave something back, no more in all than the order was worth.
    RecordReturn(ReturnMade) = |purchases, returned| {
        let order = purchases.order(returned.order)?;
        let another = order.currency.as_ref() != Some(&returned.currency);
        refuse(another, Refusal::AnotherCurrency)?;
        refuse(returned.amount_minor <= 0, Refusal::BadAmount)?;
        let total = order.returned_minor.saturating_add(returned.amount_minor);
        refuse(total > order.amount_minor, Refusal::ReturnExceedsOrder)
    };
    /// Offers something.
    MakeOffer(OfferMade) = |purchases, made| {
        purchases.subject.check()?;
        said(&made.description, "description")?;
        refuse(purchases.offers.contains_key(&made.offer), Refusal::AlreadyOffered)
    };
    /// Records that an offer was taken.
    AcceptOffer(OfferAccepted) = |purchases, accepted| purchases.unanswered(accepted.offer);
    /// Records that an offer was not wanted.
    DeclineOffer(OfferDeclined) = |purchases, declined| purchases.unanswered(declined.offer);
} }
