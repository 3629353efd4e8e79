//! Which events of all are wanted.

use prost::{Message, Oneof};

use super::super::shared::Empty;

/// A filter and how often its progress is told.
#[derive(Clone, PartialEq, Message)]
pub struct FilterOptions {
    /// What is looked at.
    #[prost(oneof = "FilterBy", tags = "1, 2")]
    pub by: Option<FilterBy>,
    /// How many are looked at at a time.
    #[prost(oneof = "FilterWindow", tags = "3, 4")]
    pub window: Option<FilterWindow>,
    /// After how many such windows progress is told.
    #[prost(uint32, tag = "5")]
    pub checkpoint_multiplier: u32,
}

/// What a filter looks at.
#[derive(Clone, PartialEq, Oneof)]
pub enum FilterBy {
    /// The stream's name.
    #[prost(message, tag = "1")]
    Stream(FilterExpression),
    /// The event's type.
    #[prost(message, tag = "2")]
    EventType(FilterExpression),
}

/// The texts that match: a regular expression, or prefixes.
#[derive(Clone, PartialEq, Message)]
pub struct FilterExpression {
    /// A regular expression, unless it is empty.
    #[prost(string, tag = "1")]
    pub regex: String,
    /// Prefixes.
    #[prost(string, repeated, tag = "2")]
    pub prefixes: Vec<String>,
}

/// How many events a filter looks at at a time.
#[derive(Clone, Copy, PartialEq, Oneof)]
pub enum FilterWindow {
    /// At most so many.
    #[prost(uint32, tag = "3")]
    Max(u32),
    /// As many as it takes.
    #[prost(message, tag = "4")]
    Count(Empty),
}
