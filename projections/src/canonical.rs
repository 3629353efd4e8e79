//! The history whose root, as a view's code makes it, names the view's generation.

use cx_model::{
    Actor, CaseId, CaseKind, Channel, CustomerId, CustomerKind, Direction, Envelope, Event,
    Initiator, InteractionId, Position, Recorded, Severity, derived_id, event,
};
use jiff::{SignedDuration, Timestamp};

/// A fixed history.
pub fn canonical_history() -> Vec<Recorded> {
    let start = Timestamp::from_second(1_767_225_600).expect("within jiff's range");
    let mut events = Vec::new();
    let mut revisions = [0u64; 5];
    for n in 0u64..60 {
        let who = (n % 5) as usize;
        let customer = CustomerId(derived_id(&["canonical", "customer", &who.to_string()]));
        let body: Event = match n / 5 {
            0 => event::CustomerRegistered { kind: CustomerKind::Person, name: None }.into(),
            1 => event::CaseOpened {
                case: CaseId(derived_id(&["canonical", "case", &who.to_string()])),
                kind: CaseKind::Complaint,
                severity: Severity::Normal,
                subject: None,
                remedy_sought: None,
                touchpoint: None,
                channel: None,
                reference: None,
            }
            .into(),
            _ => event::InteractionRecorded {
                interaction: InteractionId(derived_id(&["canonical", &n.to_string()])),
                kind: "call".into(),
                touchpoint: None,
                channel: Channel::ALL[n as usize % Channel::ALL.len()],
                direction: Direction::In,
                initiator: Initiator::Customer,
                counterparty: None,
                stage: None,
                thread: None,
                case: None,
                duration_seconds: Some(60),
                outcome: None,
                text: None,
                valence: None,
                expectation: None,
            }
            .into(),
        };
        let time = start + SignedDuration::from_hours(n as i64);
        events.push(Recorded {
            ordinal: n + 1,
            position: Position::new(n + 1),
            stream: customer.stream(),
            revision: revisions[who],
            id: derived_id(&["canonical", "event", &n.to_string()]),
            recorded_at: time,
            envelope: Envelope::new(time, Actor::System { name: "canonical".into() }),
            event: body,
        });
        revisions[who] += 1;
    }
    events
}
