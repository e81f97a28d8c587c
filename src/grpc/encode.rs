//! From the domain to the wire: what commands answered, as the messages of `proto/makegood/v1`.
//!
//! Pure and total. Every structure is taken apart with all its fields named, so that a new one is either sent or
//! left out on purpose. Fields that no command can know yet stay unset.

mod account;
mod chargeback;
mod credit;
mod decision;
mod evidence_pack;
mod history;
mod incident;
mod policy;
mod policy_check;
mod purchase;
mod refund;
#[cfg(test)]
mod tests;

use crate::command::Moved;
use crate::domain::credits::{Credits, OutOfRange};
use crate::domain::fault::Fault;
use crate::domain::ids::Attempt;
use crate::domain::lot::Bucket;
use crate::domain::money::Money;
use crate::domain::redacted::FreeText;
use crate::proto::makegood::v1;
use chrono::{DateTime, Utc};
use prost_types::Timestamp;

pub(super) use account::{erase_account, get_account, impose_restriction, lift_restriction};
pub(super) use chargeback::{determine_chargeback, get_chargeback, list_chargebacks, record_chargeback};
pub(super) use credit::{capture_credits, get_balance, hold_credits, release_credits, restore_credits};
pub(super) use evidence_pack::compile_chargeback_evidence;
pub(super) use history::{get_usage, grant_credits, list_entries, list_lots, revoke_credits};
pub(super) use incident::{declare_incident, list_incidents, resolve_incident, restore_incident};
pub(super) use policy::{
    backtest_progress, backtest_report, get_policy, list_policies, publish_policy, replay_decision,
};
pub(super) use policy_check::check_policy;
pub(super) use purchase::{deliver_credits, record_purchase};
pub(super) use refund::{
    evaluate_request, get_refund, get_refund_request, list_refund_requests, list_refunds,
    provide_information, record_refund_result, resolve_refund_request, withdraw_refund_request,
};

/// Most that a timestamp may have: a leap second would count past it.
const MAX_NANOS: u32 = 999_999_999;

fn timestamp(time: DateTime<Utc>) -> Timestamp {
    let nanos = time.timestamp_subsec_nanos().min(MAX_NANOS);
    // Always fits: the bound is below the largest `i32`.
    Timestamp { seconds: time.timestamp(), nanos: i32::try_from(nanos).unwrap_or_default() }
}

fn money(money: Money) -> v1::Money {
    let Money { currency, minor_units } = money;
    v1::Money { currency_code: currency.code().to_owned(), minor_units }
}

/// A sum of credits that each had passed the bound of one call.
fn sum(credits: Result<Credits, OutOfRange>) -> i64 {
    // INVARIANT: attempts and remedies are bounded in size and number, far below where their sums overflow.
    credits.unwrap_or_default().get()
}

/// Words for who may read them; empty when there are none, or none any more.
fn exposed(words: Option<&FreeText>) -> String {
    words.map(|words| words.expose().clone()).unwrap_or_default()
}

/// The text of an id; empty when there is none.
fn text_or_empty(id: Option<impl ToString>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

fn attempt_reference(attempt: &Attempt) -> v1::AttemptReference {
    let Attempt { job_id, number } = attempt;
    v1::AttemptReference { job_id: job_id.to_string(), attempt: *number }
}

const fn fault(fault: Fault) -> v1::Fault {
    match fault {
        Fault::Platform => v1::Fault::Platform,
        Fault::Customer => v1::Fault::Customer,
        Fault::Undetermined => v1::Fault::Undetermined,
    }
}

const fn bucket(bucket: Bucket) -> v1::Bucket {
    match bucket {
        Bucket::Granted => v1::Bucket::Granted,
        Bucket::Available => v1::Bucket::Available,
        Bucket::Held => v1::Bucket::Held,
        Bucket::Frozen => v1::Bucket::Frozen,
        Bucket::Consumed => v1::Bucket::Consumed,
        Bucket::Expired => v1::Bucket::Expired,
        Bucket::Revoked => v1::Bucket::Revoked,
        Bucket::Refunded => v1::Bucket::Refunded,
    }
}

fn lot_movement(moved: &Moved) -> v1::LotMovement {
    let Moved { lot_id, credits, from, to } = moved;
    v1::LotMovement {
        lot_id: lot_id.to_string(),
        credits: credits.get(),
        from_bucket: bucket(*from).into(),
        to_bucket: bucket(*to).into(),
    }
}
