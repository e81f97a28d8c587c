//! The messages about accounts and what is kept from them, and about what disputes were.

use super::by_hand::MAX_CLAUSE_BYTES;
use super::credit::{MAX_REASON_BYTES, address, call};
use super::fields::Fields;
use crate::command::{
    Call, DetermineChargeback, EraseAccount, GetAccount, ImposeRestriction, LiftRestriction,
};
use crate::domain::chargeback::Determination;
use crate::domain::ids::{AccountId, ChargebackId, RequestId, RestrictionId};
use crate::domain::restriction::{RestrictionCause, RestrictionKind};
use crate::proto::makegood::v1;
use chrono::{DateTime, Utc};
use tonic::Status;

pub(in crate::grpc) fn get_account(
    request: v1::GetAccountRequest,
    now: DateTime<Utc>,
) -> Result<GetAccount, Status> {
    let v1::GetAccountRequest { account_id } = request;
    let mut fields = Fields::at(now);
    let account_id = fields.id("account_id", account_id);
    fields.finish(account_id.map(|account_id| GetAccount { account_id }))
}

pub(in crate::grpc) fn impose_restriction(
    request: v1::ImposeRestrictionRequest,
    now: DateTime<Utc>,
) -> Result<Call<ImposeRestriction>, Status> {
    let v1::ImposeRestrictionRequest {
        request_id,
        account_id,
        kind,
        cause,
        clause,
        reason,
        chargeback_id,
        revoke_credits,
    } = request;
    let mut fields = Fields::at(now);
    let address = address(&mut fields, &request_id, account_id);
    let kind = fields.word("kind", kind, restriction_kind);
    let why = read_cause(&mut fields, cause);
    let clause = fields.required_text("clause", clause, MAX_CLAUSE_BYTES);
    let reason = fields.required_prose("reason", reason, MAX_REASON_BYTES);
    let chargeback_id = match chargeback_id.as_str() {
        "" if why == Some(RestrictionCause::Chargeback) => {
            fields.wrong("chargeback_id", "is required where a chargeback is the cause")
        }
        "" => Some(None),
        id => fields.own_id("chargeback_id", id, ChargebackId::parse).map(Some),
    };
    let parts = kind.zip(why).zip(clause).zip(reason).zip(chargeback_id);
    let mutation = parts.map(|((((kind, why), clause), reason), chargeback_id)| ImposeRestriction {
        kind,
        cause: why,
        clause,
        reason,
        chargeback_id,
        revoke_credits,
    });
    call(fields, address, mutation)
}

pub(in crate::grpc) fn erase_account(
    request: v1::EraseAccountRequest,
    now: DateTime<Utc>,
) -> Result<Call<EraseAccount>, Status> {
    let v1::EraseAccountRequest { request_id, account_id, reason } = request;
    let mut fields = Fields::at(now);
    let address = address(&mut fields, &request_id, account_id);
    let reason = fields.required_prose("reason", reason, MAX_REASON_BYTES);
    call(fields, address, reason.map(|reason| EraseAccount { reason }))
}

pub(in crate::grpc) fn lift_restriction(
    request: v1::LiftRestrictionRequest,
    now: DateTime<Utc>,
) -> Result<Call<LiftRestriction>, Status> {
    let v1::LiftRestrictionRequest { request_id, account_id, restriction_id, reason } = request;
    let mut fields = Fields::at(now);
    let address = address(&mut fields, &request_id, account_id);
    let restriction_id = fields.own_id("restriction_id", &restriction_id, RestrictionId::parse);
    let reason = fields.required_prose("reason", reason, MAX_REASON_BYTES);
    let parts = restriction_id.zip(reason);
    let mutation = parts.map(|(restriction_id, reason)| LiftRestriction { restriction_id, reason });
    call(fields, address, mutation)
}

/// A determination with its address; without an account, the dispute's own is meant.
pub(in crate::grpc) struct DeterminationCall {
    pub(in crate::grpc) account_id: Option<AccountId>,
    pub(in crate::grpc) request_id: RequestId,
    pub(in crate::grpc) mutation: DetermineChargeback,
}

pub(in crate::grpc) fn determine_chargeback(
    request: v1::DetermineChargebackRequest,
    now: DateTime<Utc>,
) -> Result<DeterminationCall, Status> {
    let v1::DetermineChargebackRequest { request_id, chargeback_id, determination, reason, account_id } =
        request;
    let mut fields = Fields::at(now);
    let request_id = fields.request_id(&request_id);
    let account_id = fields.optional_id("account_id", account_id);
    let chargeback_id = fields.own_id("chargeback_id", &chargeback_id, ChargebackId::parse);
    let determination = fields.word("determination", determination, determination_of);
    let reason = fields.required_prose("reason", reason, MAX_REASON_BYTES);
    let mutation = chargeback_id.zip(determination).zip(reason);
    let parts = request_id.zip(account_id).zip(mutation);
    fields.finish(parts.map(|((request_id, account_id), ((chargeback_id, determination), reason))| {
        let mutation = DetermineChargeback { chargeback_id, determination, reason };
        DeterminationCall { account_id, request_id, mutation }
    }))
}

/// A cause that a person may give: what a determination imposes is imposed by it alone.
fn read_cause(fields: &mut Fields, cause: i32) -> Option<RestrictionCause> {
    if cause == i32::from(v1::RestrictionCause::ChargebackDetermined) {
        return fields.wrong("cause", "must not be CHARGEBACK_DETERMINED: DetermineChargeback imposes that");
    }
    fields.word("cause", cause, |cause| match cause {
        v1::RestrictionCause::Unspecified | v1::RestrictionCause::ChargebackDetermined => None,
        v1::RestrictionCause::Chargeback => Some(RestrictionCause::Chargeback),
        v1::RestrictionCause::ProhibitedContent => Some(RestrictionCause::ProhibitedContent),
        v1::RestrictionCause::PromotionAbuse => Some(RestrictionCause::PromotionAbuse),
        v1::RestrictionCause::Fraud => Some(RestrictionCause::Fraud),
        v1::RestrictionCause::RefundAbuse => Some(RestrictionCause::RefundAbuse),
        v1::RestrictionCause::Other => Some(RestrictionCause::Other),
    })
}

fn restriction_kind(kind: v1::RestrictionKind) -> Option<RestrictionKind> {
    Some(match kind {
        v1::RestrictionKind::Unspecified => return None,
        v1::RestrictionKind::SpendSuspended => RestrictionKind::Suspended,
        v1::RestrictionKind::PurchaseBlocked => RestrictionKind::PurchaseBlocked,
        v1::RestrictionKind::RefundBlocked => RestrictionKind::RefundBlocked,
        v1::RestrictionKind::Terminated => RestrictionKind::Terminated,
        v1::RestrictionKind::ViolationSuspected => RestrictionKind::ViolationSuspected,
        v1::RestrictionKind::ViolationConfirmed => RestrictionKind::ViolationConfirmed,
    })
}

fn determination_of(determination: v1::ChargebackDetermination) -> Option<Determination> {
    Some(match determination {
        v1::ChargebackDetermination::Unspecified => return None,
        v1::ChargebackDetermination::Legitimate => Determination::Legitimate,
        v1::ChargebackDetermination::Fraudulent => Determination::Fraudulent,
        v1::ChargebackDetermination::Abusive => Determination::Abusive,
    })
}
