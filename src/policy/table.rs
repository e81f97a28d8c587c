//! The decision table: ordered rows, of which the first that holds decides.

mod condition;
mod parse;
mod reach;
mod remedy;
mod remedy_parse;

pub use condition::{Bound, Condition, FailedCondition, Test};
pub(super) use parse::{conditions, operators};
pub(super) use reach::Reach;
pub(super) use remedy::countable;
pub use remedy::{Compensation, Deductions, Remedy};
pub(super) use remedy_parse::{REMEDIES, remedies};

use super::facts::{FactName, Facts};
use super::sentence::Template;
use crate::domain::names::names;
use crate::domain::request::{Claim, Detail};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The answer to a refund request (§4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// Approval, with the remedy and its amount.
    Approve,
    /// Denial, with a brief explanation.
    Deny,
    /// A request for additional information.
    RequestInformation,
    /// A person decides.
    Review,
}

names!(Outcome {
    Approve => "APPROVE", Deny => "DENY", RequestInformation => "REQUEST_INFORMATION", Review => "REVIEW",
});

/// What a reviewing row advises the person to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advised {
    /// To deny.
    Deny,
    /// To approve these remedies.
    Remedies(Vec<Remedy>),
}

/// Something that a row asks the customer for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// This detail.
    Detail(Detail),
    /// The details in a fact such as `missing_details`.
    DetailsIn(FactName),
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id, such as `14` or `4a`.
    pub id: String,
    /// The clauses it rests on, such as `2.1`.
    pub clauses: Vec<String>,
    /// The claims it speaks to; `None` for all.
    pub claims: Option<BTreeSet<Claim>>,
    /// Alternatives, each a list of conditions that must all hold; no alternatives for a row that always holds.
    pub when: Vec<Vec<Condition>>,
    /// The answer.
    pub outcome: Outcome,
    /// What an approval gives, in this order.
    pub remedies: Vec<Remedy>,
    /// What a review recommends.
    pub recommend: Option<Advised>,
    /// What a request for information asks for.
    pub request: Vec<Ask>,
    /// For the customer.
    pub sentence: Template,
    /// For the desk.
    pub advice: Template,
    /// How the text of the policy was read.
    pub why: String,
}

/// What became of one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowResult {
    /// The row's id.
    pub row: String,
    /// The clauses it rests on; empty in decisions that were stored before results named them.
    #[serde(default)]
    pub clauses: Vec<String>,
    /// Whether it held, and if not, why not.
    #[serde(flatten)]
    pub result: RowOutcome,
}

/// Whether a row held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum RowOutcome {
    /// It held. The first row that holds decides.
    Hit,
    /// It did not hold; for each alternative, the first condition that failed.
    NoHit {
        /// One for each alternative.
        failed: Vec<FailedCondition>,
    },
    /// It does not speak to this claim.
    NotApplicable,
}

impl Row {
    /// The parameters that its conditions compare with, each as often as it does.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        let tests = self.when.iter().flatten().flat_map(|condition| &condition.tests);
        tests.filter_map(Test::bound).filter_map(|bound| bound.parameter.as_deref())
    }

    /// Whether the row holds for these facts.
    #[must_use]
    pub fn evaluate(&self, facts: &Facts) -> RowOutcome {
        if !self.speaks_to(facts) {
            return RowOutcome::NotApplicable;
        }
        let mut failed = Vec::new();
        for conditions in &self.when {
            match conditions.iter().find_map(|condition| condition.failure(facts)) {
                Some(failure) => failed.push(failure),
                None => return self.worth_asking(facts),
            }
        }
        if self.when.is_empty() { self.worth_asking(facts) } else { RowOutcome::NoHit { failed } }
    }

    fn speaks_to(&self, facts: &Facts) -> bool {
        self.claims.as_ref().is_none_or(|claims| facts.claim().is_some_and(|claim| claims.contains(&claim)))
    }

    /// A row that asks holds only while something is left to ask for: nobody is asked twice for the same.
    fn worth_asking(&self, facts: &Facts) -> RowOutcome {
        if self.outcome == Outcome::RequestInformation && self.asks(facts).is_empty() {
            let found = facts.get(FactName::InformationAsked).map(ToString::to_string);
            return RowOutcome::NoHit {
                failed: vec![FailedCondition {
                    fact: FactName::InformationAsked.name().to_owned(),
                    wanted: "something left to ask for".to_owned(),
                    found,
                }],
            };
        }
        RowOutcome::Hit
    }

    /// What the row asks for now: neither asked before nor given. An order id that a row asks for by name is another
    /// one than the request's own, so that one is asked for whatever the request names (§2.1).
    #[must_use]
    pub fn asks(&self, facts: &Facts) -> BTreeSet<Detail> {
        let given = facts.details(FactName::DetailsGiven);
        let mut asks = BTreeSet::new();
        for ask in &self.request {
            match ask {
                Ask::Detail(detail) if *detail != Detail::OrderId && given.contains(detail) => {}
                Ask::Detail(detail) => {
                    asks.insert(*detail);
                }
                Ask::DetailsIn(fact) => asks.extend(facts.details(*fact)),
            }
        }
        let asked = facts.details(FactName::InformationAsked);
        asks.retain(|detail| !asked.contains(detail));
        asks
    }
}
