//! The messages of the policy service.

use super::fields::Fields;
use super::policy_check::read_document;
use crate::command::{
    BacktestQuery, Candidate, GetPolicy, ListPolicies, PageRequest, PublishPolicy, ReplayDecision,
};
use crate::domain::ids::{DecisionId, RequestId};
use crate::grpc::page::List;
use crate::proto::makegood::v1;
use chrono::{DateTime, Utc};
use tonic::Status;

const MAX_VERSION_BYTES: usize = 64;
const MAX_APPROVER_BYTES: usize = 128;
const MAX_REASON_BYTES: usize = 1_000;

/// A version as it was sent.
pub(in crate::grpc) enum Publication {
    /// To be published.
    Call(RequestId, PublishPolicy),
    /// To be checked only.
    Preview(PublishPolicy),
}

pub(in crate::grpc) fn get_policy(
    request: v1::GetPolicyRequest,
    now: DateTime<Utc>,
) -> Result<GetPolicy, Status> {
    use v1::get_policy_request::Selector;
    let v1::GetPolicyRequest { selector } = request;
    let mut fields = Fields::at(now);
    let query = match selector {
        None => Some(GetPolicy::AsOf(now)),
        Some(Selector::Version(version)) => {
            fields.required_text("version", version, MAX_VERSION_BYTES).map(GetPolicy::Version)
        }
        Some(Selector::AsOf(at)) => fields.bound("as_of", Some(at)).flatten().map(GetPolicy::AsOf),
    };
    fields.finish(query)
}

pub(in crate::grpc) fn list_policies(
    request: v1::ListPoliciesRequest,
) -> Result<(ListPolicies, PageRequest), Status> {
    let v1::ListPoliciesRequest { page_size, page_token } = request;
    let query = ListPolicies {};
    let page = List::of_policies(&query).page(page_size, &page_token)?;
    Ok((query, page))
}

pub(in crate::grpc) fn publish_policy(
    request: v1::PublishPolicyRequest,
    now: DateTime<Utc>,
) -> Result<Publication, Status> {
    let v1::PublishPolicyRequest { request_id, document, effective_from, approver, reason, validate_only } =
        request;
    let mut fields = Fields::at(now);
    // A preview changes nothing, so it may go without a request id.
    let request_id = if validate_only && request_id.is_empty() {
        Some(None)
    } else {
        fields.request_id(&request_id).map(Some)
    };
    let document = read_document(&mut fields, document);
    let effective_from = fields.expiry("effective_from", effective_from);
    let approver = fields.required_text("approver", approver, MAX_APPROVER_BYTES);
    let reason = fields.required_prose("reason", reason, MAX_REASON_BYTES);
    let parts = request_id.zip(document).zip(effective_from).zip(approver).zip(reason);
    let ((((request_id, document), effective_from), approver), reason) = fields.finish(parts)?;
    let order = PublishPolicy { document, effective_from, approver, reason };
    Ok(match request_id {
        Some(request_id) if !validate_only => Publication::Call(request_id, order),
        _ => Publication::Preview(order),
    })
}

pub(in crate::grpc) fn backtest_policy(
    request: v1::BacktestPolicyRequest,
    now: DateTime<Utc>,
) -> Result<BacktestQuery, Status> {
    use v1::backtest_policy_request::Candidate as Sent;
    let v1::BacktestPolicyRequest { candidate, window, decided_under } = request;
    let mut fields = Fields::at(now);
    let candidate = match candidate {
        None => fields.wrong("candidate", "is required"),
        Some(Sent::Document(document)) => read_document(&mut fields, document).map(Candidate::Document),
        Some(Sent::Version(version)) => {
            fields.required_text("version", version, MAX_VERSION_BYTES).map(Candidate::Version)
        }
    };
    let window = fields.window("window", window);
    let decided_under = fields.text("decided_under", decided_under, MAX_VERSION_BYTES);
    let parts = candidate.zip(window).zip(decided_under);
    fields.finish(parts.map(|((candidate, window), decided_under)| BacktestQuery {
        candidate,
        from: window.start,
        until: window.end,
        decided_under: Some(decided_under).filter(|version| !version.is_empty()),
    }))
}

pub(in crate::grpc) fn replay_decision(
    request: v1::ReplayDecisionRequest,
    now: DateTime<Utc>,
) -> Result<ReplayDecision, Status> {
    let v1::ReplayDecisionRequest { account_id, decision_id, other_version } = request;
    let mut fields = Fields::at(now);
    let account_id = fields.id("account_id", account_id);
    let decision_id = fields.own_id("decision_id", &decision_id, DecisionId::parse);
    let other_version = fields.text("other_version", other_version, MAX_VERSION_BYTES);
    let parts = account_id.zip(decision_id).zip(other_version);
    fields.finish(parts.map(|((account_id, decision_id), other_version)| ReplayDecision {
        account_id,
        decision_id,
        other_version: Some(other_version).filter(|version| !version.is_empty()),
    }))
}
