//! The ledger by itself: random histories of an account against a small model that shares no code with the book,
//! and the chain of entries against a second implementation of its hash.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test ends at what it did not expect"
)]

mod book;
mod chained;
mod model;
mod overlap;
mod repaid;
mod world;
