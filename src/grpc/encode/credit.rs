//! The ledger's nouns: balances, lots, attempts.

use super::{fault, lot_movement, sum, text_or_empty, timestamp};
use crate::command::{BalanceAt, BalanceView, RestoreAnswer, UsageAnswer};
use crate::domain::book::{Balance, NotRestorable, RestoreOutcome};
use crate::domain::ids::AccountId;
use crate::domain::lot::{Bucket, Lot, Source};
use crate::domain::usage::{Allocation, Failure, Usage, UsageStage};
use crate::proto::makegood::v1;

/// Most lots that one balance lists.
const MAX_LOTS: usize = 1_000;

pub(in crate::grpc) fn hold_credits(account_id: &AccountId, answer: &UsageAnswer) -> v1::HoldCreditsResponse {
    let (usage, balance) = usage_answer(account_id, answer);
    v1::HoldCreditsResponse { usage: Some(usage), balance: Some(balance) }
}

pub(in crate::grpc) fn capture_credits(
    account_id: &AccountId,
    answer: &UsageAnswer,
) -> v1::CaptureCreditsResponse {
    let (usage, balance) = usage_answer(account_id, answer);
    v1::CaptureCreditsResponse { usage: Some(usage), balance: Some(balance) }
}

pub(in crate::grpc) fn release_credits(
    account_id: &AccountId,
    answer: &UsageAnswer,
) -> v1::ReleaseCreditsResponse {
    let (usage, balance) = usage_answer(account_id, answer);
    v1::ReleaseCreditsResponse { usage: Some(usage), balance: Some(balance) }
}

fn usage_answer(account_id: &AccountId, answer: &UsageAnswer) -> (v1::Usage, v1::Balance) {
    let UsageAnswer { usage: used, balance: left } = answer;
    (usage(used), balance(account_id, left, &[]))
}

pub(in crate::grpc) fn restore_credits(
    account_id: &AccountId,
    answer: &RestoreAnswer,
) -> v1::RestoreCreditsResponse {
    let RestoreAnswer { outcome, fault: whose, credits, moved, usage: used, balance: left, clause, sentence } =
        answer;
    let (credits_restored, credits_released) = match outcome {
        RestoreOutcome::Restored => (credits.get(), 0),
        RestoreOutcome::Released => (0, credits.get()),
        RestoreOutcome::AlreadyRestored | RestoreOutcome::NotRestorable(_) => (0, 0),
    };
    let (outcome, reason) = restore_outcome(*outcome);
    v1::RestoreCreditsResponse {
        outcome: outcome.into(),
        not_restorable_reason: reason.into(),
        fault: fault(*whose).into(),
        credits_restored,
        credits_released,
        // Credits that lay in a lot past its time expire on this occasion; they were not the attempt's.
        movements: moved
            .iter()
            .filter(|moved| matches!(moved.from, Bucket::Held | Bucket::Consumed))
            .map(lot_movement)
            .collect(),
        usage: Some(usage(used)),
        balance: Some(balance(account_id, left, &[])),
        clause: clause.clone(),
        sentence: sentence.clone(),
    }
}

pub(in crate::grpc) fn get_balance(account_id: &AccountId, view: &BalanceView) -> v1::GetBalanceResponse {
    let BalanceView { balance: sums, lots } = view;
    v1::GetBalanceResponse { balance: Some(balance(account_id, sums, lots)) }
}

/// What an account has. The place in its chain of entries is not known to any answer.
pub(super) fn balance(account_id: &AccountId, balance: &BalanceAt, lots: &[Lot]) -> v1::Balance {
    let BalanceAt { balance: Balance { available, held, frozen }, last_seq, as_of } = balance;
    v1::Balance {
        account_id: account_id.to_string(),
        available: available.get(),
        held: held.get(),
        frozen: frozen.get(),
        lots: lots.iter().take(MAX_LOTS).map(lot).collect(),
        as_of: Some(timestamp(*as_of)),
        last_seq: *last_seq,
    }
}

pub(super) fn lot(lot: &Lot) -> v1::Lot {
    let Lot {
        lot_id,
        source: from,
        purchase_id,
        order_id,
        priority,
        granted_at,
        expires_at,
        granted,
        available,
        held,
        frozen,
        consumed,
        expired,
        revoked,
        refunded,
        owed,
        disputed,
        repaid: _,
    } = lot;
    v1::Lot {
        lot_id: lot_id.to_string(),
        source: source(*from).into(),
        purchase_id: text_or_empty(*purchase_id),
        order_id: text_or_empty(order_id.as_ref()),
        priority: *priority,
        granted: granted.get(),
        available: available.get(),
        held: held.get(),
        frozen: frozen.get(),
        consumed: consumed.get(),
        expired: expired.get(),
        revoked: revoked.get(),
        refunded: refunded.get(),
        owed_credits: owed.get(),
        disputed: *disputed,
        granted_at: Some(timestamp(*granted_at)),
        expires_at: expires_at.map(timestamp),
    }
}

pub(super) fn usage(used: &Usage) -> v1::Usage {
    let Usage {
        attempt,
        stage,
        cost,
        outputs,
        delivered_outputs,
        allocations,
        held_at,
        hold_expires_at,
        ended_at,
        failure: reported,
        trace_id,
    } = used;
    v1::Usage {
        job_id: attempt.job_id.to_string(),
        attempt: attempt.number,
        stage: usage_stage(*stage).into(),
        cost: cost.get(),
        outputs: *outputs,
        delivered_outputs: *delivered_outputs,
        held: sum(used.held()),
        captured: sum(used.captured()),
        released: sum(used.released()),
        restored: sum(used.restored()),
        allocations: (0..).zip(allocations).map(|(position, part)| allocation(position, part)).collect(),
        held_at: Some(timestamp(*held_at)),
        hold_expires_at: Some(timestamp(*hold_expires_at)),
        ended_at: ended_at.map(timestamp),
        failure: reported.as_ref().map(failure),
        trace_id: text_or_empty(trace_id.as_ref()),
    }
}

fn allocation(position: i32, allocation: &Allocation) -> v1::Allocation {
    let Allocation { lot_id, taken: _, captured, released, restored } = allocation;
    v1::Allocation {
        lot_id: lot_id.to_string(),
        position,
        held: allocation.held().get(),
        captured: captured.get(),
        released: released.get(),
        restored: restored.get(),
    }
}

fn failure(failure: &Failure) -> v1::UsageFailure {
    let Failure { cause, fault: whose, failed_at, reported_at, trace_id } = failure;
    v1::UsageFailure {
        cause: cause.to_string(),
        fault: fault(*whose).into(),
        failed_at: Some(timestamp(*failed_at)),
        reported_at: Some(timestamp(*reported_at)),
        trace_id: text_or_empty(trace_id.as_ref()),
    }
}

pub(super) const fn source(source: Source) -> v1::LotSource {
    match source {
        Source::Purchase => v1::LotSource::Purchase,
        Source::Bonus => v1::LotSource::Bonus,
        Source::Promotion => v1::LotSource::Promotion,
        Source::Compensation => v1::LotSource::Compensation,
    }
}

pub(super) const fn usage_stage(stage: UsageStage) -> v1::UsageStage {
    match stage {
        UsageStage::Held => v1::UsageStage::Held,
        UsageStage::Captured => v1::UsageStage::Captured,
        UsageStage::Released => v1::UsageStage::Released,
        UsageStage::Expired => v1::UsageStage::Expired,
        UsageStage::Failed => v1::UsageStage::Failed,
    }
}

/// The outcome, and the reason when nothing goes back.
pub(super) const fn restore_outcome(
    outcome: RestoreOutcome,
) -> (v1::RestoreOutcome, v1::NotRestorableReason) {
    let given = v1::NotRestorableReason::Unspecified;
    match outcome {
        RestoreOutcome::Restored => (v1::RestoreOutcome::Restored, given),
        RestoreOutcome::Released => (v1::RestoreOutcome::Released, given),
        RestoreOutcome::AlreadyRestored => (v1::RestoreOutcome::AlreadyRestored, given),
        RestoreOutcome::NotRestorable(reason) => {
            (v1::RestoreOutcome::NotRestorable, not_restorable_reason(reason))
        }
    }
}

pub(super) const fn not_restorable_reason(reason: NotRestorable) -> v1::NotRestorableReason {
    match reason {
        NotRestorable::NothingCharged => v1::NotRestorableReason::NothingCharged,
        NotRestorable::CustomerFault => v1::NotRestorableReason::CustomerFault,
        NotRestorable::FaultUndetermined => v1::NotRestorableReason::FaultUndetermined,
    }
}
