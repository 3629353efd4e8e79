//! The catalogue of touchpoints.

use std::collections::BTreeSet;

use cx_model::{
    AgentId, Channel, DivisionId, Event, InstrumentId, Ownership, Recorded, Stage, TouchpointId,
};
use serde::{Deserialize, Serialize, Serializer};

use cx_model::StreamName;

use crate::projection::Projection;
use crate::rows::Rows;
use crate::shown;

/// One touchpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Touchpoint {
    /// What it is called.
    pub name: String,
    /// By which way customers reach it.
    pub channel: Option<Channel>,
    /// Where in the relationship it stands.
    pub stage: Option<Stage>,
    /// Whose it is.
    pub ownership: Option<Ownership>,
    /// The division that answers for it.
    pub division: Option<DivisionId>,
    /// The person who answers for it.
    pub owner: Option<AgentId>,
    /// With which questionnaires customers are asked about it.
    pub instruments: BTreeSet<InstrumentId>,
    /// The organisation's own ratings, the last of each division.
    #[serde(serialize_with = "assessments")]
    pub self_assessments: Vec<(DivisionId, i32)>,
    /// It is gone.
    pub retired: bool,
}

fn assessments<S: Serializer>(
    ratings: &[(DivisionId, i32)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Assessment {
        division: DivisionId,
        score: i32,
    }
    let of = |&(division, score): &(DivisionId, i32)| Assessment { division, score };
    shown::shown(ratings, serializer, |ratings| ratings.iter().map(of).collect::<Vec<_>>())
}

impl Projection for Touchpoint {
    const NAME: &'static str = "touchpoints";
    type Key = TouchpointId;
    type View = Self;
    type Private = ();

    fn stream_of(key: &Self::Key) -> Option<StreamName> {
        Some(key.stream())
    }

    fn apply(event: &Recorded, rows: &mut Rows<'_, Self>) {
        let Some(id) = TouchpointId::of_stream(&event.stream) else { return };
        match &event.event {
            Event::TouchpointCatalogued(it) => rows.update(&id, |row| {
                row.name.clone_from(&it.name);
                row.channel = Some(it.channel);
                row.stage = it.stage;
                row.ownership = Some(it.ownership);
                row.retired = false;
            }),
            Event::OwnerAssigned(it) => rows.update(&id, |row| {
                row.division = Some(it.division);
                row.owner = it.agent;
            }),
            Event::CollectionMechanismAttached(it) => rows.update(&id, |row| {
                row.instruments.insert(it.instrument);
            }),
            Event::SelfAssessmentSubmitted(it) => rows.update(&id, |row| {
                row.self_assessments.retain(|(division, _)| *division != it.division);
                row.self_assessments.push((it.division, it.score));
            }),
            Event::TouchpointRetired(_) => rows.update(&id, |row| row.retired = true),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::laws!(Touchpoint);
}
