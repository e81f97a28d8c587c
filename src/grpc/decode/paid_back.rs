//! The messages that read refunds and disputes.

use super::fields::Fields;
use crate::command::{
    ChargebackReference, CompileChargebackEvidence, GetChargeback, GetRefund, ListChargebacks, ListRefunds,
};
use crate::domain::chargeback::ChargebackStage;
use crate::domain::ids::{ChargebackId, PurchaseId, RefundId, RefundRequestId};
use crate::domain::refund::RefundStage;
use crate::grpc::keyset::Arguments;
use crate::proto::makegood::v1;
use chrono::{DateTime, Utc};
use tonic::Status;

const MAX_REFUND_STAGES: usize = 6;
const MAX_CHARGEBACK_STAGES: usize = 4;

/// A page of a list, as it was asked for.
pub(in crate::grpc) struct ListCall<Q, I> {
    pub(in crate::grpc) query: Q,
    pub(in crate::grpc) after: Option<(DateTime<Utc>, I)>,
    pub(in crate::grpc) size: usize,
    pub(in crate::grpc) arguments: Arguments,
}

pub(in crate::grpc) fn get_refund(
    request: v1::GetRefundRequest,
    now: DateTime<Utc>,
) -> Result<GetRefund, Status> {
    let v1::GetRefundRequest { account_id, refund_id } = request;
    let mut fields = Fields::at(now);
    let account_id = fields.id("account_id", account_id);
    let refund_id = fields.own_id("refund_id", &refund_id, RefundId::parse);
    fields
        .finish(account_id.zip(refund_id).map(|(account_id, refund_id)| GetRefund { account_id, refund_id }))
}

/// `for_desk` when the caller is not a customer's frontend, and may see every account's refunds.
pub(in crate::grpc) fn list_refunds(
    request: v1::ListRefundsRequest,
    now: DateTime<Utc>,
    for_desk: bool,
) -> Result<ListCall<ListRefunds, RefundId>, Status> {
    let mut fields = Fields::at(now);
    if !for_desk && request.account_id.is_empty() {
        fields.wrong::<()>("account_id", "is required: who acts for a customer sees that customer's refunds");
    }
    let page_token = request.page_token.clone();
    let size = fields.page_size(request.page_size);
    let query = read_refunds(&mut fields, request);
    let (size, query) = fields.finish(size.zip(query))?;
    let arguments = Arguments::of("ListRefunds", &query);
    let after = arguments.after(&page_token)?.map(|(at, id)| (at, RefundId(id)));
    Ok(ListCall { query, after, size, arguments })
}

fn read_refunds(fields: &mut Fields, request: v1::ListRefundsRequest) -> Option<ListRefunds> {
    let v1::ListRefundsRequest {
        page_size: _,
        page_token: _,
        account_id,
        stages,
        provider,
        purchase_id,
        refund_request_id,
        created_window,
    } = request;
    let account_id = fields.optional_id("account_id", account_id);
    let stages = fields.words("stages", &stages, MAX_REFUND_STAGES, refund_stage);
    let provider = fields.optional_id("provider", provider);
    let purchase_id = fields.optional_own_id("purchase_id", &purchase_id, PurchaseId::parse);
    let refund_request_id =
        fields.optional_own_id("refund_request_id", &refund_request_id, RefundRequestId::parse);
    let created = fields.window("created_window", created_window);
    Some(ListRefunds {
        account_id: account_id?,
        stages: stages?,
        provider: provider?,
        purchase_id: purchase_id?,
        refund_request_id: refund_request_id?,
        created: created?,
    })
}

fn refund_stage(stage: v1::RefundStage) -> Option<RefundStage> {
    Some(match stage {
        v1::RefundStage::Unspecified => return None,
        v1::RefundStage::Pending => RefundStage::Pending,
        v1::RefundStage::Submitted => RefundStage::Submitted,
        v1::RefundStage::Succeeded => RefundStage::Succeeded,
        v1::RefundStage::Failed => RefundStage::Failed,
        v1::RefundStage::Canceled => RefundStage::Canceled,
        v1::RefundStage::Unknown => RefundStage::Unknown,
    })
}

pub(in crate::grpc) fn get_chargeback(
    request: v1::GetChargebackRequest,
    now: DateTime<Utc>,
) -> Result<GetChargeback, Status> {
    use v1::get_chargeback_request::Reference;
    let v1::GetChargebackRequest { account_id, reference } = request;
    let mut fields = Fields::at(now);
    let reference = match reference {
        None => fields.wrong("reference", "is required: `chargeback_id` or `dispute`"),
        Some(Reference::ChargebackId(id)) => {
            fields.own_id("chargeback_id", &id, ChargebackId::parse).map(ChargebackReference::Id)
        }
        Some(Reference::Dispute(v1::Dispute { provider, dispute_id })) => {
            let provider = fields.id("dispute.provider", provider);
            let dispute_id = fields.id("dispute.dispute_id", dispute_id);
            provider
                .zip(dispute_id)
                .map(|(provider, dispute_id)| ChargebackReference::Dispute(provider, dispute_id))
        }
    };
    let account_id = fields.optional_id("account_id", account_id);
    fields.finish(
        reference.zip(account_id).map(|(reference, account_id)| GetChargeback { reference, account_id }),
    )
}

pub(in crate::grpc) fn compile_chargeback_evidence(
    request: v1::CompileChargebackEvidenceRequest,
    now: DateTime<Utc>,
) -> Result<CompileChargebackEvidence, Status> {
    let v1::CompileChargebackEvidenceRequest { chargeback_id, account_id } = request;
    let mut fields = Fields::at(now);
    let chargeback_id = fields.own_id("chargeback_id", &chargeback_id, ChargebackId::parse);
    let account_id = fields.optional_id("account_id", account_id);
    let query = chargeback_id.zip(account_id);
    fields.finish(
        query.map(|(chargeback_id, account_id)| CompileChargebackEvidence { chargeback_id, account_id }),
    )
}

pub(in crate::grpc) fn list_chargebacks(
    request: v1::ListChargebacksRequest,
    now: DateTime<Utc>,
) -> Result<ListCall<ListChargebacks, ChargebackId>, Status> {
    let mut fields = Fields::at(now);
    let page_token = request.page_token.clone();
    let size = fields.page_size(request.page_size);
    let query = read_chargebacks(&mut fields, request);
    let (size, query) = fields.finish(size.zip(query))?;
    let arguments = Arguments::of("ListChargebacks", &query);
    let after = arguments.after(&page_token)?.map(|(at, id)| (at, ChargebackId(id)));
    Ok(ListCall { query, after, size, arguments })
}

fn read_chargebacks(fields: &mut Fields, request: v1::ListChargebacksRequest) -> Option<ListChargebacks> {
    let v1::ListChargebacksRequest {
        page_size: _,
        page_token: _,
        account_id,
        stages,
        purchase_id,
        unmatched_only,
        last_event_window,
        undetermined_only,
    } = request;
    let account_id = fields.optional_id("account_id", account_id);
    let stages = fields.words("stages", &stages, MAX_CHARGEBACK_STAGES, chargeback_stage);
    let purchase_id = fields.optional_own_id("purchase_id", &purchase_id, PurchaseId::parse);
    let last_event = fields.window("last_event_window", last_event_window);
    Some(ListChargebacks {
        account_id: account_id?,
        stages: stages?,
        purchase_id: purchase_id?,
        unmatched_only,
        undetermined_only,
        last_event: last_event?,
    })
}

fn chargeback_stage(stage: v1::ChargebackStage) -> Option<ChargebackStage> {
    Some(match stage {
        v1::ChargebackStage::Unspecified => return None,
        v1::ChargebackStage::Open => ChargebackStage::Open,
        v1::ChargebackStage::Won => ChargebackStage::Won,
        v1::ChargebackStage::Lost => ChargebackStage::Lost,
        v1::ChargebackStage::Withdrawn => ChargebackStage::Withdrawn,
    })
}
