//! `cxledger schema`: the GraphQL schema as text.

use clap::Args;

/// Print the GraphQL schema, for clients' tools.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cxledger schema > schema.graphql")]
pub struct Schema {}

impl Schema {
    /// Prints it.
    pub fn run() {
        say!("{}", cx_api::schema::sdl().trim_end());
    }
}
