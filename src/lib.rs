//! Makegood: the refund desk for platforms that sell generation credits.
//!
//! The rooms, and what each may know, are described in `ARCHITECTURE.md`; `tests/tidy.rs` checks the borders.

pub mod domain;
pub mod policy;
