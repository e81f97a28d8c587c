//! Refund requests and the money that goes back.

use super::credit::balance;
use super::decision::{decision, outcome};
use super::{attempt_reference, money, sum, text_or_empty, timestamp};
use crate::command::{CaseView, EvaluateAnswer, Outcome, RefundResultAnswer, StoredDecision};
use crate::domain::ids::AccountId;
use crate::domain::refund::{Refund, RefundStage};
use crate::domain::request::{Claim, Details, Evidence, EvidenceKind, RefundRequest, RequestStage};
use crate::proto::makegood::v1;
use std::collections::BTreeSet;

pub(in crate::grpc) fn evaluate_request(
    account_id: &AccountId,
    answer: &EvaluateAnswer,
) -> v1::EvaluateRequestResponse {
    let EvaluateAnswer { refund_request: opened, decision: stored, refunds } = answer;
    let decisions = std::slice::from_ref(stored);
    v1::EvaluateRequestResponse {
        // A preview opens no request. The decision stands beside it, and is large: it is not sent twice.
        refund_request: opened.as_ref().map(|request| {
            let case = Case { request, account_email: None, explanation: None, decisions, refunds };
            v1::RefundRequest { decisions: Vec::new(), ..refund_request(account_id, &case) }
        }),
        decision: Some(decision(stored)),
    }
}

pub(in crate::grpc) fn get_refund_request(
    account_id: &AccountId,
    view: &CaseView,
) -> v1::GetRefundRequestResponse {
    let CaseView { refund_request: request, account_email, explanation, decisions, refunds } = view;
    let (account_email, explanation) = (account_email.as_deref(), explanation.as_deref());
    let case = Case { request, account_email, explanation, decisions, refunds };
    v1::GetRefundRequestResponse { refund_request: Some(refund_request(account_id, &case)) }
}

pub(in crate::grpc) fn record_refund_result(
    account_id: &AccountId,
    answer: &RefundResultAnswer,
) -> v1::RecordRefundResultResponse {
    let RefundResultAnswer { refund: paid, refund_request: request, decisions, refunds, balance: left } =
        answer;
    let case = Case { request, account_email: None, explanation: None, decisions, refunds };
    v1::RecordRefundResultResponse {
        refund: Some(refund(account_id, paid)),
        refund_request: Some(refund_request(account_id, &case)),
        balance: Some(balance(account_id, left, &[])),
    }
}

/// A request with as much around it as the answer has.
struct Case<'a> {
    request: &'a RefundRequest,
    account_email: Option<&'a str>,
    explanation: Option<&'a str>,
    decisions: &'a [StoredDecision],
    refunds: &'a [Refund],
}

fn refund_request(account_id: &AccountId, case: &Case<'_>) -> v1::RefundRequest {
    let Case { request, account_email, explanation, decisions, refunds } = case;
    let RefundRequest {
        refund_request_id,
        purchase_id,
        claim: claimed,
        stage,
        received_at,
        respond_by,
        first_responded_at,
        policy_version,
        attempt,
        purchased_at,
        amount_paid,
        attempted_at,
        evidence: papers,
        revision,
    } = request;
    let first_response = first_responded_at.and_then(|_| first_response(decisions));
    v1::RefundRequest {
        refund_request_id: refund_request_id.to_string(),
        account_id: account_id.to_string(),
        purchase_id: text_or_empty(*purchase_id),
        claim: claim(*claimed).into(),
        stage: request_stage(*stage).into(),
        received_at: Some(timestamp(*received_at)),
        respond_by: Some(timestamp(*respond_by)),
        first_responded_at: first_responded_at.map(timestamp),
        first_response: first_response.map_or(v1::Outcome::Unspecified, outcome).into(),
        decisions: decisions.iter().map(decision).collect(),
        refunds: refunds.iter().map(|paid| refund(account_id, paid)).collect(),
        details: Some(details(&Details {
            account_email: account_email.map(str::to_owned),
            purchased_at: *purchased_at,
            amount_paid: *amount_paid,
            explanation: explanation.map(str::to_owned),
            attempted_at: *attempted_at,
            attempt: attempt.clone(),
        })),
        evidence: papers.iter().map(evidence).collect(),
        etag: revision.to_string(),
        notes: Vec::new(),
        assignee: String::new(),
        restored_credits: sum(StoredDecision::credits_given(decisions)),
        approvals: Vec::new(),
        approvals_required: 0,
        policy_version: policy_version.clone(),
        opened_by: String::new(),
        closed_at: None,
        expires_at: None,
        information_asked: information_asked(decisions),
    }
}

/// What answered first: a case that went to a person was not answered by that (§4.1).
fn first_response(decisions: &[StoredDecision]) -> Option<Outcome> {
    decisions.iter().map(|stored| stored.decision.outcome).find(|outcome| *outcome != Outcome::Review)
}

fn information_asked(decisions: &[StoredDecision]) -> Vec<String> {
    let asked = decisions.iter().flat_map(|stored| &stored.decision.requested_details);
    asked.collect::<BTreeSet<_>>().into_iter().map(ToString::to_string).collect()
}

fn details(details: &Details) -> v1::RequestDetails {
    let Details { account_email, purchased_at, amount_paid, explanation, attempted_at, attempt } = details;
    v1::RequestDetails {
        account_email: text_or_empty(account_email.as_ref()),
        purchased_at: purchased_at.map(timestamp),
        amount_paid: amount_paid.map(money),
        explanation: text_or_empty(explanation.as_ref()),
        attempted_at: attempted_at.map(timestamp),
        attempt: attempt.as_ref().map(attempt_reference),
    }
}

fn evidence(evidence: &Evidence) -> v1::Evidence {
    let Evidence { kind, uri, sha256, size_bytes } = evidence;
    v1::Evidence {
        kind: evidence_kind(*kind).into(),
        uri: uri.clone(),
        // INVARIANT: the digest came as bytes and is kept as their hex.
        sha256: hex::decode(sha256).unwrap_or_default(),
        size_bytes: *size_bytes,
    }
}

fn refund(account_id: &AccountId, refund: &Refund) -> v1::Refund {
    let Refund {
        refund_id,
        refund_request_id,
        purchase_id,
        amount,
        credits,
        stage,
        provider,
        payment_id,
        provider_refund_id,
        idempotency_key,
        created_at,
        submitted_at,
        settled_at,
        failure_reason,
    } = refund;
    v1::Refund {
        refund_id: refund_id.to_string(),
        account_id: account_id.to_string(),
        purchase_id: purchase_id.to_string(),
        refund_request_id: refund_request_id.to_string(),
        amount: Some(money(*amount)),
        credits: credits.get(),
        stage: refund_stage(*stage).into(),
        provider: provider.to_string(),
        payment_id: payment_id.to_string(),
        provider_refund_id: text_or_empty(provider_refund_id.as_ref()),
        idempotency_key: idempotency_key.clone(),
        created_at: Some(timestamp(*created_at)),
        submitted_at: submitted_at.map(timestamp),
        settled_at: settled_at.map(timestamp),
        failure_reason: failure_reason.clone(),
        expected_window: None,
        // Another way (§4.2) is a person's to find, and persons cannot decide yet.
        method: v1::RefundMethod::OriginalPayment.into(),
    }
}

pub(super) const fn claim(claim: Claim) -> v1::Claim {
    match claim {
        Claim::DuplicatePurchase => v1::Claim::DuplicatePurchase,
        Claim::TechnicalIssue => v1::Claim::TechnicalIssue,
        Claim::CreditsNotDelivered => v1::Claim::CreditsNotDelivered,
        Claim::UnintendedRenewal => v1::Claim::UnintendedRenewal,
        Claim::Dissatisfied => v1::Claim::Dissatisfied,
        Claim::ChangeOfMind => v1::Claim::ChangeOfMind,
        Claim::UnauthorisedPayment => v1::Claim::UnauthorisedPayment,
        Claim::DefectiveOutput => v1::Claim::DefectiveOutput,
        Claim::Other => v1::Claim::Other,
    }
}

pub(super) const fn request_stage(stage: RequestStage) -> v1::RefundRequestStage {
    match stage {
        RequestStage::AwaitingInformation => v1::RefundRequestStage::AwaitingInformation,
        RequestStage::InReview => v1::RefundRequestStage::InReview,
        RequestStage::Approved => v1::RefundRequestStage::Approved,
        RequestStage::Denied => v1::RefundRequestStage::Denied,
        RequestStage::Withdrawn => v1::RefundRequestStage::Withdrawn,
        RequestStage::Expired => v1::RefundRequestStage::Expired,
        RequestStage::Settled => v1::RefundRequestStage::Settled,
    }
}

pub(super) const fn evidence_kind(kind: EvidenceKind) -> v1::EvidenceKind {
    match kind {
        EvidenceKind::Statement => v1::EvidenceKind::Statement,
        EvidenceKind::Screenshot => v1::EvidenceKind::Screenshot,
        EvidenceKind::Log => v1::EvidenceKind::Log,
        EvidenceKind::OrderIds => v1::EvidenceKind::OrderIds,
        EvidenceKind::Other => v1::EvidenceKind::Other,
    }
}

pub(super) const fn refund_stage(stage: RefundStage) -> v1::RefundStage {
    match stage {
        RefundStage::Pending => v1::RefundStage::Pending,
        RefundStage::Submitted => v1::RefundStage::Submitted,
        RefundStage::Succeeded => v1::RefundStage::Succeeded,
        RefundStage::Failed => v1::RefundStage::Failed,
        RefundStage::Canceled => v1::RefundStage::Canceled,
        RefundStage::Unknown => v1::RefundStage::Unknown,
    }
}
