//! Every view, a file each.

pub mod interaction_counts;

pub use interaction_counts::InteractionCounts;
