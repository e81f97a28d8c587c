//! The messages of the refund service.

use super::credit::{address, call};
use super::fields::Fields;
use crate::command::{
    Call, EvaluateRequest, GetRefundRequest, MAX_EVIDENCE, RecordChargeback, RecordRefundResult, RemedyKind,
    RequestInput,
};
use crate::domain::chargeback::{ChargebackEvent, ChargebackPhase};
use crate::domain::ids::{AccountId, RefundId, RefundRequestId, RequestId};
use crate::domain::money::Money;
use crate::domain::redacted::FreeText;
use crate::domain::refund::RefundResult;
use crate::domain::request::{Claim, Details, Evidence, EvidenceKind};
use crate::proto::makegood::v1;
use chrono::{DateTime, Utc};
use tonic::Status;

const MAX_URI_BYTES: usize = 1_000;
const MAX_EMAIL_BYTES: usize = 254;
pub(super) const MAX_TEXT_BYTES: usize = 4_000;
pub(super) const MAX_REASON_BYTES: usize = 1_000;
const MAX_WORD_BYTES: usize = 64;
/// A larger paper is no paper.
const MAX_EVIDENCE_BYTES: i64 = 1_000_000_000;
const SHA256_BYTES: usize = 32;

/// A refund request as it was sent.
pub(in crate::grpc) enum Evaluation {
    /// To be decided and recorded.
    Call(Call<EvaluateRequest>),
    /// To be decided only.
    Preview(AccountId, RequestInput),
}

pub(in crate::grpc) fn evaluate_request(
    request: v1::EvaluateRequestRequest,
    now: DateTime<Utc>,
) -> Result<Evaluation, Status> {
    let v1::EvaluateRequestRequest {
        request_id,
        account_id,
        claim,
        purchase,
        details,
        evidence,
        validate_only,
    } = request;
    let mut fields = Fields::at(now);
    // A preview changes nothing, so it may go without a request id.
    let request_id = if validate_only && request_id.is_empty() {
        Some(None)
    } else {
        fields.request_id(&request_id).map(Some)
    };
    let account_id = fields.id::<AccountId>("account_id", account_id);
    let claim = fields.word("claim", claim, read_claim);
    let purchase = match purchase {
        None => Some(None),
        named => fields.purchase("purchase", named).map(Some),
    };
    let details = read_details(&mut fields, details.unwrap_or_default());
    let evidence = read_evidence(&mut fields, evidence);
    let parts = request_id.zip(account_id).zip(claim).zip(purchase).zip(details).zip(evidence);
    let (((((request_id, account_id), claim), purchase), details), evidence) = fields.finish(parts)?;
    let input = RequestInput { claim, purchase, details, evidence };
    Ok(match request_id {
        Some(request_id) if !validate_only => {
            Evaluation::Call(Call { account_id, request_id, mutation: EvaluateRequest { input } })
        }
        _ => Evaluation::Preview(account_id, input),
    })
}

pub(super) fn read_claim(claim: v1::Claim) -> Option<Claim> {
    Some(match claim {
        v1::Claim::Unspecified => return None,
        v1::Claim::DuplicatePurchase => Claim::DuplicatePurchase,
        v1::Claim::TechnicalIssue => Claim::TechnicalIssue,
        v1::Claim::CreditsNotDelivered => Claim::CreditsNotDelivered,
        v1::Claim::UnintendedRenewal => Claim::UnintendedRenewal,
        v1::Claim::Dissatisfied => Claim::Dissatisfied,
        v1::Claim::ChangeOfMind => Claim::ChangeOfMind,
        v1::Claim::UnauthorisedPayment => Claim::UnauthorisedPayment,
        v1::Claim::DefectiveOutput => Claim::DefectiveOutput,
        v1::Claim::Other => Claim::Other,
    })
}

pub(super) fn read_details(fields: &mut Fields, details: v1::RequestDetails) -> Option<Details> {
    let v1::RequestDetails { account_email, purchased_at, amount_paid, explanation, attempted_at, attempt } =
        details;
    let account_email = fields.prose("details.account_email", account_email, MAX_EMAIL_BYTES);
    let purchased_at = fields.optional_past("details.purchased_at", purchased_at);
    let amount_paid = match amount_paid {
        None => Some(None),
        paid => fields.money("details.amount_paid", paid).map(Some),
    };
    let explanation = fields.prose("details.explanation", explanation, MAX_TEXT_BYTES);
    let attempted_at = fields.optional_past("details.attempted_at", attempted_at);
    let attempt = match attempt {
        None => Some(None),
        Some(v1::AttemptReference { job_id, attempt }) => {
            fields.attempt("details.attempt.", job_id, attempt).map(Some)
        }
    };
    let said = |text: FreeText| Some(text).filter(|text| !text.is_empty());
    Some(Details {
        account_email: said(account_email?),
        purchased_at: purchased_at?,
        amount_paid: amount_paid?,
        explanation: said(explanation?),
        attempted_at: attempted_at?,
        attempt: attempt?,
    })
}

pub(super) fn read_evidence(fields: &mut Fields, evidence: Vec<v1::Evidence>) -> Option<Vec<Evidence>> {
    if evidence.len() > MAX_EVIDENCE {
        return fields.wrong("evidence", format!("must have at most {MAX_EVIDENCE} items"));
    }
    let read: Vec<_> =
        evidence.into_iter().enumerate().map(|(index, item)| read_item(fields, index, item)).collect();
    read.into_iter().collect()
}

fn read_item(fields: &mut Fields, index: usize, item: v1::Evidence) -> Option<Evidence> {
    let v1::Evidence { kind, uri, sha256, size_bytes } = item;
    let path = |field: &str| format!("evidence[{index}].{field}");
    let kind = fields.word(&path("kind"), kind, evidence_kind);
    let uri = fields.required_prose(&path("uri"), uri, MAX_URI_BYTES);
    let sha256 = match sha256.len() {
        SHA256_BYTES => Some(hex::encode(&sha256)),
        _ => fields.wrong(&path("sha256"), "must be 32 bytes"),
    };
    let size_bytes = fields.number(&path("size_bytes"), size_bytes, (1, MAX_EVIDENCE_BYTES));
    Some(Evidence { kind: kind?, uri: uri?, sha256: sha256?, size_bytes: size_bytes? })
}

pub(super) fn remedy_kind(kind: v1::RemedyKind) -> Option<RemedyKind> {
    Some(match kind {
        v1::RemedyKind::Unspecified => return None,
        v1::RemedyKind::RestoreUndelivered => RemedyKind::RestoreUndelivered,
        v1::RemedyKind::RestoreFailed => RemedyKind::RestoreFailed,
        v1::RemedyKind::RefundUnused => RemedyKind::RefundUnused,
        v1::RemedyKind::RefundFull => RemedyKind::RefundFull,
        v1::RemedyKind::RefundFixed => RemedyKind::RefundFixed,
        v1::RemedyKind::RestoreAttempt => RemedyKind::RestoreAttempt,
        v1::RemedyKind::Compensate => RemedyKind::Compensate,
    })
}

fn evidence_kind(kind: v1::EvidenceKind) -> Option<EvidenceKind> {
    Some(match kind {
        v1::EvidenceKind::Unspecified => return None,
        v1::EvidenceKind::Statement => EvidenceKind::Statement,
        v1::EvidenceKind::Screenshot => EvidenceKind::Screenshot,
        v1::EvidenceKind::Log => EvidenceKind::Log,
        v1::EvidenceKind::OrderIds => EvidenceKind::OrderIds,
        v1::EvidenceKind::Other => EvidenceKind::Other,
    })
}

pub(in crate::grpc) fn get_refund_request(
    request: v1::GetRefundRequestRequest,
    now: DateTime<Utc>,
) -> Result<GetRefundRequest, Status> {
    let v1::GetRefundRequestRequest { account_id, refund_request_id } = request;
    let mut fields = Fields::at(now);
    let account_id = fields.id("account_id", account_id);
    let id = fields.own_id("refund_request_id", &refund_request_id, RefundRequestId::parse);
    let query = account_id
        .zip(id)
        .map(|(account_id, refund_request_id)| GetRefundRequest { account_id, refund_request_id });
    fields.finish(query)
}

pub(in crate::grpc) fn record_refund_result(
    request: v1::RecordRefundResultRequest,
    now: DateTime<Utc>,
) -> Result<Call<RecordRefundResult>, Status> {
    let v1::RecordRefundResultRequest {
        request_id,
        account_id,
        refund_id,
        result,
        provider_refund_id,
        failure_reason,
        occurred_at,
    } = request;
    let mut fields = Fields::at(now);
    let address = address(&mut fields, &request_id, account_id);
    let refund_id = fields.own_id("refund_id", &refund_id, RefundId::parse);
    let result = fields.word("result", result, refund_result);
    let provider_refund_id = fields.optional_id("provider_refund_id", provider_refund_id);
    let failure_reason = fields.prose("failure_reason", failure_reason, MAX_REASON_BYTES);
    if result == Some(RefundResult::Succeeded) && provider_refund_id == Some(None) {
        fields.wrong::<()>("provider_refund_id", "is required when the refund succeeded");
    }
    match (result, failure_reason.as_ref().map(FreeText::is_empty)) {
        (Some(RefundResult::Failed), Some(true)) => {
            fields.wrong::<()>("failure_reason", "is required when the refund failed");
        }
        (Some(result), Some(false)) if result != RefundResult::Failed => {
            fields.wrong::<()>("failure_reason", "is for refunds that failed");
        }
        _ => {}
    }
    let occurred_at = fields.past("occurred_at", occurred_at);
    let told = refund_id.zip(result).zip(provider_refund_id).zip(failure_reason).zip(occurred_at);
    let mutation = told.map(|((((refund_id, result), provider_refund_id), failure_reason), occurred_at)| {
        RecordRefundResult { refund_id, result, provider_refund_id, failure_reason, occurred_at }
    });
    call(fields, address, mutation)
}

fn refund_result(result: v1::RefundResult) -> Option<RefundResult> {
    Some(match result {
        v1::RefundResult::Unspecified => return None,
        v1::RefundResult::Submitted => RefundResult::Submitted,
        v1::RefundResult::Succeeded => RefundResult::Succeeded,
        v1::RefundResult::Failed => RefundResult::Failed,
        v1::RefundResult::Unknown => RefundResult::Unknown,
    })
}

/// An event of a dispute with its address.
pub(in crate::grpc) struct ChargebackCall {
    pub(in crate::grpc) request_id: RequestId,
    pub(in crate::grpc) event: RecordChargeback,
}

pub(in crate::grpc) fn record_chargeback(
    request: v1::RecordChargebackRequest,
    now: DateTime<Utc>,
) -> Result<ChargebackCall, Status> {
    let mut fields = Fields::at(now);
    let request_id = fields.request_id(&request.request_id);
    // The payment tells the account, so the caller's word is only checked for its form.
    let account_id: Option<Option<AccountId>> = fields.optional_id("account_id", request.account_id.clone());
    let event = read_event(&mut fields, request);
    let call = request_id.zip(account_id).zip(event);
    fields.finish(call.map(|((request_id, _), event)| ChargebackCall { request_id, event }))
}

fn read_event(fields: &mut Fields, request: v1::RecordChargebackRequest) -> Option<RecordChargeback> {
    let v1::RecordChargebackRequest {
        request_id: _,
        account_id: _,
        provider,
        dispute_id,
        payment_id,
        event,
        phase,
        provider_status,
        reason_code,
        amount,
        occurred_at,
        provider_event_id,
    } = request;
    let provider = fields.id("provider", provider);
    let dispute_id = fields.id("dispute_id", dispute_id);
    let payment_id = fields.id("payment_id", payment_id);
    let event = fields.word("event", event, event_kind);
    let phase = match phase {
        0 => Some(None),
        told => fields.word("phase", told, event_phase).map(Some),
    };
    let provider_status = fields.text("provider_status", provider_status, MAX_WORD_BYTES);
    let reason_code = fields.text("reason_code", reason_code, MAX_WORD_BYTES);
    let amount = fields.money("amount", amount);
    if amount.is_some_and(Money::is_zero) {
        fields.wrong::<()>("amount.minor_units", "must be at least 1");
    }
    let occurred_at = fields.past("occurred_at", occurred_at);
    let provider_event_id = fields.optional_id("provider_event_id", provider_event_id);
    Some(RecordChargeback {
        provider: provider?,
        dispute_id: dispute_id?,
        payment_id: payment_id?,
        event: event?,
        phase: phase?,
        provider_status: provider_status?,
        reason_code: reason_code?,
        amount: amount?,
        occurred_at: occurred_at?,
        provider_event_id: provider_event_id?,
    })
}

fn event_kind(event: v1::ChargebackEventKind) -> Option<ChargebackEvent> {
    Some(match event {
        v1::ChargebackEventKind::Unspecified => return None,
        v1::ChargebackEventKind::Opened => ChargebackEvent::Opened,
        v1::ChargebackEventKind::Updated => ChargebackEvent::Updated,
        v1::ChargebackEventKind::Won => ChargebackEvent::Won,
        v1::ChargebackEventKind::Lost => ChargebackEvent::Lost,
        v1::ChargebackEventKind::Withdrawn => ChargebackEvent::Withdrawn,
    })
}

fn event_phase(phase: v1::ChargebackPhase) -> Option<ChargebackPhase> {
    Some(match phase {
        v1::ChargebackPhase::Unspecified => return None,
        v1::ChargebackPhase::Inquiry => ChargebackPhase::Inquiry,
        v1::ChargebackPhase::Chargeback => ChargebackPhase::Chargeback,
        v1::ChargebackPhase::PreArbitration => ChargebackPhase::PreArbitration,
        v1::ChargebackPhase::Arbitration => ChargebackPhase::Arbitration,
    })
}
