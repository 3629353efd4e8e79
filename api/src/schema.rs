//! The schema: what can be asked, changed and subscribed to.

pub mod cases;
pub mod catalogue;
pub mod customer;
pub mod event;
pub mod explain;
pub mod moment;
pub mod mutation;
pub mod paging;
pub mod quality;
mod query;
mod raw;
pub mod reading;
pub mod satisfaction;
pub mod scalars;
pub mod status;
mod subscription;
pub mod timeline;
mod views;

use std::sync::Arc;

use async_graphql::MergedObject;
use cx_projections::Pasts;

pub use mutation::MutationRoot;
pub use query::QueryRoot;
pub use reading::System;
pub use subscription::SubscriptionRoot;
use views::ViewQueries;

/// Everything that can be read.
#[derive(MergedObject, Default)]
pub struct Query(QueryRoot, ViewQueries);

/// The schema of the API.
pub type Schema = async_graphql::Schema<Query, MutationRoot, SubscriptionRoot>;

/// Makes the schema over a system.
pub fn schema(system: System) -> Schema {
    builder().data(system).finish()
}

/// Makes the schema over a system that also answers from side generations.
pub fn schema_with_pasts(system: System, pasts: Arc<Pasts>) -> Schema {
    builder().data(system).data(pasts).finish()
}

/// The schema as text, for clients' tools. It is checked in as `api/schema.graphql`.
pub fn sdl() -> String {
    builder().finish().sdl()
}

fn builder() -> async_graphql::SchemaBuilder<Query, MutationRoot, SubscriptionRoot> {
    async_graphql::Schema::build(Query::default(), MutationRoot::default(), SubscriptionRoot)
        .disable_suggestions()
}
