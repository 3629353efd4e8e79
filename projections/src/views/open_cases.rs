//! The cases that are open, and what has happened to each.

use cx_model::{
    CaseId, CaseKind, Channel, CustomerId, Event, Recorded, Severity, TouchpointId, WaitingOn,
};
use serde::{Deserialize, Serialize, Serializer};

use cx_model::StreamName;

use crate::projection::{Projection, customer_lane, lane_of_customer};
use crate::rows::Rows;
use crate::shown::{self, moment};
use crate::views::timeline::case_of;

/// One case. Times are microseconds since the Unix epoch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OpenCase {
    /// What kind; `None` if a step came before the opening.
    pub kind: Option<CaseKind>,
    /// How bad.
    pub severity: Option<Severity>,
    /// Where it began.
    pub touchpoint: Option<TouchpointId>,
    /// By which way it came.
    pub channel: Option<Channel>,
    /// Its number elsewhere.
    pub reference: Option<String>,
    /// When it was opened, or its first known step.
    #[serde(serialize_with = "shown::time")]
    pub opened_at: i64,
    /// When the customer was told that it arrived.
    #[serde(serialize_with = "shown::optional_time")]
    pub acknowledged_at: Option<i64>,
    /// The first public answer by a person.
    #[serde(serialize_with = "shown::optional_time")]
    pub first_reply_at: Option<i64>,
    /// When it was first resolved.
    #[serde(serialize_with = "shown::optional_time")]
    pub resolved_at: Option<i64>,
    /// Settled in the organisation's eyes, not yet closed.
    pub resolved: bool,
    /// Closed: the row is not shown.
    pub closed: bool,
    /// For whom it waits, and since when.
    #[serde(serialize_with = "pause")]
    pub paused: Option<(WaitingOn, i64)>,
    /// How long it waited for the customer before, in microseconds.
    #[serde(serialize_with = "shown::duration")]
    pub waited_for_customer: i64,
    /// How often it went to someone else.
    pub transfers: u32,
    /// How often it was opened again.
    pub reopened: u32,
    /// Escalated.
    pub escalated: bool,
    /// The last step.
    #[serde(serialize_with = "shown::time")]
    pub last_step_at: i64,
    /// Steps that break a rule of ours and were kept: a step after the close, a second resolve.
    pub irregular: u32,
}

#[allow(clippy::ref_option)] // serde hands over a reference to the field
fn pause<S: Serializer>(
    paused: &Option<(WaitingOn, i64)>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Pause {
        waiting_on: WaitingOn,
        since: String,
    }
    let pause = |(waiting_on, since)| Pause { waiting_on, since: moment(since) };
    shown::shown(paused, serializer, |paused| paused.map(pause))
}

impl Projection for OpenCase {
    const NAME: &'static str = "open_cases";
    type Key = (CustomerId, CaseId);
    type View = Self;
    /// Closed cases, so that one which is opened again knows its past.
    type Private = ((CustomerId, CaseId), Self);

    fn lane(event: &Recorded) -> u64 {
        customer_lane(event)
    }

    fn lane_of(key: &Self::Key) -> Option<u64> {
        Some(lane_of_customer(key.0))
    }

    fn stream_of(key: &Self::Key) -> Option<StreamName> {
        Some(key.0.stream())
    }

    fn apply(event: &Recorded, rows: &mut Rows<'_, Self>) {
        let (Some(customer), Some(case)) = (event.customer(), case_of(&event.event)) else {
            return;
        };
        let key = (customer, case);
        let known = rows.get(&key).cloned().or_else(|| rows.private(&key).cloned());
        let was_closed = known.as_ref().is_some_and(|case| case.closed);
        let is_new = known.is_none();
        let mut row = known.unwrap_or_default();
        row.step(event);
        match (row.closed, was_closed || is_new) {
            (true, true) => rows.put_private(&key, row),
            (true, false) => {
                rows.remove(&key);
                rows.put_private(&key, row);
            }
            (false, _) => {
                if was_closed {
                    rows.take_private(&key);
                }
                rows.put(&key, row);
            }
        }
    }
}

impl OpenCase {
    fn step(&mut self, recorded: &Recorded) {
        let at = recorded.occurred_at().as_microsecond();
        if self.last_step_at == 0 && self.opened_at == 0 {
            self.opened_at = at;
        }
        let reopens = matches!(recorded.event, Event::CaseReopened(_));
        if self.closed && !reopens {
            self.irregular += 1;
        }
        self.last_step_at = self.last_step_at.max(at);
        match &recorded.event {
            Event::CaseOpened(it) => {
                self.kind = Some(it.kind);
                self.severity = Some(it.severity);
                self.touchpoint = it.touchpoint;
                self.channel = it.channel;
                self.reference.clone_from(&it.reference);
                self.opened_at = at;
            }
            Event::CaseAcknowledged(_) => _ = self.acknowledged_at.get_or_insert(at),
            Event::AgentReplied(it) if it.human && it.public => {
                self.first_reply_at.get_or_insert(at);
            }
            Event::CaseTransferred(_) => self.transfers += 1,
            Event::CaseEscalated(_) => self.escalated = true,
            Event::CasePaused(it) => self.paused = Some((it.waiting_on, at)),
            Event::CaseResumed(_) => self.resume(at),
            Event::CaseResolved(_) => {
                self.irregular += u32::from(self.resolved);
                self.resume(at);
                self.resolved = true;
                self.resolved_at.get_or_insert(at);
            }
            Event::CustomerRejectedResolution(_) => self.resolved = false,
            Event::CaseReopened(_) => {
                self.reopened += 1;
                self.resolved = false;
                self.closed = false;
            }
            Event::CaseClosed(_) => {
                self.resume(at);
                self.closed = true;
            }
            _ => {}
        }
    }

    fn resume(&mut self, at: i64) {
        if let Some((WaitingOn::Customer, since)) = self.paused.take() {
            self.waited_for_customer += (at - since).max(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use cx_model::event as e;
    use uuid::Uuid;

    use super::*;
    use crate::fold::Fold;
    use crate::given::{customer, happened, recorded};

    fn case() -> CaseId {
        CaseId(Uuid::from_u128(5))
    }

    fn opened() -> e::CaseOpened {
        e::CaseOpened {
            case: case(),
            kind: CaseKind::Complaint,
            severity: Severity::High,
            subject: None,
            remedy_sought: None,
            touchpoint: None,
            channel: Some(Channel::Phone),
            reference: None,
        }
    }

    #[test]
    fn a_closed_case_leaves_and_comes_back_with_its_past() {
        let steps = |count| {
            let all = [
                happened(customer(1), opened()),
                happened(
                    customer(1),
                    e::CaseTransferred { case: case(), division: None, agent: None },
                ),
                happened(customer(1), e::CaseClosed { case: case() }),
                happened(customer(1), e::CaseReopened { case: case(), reason: None }),
            ];
            let mut fold = Fold::<OpenCase>::new();
            fold.fold(&recorded(all.into_iter().take(count)));
            fold.get(&(customer(1), case()))
        };
        assert_eq!(steps(2).unwrap().transfers, 1);
        assert_eq!(steps(3), None);
        let again = steps(4).unwrap();
        assert_eq!((again.transfers, again.reopened, again.irregular), (1, 1, 0));
    }

    #[test]
    fn waiting_for_the_customer_is_counted_and_other_waiting_is_not() {
        let pause = |waiting_on| e::CasePaused { case: case(), waiting_on };
        let mut fold = Fold::<OpenCase>::new();
        fold.fold(&recorded([
            happened(customer(1), opened()).at("2026-01-01T00:00:00Z"),
            happened(customer(1), pause(WaitingOn::Customer)).at("2026-01-01T01:00:00Z"),
            happened(customer(1), e::CaseResumed { case: case() }).at("2026-01-01T03:00:00Z"),
            happened(customer(1), pause(WaitingOn::ThirdParty)).at("2026-01-01T04:00:00Z"),
            happened(customer(1), e::CaseResumed { case: case() }).at("2026-01-01T09:00:00Z"),
        ]));
        let row = fold.get(&(customer(1), case())).unwrap();
        assert_eq!(row.waited_for_customer, 2 * 3600 * 1_000_000);
    }

    crate::laws!(OpenCase);
}
