//! The closed lists of the model. In JSON they are snake_case, in GraphQL SCREAMING_SNAKE_CASE.

use serde::{Deserialize, Serialize};

macro_rules! closed_lists {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "graphql", derive(async_graphql::Enum))]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)*
        }

        impl $name {
            /// Every member, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The member as it is written in events.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The member written so, if there is one.
            pub fn from_text(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|member| member.as_str() == text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )*};
}

closed_lists! {
    /// The way an interaction travelled.
    Channel {
        /// A telephone call.
        Phone = "phone",
        /// A web site.
        Web = "web",
        /// A search engine or the site's own search.
        Search = "search",
        /// An order placed online.
        OnlineOrder = "online_order",
        /// A live chat.
        LiveChat = "live_chat",
        /// A text message.
        Sms = "sms",
        /// A social network.
        Social = "social",
        /// E-mail.
        Email = "email",
        /// An app on a mobile device.
        MobileApp = "mobile_app",
        /// A web site on a mobile device.
        MobileWeb = "mobile_web",
        /// Face to face.
        InPerson = "in_person",
        /// A download.
        Download = "download",
        /// Advertising.
        Advertising = "advertising",
        /// The packaging of a product.
        Packaging = "packaging",
        /// Self-service: a help page, an automatic answer.
        SelfService = "self_service",
        /// A call centre.
        CallCentre = "call_centre",
        /// A letter.
        Post = "post",
        /// A kiosk or terminal.
        Kiosk = "kiosk",
        /// A community of customers.
        Community = "community",
    }
    /// Where in the relationship a customer stands.
    Stage {
        /// Hears of the organisation.
        Awareness = "awareness",
        /// Compares.
        Consideration = "consideration",
        /// Buys.
        Purchase = "purchase",
        /// Starts to use.
        Onboarding = "onboarding",
        /// Uses.
        Use = "use",
        /// Needs help.
        Support = "support",
        /// Decides to stay.
        Renewal = "renewal",
        /// Recommends.
        Advocacy = "advocacy",
        /// Leaves.
        Defection = "defection",
    }
    /// Who came to whom.
    Direction {
        /// From the customer to the organisation.
        In = "in",
        /// From the organisation to the customer.
        Out = "out",
    }
    /// Who began.
    Initiator {
        /// The customer.
        Customer = "customer",
        /// The organisation.
        Organisation = "organisation",
        /// A partner.
        Partner = "partner",
        /// A machine by itself.
        System = "system",
    }
    /// Whom the customer met.
    Counterparty {
        /// A person.
        Person = "person",
        /// A bot that talks.
        Bot = "bot",
        /// A machine that does not.
        System = "system",
    }
    /// Against what the customer expected.
    Expectation {
        /// Worse.
        Below = "below",
        /// As expected.
        Met = "met",
        /// Better.
        Above = "above",
    }
    /// Where a valence comes from.
    ValenceBasis {
        /// The customer said so.
        Stated = "stated",
        /// Worked out from what the customer wrote or did.
        Inferred = "inferred",
    }
    /// What kind of customer.
    CustomerKind {
        /// One person.
        Person = "person",
        /// A household.
        Household = "household",
        /// An organisation.
        Organisation = "organisation",
    }
    /// Of what an impression is.
    ImpressionOf {
        /// The organisation as a whole.
        Firm = "firm",
        /// A product.
        Product = "product",
        /// A service.
        Service = "service",
    }
    /// What kind of case.
    CaseKind {
        /// Wants to know.
        Question = "question",
        /// Wants something done.
        Request = "request",
        /// Something does not work.
        Problem = "problem",
        /// Is dissatisfied and expects an answer (ISO 10002).
        Complaint = "complaint",
    }
    /// How bad.
    Severity {
        /// Cosmetic.
        Low = "low",
        /// Ordinary.
        Normal = "normal",
        /// Serious.
        High = "high",
        /// The customer cannot go on.
        Critical = "critical",
    }
    /// For whom a paused case waits.
    WaitingOn {
        /// The customer.
        Customer = "customer",
        /// A third party.
        ThirdParty = "third_party",
        /// The organisation itself.
        Organisation = "organisation",
    }
    /// Whose touchpoint.
    Ownership {
        /// The organisation's own.
        Owned = "owned",
        /// A partner's.
        Partner = "partner",
        /// The customer's.
        Customer = "customer",
        /// Independent: other people, the press, a community.
        Social = "social",
    }
    /// Which figure a question feeds.
    Metric {
        /// Net promoter score, from 0 to 10.
        Nps = "nps",
        /// Customer satisfaction.
        Csat = "csat",
        /// Customer effort score 2.0, from 1 to 7.
        Ces = "ces",
        /// None of these: only the mean is shown.
        Other = "other",
    }
    /// Which end of a scale is good.
    ScaleDirection {
        /// A high score is good.
        HigherIsBetter = "higher_is_better",
        /// A low score is good.
        LowerIsBetter = "lower_is_better",
    }
    /// How exactly a time is known.
    Precision {
        /// To the moment.
        Exact = "exact",
        /// The day is known; the time of day is not.
        Day = "day",
        /// The month is known.
        Month = "month",
        /// The year is known.
        Year = "year",
    }
}

/// Before, during or after the purchase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::Enum))]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before the purchase.
    Before,
    /// During the purchase.
    During,
    /// After the purchase.
    After,
}

impl Stage {
    /// Where the stage lies around the purchase.
    pub const fn phase(self) -> Phase {
        match self {
            Self::Awareness | Self::Consideration => Phase::Before,
            Self::Purchase => Phase::During,
            _ => Phase::After,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_written_in_json_as_it_prints() {
        for channel in Channel::ALL {
            let json = serde_json::to_string(channel).unwrap();
            assert_eq!(json, format!("\"{channel}\""));
            assert_eq!(Channel::from_text(channel.as_str()), Some(*channel));
        }
    }
}
