//! Parameters that stand for vague words ("reasonable", "substantial"): they lead to a person, never to a silent
//! denial.
//!
//! What a document can break is checked here: a row that denies because of such a parameter must tell the customer
//! which measure was taken, and the other side of the measure must be a person's. What a parameter does on the way to
//! a fact (how many failures make an outage) is not seen here; the facts are in every decision.

use super::Wrong;
use crate::policy::parameters::Parameters;
use crate::policy::table::{Outcome, Row};

pub(super) fn check(rows: &[Row], parameters: &Parameters) -> Result<(), Wrong> {
    for (index, row) in rows.iter().enumerate().filter(|(_, row)| row.outcome == Outcome::Deny) {
        for name in row.parameters().filter(|name| parameters.is_discretionary(name)) {
            let wrong = |problem: String, field: &str| {
                Err(Wrong::new(problem).below(field).item(index).below("rows"))
            };
            if !row.sentence.names_parameter(name) {
                let problem =
                    format!("denies by the discretionary `{name}` and must tell it, as `{{{name}}}`");
                return wrong(problem, "sentence");
            }
            let reviewed = |other: &Row| {
                other.outcome == Outcome::Review && other.parameters().any(|other| other == name)
            };
            if !rows.iter().any(reviewed) {
                let problem =
                    format!("denies by the discretionary `{name}`, so another row must lead to REVIEW by it");
                return wrong(problem, "when");
            }
        }
    }
    Ok(())
}
