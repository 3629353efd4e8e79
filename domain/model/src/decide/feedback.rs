//! What a customer was asked and answered.

use std::collections::BTreeMap;

use super::{Command, Instrument, Refusal, State, Subject, decisions, refuse, said};
use crate::envelope::Recorded;
use crate::event::{Answer, Event, InvitationSent, ResponseAmended, ResponseSubmitted};
use crate::ids::{InstrumentId, ResponseId};

/// What decisions about a customer's responses depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Responses {
    pub(super) subject: Subject,
    /// The instrument of each (unknown where only a later step was recorded), and whether it was
    /// withdrawn.
    given: BTreeMap<ResponseId, (Option<InstrumentId>, bool)>,
}

impl Responses {
    /// The instrument that a response answers.
    pub fn instrument_of(&self, response: ResponseId) -> Option<InstrumentId> {
        self.given.get(&response).and_then(|(instrument, _)| *instrument)
    }

    fn standing(&self, response: ResponseId) -> Result<(), Refusal> {
        self.subject.check()?;
        match self.given.get(&response) {
            None | Some((None, _)) => Err(Refusal::UnknownResponse),
            Some((Some(_), withdrawn)) => refuse(*withdrawn, Refusal::AlreadyWithdrawn),
        }
    }

    fn unheard_of(&self, response: ResponseId) -> Result<(), Refusal> {
        self.subject.check()?;
        refuse(self.given.contains_key(&response), Refusal::AlreadySubmitted)
    }
}

impl State for Responses {
    fn apply(&mut self, event: &Recorded) {
        self.subject.apply(&event.event);
        match &event.event {
            Event::ResponseSubmitted(submitted) => {
                let response = self.given.entry(submitted.response).or_default();
                response.0 = response.0.or(Some(submitted.instrument));
            }
            Event::ResponseWithdrawn(withdrawn) => {
                self.given.entry(withdrawn.response).or_default().1 = true;
            }
            _ => {}
        }
    }
}

decisions! { Responses {
    /// Records that a customer is not asked, on purpose.
    SuppressInvitation(InvitationSuppressed) = |responses, suppressed| {
        responses.subject.check()?;
        said(&suppressed.reason, "reason")
    };
    /// Takes a response back, once.
    WithdrawResponse(ResponseWithdrawn) = |responses, withdrawn| {
        responses.standing(withdrawn.response)?;
        said(&withdrawn.reason, "reason")
    };
} }

impl Responses {
    /// As `refusal`, for the events whose decision depends on an instrument too.
    pub(super) fn refusal_of_any(&self, event: &Event) -> Option<Refusal> {
        match event {
            Event::ResponseSubmitted(submitted) => self.unheard_of(submitted.response).err(),
            Event::ResponseAmended(amended) => self.standing(amended.response).err(),
            event => self.refusal(event),
        }
    }
}

/// Asks a customer.
#[derive(Debug, Clone, PartialEq)]
pub struct SendInvitation {
    /// The invitation.
    pub invitation: InvitationSent,
    /// The instrument it names.
    pub instrument: Instrument,
}

impl Command for SendInvitation {
    type State = Responses;

    fn decide(&self, responses: &Responses) -> Result<Vec<Event>, Refusal> {
        responses.subject.check()?;
        usable(&self.instrument, self.invitation.instrument)?;
        Ok(vec![self.invitation.clone().into()])
    }
}

/// Takes what a customer answered.
#[derive(Debug, Clone, PartialEq)]
pub struct SubmitResponse {
    /// The response.
    pub response: ResponseSubmitted,
    /// The instrument it names.
    pub instrument: Instrument,
}

impl Command for SubmitResponse {
    type State = Responses;

    fn decide(&self, responses: &Responses) -> Result<Vec<Event>, Refusal> {
        responses.unheard_of(self.response.response)?;
        usable(&self.instrument, self.response.instrument)?;
        check_weight(&self.response)?;
        check_attributes(&self.response)?;
        self.instrument.check_answers(&self.response.answers)?;
        refuse(self.response.answers.is_empty(), Refusal::NothingSaid { field: "answers" })?;
        Ok(vec![self.response.clone().into()])
    }
}

/// Takes changed answers of a customer. Allowed after the instrument was retired.
#[derive(Debug, Clone, PartialEq)]
pub struct AmendResponse {
    /// The changed answers.
    pub amendment: ResponseAmended,
    /// The instrument of the response.
    pub instrument: Instrument,
}

impl Command for AmendResponse {
    type State = Responses;

    fn decide(&self, responses: &Responses) -> Result<Vec<Event>, Refusal> {
        let ResponseAmended { response, answers } = &self.amendment;
        responses.standing(*response)?;
        let another = responses.instrument_of(*response) != self.instrument.id();
        refuse(another, Refusal::AnotherInstrument)?;
        self.instrument.check_answers(answers)?;
        refuse(answers.is_empty(), Refusal::NothingChanged)?;
        Ok(vec![self.amendment.clone().into()])
    }
}

/// The heaviest response, in millionths: squares of it are summed over all responses.
const HEAVIEST_MILLIONTHS: u64 = 1_000_000_000_000;

/// Whether a response's weight can be added up with those of others.
pub(super) fn check_weight(response: &ResponseSubmitted) -> Result<(), Refusal> {
    let too_heavy = |weight| weight > HEAVIEST_MILLIONTHS;
    refuse(response.weight_millionths.is_some_and(too_heavy), Refusal::BadWeight)
}

/// Whether a response's answers can be counted by each of its attributes.
pub(super) fn check_attributes(response: &ResponseSubmitted) -> Result<(), Refusal> {
    let bad = |name: &String| !ResponseSubmitted::takes_attribute(name);
    refuse(response.attributes.keys().any(bad), Refusal::BadAttribute)
}

fn usable(instrument: &Instrument, named: InstrumentId) -> Result<(), Refusal> {
    instrument.check_in_use()?;
    refuse(instrument.id() != Some(named), Refusal::AnotherInstrument)
}

/// Whether answers of a fact can be understood where its instrument is not known: each question
/// once.
pub(super) fn check_each_once(answers: &[Answer]) -> Result<(), Refusal> {
    for (place, answer) in answers.iter().enumerate() {
        let twice = answers[..place].iter().any(|earlier| earlier.question == answer.question);
        refuse(twice, Refusal::AnsweredTwice { question: answer.question.clone() })?;
    }
    Ok(())
}
