//! What a person proposes to give: as it is asked for, sized by the policy, and as it is kept with an approval.

use super::{Error, Reason, Refusal};
use crate::domain::credits::Credits;
use crate::domain::money::Money;
use crate::domain::refund::RefundMethod;
use crate::domain::request::Approval;
use crate::policy::resolution::Proposed;
use crate::policy::table::Remedy;
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

/// What is proposed: what the person asks for, or else what the last decision recommended or gave in vain.
pub(super) fn proposed(asked: &[AskedRemedy], last: &Decision) -> Result<Vec<Proposed>, Error> {
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
        return Ok(recommended.iter().map(as_recommended).collect());
    }
    let read = asked.iter().enumerate().map(|(index, remedy)| {
        let AskedRemedy { kind, credits, money } = remedy;
        let rule = match (kind, credits, money) {
            (RemedyKind::RestoreUndelivered, ..) => Remedy::RestoreUndelivered,
            (RemedyKind::RestoreFailed, ..) => Remedy::RestoreFailed,
            (RemedyKind::RefundUnused, ..) => Remedy::RefundUnused,
            (RemedyKind::RefundFull, ..) => Remedy::RefundFull,
            (RemedyKind::RefundFixed, _, Some(money)) => fixed(*money),
            (RemedyKind::RefundFixed, _, None) => {
                return Err(wrong(index, "amount", "is required for a fixed refund"));
            }
            (RemedyKind::Compensate, Some(credits), _) => Remedy::Compensate(*credits),
            (RemedyKind::Compensate, None, _) => {
                return Err(wrong(index, "credits", "is required for a compensation"));
            }
        };
        Ok(Proposed { remedy: rule, credits: credits.map(Credits::get), money: *money })
    });
    read.collect()
}

/// What was recommended, at its size of today.
fn as_recommended(grant: &Grant) -> Proposed {
    let remedy = match (grant.kind, grant.money) {
        (RemedyKind::RestoreUndelivered, _) => Remedy::RestoreUndelivered,
        (RemedyKind::RestoreFailed, _) => Remedy::RestoreFailed,
        (RemedyKind::RefundUnused, _) => Remedy::RefundUnused,
        (RemedyKind::RefundFull, _) => Remedy::RefundFull,
        (RemedyKind::RefundFixed, money) => money.map_or(Remedy::RefundFixed(BTreeMap::new()), fixed),
        (RemedyKind::Compensate, _) => Remedy::Compensate(grant.credits),
    };
    Proposed { remedy, credits: None, money: None }
}

fn fixed(money: Money) -> Remedy {
    Remedy::RefundFixed(BTreeMap::from([(money.currency, money.minor_units)]))
}
