//! What a person proposes to give: as it is asked for, sized by the policy, and as it is kept with an approval.

use super::{Error, Reason, Refusal};
use crate::domain::credits::Credits;
use crate::domain::money::Money;
use crate::domain::refund::RefundMethod;
use crate::domain::request::Approval;
use crate::policy::resolution::Proposed;
use crate::policy::table::{Advised, Compensation, Deductions, Remedy, Row};
use crate::policy::{Decision, Grant, Recommendation, RemedyKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A remedy as a person asks for it; figures that are left out are given by the policy's rule.
#[derive(Debug, Clone, Serialize)]
pub struct AskedRemedy {
    /// The remedy.
    pub kind: RemedyKind,
    /// Credits.
    pub credits: Option<Credits>,
    /// Money.
    pub money: Option<Money>,
}

/// What a person approved, in the form in which approvals are compared and kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// What is given.
    pub remedies: Vec<Grant>,
    /// How money is paid.
    pub method: RefundMethod,
}

impl Proposal {
    /// What an approval was to.
    ///
    /// # Errors
    /// [`Error::Broken`] when it cannot be read.
    pub fn of(approval: &Approval) -> Result<Self, Error> {
        serde_json::from_str(&approval.proposal)
            .map_err(|_| Error::Broken("a stored approval cannot be read"))
    }
}

/// What is proposed: what the person asks for, or else what the last decision recommended or gave in vain. `row` is the
/// row of that decision: what it deducts from a refund is deducted here, too.
pub(super) fn proposed(
    asked: &[AskedRemedy],
    last: &Decision,
    row: Option<&Row>,
) -> Result<Vec<Proposed>, Error> {
    let recommended = match &last.recommendation {
        Some(Recommendation::Approve(grants)) => grants.as_slice(),
        Some(Recommendation::Deny) | None => &last.remedies,
    };
    let wrong = |index: usize, field: &str, message: &str| {
        let field = format!("approve.remedies[{index}].{field}");
        Error::from(Refusal::new(Reason::InvalidField, message).with("field", &field))
    };
    if asked.is_empty() {
        if recommended.is_empty() {
            let message = "the policy recommends nothing; say what to do";
            let refusal = Refusal::new(Reason::InvalidField, message).with("field", &"approve.remedies");
            return Err(refusal.into());
        }
        return Ok(recommended.iter().map(|grant| as_recommended(grant, row)).collect());
    }
    let read = asked.iter().enumerate().map(|(index, remedy)| {
        let AskedRemedy { kind, credits, money } = remedy;
        let rule = match (kind, credits, money) {
            (RemedyKind::RestoreUndelivered, ..) => Remedy::RestoreUndelivered,
            (RemedyKind::RestoreFailed, ..) => Remedy::RestoreFailed,
            (RemedyKind::RestoreAttempt, ..) => Remedy::RestoreAttempt,
            (RemedyKind::RefundUnused, ..) => Remedy::RefundUnused(deductions(*kind, row)),
            (RemedyKind::RefundFull, ..) => Remedy::RefundFull(deductions(*kind, row)),
            (RemedyKind::RefundFixed, _, Some(money)) => fixed(*money),
            (RemedyKind::RefundFixed, _, None) => {
                return Err(wrong(index, "amount", "is required for a fixed refund"));
            }
            (RemedyKind::Compensate, Some(credits), _) => Remedy::Compensate(Compensation::Credits(*credits)),
            (RemedyKind::Compensate, None, _) => {
                return Err(wrong(index, "credits", "is required for a compensation"));
            }
        };
        Ok(Proposed { remedy: rule, credits: credits.map(Credits::get), money: *money })
    });
    read.collect()
}

/// What was recommended, at its size of today.
fn as_recommended(grant: &Grant, row: Option<&Row>) -> Proposed {
    let remedy = match (grant.kind, grant.money) {
        (RemedyKind::RestoreUndelivered, _) => Remedy::RestoreUndelivered,
        (RemedyKind::RestoreFailed, _) => Remedy::RestoreFailed,
        (RemedyKind::RestoreAttempt, _) => Remedy::RestoreAttempt,
        (RemedyKind::RefundUnused, _) => Remedy::RefundUnused(deductions(grant.kind, row)),
        (RemedyKind::RefundFull, _) => Remedy::RefundFull(deductions(grant.kind, row)),
        (RemedyKind::RefundFixed, money) => money.map_or(Remedy::RefundFixed(BTreeMap::new()), fixed),
        (RemedyKind::Compensate, _) => Remedy::Compensate(Compensation::Credits(grant.credits)),
    };
    Proposed { remedy, credits: None, money: None }
}

/// What the row takes off a refund of this kind; nothing when it gives and recommends none.
fn deductions(kind: RemedyKind, row: Option<&Row>) -> Deductions {
    let recommended = row.and_then(|row| match &row.recommend {
        Some(Advised::Remedies(remedies)) => Some(remedies.as_slice()),
        Some(Advised::Deny) | None => None,
    });
    let given = row.map_or(&[][..], |row| &row.remedies);
    let rules = given.iter().chain(recommended.unwrap_or_default());
    let less = rules.filter(|rule| rule.kind() == kind).find_map(|rule| match rule {
        Remedy::RefundUnused(less) | Remedy::RefundFull(less) => Some(less.clone()),
        _ => None,
    });
    less.unwrap_or_default()
}

fn fixed(money: Money) -> Remedy {
    Remedy::RefundFixed(BTreeMap::from([(money.currency, money.minor_units)]))
}
