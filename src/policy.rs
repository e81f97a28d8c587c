//! Pure rules: what the published policy says about a case. No time source, no storage, no wire.
//!
//! A policy version is a [`document::Document`]: an ordered table of rows over named [`facts`], of which the first
//! that holds decides. [`decide`] turns a document and facts into a [`Decision`] that explains and replays itself.

pub mod amount;
pub mod backtest;
pub mod calendar;
pub mod check;
pub mod decision;
pub mod document;
pub mod facts;
pub mod parameters;
pub mod replay;
pub mod resolution;
pub mod schema;
pub mod sentence;
pub mod share;
pub mod show;
pub mod span;
mod spelling;
pub mod table;

pub use amount::{Grant, RemedyKind};
pub use decision::{Answer, Decision, Recommendation, ReviewReason, answer, decide};
pub use document::{Document, DocumentError, Guardrail};
pub use facts::{FactName, Facts};
pub use parameters::Parameters;
pub use table::{FailedCondition, Outcome, Row, RowOutcome, RowResult};

/// The policy that is shipped: the refund policy of 2024-12-19 as a document.
pub const SHIPPED: &str = include_str!("../policies/2024-12-19.toml");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_policy_holds_together() {
        match Document::parse(SHIPPED) {
            Ok(document) => assert_eq!(document.version(), "2024-12-19"),
            Err(error) => panic!("{error}"),
        }
    }
}
