//! Decisions, with every row's result and every fact.

use super::{exposed, money, text_or_empty, timestamp};
use crate::command::{
    Decision, Grant, Outcome, Recommendation, RemedyKind, ReviewReason, RowOutcome, RowResult, StoredDecision,
};
use crate::proto::makegood::v1;
use serde::Serialize;

/// One decision, the policy's or a person's.
pub(super) fn decision(stored: &StoredDecision) -> v1::Decision {
    let StoredDecision {
        decision_id,
        decision,
        facts,
        decision_sha256,
        canonical,
        decided_at,
        trace_id,
        decided_by,
        reason: why,
        said: _,
    } = stored;
    let Decision {
        outcome: answer,
        row,
        clauses,
        remedies,
        recommendation: recommended,
        review_reason: reason,
        requested_details,
        sentence: _,
        advice,
        rows,
        policy_version,
        document_sha256,
        facts_sha256,
        respond_by,
    } = decision;
    v1::Decision {
        decision_id: text_or_empty(*decision_id),
        outcome: outcome(*answer).into(),
        row: row.clone(),
        clauses: clauses.clone(),
        remedies: remedies.iter().map(remedy).collect(),
        requested_details: requested_details.iter().map(ToString::to_string).collect(),
        review_reason: reason.map_or(v1::ReviewReason::Unspecified, review_reason).into(),
        recommendation: recommended.as_ref().map(recommendation),
        sentence: stored.sentence().to_owned(),
        advice: advice.clone(),
        rows: rows.iter().map(row_result).collect(),
        policy_version: policy_version.clone(),
        document_sha256: document_sha256.clone(),
        facts_sha256: facts_sha256.clone(),
        decision_sha256: decision_sha256.clone(),
        facts: facts
            .iter()
            .map(|(name, value)| v1::Fact { name: name.name().to_owned(), value: as_written(value) })
            .collect(),
        respond_by: Some(timestamp(*respond_by)),
        decided_at: Some(timestamp(*decided_at)),
        trace_id: text_or_empty(trace_id.as_ref()),
        canonical: canonical.clone().into_bytes(),
        decided_by: text_or_empty(decided_by.as_ref()),
        reason: exposed(why.as_ref()),
    }
}

/// A value in the notation of the documents: words bare, lists in brackets.
pub(super) fn as_written(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        // Cannot fail: no value of a fact lacks a JSON form.
        written => written.unwrap_or_default().to_string(),
    }
}

fn row_result(result: &RowResult) -> v1::RowResult {
    let RowResult { row, clauses, result } = result;
    let failed_conditions = match result {
        RowOutcome::NoHit { failed } => failed.iter().map(ToString::to_string).collect(),
        RowOutcome::Hit | RowOutcome::NotApplicable => Vec::new(),
    };
    v1::RowResult {
        row: row.clone(),
        clauses: clauses.clone(),
        result: row_match(result).into(),
        failed_conditions,
    }
}

pub(super) fn remedy(grant: &Grant) -> v1::Remedy {
    let Grant { kind, credits, undelivered: _, money: paid, pays_for_spent: _ } = grant;
    v1::Remedy { kind: remedy_kind(*kind).into(), credits: credits.get(), amount: paid.map(money) }
}

pub(super) fn recommendation(recommendation: &Recommendation) -> v1::Recommendation {
    let (recommended, grants) = match recommendation {
        Recommendation::Deny => (Outcome::Deny, &[][..]),
        Recommendation::Approve(grants) => (Outcome::Approve, grants.as_slice()),
    };
    v1::Recommendation { outcome: outcome(recommended).into(), remedies: grants.iter().map(remedy).collect() }
}

pub(super) const fn outcome(outcome: Outcome) -> v1::Outcome {
    match outcome {
        Outcome::Approve => v1::Outcome::Approve,
        Outcome::Deny => v1::Outcome::Deny,
        Outcome::RequestInformation => v1::Outcome::RequestInformation,
        Outcome::Review => v1::Outcome::Review,
    }
}

pub(super) const fn row_match(outcome: &RowOutcome) -> v1::RowMatch {
    match outcome {
        RowOutcome::Hit => v1::RowMatch::Hit,
        RowOutcome::NoHit { failed: _ } => v1::RowMatch::NoHit,
        RowOutcome::NotApplicable => v1::RowMatch::NotApplicable,
    }
}

pub(super) const fn remedy_kind(kind: RemedyKind) -> v1::RemedyKind {
    match kind {
        RemedyKind::RestoreUndelivered => v1::RemedyKind::RestoreUndelivered,
        RemedyKind::RestoreFailed => v1::RemedyKind::RestoreFailed,
        RemedyKind::RestoreAttempt => v1::RemedyKind::RestoreAttempt,
        RemedyKind::RefundUnused => v1::RemedyKind::RefundUnused,
        RemedyKind::RefundFull => v1::RemedyKind::RefundFull,
        RemedyKind::RefundFixed => v1::RemedyKind::RefundFixed,
        RemedyKind::Compensate => v1::RemedyKind::Compensate,
    }
}

pub(super) const fn review_reason(reason: ReviewReason) -> v1::ReviewReason {
    match reason {
        ReviewReason::Row => v1::ReviewReason::Row,
        ReviewReason::AboveApprovalLimit => v1::ReviewReason::AboveApprovalLimit,
        ReviewReason::CurrencyWithoutLimit => v1::ReviewReason::CurrencyWithoutLimit,
        ReviewReason::TooManyRecentRefunds => v1::ReviewReason::TooManyRecentRefunds,
        ReviewReason::NothingToGive => v1::ReviewReason::NothingToGive,
        ReviewReason::Guardrail => v1::ReviewReason::Guardrail,
        ReviewReason::CreditsGone => v1::ReviewReason::CreditsGone,
        ReviewReason::NoRow => v1::ReviewReason::NoRow,
    }
}
