//! `cxledger bench`: figures, measured here and now.

pub(crate) mod hostile;

use clap::Subcommand;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// What hostile GraphQL requests cost before they are refused.
    Hostile(hostile::Hostile),
}

impl Bench {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Hostile(bench) => bench.run(),
        }
    }
}
