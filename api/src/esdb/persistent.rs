//! Persistent subscriptions: a group of consumers shares the events of a stream, or of all, and the
//! server remembers which of them are done.
//!
//! What has to outlive the process stands in the ledger: the groups in one stream, and for each
//! group its progress and its parked events in a stream each. See `docs/decisions/0062`.

mod assign;
mod calls;
mod command;
mod consume;
mod consumers;
mod group;
mod info;
mod outcome;
mod parked;
mod queue;
mod register;
mod settings;
mod source;

use serde::{Deserialize, Serialize};

use super::fault::{Fault, GroupFault};
use cx_model::StreamName;

pub(super) use calls::call;
pub(super) use register::Groups;

/// How the names of the streams begin that belong to groups.
const OWN: &str = "$persistentsubscription";

/// A group of a stream, or of all.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Key {
    /// The stream, none for all.
    stream: Option<String>,
    group: String,
}

impl Key {
    fn stream(&self) -> &str {
        self.stream.as_deref().unwrap_or("$all")
    }

    /// The group's stream for its progress or its parked events.
    fn own(&self, what: &str) -> Result<StreamName, Fault> {
        let name = format!("{OWN}-{}::{}-{what}", self.stream(), self.group);
        StreamName::new(name).map_err(|_| {
            Fault::Bad("the names of the stream and the group are too long together".into())
        })
    }

    fn fault(&self, why: GroupFault) -> Fault {
        Fault::Group { stream: self.stream().into(), group: self.group.clone(), why }
    }
}
