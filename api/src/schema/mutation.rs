//! What can be changed.

use async_graphql::{Context, Object};
use cx_model::Position;

use super::reading::system;

/// What can be changed.
pub struct MutationRoot;

#[Object(name = "Mutation")]
impl MutationRoot {
    /// The ledger's head.
    async fn nothing(&self, ctx: &Context<'_>) -> async_graphql::Result<Position> {
        system(ctx).book.ledger().head().await.map_err(crate::errors::internal)
    }
}
