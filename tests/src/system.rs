//! The system as its users meet it, one integration binary.

// A test that cannot read what it checks has to fail; unwrap says so.
#![allow(clippy::unwrap_used)]

mod erasing;
mod tidy;
