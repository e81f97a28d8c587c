//! Policies, replays and backtests.

use super::decision::{decision, outcome};
use super::policy_check::policy_check;
use super::{money, timestamp};
use crate::command::{
    BacktestAnswer, BacktestExample, BacktestReport, Flip, ListPolicies, PageOf, PolicyView, Published,
    Reference, ReplayAnswer, Sums,
};
use crate::grpc::page::List;
use crate::proto::makegood::v1;
use v1::backtest_policy_response::Update;

/// Most missing facts that are named.
const MAX_MISSING: usize = 100;

pub(super) fn policy(view: &PolicyView) -> v1::Policy {
    let PolicyView {
        version,
        title,
        effective_from,
        effective_until,
        document,
        document_sha256,
        published_at,
        published_by,
        approver,
        reason,
    } = view;
    v1::Policy {
        version: version.clone(),
        title: title.clone(),
        effective_from: Some(timestamp(*effective_from)),
        effective_until: effective_until.map(timestamp),
        document: document.clone(),
        document_sha256: document_sha256.clone(),
        published_at: Some(timestamp(*published_at)),
        published_by: published_by.clone(),
        approver: approver.clone(),
        reason: reason.expose().clone(),
    }
}

pub(in crate::grpc) fn get_policy(view: &PolicyView) -> v1::GetPolicyResponse {
    v1::GetPolicyResponse { policy: Some(policy(view)) }
}

pub(in crate::grpc) fn list_policies(
    query: &ListPolicies,
    page: &PageOf<PolicyView>,
) -> v1::ListPoliciesResponse {
    v1::ListPoliciesResponse {
        policies: page.items.iter().map(policy).collect(),
        next_page_token: List::of_policies(query).token(page.next_after_seq),
    }
}

pub(in crate::grpc) fn publish_policy(published: &Published) -> v1::PublishPolicyResponse {
    let Published { policy: view, check } = published;
    v1::PublishPolicyResponse { policy: Some(policy(view)), check: Some(policy_check(check)) }
}

pub(in crate::grpc) fn replay_decision(answer: &ReplayAnswer) -> v1::ReplayDecisionResponse {
    let ReplayAnswer { stored, replayed, differences, other, missing_facts } = answer;
    v1::ReplayDecisionResponse {
        stored: stored.as_ref().map(decision),
        replayed: replayed.as_ref().map(decision),
        identical: differences.is_empty(),
        differences: differences.clone(),
        other: other.as_ref().map(decision),
        missing_facts: missing_facts.iter().take(MAX_MISSING).cloned().collect(),
    }
}

pub(in crate::grpc) fn backtest_progress((replayed, total): (u64, u64)) -> v1::BacktestPolicyResponse {
    let progress = v1::BacktestProgress { replayed: count(replayed), total: count(total) };
    v1::BacktestPolicyResponse { update: Some(Update::Progress(progress)) }
}

pub(in crate::grpc) fn backtest_report(report: &BacktestReport) -> v1::BacktestPolicyResponse {
    let BacktestReport { tally, candidate_version, candidate_sha256 } = report;
    let missing = tally.missing_facts.iter().take(MAX_MISSING);
    let report = v1::BacktestReport {
        replayed: count(tally.replayed),
        not_replayable: count(tally.not_replayable),
        unchanged: count(tally.unchanged),
        flips: tally.flips().iter().map(flip).collect(),
        money: tally
            .money
            .iter()
            .map(|(currency, Sums { stored_minor, candidate_minor })| v1::BacktestMoney {
                currency_code: currency.code().to_owned(),
                stored_minor_units: *stored_minor,
                candidate_minor_units: *candidate_minor,
            })
            .collect(),
        credits_difference: tally.credits_difference,
        largest: tally.largest().iter().map(example).collect(),
        candidate_version: candidate_version.clone(),
        candidate_sha256: candidate_sha256.clone(),
        missing_facts: missing
            .map(|(name, decisions)| v1::MissingFact {
                name: name.name().to_owned(),
                decisions: count(*decisions),
            })
            .collect(),
    };
    v1::BacktestPolicyResponse { update: Some(Update::Report(report)) }
}

fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn reference(reference: &Reference) -> v1::DecisionReference {
    let Reference { account_id, refund_request_id, decision_id } = reference;
    v1::DecisionReference {
        account_id: account_id.to_string(),
        refund_request_id: refund_request_id.to_string(),
        decision_id: decision_id.to_string(),
    }
}

fn flip(flip: &Flip) -> v1::BacktestFlip {
    let Flip { from, to, decisions, examples } = flip;
    let BacktestAnswer { outcome: from_outcome, row: from_row } = from;
    let BacktestAnswer { outcome: to_outcome, row: to_row } = to;
    v1::BacktestFlip {
        from_outcome: outcome(*from_outcome).into(),
        from_row: from_row.clone(),
        to_outcome: outcome(*to_outcome).into(),
        to_row: to_row.clone(),
        decisions: count(*decisions),
        examples: examples.iter().map(reference).collect(),
    }
}

fn example(example: &BacktestExample) -> v1::BacktestExample {
    let BacktestExample { reference: named, from, to, stored, candidate, credits_difference } = example;
    v1::BacktestExample {
        decision: Some(reference(named)),
        from_outcome: outcome(from.outcome).into(),
        from_row: from.row.clone(),
        to_outcome: outcome(to.outcome).into(),
        to_row: to.row.clone(),
        stored_amount: stored.map(money),
        candidate_amount: candidate.map(money),
        credits_difference: *credits_difference,
    }
}
