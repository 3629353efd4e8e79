//! The ledger's proof.

#[path = "suite/backing_up.rs"]
mod backing_up;
#[path = "suite/conforming.rs"]
mod conforming;
#[path = "suite/crashing.rs"]
mod crashing;
#[path = "suite/damage.rs"]
mod damage;
#[path = "suite/erasing.rs"]
mod erasing;
#[path = "suite/golden.rs"]
mod golden;
#[path = "suite/killing.rs"]
mod killing;
#[path = "suite/workload.rs"]
mod workload;
