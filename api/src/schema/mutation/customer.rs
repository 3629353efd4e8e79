//! Who a customer is.

use async_graphql::Result;
use cx_ledger::Wanted;
use cx_model::decide::{
    AttachIdentifier, ChangeDetails, ChangeLifecycleStage, DeclareIntent, DetachIdentifier,
    MergeCustomers, Profile, Refusal, RegisterCustomer, SetPreference, UnmergeCustomers,
};
use cx_model::event::{
    CustomerRegistered, CustomersMerged, CustomersUnmerged, DetailsChanged, IdentifierAttached,
    IdentifierDetached, IntentDeclared, PreferenceSet,
};
use cx_model::{CustomerId, CustomerKind, Event, Stage};
use uuid::Uuid;

use super::super::reading;
use super::deed::{Deed, Written};
use super::payload::CustomerPayload;
use super::refused::UserError;

mutations! { CustomerMutations {
    /// Makes a customer known and gives them an id.
    register_customer(RegisterCustomerInput {
        /// A person, a household or an organisation.
        kind: CustomerKind,
        /// What they are called.
        name: Option<String>,
    }) -> CustomerPayload = |deed, input| {
        let id: CustomerId = deed.id_of("customer");
        let (kind, name) = (input.kind, input.name.map(Into::into));
        let command = RegisterCustomer(CustomerRegistered { kind, name });
        Ok(CustomerPayload::new(deed.command(&id.stream(), &command).await?, id))
    }

    /// Changes what is known of a customer. What is left out stays as it is.
    change_details(ChangeDetailsInput {
        /// Whose details.
        customer: CustomerId,
        /// What they are called now.
        name: Option<String>,
        /// The language they want to be spoken to in, BCP 47, such as `de-CH`.
        language: Option<String>,
    }) -> CustomerPayload = |deed, input| {
        let (name, language) = (input.name.map(Into::into), input.language);
        let command = ChangeDetails(DetailsChanged { name, language });
        let stream = input.customer.stream();
        Ok(CustomerPayload::new(deed.command(&stream, &command).await?, input.customer))
    }

    /// Notes by which value a customer is known elsewhere. The value belongs to them from now on; one that belongs to another customer is refused as `IDENTIFIER_TAKEN`.
    attach_identifier(AttachIdentifierInput {
        /// Who is known so.
        customer: CustomerId,
        /// The scheme, such as `email` or `crm`.
        scheme: String,
        /// The value in that scheme.
        value: String,
        /// No customer has two of them, so two customers with different ones are never merged.
        #[graphql(default)]
        unique: bool,
    }) -> CustomerPayload = |deed, input| {
        let id = input.customer;
        Ok(CustomerPayload::new(attach(&deed, input).await?, id))
    }

    /// Takes an identifier away from a customer. It keeps pointing at them, so that nobody else takes it by mistake.
    detach_identifier(DetachIdentifierInput {
        /// Who is no longer known so.
        customer: CustomerId,
        /// The scheme.
        scheme: String,
        /// The value in that scheme.
        value: String,
    }) -> CustomerPayload = |deed, input| {
        let attached = attachment(&deed, &input).await?.unwrap_or_default();
        let command = DetachIdentifier(IdentifierDetached { scheme: input.scheme, attached });
        let stream = input.customer.stream();
        Ok(CustomerPayload::new(deed.command(&stream, &command).await?, input.customer))
    }

    /// Declares that a customer turned out to be another one. Nothing is copied, and it can be undone.
    merge_customers(MergeCustomersInput {
        /// The customer that is absorbed.
        customer: CustomerId,
        /// Who both are.
        survivor: CustomerId,
        /// Why.
        reason: String,
        /// The ids of events that show it.
        #[graphql(default)]
        evidence: Vec<Uuid>,
    }) -> CustomerPayload = |deed, input| {
        let (survivor, evidence, reason) = (input.survivor, input.evidence, input.reason);
        let merge = CustomersMerged { survivor, evidence, reason };
        let command = MergeCustomers { merge, survivor: deed.state(&survivor.stream()).await? };
        let stream = input.customer.stream();
        Ok(CustomerPayload::new(deed.command(&stream, &command).await?, input.customer))
    }

    /// Undoes the merge of a customer into another one.
    unmerge_customers(UnmergeCustomersInput {
        /// The customer that was absorbed.
        customer: CustomerId,
    }) -> CustomerPayload = |deed, input| {
        let stream = input.customer.stream();
        let profile: Profile = deed.state(&stream).await?;
        let merge = profile.merged().map(|(merge, _)| merge).unwrap_or_default();
        let command = UnmergeCustomers(CustomersUnmerged { merge });
        Ok(CustomerPayload::new(deed.command(&stream, &command).await?, input.customer))
    }

    /// Moves a customer to another stage of the relationship.
    change_lifecycle_stage(ChangeLifecycleStageInput {
        /// Who.
        customer: CustomerId,
        /// The stage now.
        stage: Stage,
        /// The rule that says so, such as `no_purchase_for_a_year`.
        rule: Option<String>,
    }) -> CustomerPayload = |deed, input| {
        let command = ChangeLifecycleStage { to: input.stage, rule: input.rule };
        let stream = input.customer.stream();
        Ok(CustomerPayload::new(deed.command(&stream, &command).await?, input.customer))
    }

    /// Notes what a customer prefers.
    set_preference(SetPreferenceInput {
        /// Who.
        customer: CustomerId,
        /// What about, such as `contact_channel`.
        name: String,
        /// What they prefer.
        value: String,
    }) -> CustomerPayload = |deed, input| {
        let command = SetPreference(PreferenceSet { name: input.name, value: input.value.into() });
        let stream = input.customer.stream();
        Ok(CustomerPayload::new(deed.command(&stream, &command).await?, input.customer))
    }

    /// Notes what a customer says they mean to do.
    declare_intent(DeclareIntentInput {
        /// Who.
        customer: CustomerId,
        /// Such as `repurchase`, `recommend` or `leave`.
        intent: String,
    }) -> CustomerPayload = |deed, input| {
        let command = DeclareIntent(IntentDeclared { intent: input.intent });
        let stream = input.customer.stream();
        Ok(CustomerPayload::new(deed.command(&stream, &command).await?, input.customer))
    }
} }

/// Claims the identifier, then attaches it. Who cannot have one claims none.
async fn attach(deed: &Deed<'_>, input: AttachIdentifierInput) -> Result<Written> {
    let AttachIdentifierInput { customer, scheme, value, unique, .. } = input;
    let stream = customer.stream();
    let profile: Profile = deed.state(&stream).await?;
    if profile.is_erased() {
        return Ok(Refusal::CustomerErased.into());
    }
    if !profile.is_known() {
        return Ok(Refusal::UnknownCustomer.into());
    }
    for (text, field) in [(&scheme, "scheme"), (&value, "value")] {
        if text.trim().is_empty() {
            return Ok(Refusal::NothingSaid { field }.into());
        }
    }
    let wanted = [Wanted { scheme: &scheme, value: &value, customer: Some(customer) }];
    let claims = deed.book.claim_many(&wanted).await.map_err(reading::book_failed)?;
    if claims.iter().any(|claim| claim.customer != customer) {
        let message = "this identifier belongs to another customer; if they are one, merge them";
        return Ok(UserError::new("IDENTIFIER_TAKEN", message, "value").into());
    }
    let value = value.into();
    let command = AttachIdentifier(IdentifierAttached { scheme, value, unique });
    deed.command(&stream, &command).await
}

/// The event that attached an identifier, the last one if there are several. One that was detached
/// since counts, so that a repeated deed is the same deed.
async fn attachment(deed: &Deed<'_>, input: &DetachIdentifierInput) -> Result<Option<Uuid>> {
    let history = deed.book.history(&input.customer.stream()).await;
    for mut event in history.map_err(reading::book_failed)?.into_iter().rev() {
        let of_scheme = matches!(
            &event.event, Event::IdentifierAttached(attached) if attached.scheme == input.scheme
        );
        if !of_scheme {
            continue;
        }
        deed.book.open(&mut event).map_err(reading::book_failed)?;
        if let Event::IdentifierAttached(attached) = &event.event
            && attached.value.clear() == Some(&input.value)
        {
            return Ok(Some(event.id));
        }
    }
    Ok(None)
}
