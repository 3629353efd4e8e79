//! What a customer bought.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::PersonalFields;
use crate::ids::{OrderId, TouchpointId};
use crate::vocabulary::Channel;

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OrderLine {
    /// What.
    pub item: String,
    /// How many.
    pub quantity: u32,
    /// For how much in all, in the currency's minor units.
    pub amount_minor: i64,
}

/// A customer bought something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PurchaseMade {
    /// Its id.
    pub order: OrderId,
    /// What was bought.
    #[serde(default)]
    pub lines: Vec<OrderLine>,
    /// The whole amount, in the currency's minor units (cents).
    pub amount_minor: i64,
    /// ISO 4217, such as `USD`.
    pub currency: String,
    /// By which way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub touchpoint: Option<TouchpointId>,
}
impl PersonalFields for PurchaseMade {}

/// What was bought arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OrderFulfilled {
    /// Which order.
    pub order: OrderId,
    /// How late, in seconds; 0 is in time.
    #[serde(default)]
    pub late_by_seconds: u32,
}
impl PersonalFields for OrderFulfilled {}

/// A customer gave something back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReturnMade {
    /// Of which order.
    pub order: OrderId,
    /// What it is worth, in the currency's minor units.
    pub amount_minor: i64,
    /// ISO 4217: the order's currency.
    pub currency: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
impl PersonalFields for ReturnMade {}

/// The organisation offered something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OfferMade {
    /// Its id.
    pub offer: Uuid,
    /// What.
    pub description: String,
}
impl PersonalFields for OfferMade {}

/// The customer took an offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OfferAccepted {
    /// Which.
    pub offer: Uuid,
}
impl PersonalFields for OfferAccepted {}

/// The customer did not want an offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OfferDeclined {
    /// Which.
    pub offer: Uuid,
}
impl PersonalFields for OfferDeclined {}
