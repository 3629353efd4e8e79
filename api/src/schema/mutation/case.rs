//! What a customer asked, requested, reported or complained about, and how it is dealt with.

use cx_model::decide::{
    AcceptResolution, AcknowledgeCase, AssignCase, CloseCase, EscalateCase, OfferSolution,
    OpenCase, PauseCase, RejectResolution, ReopenCase, ReplyToCase, ResolveCase, ResumeCase,
    TakeCustomerReply, TransferCase,
};
use cx_model::event::{
    AgentReplied, CaseAcknowledged, CaseAssigned, CaseClosed, CaseEscalated, CaseOpened,
    CasePaused, CaseReopened, CaseResolved, CaseResumed, CaseTransferred,
    CustomerAcceptedResolution, CustomerRejectedResolution, CustomerReplied, SolutionOffered,
};
use cx_model::{
    AgentId, CaseId, CaseKind, Channel, CustomerId, DivisionId, Severity, TouchpointId, WaitingOn,
};

use super::payload::CasePayload;

mutations! { OpeningMutations {
    /// Opens a case: a customer asked, requested, reported or complained.
    open_case(OpenCaseInput {
        /// Whose case.
        customer: CustomerId,
        /// What kind.
        kind: CaseKind,
        /// How bad; ordinary if left out.
        #[graphql(default_with = "Severity::Normal")]
        severity: Severity,
        /// What it is about, in the customer's words. Sealed with the customer's key.
        subject: Option<String>,
        /// What the customer wants, such as `refund`.
        remedy_sought: Option<String>,
        /// Where it began.
        touchpoint: Option<TouchpointId>,
        /// By which way it came.
        channel: Option<Channel>,
        /// Its number elsewhere; not personal.
        reference: Option<String>,
    }) -> CasePayload = |deed, input| {
        let case: CaseId = deed.id_of("case");
        let command = OpenCase(CaseOpened {
            case,
            kind: input.kind,
            severity: input.severity,
            subject: input.subject.map(Into::into),
            remedy_sought: input.remedy_sought,
            touchpoint: input.touchpoint,
            channel: input.channel,
            reference: input.reference,
        });
        let written = deed.command(&input.customer.stream(), &command).await?;
        Ok(CasePayload::new(written, input.customer, case))
    }
} }

/// Declares steps: mutations of a case, whose input says whose case and which.
macro_rules! steps {
    ($root:ident {
        $($(#[$doc:meta])* $name:ident($input:ident {
            $($(#[$fdoc:meta])* $field:ident: $type:ty,)*
        }) = $command:ident($event:ident { $($part:ident $(: $value:expr)?),* });)*
    }) => {
        mutations! { $root {
            $($(#[$doc])*
            $name($input {
                /// Whose case.
                customer: CustomerId,
                /// Which.
                case: CaseId,
                $($(#[$fdoc])* $field: $type,)*
            }) -> CasePayload = |deed, input| {
                #[allow(unused_variables, reason = "a step without further fields has none")]
                let $input { customer, case, $($field,)* .. } = input;
                let command = $command($event { case, $($part $(: $value)?),* });
                Ok(CasePayload::new(deed.command(&customer.stream(), &command).await?, customer, case))
            })*
        } }
    };
}

steps! { StepMutations {
    /// Tells the customer that the case arrived.
    acknowledge_case(AcknowledgeCaseInput {}) = AcknowledgeCase(CaseAcknowledged {});

    /// Says who is to look after a case: a division, a person, or both.
    assign_case(AssignCaseInput {
        /// The division.
        division: Option<DivisionId>,
        /// The person.
        agent: Option<AgentId>,
    }) = AssignCase(CaseAssigned { division, agent });

    /// Gives a case to someone else: a division, a person, or both.
    transfer_case(TransferCaseInput {
        /// The division it goes to.
        division: Option<DivisionId>,
        /// The person it goes to.
        agent: Option<AgentId>,
    }) = TransferCase(CaseTransferred { division, agent });

    /// Answers the customer.
    reply_to_case(ReplyToCaseInput {
        /// A person wrote it; an automatic reply is no first response.
        human: bool,
        /// The customer sees it.
        public: bool,
        /// What was said. Sealed with the customer's key.
        text: Option<String>,
    }) = ReplyToCase(AgentReplied { human, public, text: text.map(Into::into) });

    /// Takes what the customer wrote again; they may at any time.
    take_customer_reply(TakeCustomerReplyInput {
        /// What was said. Sealed with the customer's key.
        text: Option<String>,
    }) = TakeCustomerReply(CustomerReplied { text: text.map(Into::into) });

    /// Offers the customer a solution.
    offer_solution(OfferSolutionInput {
        /// Which. Sealed with the customer's key.
        description: Option<String>,
    }) = OfferSolution(SolutionOffered { description: description.map(Into::into) });

    /// Lets a case wait; while it waits for the customer, its clock stands still.
    pause_case(PauseCaseInput {
        /// For whom it waits.
        waiting_on: WaitingOn,
    }) = PauseCase(CasePaused { waiting_on });

    /// Lets a case go on.
    resume_case(ResumeCaseInput {}) = ResumeCase(CaseResumed {});

    /// Moves a case up.
    escalate_case(EscalateCaseInput {
        /// Why.
        reason: String,
    }) = EscalateCase(CaseEscalated { reason });

    /// Settles a case, in the organisation's eyes. A complaint must be acknowledged before (ISO 10002).
    resolve_case(ResolveCaseInput {
        /// How, such as `fixed` or `explained`.
        resolution: String,
    }) = ResolveCase(CaseResolved { resolution });

    /// Records that the customer agrees with how the case was resolved.
    accept_resolution(AcceptResolutionInput {}) = AcceptResolution(CustomerAcceptedResolution {});

    /// Records that the customer does not agree with how the case was resolved.
    reject_resolution(RejectResolutionInput {}) = RejectResolution(CustomerRejectedResolution {});

    /// Opens a resolved or closed case again.
    reopen_case(ReopenCaseInput {
        /// Why.
        reason: Option<String>,
    }) = ReopenCase(CaseReopened { reason });

    /// Ends a case. A complaint must be resolved, and the decision communicated, before (ISO 10002).
    close_case(CloseCaseInput {}) = CloseCase(CaseClosed {});
} }
