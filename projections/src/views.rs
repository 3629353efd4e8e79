//! Every view, a file each.

pub mod customer;
pub mod data_quality;
pub mod instruments;
pub mod interaction_counts;
pub mod open_cases;
pub mod satisfaction;
pub mod timeline;
pub mod touchpoints;

pub use customer::Customer;
pub use data_quality::Import;
pub use instruments::Instrument;
pub use interaction_counts::InteractionCounts;
pub use open_cases::OpenCase;
pub use satisfaction::{Cell, Satisfaction};
pub use timeline::Timeline;
pub use touchpoints::Touchpoint;
