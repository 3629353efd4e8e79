//! One meeting of a customer and the shop, and how it felt.

use cx_model::event as e;
use cx_model::{
    CaseId, Channel, Counterparty, Direction, Expectation, Initiator, InteractionId, ValenceBasis,
};

use super::places::{DELIVERY, NEWSLETTER, Place};
use super::{HOUR, Life, Story};

impl Story {
    /// How a meeting felt, from -100 to 100; it moves the mood.
    pub(super) fn feeling(&mut self, life: &mut Life, quality: f64) -> i16 {
        let noise = self.dice.f64() + self.dice.f64() - 1.0;
        let felt = (0.55 * quality + 0.45 * life.mood + 0.45 * noise).clamp(-1.0, 1.0);
        life.mood = (0.85 * life.mood + 0.15 * felt + 0.01).clamp(-1.0, 1.0);
        (felt * 100.0) as i16
    }

    pub(super) fn meet(
        &mut self,
        life: &Life,
        at: i64,
        place: Place,
        kind: &str,
        thread: &str,
        felt: Option<i16>,
    ) {
        self.meet_about(life, at, place, kind, thread, felt, None);
    }

    // One argument for each thing a meeting has; a struct would only name them twice.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn meet_about(
        &mut self,
        life: &Life,
        at: i64,
        place: Place,
        kind: &str,
        thread: &str,
        felt: Option<i16>,
        case: Option<CaseId>,
    ) {
        let interaction = InteractionId(self.fresh("interaction"));
        let outwards = place.key == NEWSLETTER.key || place.key == DELIVERY.key;
        let counterparty = match place.channel {
            Channel::InPerson | Channel::CallCentre => Counterparty::Person,
            Channel::LiveChat => Counterparty::Bot,
            _ => Counterparty::System,
        };
        let recorded = e::InteractionRecorded {
            interaction,
            kind: kind.into(),
            touchpoint: Some(place.id()),
            channel: place.channel,
            direction: if outwards { Direction::Out } else { Direction::In },
            initiator: if outwards { Initiator::Organisation } else { Initiator::Customer },
            counterparty: Some(counterparty),
            stage: Some(place.stage),
            thread: Some(thread.to_owned()),
            case,
            duration_seconds: Some(self.dice.u32(5..900)),
            outcome: None,
            text: None,
            valence: felt.map(|score| e::Valence { score, basis: ValenceBasis::Inferred }),
            expectation: felt.map(|score| match score {
                ..=-20 => Expectation::Below,
                40.. => Expectation::Above,
                _ => Expectation::Met,
            }),
        };
        self.by_customer(life, at, recorded);
        let mishap = self.dice.u16(0..1_000);
        if mishap < 3 {
            let reason = "recorded twice".to_owned();
            self.by_shop(life, at + HOUR, e::InteractionVoided { interaction, reason });
        } else if mishap < 6 {
            let corrected = e::InteractionCorrected {
                interaction,
                channel: Some(Channel::Phone),
                touchpoint: None,
                stage: None,
                outcome: None,
                valence: None,
                reason: "wrong channel".into(),
            };
            self.by_shop(life, at + HOUR, corrected);
        }
    }
}
