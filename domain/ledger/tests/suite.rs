//! The ledger's proof.

#[path = "suite/conforming.rs"]
mod conforming;
