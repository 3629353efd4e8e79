//! Consent, and the rights of the person behind the customer.

use async_graphql::{Context, InputObject, Object, Result};
use cx_model::decide::{GiveConsent, RequestErasure, WithdrawConsent};
use cx_model::event::{ConsentGiven, ConsentWithdrawn, ErasureRequested};
use cx_model::{Channel, CustomerId};

use super::super::reading::system;
use super::deed::{Written, actor, must_operate, refused_or_fault};
use super::payload::CustomerPayload;
use super::refused::UserError;
use crate::positions::ReadPositions;

mutations! { ConsentMutations {
    /// Notes that a customer allows something.
    give_consent(GiveConsentInput {
        /// Who.
        customer: CustomerId,
        /// What for, such as `marketing`.
        purpose: String,
        /// The version of the text they agreed to.
        wording_version: String,
        /// By which way they said so.
        channel: Channel,
    }) -> CustomerPayload = |deed, input| {
        let (purpose, wording_version) = (input.purpose, input.wording_version);
        let given = ConsentGiven { purpose, wording_version, channel: input.channel };
        let stream = input.customer.stream();
        let written = deed.command(&stream, &GiveConsent(given)).await?;
        Ok(CustomerPayload::new(written, input.customer))
    }

    /// Notes that a customer allows it no longer.
    withdraw_consent(WithdrawConsentInput {
        /// Who.
        customer: CustomerId,
        /// What for.
        purpose: String,
    }) -> CustomerPayload = |deed, input| {
        let command = WithdrawConsent(ConsentWithdrawn { purpose: input.purpose });
        let stream = input.customer.stream();
        Ok(CustomerPayload::new(deed.command(&stream, &command).await?, input.customer))
    }

    /// Notes that a customer asks to be forgotten. `eraseCustomer` does it.
    request_erasure(RequestErasureInput {
        /// Who.
        customer: CustomerId,
        /// By which way they asked.
        channel: Option<Channel>,
    }) -> CustomerPayload = |deed, input| {
        let command = RequestErasure(ErasureRequested { channel: input.channel });
        let stream = input.customer.stream();
        Ok(CustomerPayload::new(deed.command(&stream, &command).await?, input.customer))
    }
} }

/// Erases a customer.
#[derive(Clone, InputObject)]
pub struct EraseCustomerInput {
    /// Who is to be forgotten.
    pub customer: CustomerId,
    /// Why, such as `request` or `retention`; not personal, it stays.
    pub reason: String,
    /// Accepted as everywhere; a customer is erased once, with or without a key.
    pub idempotency_key: Option<String>,
}

/// The one mutation that takes something away.
#[derive(Default)]
pub struct ErasureMutation;

#[Object]
impl ErasureMutation {
    /// Destroys the key of a customer, for good: every personal value of theirs reads `ERASED` from now on, in the ledger and in every view, and nothing more is recorded of them. For the role `operator`.
    async fn erase_customer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, and why.")] input: EraseCustomerInput,
    ) -> Result<CustomerPayload> {
        must_operate(ctx)?;
        let EraseCustomerInput { customer, reason, .. } = input;
        if reason.trim().is_empty() {
            let error = UserError::new("NOTHING_SAID", "reason must not be empty", "reason");
            return Ok(CustomerPayload::new(error.into(), customer));
        }
        let written = match system(ctx).book.erase(customer, &reason, actor(ctx)).await {
            Ok(done) => {
                if let Some(positions) = ctx.data_opt::<ReadPositions>() {
                    positions.report(done.position);
                }
                let (position, duplicate) = (Some(done.position), done.repeated);
                Written { position, duplicate, ..Written::default() }
            }
            Err(error) => refused_or_fault(error)?,
        };
        Ok(CustomerPayload::new(written, customer))
    }
}
