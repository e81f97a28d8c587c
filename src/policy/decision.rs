//! The decision: total, deterministic, and complete enough to explain itself.

use super::amount::{self, Grant, RemedyKind, grants};
use super::calendar::respond_by;
use super::document::Document;
use super::facts::{FactName, Facts};
use super::sentence::Scene;
use super::table::{Advised, Compensation, Outcome, Reach, Remedy, Row, RowOutcome, RowResult};
use crate::domain::credits::Credits;
use crate::domain::money::Money;
use crate::domain::request::Detail;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// The row that a decision names when no row of the document held.
pub const NO_ROW: &str = "none";

/// Why a person decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewReason {
    /// The row says so.
    Row,
    /// The money is above what a machine may approve.
    AboveApprovalLimit,
    /// The document has no approval limit for this currency.
    CurrencyWithoutLimit,
    /// The account had too many refunds lately.
    TooManyRecentRefunds,
    /// The remedy would pay or restore nothing.
    NothingToGive,
    /// The row would pay where no document may: while a dispute is open or after it was lost (§6), to a terminated
    /// account or after a confirmed violation (§3.3).
    Guardrail,
    /// The row would pay the whole price, and some of the credits expired, were revoked or are frozen.
    CreditsGone,
    /// No row held: the document has a gap.
    NoRow,
}

impl ReviewReason {
    /// For the desk, when a person takes over from an approving row.
    const fn advice(self) -> &'static str {
        match self {
            Self::Row => "",
            Self::AboveApprovalLimit => {
                "The amount is above what is approved automatically; the remedy is recommended."
            }
            Self::CurrencyWithoutLimit => {
                "The policy states no approval limit for this currency; the remedy is recommended."
            }
            Self::TooManyRecentRefunds => {
                "The account had many refunds lately; the remedy is recommended if they were sound."
            }
            Self::NothingToGive => {
                "The row approves, but its remedy would give nothing; see whether another one helps."
            }
            Self::Guardrail => "The row would pay where no policy may; the table needs mending.",
            Self::CreditsGone => {
                "The row pays the whole price, but some of the credits expired, were revoked or are frozen; the remedy is \
                 recommended if they were not revoked for a reason."
            }
            Self::NoRow => "No row of the policy speaks to this case; the table needs mending.",
        }
    }
}

/// What a person is advised to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recommendation {
    /// To deny.
    Deny,
    /// To approve these.
    Approve(Vec<Grant>),
}

/// The answer to one refund request under one policy version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The answer.
    pub outcome: Outcome,
    /// The row that decided, or [`NO_ROW`].
    pub row: String,
    /// The clauses it rests on.
    pub clauses: Vec<String>,
    /// What is given; empty unless approved.
    pub remedies: Vec<Grant>,
    /// What a person is advised to do, when one decides.
    pub recommendation: Option<Recommendation>,
    /// Why a person decides, when one does.
    pub review_reason: Option<ReviewReason>,
    /// What the customer is asked for; empty unless information is requested.
    pub requested_details: BTreeSet<Detail>,
    /// For the customer.
    pub sentence: String,
    /// For the desk; may be empty.
    pub advice: String,
    /// What became of every row, in the order of the table.
    pub rows: Vec<RowResult>,
    /// The policy version.
    pub policy_version: String,
    /// SHA-256 of the document's bytes, in hex.
    pub document_sha256: String,
    /// SHA-256 of the facts' canonical JSON, in hex.
    pub facts_sha256: String,
    /// Until when the request must be answered (§4.1).
    pub respond_by: DateTime<Utc>,
}

impl Decision {
    /// The whole decision in one fixed form: same version and same facts, same bytes.
    #[must_use]
    pub fn canonical_bytes(&self) -> Vec<u8> {
        // Cannot fail: all keys are text, and no value lacks a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// SHA-256 of [`Decision::canonical_bytes`], in hex.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex::encode(Sha256::digest(self.canonical_bytes()))
    }

    /// The money that is given; `None` when none is.
    #[must_use]
    pub fn money(&self) -> Option<Money> {
        amount::money(&self.remedies)
    }

    /// The credits that are given to the customer, restored or as a compensation.
    #[must_use]
    pub fn credits_given(&self) -> Credits {
        amount::credits_given(&self.remedies)
    }
}

/// What a row, or the lack of one, comes to.
struct Verdict {
    outcome: Outcome,
    remedies: Vec<Grant>,
    recommendation: Option<Recommendation>,
    review_reason: Option<ReviewReason>,
}

impl Verdict {
    const fn plain(outcome: Outcome) -> Self {
        Self { outcome, remedies: Vec::new(), recommendation: None, review_reason: None }
    }

    const fn review(reason: ReviewReason, recommendation: Option<Recommendation>) -> Self {
        Self { outcome: Outcome::Review, remedies: Vec::new(), recommendation, review_reason: Some(reason) }
    }
}

/// Decides. Never fails: where the document has a gap, a person decides.
#[must_use]
pub fn decide(document: &Document, facts: &Facts) -> Decision {
    let results: Vec<_> = document.rows().iter().map(|row| (row, row.evaluate(facts))).collect();
    let row = results.iter().find(|(_, result)| *result == RowOutcome::Hit).map(|(row, _)| *row);
    let verdict = row.map_or(Verdict::review(ReviewReason::NoRow, None), |row| verdict(document, row, facts));
    let asks = |row: &Row| (verdict.outcome == Outcome::RequestInformation).then(|| row.asks(facts));
    let requested_details = row.and_then(asks).unwrap_or_default();
    let respond_by = respond_by(facts.waiting_since(), document.calendar());
    let scene = Scene {
        facts,
        parameters: document.parameters(),
        time_zone: document.calendar().time_zone,
        grants: match &verdict.recommendation {
            Some(Recommendation::Approve(recommended)) => recommended,
            _ => &verdict.remedies,
        },
        requested: &requested_details,
        respond_by,
        clauses: row.map_or(&[], |row| row.clauses.as_slice()),
    };
    let (sentence, advice) = texts(document, row, &verdict, &scene);
    Decision {
        row: row.map_or(NO_ROW, |row| &row.id).to_owned(),
        clauses: row.map(|row| row.clauses.clone()).unwrap_or_default(),
        sentence,
        advice,
        rows: results
            .iter()
            .map(|(row, result)| RowResult {
                row: row.id.clone(),
                clauses: row.clauses.clone(),
                result: result.clone(),
            })
            .collect(),
        policy_version: document.version().to_owned(),
        document_sha256: document.sha256().to_owned(),
        facts_sha256: facts.sha256(),
        respond_by,
        outcome: verdict.outcome,
        remedies: verdict.remedies,
        recommendation: verdict.recommendation,
        review_reason: verdict.review_reason,
        requested_details,
    }
}

/// What a decision comes to, without its texts and its trace: quick enough for a million.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The answer.
    pub outcome: Outcome,
    /// The row that decides, or [`NO_ROW`].
    pub row: &'a str,
    /// What is given; empty unless approved.
    pub remedies: Vec<Grant>,
}

/// Decides as [`decide`] does, when some facts may not be known at all.
///
/// # Errors
/// The unknown facts that the answer depends on.
pub fn answer<'a>(
    document: &'a Document,
    facts: &Facts,
    unknown: &BTreeSet<FactName>,
) -> Result<Answer<'a>, BTreeSet<FactName>> {
    for row in document.rows() {
        match row.reach(facts, unknown) {
            Reach::Miss => {}
            Reach::Depends(names) => return Err(names),
            Reach::Hit => {
                let Verdict { outcome, remedies, .. } = verdict(document, row, facts);
                let depends = figures(row, outcome, &remedies);
                let open: BTreeSet<FactName> = depends.filter(|fact| unknown.contains(fact)).collect();
                return if open.is_empty() {
                    Ok(Answer { outcome, row: &row.id, remedies })
                } else {
                    Err(open)
                };
            }
        }
    }
    Ok(Answer { outcome: Outcome::Review, row: NO_ROW, remedies: Vec::new() })
}

/// The facts that an approving row's figures, and the limits on them, are computed from.
fn figures(row: &Row, outcome: Outcome, remedies: &[Grant]) -> impl Iterator<Item = FactName> {
    let approves = row.outcome == Outcome::Approve;
    // The number of refunds lately only ever stops what would be paid.
    let is_paid = outcome == Outcome::Approve && remedies.iter().any(|grant| grant.kind.pays());
    let parts = row.remedies.iter().filter_map(|remedy| match remedy {
        Remedy::Compensate(Compensation::Share { of, .. }) => Some(*of),
        _ => None,
    });
    let figures = amount::READS.into_iter().chain(GUARDS).chain(parts).filter(move |_| approves);
    figures.chain(is_paid.then_some(FactName::RecentRefunds))
}

/// The facts that [`may_pay`] reads.
const GUARDS: [FactName; 3] = [FactName::Dispute, FactName::Violation, FactName::Standing];

fn verdict(document: &Document, row: &Row, facts: &Facts) -> Verdict {
    match row.outcome {
        Outcome::Deny | Outcome::RequestInformation => Verdict::plain(row.outcome),
        Outcome::Review => Verdict::review(ReviewReason::Row, recommended(row, facts)),
        Outcome::Approve => approval(document, row, facts),
    }
}

fn recommended(row: &Row, facts: &Facts) -> Option<Recommendation> {
    match row.recommend.as_ref()? {
        Advised::Deny => Some(Recommendation::Deny),
        Advised::Remedies(remedies) => worthwhile(grants(remedies, facts)),
    }
}

/// Recommends what gives something; `None` when nothing does.
fn worthwhile(mut grants: Vec<Grant>) -> Option<Recommendation> {
    grants.retain(|grant| !grant.is_nothing());
    if grants.is_empty() { None } else { Some(Recommendation::Approve(grants)) }
}

/// An approval, unless it gives nothing or a person must look at the money. A restoration that finds nothing is left
/// out beside a refund; a refund that pays nothing is never left out silently.
fn approval(document: &Document, row: &Row, facts: &Facts) -> Verdict {
    let mut remedies = grants(&row.remedies, facts);
    let unpaid = remedies.iter().any(|grant| grant.kind.pays() && grant.is_nothing());
    remedies.retain(|grant| !grant.is_nothing());
    let reason = if unpaid || remedies.is_empty() {
        Some(ReviewReason::NothingToGive)
    } else if remedies.iter().any(|grant| grant.kind.pays()) {
        objection(document, &remedies, facts)
    } else {
        None
    };
    match reason {
        Some(ReviewReason::Guardrail) => Verdict::review(ReviewReason::Guardrail, None),
        Some(reason) => Verdict::review(reason, worthwhile(remedies)),
        None => Verdict { remedies, ..Verdict::plain(Outcome::Approve) },
    }
}

/// Why a machine may not pay this by itself.
fn objection(document: &Document, remedies: &[Grant], facts: &Facts) -> Option<ReviewReason> {
    let limits = document.parameters().limits();
    if !may_pay(facts) {
        return Some(ReviewReason::Guardrail);
    }
    let Some(money) = amount::money(remedies) else {
        return Some(ReviewReason::NothingToGive);
    };
    if remedies.iter().any(|grant| grant.kind == RemedyKind::RefundFull) && credits_gone(facts) {
        return Some(ReviewReason::CreditsGone);
    }
    match limits.approve_at_most.get(&money.currency) {
        None => Some(ReviewReason::CurrencyWithoutLimit),
        Some(most) if money.minor_units > *most => Some(ReviewReason::AboveApprovalLimit),
        Some(_) => {
            let recent = facts.number(FactName::RecentRefunds).unwrap_or(0);
            (recent > limits.recent_refunds_at_most).then_some(ReviewReason::TooManyRecentRefunds)
        }
    }
}

/// INVARIANT, for every document: no money while the bank decides or after it paid (§6), none to a terminated account
/// or out of a confirmed violation (§3.3).
pub(super) fn may_pay(facts: &Facts) -> bool {
    let disputed = matches!(facts.text(FactName::Dispute), Some("open" | "lost"));
    let standing = |kind: &str| facts.words(FactName::Standing).is_some_and(|words| words.contains(kind));
    let violated = facts.text(FactName::Violation) == Some("confirmed") || standing("violation_confirmed");
    !disputed && !violated && !standing("terminated")
}

/// Whether credits of the purchase are neither with the customer nor used, refunded or undelivered. What expired cannot
/// be told from what was revoked, and for revoked credits no document pays by itself.
fn credits_gone(facts: &Facts) -> bool {
    let number = |name| facts.number(name).unwrap_or(0);
    let there =
        [FactName::Unused, FactName::Undelivered, FactName::Used, FactName::Held, FactName::CreditsRefunded];
    let there = there.into_iter().map(number).fold(0, i64::saturating_add);
    !facts.is_true(FactName::Untouched) && there < number(FactName::Bought)
}

/// The customer's sentence and the desk's advice. A person who takes over from an approving row promises nothing of
/// what that row would have said.
fn texts(document: &Document, row: Option<&Row>, verdict: &Verdict, scene: &Scene<'_>) -> (String, String) {
    match row {
        Some(row) if row.outcome == verdict.outcome => (row.sentence.fill(scene), row.advice.fill(scene)),
        _ => {
            let advice = verdict.review_reason.map(ReviewReason::advice).unwrap_or_default();
            (document.referral().fill(scene), advice.to_owned())
        }
    }
}
