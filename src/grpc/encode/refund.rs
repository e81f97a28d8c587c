//! Refund requests and the money that goes back.

use super::credit::balance;
use super::decision::{decision, remedy};
use super::{attempt_reference, exposed, money, text_or_empty, timestamp};
use crate::command::{
    ApprovalView, CaseAnswer, CaseView, EvaluateAnswer, Proposal, QueuePage, QueuedRequest, RefundPage,
    RefundResultAnswer,
};
use crate::domain::ids::AccountId;
use crate::domain::note::RequestNote;
use crate::domain::redacted::FreeText;
use crate::domain::refund::{ExpectedWindow, Refund, RefundMethod, RefundStage};
use crate::domain::request::{
    Approval, Claim, Details, Evidence, EvidenceKind, Life, RefundRequest, RequestStage, Response,
    ResponseClock,
};
use crate::proto::makegood::v1;

pub(in crate::grpc) fn evaluate_request(
    account_id: &AccountId,
    answer: &EvaluateAnswer,
) -> v1::EvaluateRequestResponse {
    let EvaluateAnswer { refund_request: opened, decision: stored, refunds } = answer;
    v1::EvaluateRequestResponse {
        // A preview opens no request. The decision stands beside it, and is large: it is not sent twice.
        refund_request: opened.as_ref().map(|request| bare(account_id, request, refunds)),
        decision: Some(decision(stored)),
    }
}

pub(in crate::grpc) fn provide_information(
    account_id: &AccountId,
    answer: &CaseAnswer,
) -> v1::ProvideInformationResponse {
    let CaseAnswer { refund_request: request, decision: stored, refunds } = answer;
    v1::ProvideInformationResponse {
        refund_request: Some(bare(account_id, request, refunds)),
        decision: stored.as_ref().map(decision),
    }
}

pub(in crate::grpc) fn withdraw_refund_request(
    account_id: &AccountId,
    answer: &CaseAnswer,
) -> v1::WithdrawRefundRequestResponse {
    let CaseAnswer { refund_request: request, decision: _, refunds } = answer;
    v1::WithdrawRefundRequestResponse { refund_request: Some(bare(account_id, request, refunds)) }
}

pub(in crate::grpc) fn resolve_refund_request(
    account_id: &AccountId,
    answer: &CaseAnswer,
    said: &FreeText,
) -> v1::ResolveRefundRequestResponse {
    let CaseAnswer { refund_request: request, decision: stored, refunds } = answer;
    let mut decided = stored.as_ref().map(decision);
    if let Some(decided) = decided.as_mut().filter(|_| !said.is_empty()) {
        decided.sentence.clone_from(said.expose());
    }
    let given = match &request.life {
        Life::InReview { approvals_required: _, approvals } => approvals.iter().map(endorsement).collect(),
        _ => Vec::new(),
    };
    v1::ResolveRefundRequestResponse {
        // Only the desk resolves, so it may see who approved.
        refund_request: Some(v1::RefundRequest { approvals: given, ..bare(account_id, request, refunds) }),
        decision: decided,
    }
}

/// One case, whole; `for_desk` with what only support may read.
pub(in crate::grpc) fn get_refund_request(
    account_id: &AccountId,
    view: &CaseView,
    for_desk: bool,
) -> v1::GetRefundRequestResponse {
    let CaseView {
        refund_request: request,
        account_email,
        explanation,
        decisions,
        refunds,
        notes,
        approvals,
        erased_at,
    } = view;
    let told = details(&Details {
        account_email: account_email.clone(),
        explanation: explanation.clone(),
        ..said(request)
    });
    let mut whole = v1::RefundRequest {
        details: Some(told),
        decisions: decisions.iter().map(decision).collect(),
        erased_at: erased_at.map(timestamp),
        ..bare(account_id, request, refunds)
    };
    if for_desk {
        whole.notes = notes.iter().map(note).collect();
        whole.approvals = approvals.iter().map(approval).collect();
    } else {
        for decision in &mut whole.decisions {
            decision.reason.clear();
        }
    }
    v1::GetRefundRequestResponse { refund_request: Some(whole) }
}

/// A page of the queue: each request with its last decision, and that without rows and facts.
pub(in crate::grpc) fn list_refund_requests(
    page: &QueuePage,
    for_desk: bool,
    next_page_token: String,
) -> v1::ListRefundRequestsResponse {
    let refund_requests = page.items.iter().map(|queued| {
        let QueuedRequest { account_id, refund_request: request, decision: last } = queued;
        let last = last.as_ref().map(|stored| {
            let mut last = decision(stored);
            (last.rows, last.facts, last.canonical) = (Vec::new(), Vec::new(), Vec::new());
            if !for_desk {
                last.reason.clear();
            }
            last
        });
        v1::RefundRequest { decisions: Vec::from_iter(last), ..bare(account_id, request, &[]) }
    });
    v1::ListRefundRequestsResponse { refund_requests: refund_requests.collect(), next_page_token }
}

pub(in crate::grpc) fn record_refund_result(
    account_id: &AccountId,
    answer: &RefundResultAnswer,
) -> v1::RecordRefundResultResponse {
    let RefundResultAnswer { refund: paid, refund_request: request, decisions, refunds, balance: left } =
        answer;
    let case = v1::RefundRequest {
        decisions: decisions.iter().map(decision).collect(),
        ..bare(account_id, request, refunds)
    };
    v1::RecordRefundResultResponse {
        refund: Some(refund(account_id, paid)),
        refund_request: Some(case),
        balance: Some(balance(account_id, left, &[])),
    }
}

pub(in crate::grpc) fn get_refund(account_id: &AccountId, paid: &Refund) -> v1::GetRefundResponse {
    v1::GetRefundResponse { refund: Some(refund(account_id, paid)) }
}

pub(in crate::grpc) fn list_refunds(page: &RefundPage, next_page_token: String) -> v1::ListRefundsResponse {
    let refunds = page.items.iter().map(|(account_id, paid)| refund(account_id, paid)).collect();
    v1::ListRefundsResponse { refunds, next_page_token }
}

/// A request without its decisions, its free text, and what support wrote.
pub(super) fn bare(account_id: &AccountId, request: &RefundRequest, refunds: &[Refund]) -> v1::RefundRequest {
    let RefundRequest {
        refund_request_id,
        purchase_id,
        claim: claimed,
        life,
        received_at,
        clock: ResponseClock { respond_by, waiting_since: _, first_response },
        policy_version,
        opened_by,
        assignee,
        attempt: _,
        purchased_at: _,
        amount_paid: _,
        attempted_at: _,
        evidence: papers,
        asked,
        decisions: _,
        last_row: _,
        restored_credits,
        revision,
    } = request;
    v1::RefundRequest {
        refund_request_id: refund_request_id.to_string(),
        account_id: account_id.to_string(),
        purchase_id: text_or_empty(*purchase_id),
        claim: claim(*claimed).into(),
        stage: request_stage(life.stage()).into(),
        received_at: Some(timestamp(*received_at)),
        respond_by: Some(timestamp(*respond_by)),
        first_responded_at: first_response.map(|first| timestamp(first.at)),
        first_response: first_response.map_or(v1::Outcome::Unspecified, |first| response(first.kind)).into(),
        decisions: Vec::new(),
        refunds: refunds.iter().map(|paid| refund(account_id, paid)).collect(),
        details: Some(details(&said(request))),
        evidence: papers.iter().map(evidence).collect(),
        etag: revision.to_string(),
        notes: Vec::new(),
        assignee: text_or_empty(assignee.as_ref()),
        restored_credits: restored_credits.get(),
        approvals: Vec::new(),
        approvals_required: match life {
            Life::InReview { approvals_required, approvals: _ } => *approvals_required,
            _ => 0,
        },
        policy_version: policy_version.clone(),
        opened_by: opened_by.to_string(),
        closed_at: life.closed_at().map(timestamp),
        expires_at: life.expires_at().map(timestamp),
        information_asked: asked.iter().map(ToString::to_string).collect(),
        erased_at: None,
    }
}

/// What the customer said, without the words that can be erased.
fn said(request: &RefundRequest) -> Details {
    Details {
        account_email: None,
        purchased_at: request.purchased_at,
        amount_paid: request.amount_paid,
        explanation: None,
        attempted_at: request.attempted_at,
        attempt: request.attempt.clone(),
    }
}

/// An answer as the outcome that it was (§4.1).
pub(super) const fn response(response: Response) -> v1::Outcome {
    match response {
        Response::Approval => v1::Outcome::Approve,
        Response::Denial => v1::Outcome::Deny,
        Response::Question => v1::Outcome::RequestInformation,
    }
}

fn note(note: &RequestNote) -> v1::Note {
    let RequestNote { author, written_at, text } = note;
    v1::Note {
        text: text.expose().clone(),
        author: author.to_string(),
        written_at: Some(timestamp(*written_at)),
    }
}

/// An approval without its reason, which can be erased and is not kept with answers.
fn endorsement(approval: &Approval) -> v1::Approval {
    let Approval { approver, approved_at, proposal: _ } = approval;
    // INVARIANT: a proposal is kept in the form in which it is read.
    let remedies = Proposal::of(approval).map(|proposal| proposal.remedies).unwrap_or_default();
    v1::Approval {
        approver: approver.to_string(),
        approved_at: Some(timestamp(*approved_at)),
        reason: String::new(),
        remedies: remedies.iter().map(remedy).collect(),
    }
}

fn approval(view: &ApprovalView) -> v1::Approval {
    let ApprovalView { approval, reason } = view;
    v1::Approval { reason: exposed(reason.as_ref()), ..endorsement(approval) }
}

fn details(details: &Details) -> v1::RequestDetails {
    let Details { account_email, purchased_at, amount_paid, explanation, attempted_at, attempt } = details;
    v1::RequestDetails {
        account_email: exposed(account_email.as_ref()),
        purchased_at: purchased_at.map(timestamp),
        amount_paid: amount_paid.map(money),
        explanation: exposed(explanation.as_ref()),
        attempted_at: attempted_at.map(timestamp),
        attempt: attempt.as_ref().map(attempt_reference),
    }
}

fn evidence(evidence: &Evidence) -> v1::Evidence {
    let Evidence { kind, uri, sha256, size_bytes } = evidence;
    v1::Evidence {
        kind: evidence_kind(*kind).into(),
        uri: uri.expose().clone(),
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
        life,
        provider,
        payment_id,
        provider_refund_id,
        idempotency_key,
        created_at,
        method,
    } = refund;
    v1::Refund {
        refund_id: refund_id.to_string(),
        account_id: account_id.to_string(),
        purchase_id: purchase_id.to_string(),
        refund_request_id: refund_request_id.to_string(),
        amount: Some(money(*amount)),
        credits: credits.get(),
        stage: refund_stage(life.stage()).into(),
        provider: provider.to_string(),
        payment_id: payment_id.to_string(),
        provider_refund_id: text_or_empty(provider_refund_id.as_ref()),
        idempotency_key: idempotency_key.clone(),
        created_at: Some(timestamp(*created_at)),
        submitted_at: life.submitted_at().map(timestamp),
        settled_at: life.settled_at().map(timestamp),
        failure_reason: exposed(life.failure_reason()),
        expected_window: life.expected().map(|ExpectedWindow { from, until }| v1::TimeWindow {
            start_time: Some(timestamp(from)),
            end_time: Some(timestamp(until)),
        }),
        method: refund_method(*method).into(),
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

pub(super) const fn refund_method(method: RefundMethod) -> v1::RefundMethod {
    match method {
        RefundMethod::OriginalPayment => v1::RefundMethod::OriginalPayment,
        RefundMethod::Other => v1::RefundMethod::Other,
    }
}

pub(super) const fn request_stage(stage: RequestStage) -> v1::RefundRequestStage {
    match stage {
        RequestStage::Submitted => v1::RefundRequestStage::Submitted,
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
