//! The places of the shop, and what it asks: its catalogue.

use cx_model::event as e;
use cx_model::{
    Actor, Channel, InstrumentId, Metric, Ownership, ScaleDirection, Stage, TouchpointId,
    derived_id,
};

use super::{Story, YEAR_BEGIN};

/// A place of the shop.
#[derive(Clone, Copy)]
pub struct Place {
    /// What names it.
    pub key: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// By which way customers reach it.
    pub channel: Channel,
    /// Where in the relationship it stands.
    pub stage: Stage,
    /// Whose it is.
    pub ownership: Ownership,
}

const fn place(
    key: &'static str,
    name: &'static str,
    channel: Channel,
    stage: Stage,
    ownership: Ownership,
) -> Place {
    Place { key, name, channel, stage, ownership }
}

pub const NEWSLETTER: Place =
    place("newsletter", "Newsletter", Channel::Email, Stage::Awareness, Ownership::Owned);
pub const SOCIAL: Place =
    place("social", "Social media", Channel::Social, Stage::Awareness, Ownership::Social);
pub const SEARCH: Place =
    place("search", "Product search", Channel::Search, Stage::Consideration, Ownership::Owned);
pub const WEB_SHOP: Place =
    place("web-shop", "Web shop", Channel::Web, Stage::Consideration, Ownership::Owned);
pub const APP: Place =
    place("app", "Mobile app", Channel::MobileApp, Stage::Consideration, Ownership::Owned);
pub const STORE: Place =
    place("store", "Store", Channel::InPerson, Stage::Purchase, Ownership::Owned);
pub const DELIVERY: Place =
    place("delivery", "Delivery", Channel::Post, Stage::Onboarding, Ownership::Partner);
pub const CALL_CENTRE: Place =
    place("call-centre", "Call centre", Channel::CallCentre, Stage::Support, Ownership::Owned);
pub const CHAT: Place =
    place("chat", "Live chat", Channel::LiveChat, Stage::Support, Ownership::Owned);
pub const HELP: Place =
    place("help", "Help pages", Channel::SelfService, Stage::Support, Ownership::Owned);
pub const RETURNS: Place =
    place("returns", "Returns desk", Channel::Post, Stage::Support, Ownership::Owned);
const PLACES: [Place; 11] =
    [NEWSLETTER, SOCIAL, SEARCH, WEB_SHOP, APP, STORE, DELIVERY, CALL_CENTRE, CHAT, HELP, RETURNS];

impl Place {
    /// Its id.
    pub fn id(self) -> TouchpointId {
        TouchpointId(derived_id(&["demo", "touchpoint", self.key]))
    }
}

/// What customers are asked now and then.
pub fn relationship() -> InstrumentId {
    InstrumentId(derived_id(&["demo", "instrument", "relationship"]))
}

/// What customers are asked after a contact.
pub fn after_contact() -> InstrumentId {
    InstrumentId(derived_id(&["demo", "instrument", "after-contact"]))
}

impl Story {
    /// Says what there is, at the year's first moment.
    pub(super) fn catalogue(&mut self) {
        let shop = || Actor::System { name: "shop".into() };
        for place in PLACES {
            let event = e::TouchpointCatalogued {
                name: place.name.into(),
                channel: place.channel,
                stage: Some(place.stage),
                ownership: place.ownership,
            };
            self.tell(place.id().stream(), YEAR_BEGIN, shop(), event);
        }
        let scale =
            |min, max| Some(e::Scale { min, max, direction: ScaleDirection::HigherIsBetter });
        let question = |name: &str, wording: &str, scale, metric| e::Question {
            name: name.into(),
            wording: wording.into(),
            scale,
            metric,
            touchpoint: None,
        };
        let relationship_survey = e::InstrumentPublished {
            name: "Relationship survey".into(),
            language: "en".into(),
            questions: vec![
                question(
                    "recommend",
                    "How likely are you to recommend us to a friend?",
                    scale(0, 10),
                    Metric::Nps,
                ),
                question("why", "What is the reason for your score?", None, Metric::Other),
            ],
        };
        self.tell(relationship().stream(), YEAR_BEGIN, shop(), relationship_survey);
        let contact_survey = e::InstrumentPublished {
            name: "After a contact".into(),
            language: "en".into(),
            questions: vec![
                question("satisfied", "How satisfied are you?", scale(1, 5), Metric::Csat),
                question("easy", "We made it easy to handle my issue.", scale(1, 7), Metric::Ces),
            ],
        };
        self.tell(after_contact().stream(), YEAR_BEGIN, shop(), contact_survey);
    }
}

/// A place with something to do there, for the interactions that keep coming.
pub fn somewhere(dice: &mut fastrand::Rng) -> (TouchpointId, Channel, &'static str, Stage) {
    let (place, kind) = [
        (WEB_SHOP, "page_view"),
        (APP, "product_view"),
        (SEARCH, "search"),
        (STORE, "visit"),
        (CHAT, "contact"),
        (CALL_CENTRE, "contact"),
        (HELP, "page_view"),
    ][dice.usize(..7)];
    (place.id(), place.channel, kind, place.stage)
}
