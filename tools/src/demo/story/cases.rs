//! Cases from their opening to their close.

use cx_model::event as e;
use cx_model::{CaseId, CaseKind, Severity, Stage, WaitingOn};

use super::places::{CALL_CENTRE, CHAT, HELP};
use super::{DAY, FAILURE, HOUR, Life, MINUTE, Story};
use crate::demo::words;

impl Story {
    /// A case from its opening to its close; answers when that was.
    pub(super) fn case(&mut self, life: &mut Life, begin: i64, kind: CaseKind) -> i64 {
        let case = CaseId(self.fresh("case"));
        let busy = FAILURE.contains(&begin);
        let place = [CALL_CENTRE, CHAT, HELP][self.dice.choose_weighted_place()];
        let severity = match kind {
            CaseKind::Complaint => Severity::High,
            CaseKind::Problem => Severity::Normal,
            _ => Severity::Low,
        };
        let subject = words::subject(kind, self.dice.usize(..8));
        let opened = e::CaseOpened {
            case,
            kind,
            severity,
            subject: Some(subject.to_owned().into()),
            remedy_sought: (kind == CaseKind::Complaint).then(|| "refund".to_owned()),
            touchpoint: Some(place.id()),
            channel: Some(place.channel),
            reference: Some(format!("C-{:06}", self.count)),
        };
        self.by_customer(life, begin, opened);
        let thread = self.fresh("thread").to_string();
        self.meet_about(life, begin + 5, place, "contact", &thread, None, Some(case));
        self.by_shop(life, begin + 30, e::CaseAcknowledged { case });
        self.by_shop(
            life,
            begin + 31,
            e::AgentReplied { case, human: false, public: true, text: None },
        );
        let wait = self.between(20 * MINUTE, if busy { 60 * HOUR } else { 10 * HOUR });
        let mut at = begin + wait;
        let unanswered = self.chance(if busy { 0.05 } else { 0.01 });
        if unanswered {
            life.mood -= 0.25;
            return at;
        }
        let reply = words::REPLIES[self.dice.usize(..words::REPLIES.len())];
        let replied = e::AgentReplied {
            case,
            human: true,
            public: true,
            text: Some(reply.to_owned().into()),
        };
        self.by_agent(life, at, replied);
        if self.chance(0.15) {
            at += self.between(HOUR, 5 * HOUR);
            self.by_agent(life, at, e::CaseTransferred { case, division: None, agent: None });
        }
        if self.chance(0.25) {
            self.by_agent(life, at + 60, e::CasePaused { case, waiting_on: WaitingOn::Customer });
            at += self.between(HOUR, 3 * DAY);
            self.by_customer(life, at, e::CustomerReplied { case, text: None });
            self.by_shop(life, at + 1, e::CaseResumed { case });
        }
        at += self.between(HOUR, 2 * DAY);
        self.by_agent(life, at, e::CaseResolved { case, resolution: "explained".into() });
        if self.chance(0.08) {
            at += self.between(HOUR, DAY);
            self.by_customer(life, at, e::CustomerRejectedResolution { case });
            self.by_shop(life, at + 1, e::CaseReopened { case, reason: Some("not_solved".into()) });
            at += self.between(HOUR, 2 * DAY);
            self.by_agent(life, at, e::CaseResolved { case, resolution: "refunded".into() });
            life.mood -= 0.1;
        }
        at += self.between(HOUR, DAY);
        self.by_shop(life, at, e::CaseClosed { case });
        let felt = self.feeling(life, if wait > DAY { -0.4 } else { 0.25 });
        self.ask(life, at + HOUR, place, felt);
        if life.mood < -0.45 && self.chance(0.5) {
            life.gone = true;
            let leaves = e::LifecycleStageChanged {
                from: None,
                to: Stage::Defection,
                rule: Some("said_so".into()),
            };
            self.by_customer(life, at + DAY, leaves);
        }
        at
    }
}

/// Where cases come in: most by telephone.
trait WeightedPlace {
    fn choose_weighted_place(&mut self) -> usize;
}

impl WeightedPlace for fastrand::Rng {
    fn choose_weighted_place(&mut self) -> usize {
        match self.u32(0..10) {
            0..=4 => 0,
            5..=8 => 1,
            _ => 2,
        }
    }
}
