//! The ledger's proof.

#[path = "suite/conforming.rs"]
mod conforming;
#[path = "suite/crashing.rs"]
mod crashing;
#[path = "suite/damage.rs"]
mod damage;
#[path = "suite/workload.rs"]
mod workload;
