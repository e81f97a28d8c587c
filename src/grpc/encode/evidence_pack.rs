//! Evidence about a disputed payment. It leaves the house, so what only the desk may know is left out.

use super::chargeback::with_events;
use super::credit::usage;
use super::decision::decision;
use super::policy::policy;
use super::purchase::purchase;
use super::refund::bare;
use super::timestamp;
use crate::command::{EvidencePack, EvidenceRecords, EvidenceTexts, EvidenceView, StoredDecision};
use crate::domain::purchase::Delivery;
use crate::domain::refund::Refund;
use crate::proto::makegood::v1;

pub(in crate::grpc) fn compile_chargeback_evidence(
    view: &EvidenceView,
) -> v1::CompileChargebackEvidenceResponse {
    let EvidenceView { dispute, policy: version, decisions, records, pack, compiled_at } = view;
    let EvidencePack { texts, html, html_sha256 } = pack;
    let EvidenceTexts {
        product_description,
        customer_reference,
        service_date,
        service_documentation,
        access_activity_log,
        refund_policy,
        refund_policy_disclosure,
        refund_refusal_explanation,
        duplicate_charge_id,
        duplicate_charge_explanation,
        cancellation_policy,
        cancellation_rebuttal,
        uncategorized_text,
    } = texts.clone();
    let evidence = v1::ChargebackEvidence {
        chargeback: Some(with_events(dispute)),
        purchase: Some(disputed(records)),
        deliveries: records.deliveries.iter().map(delivery).collect(),
        usages: records.attempts.iter().map(usage).collect(),
        usages_truncated: records.attempts.len() < records.attempts_in_all,
        refund_requests: requests(records, decisions),
        policy: Some(published(policy(version))),
        product_description,
        customer_reference,
        service_date,
        service_documentation,
        access_activity_log,
        refund_policy,
        refund_policy_disclosure,
        refund_refusal_explanation,
        duplicate_charge_id,
        duplicate_charge_explanation,
        cancellation_policy,
        cancellation_rebuttal,
        uncategorized_text,
        html: html.clone().into_bytes(),
        html_sha256: html_sha256.clone(),
        compiled_at: Some(timestamp(*compiled_at)),
    };
    v1::CompileChargebackEvidenceResponse { evidence: Some(evidence) }
}

fn disputed(records: &EvidenceRecords) -> v1::Purchase {
    v1::Purchase {
        recorded_at: Some(timestamp(records.recorded_at)),
        first_delivered_at: records.deliveries.first().map(|first| timestamp(first.delivered_at)),
        ..purchase(&records.account_id, &records.purchase)
    }
}

fn delivery(delivery: &Delivery) -> v1::Delivery {
    let Delivery { delivery_id, credits, bonus_credits, delivered_at, recorded_at } = delivery;
    v1::Delivery {
        delivery_id: delivery_id.to_string(),
        credits: credits.get(),
        bonus_credits: bonus_credits.get(),
        delivered_at: Some(timestamp(*delivered_at)),
        recorded_at: Some(timestamp(*recorded_at)),
    }
}

/// The requests with what was answered: nothing that anybody wrote for the desk, nor what the customer wrote to it.
fn requests(records: &EvidenceRecords, decisions: &[Vec<StoredDecision>]) -> Vec<v1::RefundRequest> {
    let requests = records.requests.iter().map(|request| &request.request).zip(decisions);
    let requests = requests.map(|(request, decisions)| {
        let is_its = |refund: &&Refund| refund.refund_request_id == request.refund_request_id;
        let refunds: Vec<Refund> = records.refunds.iter().filter(is_its).cloned().collect();
        v1::RefundRequest {
            decisions: decisions.iter().map(answer).collect(),
            evidence: Vec::new(),
            assignee: String::new(),
            opened_by: String::new(),
            etag: String::new(),
            ..bare(&records.account_id, request, &refunds)
        }
    });
    requests.collect()
}

/// A decision as the customer knows it.
fn answer(stored: &StoredDecision) -> v1::Decision {
    v1::Decision {
        rows: Vec::new(),
        facts: Vec::new(),
        canonical: Vec::new(),
        recommendation: None,
        advice: String::new(),
        trace_id: String::new(),
        decided_by: String::new(),
        reason: String::new(),
        ..decision(stored)
    }
}

/// A version without who published it and why.
fn published(policy: v1::Policy) -> v1::Policy {
    v1::Policy { published_by: String::new(), approver: String::new(), reason: String::new(), ..policy }
}
