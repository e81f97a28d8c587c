//! The messages with which a request goes on after it was opened, and the queue.

use super::fields::Fields;
use super::refund::{MAX_REASON_BYTES, MAX_TEXT_BYTES, read_claim, read_details, read_evidence, remedy_kind};
use crate::command::{
    AskedRemedy, Call, ListRefundRequests, ProvideInformation, Resolution, ResolveRefundRequest, TimeWindow,
    WithdrawRefundRequest,
};
use crate::domain::credits::Credits;
use crate::domain::ids::{Actor, PurchaseId, RefundRequestId};
use crate::domain::refund::RefundMethod;
use crate::domain::request::{Detail, Details, RequestStage};
use crate::grpc::keyset::Arguments;
use crate::proto::makegood::v1;
use crate::proto::makegood::v1::resolve_refund_request_request as resolve;
use chrono::{DateTime, Utc};
use prost_types::Duration;
use std::collections::BTreeSet;
use tonic::Status;

const MAX_ETAG_BYTES: usize = 64;
const MAX_REMEDIES: usize = 6;
const MAX_CLAUSES: usize = 10;
const MAX_CLAUSE_BYTES: usize = 16;
const MAX_DETAILS: usize = 20;
const MAX_ROW_BYTES: usize = 16;
const MAX_STAGES: usize = 8;
/// Thirty days: who looks further ahead lists everything.
const MAX_DUE_SECONDS: i64 = 2_592_000;

pub(in crate::grpc) fn provide_information(
    request: v1::ProvideInformationRequest,
    now: DateTime<Utc>,
) -> Result<Call<ProvideInformation>, Status> {
    let v1::ProvideInformationRequest {
        request_id,
        account_id,
        refund_request_id,
        purchase,
        details,
        evidence,
    } = request;
    let mut fields = Fields::at(now);
    let request_id = fields.request_id(&request_id);
    let account_id = fields.id("account_id", account_id);
    let refund_request_id = fields.own_id("refund_request_id", &refund_request_id, RefundRequestId::parse);
    let purchase = match purchase {
        None => Some(None),
        named => fields.purchase("purchase", named).map(Some),
    };
    let details = read_details(&mut fields, details.unwrap_or_default());
    let evidence = read_evidence(&mut fields, evidence);
    if matches!(purchase, Some(None))
        && details.as_ref() == Some(&Details::default())
        && evidence.as_ref().is_some_and(Vec::is_empty)
    {
        fields.wrong::<()>("details", "or `purchase` or `evidence` is required: something must be told");
    }
    let parts = refund_request_id.zip(purchase).zip(details).zip(evidence);
    let mutation = parts.map(|(((refund_request_id, purchase), details), evidence)| ProvideInformation {
        refund_request_id,
        purchase,
        details,
        evidence,
    });
    let call = request_id.zip(account_id).zip(mutation);
    fields.finish(call.map(|((request_id, account_id), mutation)| Call { account_id, request_id, mutation }))
}

pub(in crate::grpc) fn withdraw_refund_request(
    request: v1::WithdrawRefundRequestRequest,
    now: DateTime<Utc>,
) -> Result<Call<WithdrawRefundRequest>, Status> {
    let v1::WithdrawRefundRequestRequest { request_id, account_id, refund_request_id, reason } = request;
    let mut fields = Fields::at(now);
    let request_id = fields.request_id(&request_id);
    let account_id = fields.id("account_id", account_id);
    let refund_request_id = fields.own_id("refund_request_id", &refund_request_id, RefundRequestId::parse);
    let reason = fields.prose("reason", reason, MAX_REASON_BYTES);
    let mutation = refund_request_id
        .zip(reason)
        .map(|(refund_request_id, reason)| WithdrawRefundRequest { refund_request_id, reason });
    let call = request_id.zip(account_id).zip(mutation);
    fields.finish(call.map(|((request_id, account_id), mutation)| Call { account_id, request_id, mutation }))
}

pub(in crate::grpc) fn resolve_refund_request(
    request: v1::ResolveRefundRequestRequest,
    now: DateTime<Utc>,
) -> Result<Call<ResolveRefundRequest>, Status> {
    let v1::ResolveRefundRequestRequest {
        request_id,
        account_id,
        refund_request_id,
        etag,
        reason,
        resolution,
        note,
        assignee,
    } = request;
    let mut fields = Fields::at(now);
    let request_id = fields.request_id(&request_id);
    let account_id = fields.id("account_id", account_id);
    let refund_request_id = fields.own_id("refund_request_id", &refund_request_id, RefundRequestId::parse);
    let etag = fields.required_text("etag", etag, MAX_ETAG_BYTES);
    let reason = fields.required_prose("reason", reason, MAX_REASON_BYTES);
    let resolution = read_resolution(&mut fields, resolution);
    let note = fields.prose("note", note, MAX_TEXT_BYTES);
    let assignee = match assignee {
        None => Some(None),
        Some(assignee) => fields.optional_id::<Actor>("assignee", assignee).map(Some),
    };
    let parts = refund_request_id.zip(etag).zip(reason).zip(resolution).zip(note).zip(assignee);
    let mutation = parts.map(|(((((refund_request_id, etag), reason), resolution), note), assignee)| {
        ResolveRefundRequest { refund_request_id, etag, reason, resolution, note, assignee }
    });
    let call = request_id.zip(account_id).zip(mutation);
    fields.finish(call.map(|((request_id, account_id), mutation)| Call { account_id, request_id, mutation }))
}

fn read_resolution(fields: &mut Fields, resolution: Option<resolve::Resolution>) -> Option<Resolution> {
    let Some(resolution) = resolution else { return fields.wrong("resolution", "is required") };
    match resolution {
        resolve::Resolution::Approve(resolve::Approve { remedies, method, sentence }) => {
            let remedies = read_remedies(fields, remedies);
            let method = match method {
                0 => Some(RefundMethod::OriginalPayment),
                told => fields.word("approve.method", told, refund_method),
            };
            let sentence = fields.prose("approve.sentence", sentence, MAX_REASON_BYTES);
            Some(Resolution::Approve { remedies: remedies?, method: method?, sentence: sentence? })
        }
        resolve::Resolution::Deny(resolve::Deny { clauses, sentence }) => {
            let clauses = read_clauses(fields, clauses);
            let sentence = fields.required_prose("deny.sentence", sentence, MAX_REASON_BYTES);
            Some(Resolution::Deny { clauses: clauses?, sentence: sentence? })
        }
        resolve::Resolution::Ask(resolve::Ask { requested_details, sentence }) => {
            let details = read_requested(fields, &requested_details);
            let sentence = fields.required_prose("ask.sentence", sentence, MAX_REASON_BYTES);
            Some(Resolution::Ask { details: details?, sentence: sentence? })
        }
        resolve::Resolution::Keep(resolve::Keep {}) => Some(Resolution::Keep),
    }
}

fn read_remedies(fields: &mut Fields, remedies: Vec<v1::Remedy>) -> Option<Vec<AskedRemedy>> {
    if remedies.len() > MAX_REMEDIES {
        return fields.wrong("approve.remedies", format!("must have at most {MAX_REMEDIES} items"));
    }
    let read: Vec<_> = remedies
        .into_iter()
        .enumerate()
        .map(|(index, v1::Remedy { kind, credits, amount })| {
            let path = |field: &str| format!("approve.remedies[{index}].{field}");
            let kind = fields.word(&path("kind"), kind, remedy_kind);
            let credits = fields.credits_or_none(&path("credits"), credits);
            let money = match amount {
                None => Some(None),
                told => fields.money(&path("amount"), told).map(Some),
            };
            let credits = credits?;
            Some(AskedRemedy {
                kind: kind?,
                credits: (credits != Credits::ZERO).then_some(credits),
                money: money?,
            })
        })
        .collect();
    read.into_iter().collect()
}

fn refund_method(method: v1::RefundMethod) -> Option<RefundMethod> {
    match method {
        v1::RefundMethod::Unspecified => None,
        v1::RefundMethod::OriginalPayment => Some(RefundMethod::OriginalPayment),
        v1::RefundMethod::Other => Some(RefundMethod::Other),
    }
}

fn read_clauses(fields: &mut Fields, clauses: Vec<String>) -> Option<Vec<String>> {
    if clauses.is_empty() || clauses.len() > MAX_CLAUSES {
        return fields.wrong("deny.clauses", format!("must have 1 to {MAX_CLAUSES} items"));
    }
    let is_clause = |text: &str| {
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        text.len() <= MAX_CLAUSE_BYTES && text.split('.').all(is_number)
    };
    match clauses.iter().position(|clause| !is_clause(clause)) {
        Some(index) => fields.wrong(&format!("deny.clauses[{index}]"), "must be a clause such as `5.3`"),
        None => Some(clauses),
    }
}

fn read_requested(fields: &mut Fields, requested: &[String]) -> Option<BTreeSet<Detail>> {
    if requested.is_empty() || requested.len() > MAX_DETAILS {
        return fields.wrong("ask.requested_details", format!("must have 1 to {MAX_DETAILS} items"));
    }
    let read: Vec<_> = requested
        .iter()
        .enumerate()
        .map(|(index, name)| match Detail::parse(name) {
            Some(detail) => Some(detail),
            None => fields.wrong(
                &format!("ask.requested_details[{index}]"),
                "must be a name of the policy such as `order_id`, `statement` or `logs`",
            ),
        })
        .collect();
    read.into_iter().collect()
}

/// A page of the queue, as it was asked for.
pub(in crate::grpc) struct QueueCall {
    pub(in crate::grpc) query: ListRefundRequests,
    pub(in crate::grpc) after: Option<(DateTime<Utc>, RefundRequestId)>,
    pub(in crate::grpc) size: usize,
    pub(in crate::grpc) arguments: Arguments,
}

/// `for_desk` when the caller is not a customer's frontend, and may see every account's requests.
pub(in crate::grpc) fn list_refund_requests(
    request: v1::ListRefundRequestsRequest,
    now: DateTime<Utc>,
    for_desk: bool,
) -> Result<QueueCall, Status> {
    let mut fields = Fields::at(now);
    if !for_desk && request.account_id.is_empty() {
        fields
            .wrong::<()>("account_id", "is required: who acts for a customer sees that customer's requests");
    }
    let page_token = request.page_token.clone();
    let size = fields.page_size(request.page_size);
    let query = read_query(&mut fields, request);
    let (size, query) = fields.finish(size.zip(query))?;
    let arguments = Arguments::of("ListRefundRequests", &query);
    let after = arguments.after(&page_token)?.map(|(at, id)| (at, RefundRequestId(id)));
    Ok(QueueCall { query, after, size, arguments })
}

fn read_query(fields: &mut Fields, request: v1::ListRefundRequestsRequest) -> Option<ListRefundRequests> {
    let v1::ListRefundRequestsRequest {
        page_size: _,
        page_token: _,
        account_id,
        stages,
        overdue_only,
        due_within,
        claim,
        row,
        assignee,
        unassigned_only,
        purchase_id,
        received_window,
    } = request;
    let account_id = fields.optional_id("account_id", account_id);
    let stages = fields.words("stages", &stages, MAX_STAGES, request_stage);
    let due_within_micros = due_within.map_or(Some(None), |within| read_within(fields, within).map(Some));
    let claim = match claim {
        0 => Some(None),
        told => fields.word("claim", told, read_claim).map(Some),
    };
    let row = fields.text("row", row, MAX_ROW_BYTES);
    let assignee = fields.optional_id::<Actor>("assignee", assignee);
    if unassigned_only && matches!(assignee, Some(Some(_))) {
        fields.wrong::<()>("unassigned_only", "contradicts `assignee`");
    }
    let purchase_id = fields.optional_own_id("purchase_id", &purchase_id, PurchaseId::parse);
    let TimeWindow { start: received_from, end: received_until } =
        fields.window("received_window", received_window)?;
    Some(ListRefundRequests {
        account_id: account_id?,
        stages: stages?,
        overdue_only,
        due_within_micros: due_within_micros?,
        claim: claim?,
        row: Some(row?).filter(|row| !row.is_empty()),
        assignee: assignee?,
        unassigned_only,
        purchase_id: purchase_id?,
        received_from,
        received_until,
    })
}

fn request_stage(stage: v1::RefundRequestStage) -> Option<RequestStage> {
    Some(match stage {
        v1::RefundRequestStage::Unspecified => return None,
        v1::RefundRequestStage::Submitted => RequestStage::Submitted,
        v1::RefundRequestStage::AwaitingInformation => RequestStage::AwaitingInformation,
        v1::RefundRequestStage::InReview => RequestStage::InReview,
        v1::RefundRequestStage::Approved => RequestStage::Approved,
        v1::RefundRequestStage::Denied => RequestStage::Denied,
        v1::RefundRequestStage::Withdrawn => RequestStage::Withdrawn,
        v1::RefundRequestStage::Expired => RequestStage::Expired,
        v1::RefundRequestStage::Settled => RequestStage::Settled,
    })
}

/// A time ahead, in whole microseconds.
fn read_within(fields: &mut Fields, within: Duration) -> Option<i64> {
    let Duration { seconds, nanos } = within;
    let in_bounds = (0..=MAX_DUE_SECONDS).contains(&seconds)
        && (0..1_000_000_000).contains(&nanos)
        && (seconds < MAX_DUE_SECONDS || nanos == 0);
    if !in_bounds {
        return fields.wrong("due_within", "must be 0 seconds to 30 days");
    }
    let micros = i64::from(nanos.checked_div(1_000).unwrap_or_default());
    seconds.checked_mul(1_000_000).and_then(|whole| whole.checked_add(micros))
}
