//! The ledger's proof.

// The helpers of tests are tests too, and the log's file names are lower case.
#![allow(clippy::unwrap_used, clippy::case_sensitive_file_extension_comparisons)]

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
#[path = "suite/meanwhile.rs"]
mod meanwhile;
#[path = "suite/workload.rs"]
mod workload;
