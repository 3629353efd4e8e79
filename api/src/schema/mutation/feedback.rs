//! What a customer was asked and answered.

use std::collections::BTreeMap;

use async_graphql::{InputObject, OneofObject, Result};
use cx_model::decide::{
    AmendResponse, Instrument, Responses, SendInvitation, SubmitResponse, SuppressInvitation,
    WithdrawResponse,
};
use cx_model::event::{
    Answer, InvitationSent, InvitationSuppressed, ResponseAmended, ResponseSubmitted,
    ResponseWithdrawn,
};
use cx_model::{AnswerValue, CaseId, CustomerId, InstrumentId, ResponseId, TouchpointId};

use super::deed::{Deed, Written};
use super::payload::{CustomerPayload, ResponsePayload};
use super::refused::UserError;

/// What was answered to one question.
#[derive(Clone, OneofObject)]
pub enum AnswerValueInput {
    /// A score on the question's scale.
    Score(i32),
    /// Words. Sealed with the customer's key.
    Text(String),
    /// `true`: the customer said that the question does not apply to them.
    NotUsed(bool),
    /// `true`: nothing was answered.
    Blank(bool),
}

/// The answer to one question.
#[derive(Clone, InputObject)]
pub struct AnswerInput {
    /// The question's name in the questionnaire.
    pub question: String,
    /// The touchpoint, if it differs from the question's own.
    pub touchpoint: Option<TouchpointId>,
    /// What was answered.
    pub value: AnswerValueInput,
}

impl From<AnswerInput> for Answer {
    fn from(AnswerInput { question, touchpoint, value }: AnswerInput) -> Self {
        let value = match value {
            AnswerValueInput::Score(score) => AnswerValue::Score(score),
            AnswerValueInput::Text(text) => AnswerValue::Text(text.into()),
            AnswerValueInput::NotUsed(true) => AnswerValue::NotUsed,
            AnswerValueInput::NotUsed(false) | AnswerValueInput::Blank(_) => AnswerValue::Blank,
        };
        Self { question, touchpoint, value }
    }
}

/// Something else that is known of a response.
#[derive(Clone, InputObject)]
pub struct ResponseAttributeInput {
    /// Its name, such as `boarding_area`.
    pub name: String,
    /// Its value; not personal.
    pub value: String,
}

mutations! { FeedbackMutations {
    /// Notes that a customer was asked.
    send_invitation(SendInvitationInput {
        /// Who was asked.
        customer: CustomerId,
        /// With which questionnaire.
        instrument: InstrumentId,
        /// About which touchpoint.
        touchpoint: Option<TouchpointId>,
    }) -> CustomerPayload = |deed, input| {
        let (instrument, touchpoint) = (input.instrument, input.touchpoint);
        let command = SendInvitation {
            invitation: InvitationSent { instrument, touchpoint },
            instrument: deed.state(&instrument.stream()).await?,
        };
        let stream = input.customer.stream();
        Ok(CustomerPayload::new(deed.command(&stream, &command).await?, input.customer))
    }

    /// Notes that a customer was not asked, on purpose.
    suppress_invitation(SuppressInvitationInput {
        /// Who was not asked.
        customer: CustomerId,
        /// With which questionnaire.
        instrument: InstrumentId,
        /// Why, such as `asked_recently`.
        reason: String,
    }) -> CustomerPayload = |deed, input| {
        let (instrument, reason) = (input.instrument, input.reason);
        let command = SuppressInvitation(InvitationSuppressed { instrument, reason });
        let stream = input.customer.stream();
        Ok(CustomerPayload::new(deed.command(&stream, &command).await?, input.customer))
    }

    /// Takes what a customer answered. Each answer must be to a question of the questionnaire, and within its scale.
    submit_response(SubmitResponseInput {
        /// Who answered.
        customer: CustomerId,
        /// Which questionnaire.
        instrument: InstrumentId,
        /// The answers, a question at most once.
        answers: Vec<AnswerInput>,
        /// The survey weight, more than 0; 1 if left out.
        weight: Option<f64>,
        /// What else is known of the response: each name at most once, and without an equals sign.
        #[graphql(default)]
        attributes: Vec<ResponseAttributeInput>,
        /// The case it is about.
        case: Option<CaseId>,
        /// The customer stopped in the middle.
        #[graphql(default)]
        partial: bool,
    }) -> ResponsePayload = |deed, input| {
        let (customer, response) = (input.customer, deed.id_of("response"));
        Ok(ResponsePayload::new(submit(&deed, response, input).await?, customer, response))
    }

    /// Takes changed answers of a customer. They stand in the place of the earlier ones, which stay readable.
    amend_response(AmendResponseInput {
        /// Who answered.
        customer: CustomerId,
        /// Which response.
        response: ResponseId,
        /// The answers that change.
        answers: Vec<AnswerInput>,
    }) -> ResponsePayload = |deed, input| {
        let (stream, response) = (input.customer.stream(), input.response);
        let responses: Responses = deed.state(&stream).await?;
        let instrument = match responses.instrument_of(response) {
            Some(id) => deed.state(&id.stream()).await?,
            None => Instrument::default(),
        };
        let answers = input.answers.into_iter().map(Into::into).collect();
        let command = AmendResponse { amendment: ResponseAmended { response, answers }, instrument };
        let written = deed.command(&stream, &command).await?;
        Ok(ResponsePayload::new(written, input.customer, response))
    }

    /// Takes a response back. It stays readable and counts nowhere.
    withdraw_response(WithdrawResponseInput {
        /// Who answered.
        customer: CustomerId,
        /// Which response.
        response: ResponseId,
        /// Why.
        reason: String,
    }) -> ResponsePayload = |deed, input| {
        let (response, reason) = (input.response, input.reason);
        let command = WithdrawResponse(ResponseWithdrawn { response, reason });
        let written = deed.command(&input.customer.stream(), &command).await?;
        Ok(ResponsePayload::new(written, input.customer, response))
    }
} }

async fn submit(
    deed: &Deed<'_>,
    response: ResponseId,
    input: SubmitResponseInput,
) -> Result<Written> {
    let weight_millionths = match input.weight {
        None => None,
        Some(weight) if (1e-6..=1e9).contains(&weight) => Some((weight * 1e6).round() as u64),
        Some(_) => {
            let message = "a weight lies between a millionth and a thousand millions";
            return Ok(UserError::new("BAD_WEIGHT", message, "weight").into());
        }
    };
    let mut attributes = BTreeMap::new();
    for ResponseAttributeInput { name, value } in input.attributes {
        let fits = ResponseSubmitted::takes_attribute(&name);
        if !fits || attributes.insert(name, value).is_some() {
            let message =
                "an attribute has a name without an equals sign, and each name comes once";
            return Ok(UserError::new("BAD_ATTRIBUTE", message, "attributes").into());
        }
    }
    let command = SubmitResponse {
        response: ResponseSubmitted {
            response,
            instrument: input.instrument,
            answers: input.answers.into_iter().map(Into::into).collect(),
            weight_millionths,
            attributes,
            case: input.case,
            partial: input.partial,
        },
        instrument: deed.state(&input.instrument.stream()).await?,
    };
    deed.command(&input.customer.stream(), &command).await
}
