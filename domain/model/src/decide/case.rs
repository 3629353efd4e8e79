//! What a customer asked, requested, reported or complained about, and how it is dealt with.

use std::collections::BTreeMap;

use super::{Refusal, State, Subject, decisions, refuse, said};
use crate::envelope::Recorded;
use crate::event::Event;
use crate::ids::CaseId;
use crate::vocabulary::{CaseKind, WaitingOn};

/// Where a case stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CaseStatus {
    /// Steps were recorded of it, its opening was not.
    #[default]
    Unopened,
    /// It is being dealt with.
    Open,
    /// It is settled, in the organisation's eyes.
    Resolved,
    /// Nothing is left to do.
    Closed,
}

/// One case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Case {
    kind: Option<CaseKind>,
    status: CaseStatus,
    acknowledged: bool,
    paused: Option<WaitingOn>,
    /// The customer was told: in public since it was resolved, or by an offered solution since it
    /// was opened.
    communicated: bool,
}

impl Case {
    /// Where it stands.
    pub fn status(self) -> CaseStatus {
        self.status
    }

    /// For whom it waits.
    pub fn paused(self) -> Option<WaitingOn> {
        self.paused
    }

    /// Whether the customer was told that it arrived.
    pub fn is_acknowledged(self) -> bool {
        self.acknowledged
    }

    fn not_closed(self) -> Result<(), Refusal> {
        refuse(self.status == CaseStatus::Closed, Refusal::AlreadyClosed)
    }

    /// Neither resolved nor closed.
    fn open(self) -> Result<(), Refusal> {
        self.not_closed()?;
        refuse(self.status == CaseStatus::Resolved, Refusal::AlreadyResolved)
    }

    fn resolved(self) -> Result<(), Refusal> {
        self.not_closed()?;
        refuse(self.status != CaseStatus::Resolved, Refusal::NotResolved)
    }

    fn is_complaint(self) -> bool {
        self.kind == Some(CaseKind::Complaint)
    }
}

/// What decisions about a customer's cases depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cases {
    pub(super) subject: Subject,
    cases: BTreeMap<CaseId, Case>,
}

impl Cases {
    /// A case, if anything was recorded of it.
    pub fn get(&self, case: CaseId) -> Option<&Case> {
        self.cases.get(&case)
    }

    fn case(&self, case: CaseId) -> Result<&Case, Refusal> {
        self.subject.check()?;
        let opened = self.cases.get(&case).filter(|case| case.kind.is_some());
        opened.ok_or(Refusal::UnknownCase)
    }

    fn step(&mut self, case: CaseId, step: impl FnOnce(&mut Case)) {
        step(self.cases.entry(case).or_default());
    }
}

impl State for Cases {
    fn apply(&mut self, event: &Recorded) {
        self.subject.apply(&event.event);
        match &event.event {
            Event::CaseOpened(opened) => self.step(opened.case, |case| {
                case.kind = Some(opened.kind);
                if case.status == CaseStatus::Unopened {
                    case.status = CaseStatus::Open;
                }
            }),
            Event::CaseAcknowledged(step) => self.step(step.case, |case| case.acknowledged = true),
            Event::AgentReplied(reply) => self.step(reply.case, |case| {
                case.communicated |= reply.public && case.status == CaseStatus::Resolved;
            }),
            Event::SolutionOffered(step) => self.step(step.case, |case| case.communicated = true),
            Event::CasePaused(paused) => {
                self.step(paused.case, |case| case.paused = Some(paused.waiting_on));
            }
            Event::CaseResumed(step) => self.step(step.case, |case| case.paused = None),
            Event::CaseResolved(step) => self.step(step.case, |case| {
                case.status = CaseStatus::Resolved;
                case.paused = None;
            }),
            Event::CustomerAcceptedResolution(step) => {
                self.step(step.case, |case| case.communicated = true);
            }
            Event::CustomerRejectedResolution(step) => {
                self.step(step.case, |case| case.communicated = true);
            }
            Event::CaseReopened(step) => self.step(step.case, |case| {
                case.status = CaseStatus::Open;
                case.communicated = false;
            }),
            Event::CaseClosed(step) => self.step(step.case, |case| {
                case.status = CaseStatus::Closed;
                case.paused = None;
            }),
            _ => {}
        }
    }
}

decisions! { Cases {
    /// Opens a case.
    OpenCase(CaseOpened) = |cases, opened| {
        cases.subject.check()?;
        let case = cases.cases.get(&opened.case);
        refuse(case.is_some_and(|case| case.kind.is_some()), Refusal::AlreadyOpened)
    };
    /// Tells the customer that the case arrived.
    AcknowledgeCase(CaseAcknowledged) = |cases, step| {
        let case = cases.case(step.case)?;
        case.not_closed()?;
        refuse(case.acknowledged, Refusal::AlreadyAcknowledged)
    };
    /// Says who is to look after a case.
    AssignCase(CaseAssigned) = |cases, assigned| {
        cases.case(assigned.case)?.not_closed()?;
        refuse(assigned.division.is_none() && assigned.agent.is_none(), Refusal::NobodyNamed)
    };
    /// Gives a case to someone else.
    TransferCase(CaseTransferred) = |cases, transferred| {
        cases.case(transferred.case)?.not_closed()?;
        let nobody = transferred.division.is_none() && transferred.agent.is_none();
        refuse(nobody, Refusal::NobodyNamed)
    };
    /// Answers the customer.
    ReplyToCase(AgentReplied) = |cases, reply| cases.case(reply.case)?.not_closed();
    /// Takes what the customer wrote; they may write at any time.
    TakeCustomerReply(CustomerReplied) = |cases, reply| cases.case(reply.case).map(|_| ());
    /// Offers a solution.
    OfferSolution(SolutionOffered) = |cases, offered| cases.case(offered.case)?.open();
    /// Lets a case wait.
    PauseCase(CasePaused) = |cases, paused| {
        let case = cases.case(paused.case)?;
        case.open()?;
        refuse(case.paused.is_some(), Refusal::AlreadyPaused)
    };
    /// Lets a case go on.
    ResumeCase(CaseResumed) = |cases, step| {
        let case = cases.case(step.case)?;
        case.open()?;
        refuse(case.paused.is_none(), Refusal::NotPaused)
    };
    /// Moves a case up.
    EscalateCase(CaseEscalated) = |cases, escalated| {
        cases.case(escalated.case)?.open()?;
        said(&escalated.reason, "reason")
    };
    /// Settles a case. A complaint is acknowledged before.
    ResolveCase(CaseResolved) = |cases, resolved| {
        let case = cases.case(resolved.case)?;
        case.open()?;
        said(&resolved.resolution, "resolution")?;
        refuse(case.is_complaint() && !case.acknowledged, Refusal::NotAcknowledged)
    };
    /// Records that the customer agrees.
    AcceptResolution(CustomerAcceptedResolution) = |cases, step| cases.case(step.case)?.resolved();
    /// Records that the customer does not agree.
    RejectResolution(CustomerRejectedResolution) = |cases, step| cases.case(step.case)?.resolved();
    /// Opens a resolved or closed case again.
    ReopenCase(CaseReopened) = |cases, step| {
        let open = cases.case(step.case)?.status == CaseStatus::Open;
        refuse(open, Refusal::NotResolved)
    };
    /// Ends a case. A complaint is resolved, and the decision communicated, before.
    CloseCase(CaseClosed) = |cases, step| {
        let case = cases.case(step.case)?;
        case.not_closed()?;
        let settled = case.status == CaseStatus::Resolved;
        refuse(case.is_complaint() && !settled, Refusal::NotResolved)?;
        refuse(case.is_complaint() && !case.communicated, Refusal::NotCommunicated)
    };
} }
