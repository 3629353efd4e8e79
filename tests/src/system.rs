//! The system as its users meet it, one integration binary.

mod tidy;
