//! The ledger's proof.

#[path = "suite/conforming.rs"]
mod conforming;
#[path = "suite/crashing.rs"]
mod crashing;
#[path = "suite/damage.rs"]
mod damage;
#[path = "suite/erasing.rs"]
mod erasing;
#[path = "suite/killing.rs"]
mod killing;
#[path = "suite/workload.rs"]
mod workload;
