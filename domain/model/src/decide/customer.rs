//! Who a customer is, whom they turned out to be, and what they allowed.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{Command, Refusal, State, Subject, decisions, refuse, said};
use crate::envelope::Recorded;
use crate::event::{CustomersMerged, Event, LifecycleStageChanged};
use crate::ids::CustomerId;
use crate::vocabulary::Stage;

/// What decisions about a customer's identity and consent depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    pub(super) subject: Subject,
    id: Option<CustomerId>,
    registered: bool,
    erasure_requested: bool,
    /// By the event that attached it: the scheme, and whether it is unique.
    identifiers: BTreeMap<Uuid, (String, bool)>,
    /// The merge that stands, and the survivor.
    merged: Option<(Uuid, CustomerId)>,
    stage: Option<Stage>,
    consents: BTreeSet<String>,
}

impl Profile {
    /// Whether anything is known of this customer.
    pub fn is_known(&self) -> bool {
        self.subject.known
    }

    /// Whether the customer was erased.
    pub fn is_erased(&self) -> bool {
        self.subject.erased
    }

    /// Who this customer turned out to be, with the merge that says so.
    pub fn merged(&self) -> Option<(Uuid, CustomerId)> {
        self.merged
    }

    /// The stage the customer is at.
    pub fn stage(&self) -> Option<Stage> {
        self.stage
    }

    /// The schemes in which the customer holds a unique identifier.
    pub fn unique_schemes(&self) -> BTreeSet<&str> {
        let unique = self.identifiers.values().filter(|(_, unique)| *unique);
        unique.map(|(scheme, _)| scheme.as_str()).collect()
    }

    /// As `refusal`, for a merge too, whose decision depends on the survivor.
    pub(super) fn refusal_of_any(&self, event: &Event) -> Option<Refusal> {
        match event {
            Event::CustomersMerged(merge) => self.merge(merge).err(),
            event => self.refusal(event),
        }
    }

    fn merge(&self, merge: &CustomersMerged) -> Result<(), Refusal> {
        self.subject.check()?;
        said(&merge.reason, "reason")?;
        refuse(self.merged.is_some(), Refusal::AlreadyMerged)?;
        refuse(self.id == Some(merge.survivor), Refusal::SameCustomer)
    }
}

impl State for Profile {
    fn apply(&mut self, event: &Recorded) {
        self.subject.apply(&event.event);
        self.id = self.id.or(event.customer());
        match &event.event {
            Event::CustomerRegistered(_) => self.registered = true,
            Event::IdentifierAttached(attached) => {
                self.identifiers.insert(event.id, (attached.scheme.clone(), attached.unique));
            }
            Event::IdentifierDetached(detached) => {
                self.identifiers.remove(&detached.attached);
            }
            Event::CustomersMerged(merge) => self.merged = Some((event.id, merge.survivor)),
            Event::CustomersUnmerged(undone) => {
                self.merged = self.merged.filter(|(merge, _)| *merge != undone.merge);
            }
            Event::LifecycleStageChanged(changed) => self.stage = Some(changed.to),
            Event::ConsentGiven(given) => {
                self.consents.insert(given.purpose.clone());
            }
            Event::ConsentWithdrawn(withdrawn) => {
                self.consents.remove(&withdrawn.purpose);
            }
            Event::ErasureRequested(_) => self.erasure_requested = true,
            _ => {}
        }
    }
}

decisions! { Profile {
    /// Makes a customer known.
    RegisterCustomer(CustomerRegistered) = |profile, _| {
        refuse(profile.subject.erased, Refusal::CustomerErased)?;
        refuse(profile.registered, Refusal::AlreadyRegistered)
    };
    /// Changes what is known of a customer.
    ChangeDetails(DetailsChanged) = |profile, details| {
        profile.subject.check()?;
        let nothing = details.name.is_none() && details.language.is_none();
        refuse(nothing, Refusal::NothingChanged)
    };
    /// Notes by which value a customer is known elsewhere. Claim the identifier first.
    AttachIdentifier(IdentifierAttached) = |profile, attached| {
        profile.subject.check()?;
        said(&attached.scheme, "scheme")
    };
    /// Takes an identifier away, by the event that attached it.
    DetachIdentifier(IdentifierDetached) = |profile, detached| {
        profile.subject.check()?;
        let attached = profile.identifiers.get(&detached.attached);
        refuse(attached.is_none_or(|(scheme, _)| *scheme != detached.scheme), Refusal::NotAttached)
    };
    /// Undoes a merge.
    UnmergeCustomers(CustomersUnmerged) = |profile, undone| {
        profile.subject.check()?;
        let stands = profile.merged.is_some_and(|(merge, _)| merge == undone.merge);
        refuse(!stands, Refusal::NotMerged)
    };
    /// Notes what a customer prefers.
    SetPreference(PreferenceSet) = |profile, preference| {
        profile.subject.check()?;
        said(&preference.name, "name")
    };
    /// Notes what a customer means to do.
    DeclareIntent(IntentDeclared) = |profile, declared| {
        profile.subject.check()?;
        said(&declared.intent, "intent")
    };
    /// Notes what a customer allows.
    GiveConsent(ConsentGiven) = |profile, given| {
        profile.subject.check()?;
        said(&given.purpose, "purpose")?;
        said(&given.wording_version, "wordingVersion")
    };
    /// Notes that a customer allows it no longer.
    WithdrawConsent(ConsentWithdrawn) = |profile, withdrawn| {
        profile.subject.check()?;
        refuse(!profile.consents.contains(&withdrawn.purpose), Refusal::NoConsent)
    };
    /// Notes that a customer asks to be forgotten.
    RequestErasure(ErasureRequested) = |profile, _| {
        profile.subject.check()?;
        refuse(profile.erasure_requested, Refusal::AlreadyRequested)
    };
} }

/// Declares that the stream's customer is the survivor. Appended to the absorbed one's stream.
#[derive(Debug, Clone, PartialEq)]
pub struct MergeCustomers {
    /// The merge.
    pub merge: CustomersMerged,
    /// The survivor's profile. The survivor must be merged into nobody, so that merges are trees.
    pub survivor: Profile,
}

impl Command for MergeCustomers {
    type State = Profile;

    fn decide(&self, absorbed: &Profile) -> Result<Vec<Event>, Refusal> {
        absorbed.merge(&self.merge)?;
        self.survivor.subject.check()?;
        refuse(self.survivor.merged.is_some(), Refusal::SurvivorMerged)?;
        let theirs = self.survivor.unique_schemes();
        if let Some(scheme) = absorbed.unique_schemes().intersection(&theirs).next() {
            return Err(Refusal::IdentifiersConflict { scheme: (*scheme).to_owned() });
        }
        Ok(vec![self.merge.clone().into()])
    }
}

/// Moves a customer to another stage; the stage before is taken from what is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeLifecycleStage {
    /// The stage now.
    pub to: Stage,
    /// The rule that says so.
    pub rule: Option<String>,
}

impl Command for ChangeLifecycleStage {
    type State = Profile;

    fn decide(&self, profile: &Profile) -> Result<Vec<Event>, Refusal> {
        profile.subject.check()?;
        refuse(profile.stage == Some(self.to), Refusal::AlreadyAtStage)?;
        let (from, to, rule) = (profile.stage, self.to, self.rule.clone());
        Ok(vec![LifecycleStageChanged { from, to, rule }.into()])
    }
}
