//! What a person decides: sized by the same rules as the policy's own decisions, and within the same guardrails.

use super::amount::{self, Grant, RemedyKind, grants};
use super::calendar::respond_by;
use super::decision::{Decision, may_pay};
use super::document::{Document, Guardrail};
use super::facts::{FactName, Facts};
use super::sentence::Scene;
use super::table::{Deductions, Outcome, Remedy};
use crate::domain::money::Money;
use crate::domain::refund::RefundMethod;
use crate::domain::request::{Claim, Detail};
use std::collections::BTreeSet;

/// Different people who must approve more than one may (four eyes).
const FOUR_EYES: i32 = 2;

/// Why a person cannot approve something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPossible {
    /// The bank decides or has paid (§6), or the account is closed or in violation (§3.3).
    #[error(
        "no money may be paid while a dispute is open or after it was lost, nor to an account that was closed or \
         found in violation"
    )]
    Barred,
    /// The document says that it is never paid.
    #[error("the policy never pays this: {0}")]
    Never(&'static str),
    /// The remedy would give nothing.
    #[error("`{0}` would give nothing")]
    Nothing(RemedyKind),
    /// The remedy has another size by the policy's rule, or more is wanted than is left.
    #[error("`{kind}` gives {possible} and nothing else")]
    OtherSize {
        /// The remedy.
        kind: RemedyKind,
        /// What it gives.
        possible: String,
    },
}

/// A remedy as a person proposes it; figures that are left out are the rule's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    /// The remedy.
    pub remedy: Remedy,
    /// Credits that it must move.
    pub credits: Option<i64>,
    /// Money that it must pay.
    pub money: Option<Money>,
}

/// Sizes what a person proposes by the policy's rules and the present facts.
///
/// # Errors
/// [`NotPossible`] when the ledger or a guardrail does not allow it.
pub fn sized(document: &Document, facts: &Facts, proposed: &[Proposed]) -> Result<Vec<Grant>, NotPossible> {
    let remedies: Vec<Remedy> = proposed.iter().map(|one| one.remedy.clone()).collect();
    let sized = grants(&remedies, facts);
    for (grant, proposed) in sized.iter().zip(proposed) {
        let credits_fit = proposed.credits.is_none_or(|credits| credits == grant.credits.get());
        let money_fits = proposed.money.is_none_or(|money| Some(money) == grant.money);
        if !credits_fit || !money_fits {
            return Err(NotPossible::OtherSize { kind: grant.kind, possible: possible(grant) });
        }
        if grant.is_nothing() {
            return Err(NotPossible::Nothing(grant.kind));
        }
    }
    if sized.iter().any(|grant| grant.kind.pays()) {
        if !may_pay(facts) {
            return Err(NotPossible::Barred);
        }
        if let Some(guardrail) = document.never().iter().find(|guardrail| breaks(**guardrail, facts, &sized))
        {
            return Err(NotPossible::Never(words(*guardrail)));
        }
    }
    Ok(sized)
}

fn possible(grant: &Grant) -> String {
    match grant.money {
        Some(money) => format!("{money} for {} credits", grant.credits),
        None => format!("{} credits", grant.credits),
    }
}

/// Whether grants that pay break a guardrail of the document.
fn breaks(guardrail: Guardrail, facts: &Facts, grants: &[Grant]) -> bool {
    let number = |name| facts.number(name).unwrap_or(0);
    match guardrail {
        Guardrail::PayForChangeOfMind => facts.claim() == Some(Claim::ChangeOfMind),
        Guardrail::PayForDissatisfaction => facts.claim() == Some(Claim::Dissatisfied),
        Guardrail::PayForUsedCredits => number(FactName::Used) > 0 && paid(grants) > worth_unused(facts),
        Guardrail::PayBeforeRestoring => {
            let restores = grants.iter().any(|grant| grant.kind == RemedyKind::RestoreUndelivered);
            number(FactName::Undelivered) > 0 && facts.is_true(FactName::RestorationPossible) && !restores
        }
    }
}

fn paid(grants: &[Grant]) -> i64 {
    amount::money(grants).map_or(0, |money| money.minor_units)
}

/// What all unused credits of the purchase are worth, those among them that failures of ours took (§2.2, §7.1).
fn worth_unused(facts: &Facts) -> i64 {
    paid(&grants(&[Remedy::RestoreFailed, Remedy::RefundUnused(Deductions::default())], facts))
}

const fn words(guardrail: Guardrail) -> &'static str {
    match guardrail {
        Guardrail::PayForChangeOfMind => "money for a change of mind",
        Guardrail::PayForDissatisfaction => "money for dissatisfaction with what was generated",
        Guardrail::PayForUsedCredits => "money for used credits",
        Guardrail::PayBeforeRestoring => "money for credits that can still be delivered",
    }
}

/// How many different people must approve this: one, or two above what a machine may approve by itself. A currency
/// without a limit is above every limit.
#[must_use]
pub fn approvals_required(document: &Document, grants: &[Grant]) -> i32 {
    let limits = &document.parameters().limits().approve_at_most;
    let above = |money: Money| limits.get(&money.currency).is_none_or(|most| money.minor_units > *most);
    if amount::money(grants).is_some_and(above) { FOUR_EYES } else { 1 }
}

/// What a person answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// The answer: anything but a review.
    pub outcome: Outcome,
    /// The clauses that it rests on.
    pub clauses: Vec<String>,
    /// What is given, with an approval.
    pub remedies: Vec<Grant>,
    /// What is asked for, with a question.
    pub requested_details: BTreeSet<Detail>,
    /// For the customer.
    pub sentence: String,
}

/// A person's decision in the form of all decisions: no row decided, and no row was asked.
#[must_use]
pub fn rule(document: &Document, facts: &Facts, ruling: Ruling) -> Decision {
    let Ruling { outcome, clauses, remedies, requested_details, sentence } = ruling;
    Decision {
        outcome,
        row: String::new(),
        clauses,
        remedies,
        recommendation: None,
        review_reason: None,
        requested_details,
        sentence,
        advice: String::new(),
        rows: Vec::new(),
        policy_version: document.version().to_owned(),
        document_sha256: document.sha256().to_owned(),
        facts_sha256: facts.sha256(),
        respond_by: respond_by(facts.waiting_since(), document.calendar()),
    }
}

/// The policy's sentence for an approval: that of the row which would have approved, or else what is given, plainly.
#[must_use]
pub fn approval_sentence(
    document: &Document,
    facts: &Facts,
    (row, clauses): (&str, &[String]),
    grants: &[Grant],
    method: RefundMethod,
) -> String {
    let approving = document.rows().iter().find(|known| known.id == row && known.outcome == Outcome::Approve);
    if let Some(row) = approving.filter(|_| method == RefundMethod::OriginalPayment) {
        return row.sentence.fill(&Scene {
            facts,
            parameters: document.parameters(),
            time_zone: document.calendar().time_zone,
            grants,
            requested: &BTreeSet::new(),
            respond_by: respond_by(facts.waiting_since(), document.calendar()),
            clauses,
        });
    }
    let cited: Vec<String> = clauses.iter().map(|clause| format!("§{clause}")).collect();
    let cited = if cited.is_empty() { "our refund policy".to_owned() } else { cited.join(", ") };
    let way = match method {
        RefundMethod::OriginalPayment => "to your original payment method",
        RefundMethod::Other => "to you in another way than you paid",
    };
    let money = amount::money(grants).map(|money| format!("are refunding {money} {way}"));
    let credits = grants
        .iter()
        .filter(|grant| !grant.kind.pays())
        .fold(0_i64, |sum, grant| sum.saturating_add(grant.credits.get()));
    let credits = (credits > 0).then(|| match credits {
        1 => "have added 1 credit to your account".to_owned(),
        _ => format!("have added {credits} credits to your account"),
    });
    let done: Vec<String> = credits.into_iter().chain(money).collect();
    format!("We have looked at your request and {} ({cited}).", done.join(" and "))
}
