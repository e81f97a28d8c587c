//! From the wire to the domain. Every field of every message is named, so that a new field breaks the build
//! instead of being ignored; every field that is wrong is reported, not only the first.

mod account;
mod by_hand;
mod credit;
mod desk;
mod fields;
mod history;
mod incident;
mod paid_back;
mod policy;
mod policy_check;
mod refund;

pub(super) use account::{
    DeterminationCall, determine_chargeback, erase_account, get_account, impose_restriction, lift_restriction,
};
pub(super) use by_hand::{grant_credits, revoke_credits};
pub(super) use credit::{
    capture_credits, deliver_credits, get_balance, hold_credits, record_purchase, release_credits,
    restore_credits,
};
pub(super) use desk::{
    QueueCall, list_refund_requests, provide_information, resolve_refund_request, withdraw_refund_request,
};
pub(super) use fields::{EARLIEST, LATEST_TEST_CLOCK};
pub(super) use history::{get_usage, list_entries, list_lots};
pub(super) use incident::{
    IncidentCall, IncidentPage, declare_incident, list_incidents, resolve_incident, restore_incident,
};
pub(super) use paid_back::{
    ListCall, compile_chargeback_evidence, get_chargeback, get_refund, list_chargebacks, list_refunds,
};
pub(super) use policy::{
    Publication, backtest_policy, get_policy, list_policies, publish_policy, replay_decision,
};
pub(super) use policy_check::check_policy;
pub(super) use refund::{
    ChargebackCall, Evaluation, evaluate_request, get_refund_request, record_chargeback, record_refund_result,
};
