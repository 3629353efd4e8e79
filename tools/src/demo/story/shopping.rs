//! Visits, orders, and what becomes of them.

use cx_model::event as e;
use cx_model::{CaseKind, Channel, OrderId};

use super::places::{APP, DELIVERY, NEWSLETTER, Place, RETURNS, SEARCH, SOCIAL, STORE, WEB_SHOP};
use super::{DAY, FAILURE, HOUR, Life, MINUTE, Story};
use crate::demo::words;

impl Story {
    /// A visit and what comes of it; answers when it was over.
    pub(super) fn episode(&mut self, life: &mut Life, begin: i64) -> i64 {
        let mut at = begin;
        let thread = self.fresh("thread").to_string();
        if self.chance(0.35) {
            let from = if self.chance(0.6) { NEWSLETTER } else { SOCIAL };
            self.meet(life, at, from, "view", &thread, None);
            at += self.between(MINUTE, 3 * HOUR);
        }
        if self.chance(0.12) {
            at = self.visit_store(life, at, &thread);
            return at;
        }
        let shop = if life.mobile { APP } else { WEB_SHOP };
        for _ in 0..self.between(1, 5) {
            let (where_, kind) = if self.chance(0.25) {
                (SEARCH, "search")
            } else {
                (shop, ["page_view", "product_view", "add_to_cart"][self.dice.usize(..3)])
            };
            self.meet(life, at, where_, kind, &thread, None);
            at += self.between(20, 10 * MINUTE);
        }
        if self.chance(0.42 + 0.15 * life.mood) {
            at = self.order(life, at, shop);
        } else if self.chance(0.1) {
            at = self.case(life, at, CaseKind::Question);
        }
        at
    }

    fn visit_store(&mut self, life: &mut Life, at: i64, thread: &str) -> i64 {
        let felt = self.feeling(life, 0.35);
        self.meet(life, at, STORE, "visit", thread, Some(felt));
        if self.chance(0.6) {
            self.purchase(life, at + 20 * MINUTE, STORE);
            self.ask(life, at + DAY, STORE, felt);
        }
        at + HOUR
    }

    fn order(&mut self, life: &mut Life, at: i64, shop: Place) -> i64 {
        let order = self.purchase(life, at, shop);
        let failing = FAILURE.contains(&at);
        let late = self.chance(if failing { 0.9 } else { 0.07 });
        let promised = at + 3 * DAY;
        let arrived = if late {
            promised + self.between(DAY, 9 * DAY)
        } else {
            promised - self.between(0, DAY)
        };
        let late_by_seconds = (arrived - promised).max(0) as u32;
        self.by_shop(life, arrived, e::OrderFulfilled { order: order.0, late_by_seconds });
        let quality = match (late, failing) {
            (true, true) => -1.0,
            (true, false) => -0.55,
            (false, _) => 0.3,
        };
        let felt = self.feeling(life, quality);
        let thread = self.fresh("thread").to_string();
        self.meet(life, arrived, DELIVERY, "parcel", &thread, Some(felt));
        let mut at = arrived + self.between(HOUR, DAY);
        if late && self.chance(0.5) {
            let noticed = promised + self.between(DAY, 2 * DAY);
            at = self.case(life, noticed, CaseKind::Complaint);
        } else if self.chance(0.05) {
            at = self.case(life, at, CaseKind::Problem);
        }
        if self.chance(0.06) {
            let back = e::ReturnMade {
                order: order.0,
                amount_minor: order.1,
                currency: "EUR".into(),
                reason: Some("does_not_fit".into()),
            };
            self.by_customer(life, at + 2 * DAY, back);
            let felt = self.feeling(life, 0.05);
            self.meet(life, at + 2 * DAY, RETURNS, "return", &thread, Some(felt));
        }
        self.ask(life, arrived + DAY, DELIVERY, felt);
        if self.chance(0.3) {
            // Those who wait for a late parcel are asked, and answer, while they wait.
            let asked = arrived.min(promised + DAY) + self.between(HOUR, 5 * DAY);
            self.relationship_survey(life, asked, felt);
        }
        at
    }

    pub(super) fn purchase(&mut self, life: &mut Life, at: i64, where_: Place) -> (OrderId, i64) {
        let order = OrderId(self.fresh("order"));
        let mut lines = Vec::new();
        for _ in 0..self.between(1, 4) {
            let item = words::ITEMS[self.dice.usize(..words::ITEMS.len())];
            let quantity = self.dice.u32(1..3);
            let amount_minor = i64::from(quantity) * (499 + 100 * self.between(0, 90));
            lines.push(e::OrderLine { item: item.into(), quantity, amount_minor });
        }
        let amount_minor = lines.iter().map(|line| line.amount_minor).sum();
        let channel =
            if where_.key == STORE.key { Channel::InPerson } else { Channel::OnlineOrder };
        let made = e::PurchaseMade {
            order,
            lines,
            amount_minor,
            currency: "EUR".into(),
            channel: Some(channel),
            touchpoint: Some(where_.id()),
        };
        self.by_customer(life, at, made);
        (order, amount_minor)
    }
}
