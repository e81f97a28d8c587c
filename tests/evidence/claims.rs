//! What the texts claim is what the records show, and nothing more.

use super::records::{credits, denial, records, request};
use chrono::TimeDelta;
use makegood::domain::lot::Source;
use makegood::domain::purchase::PurchaseKind;
use makegood::domain::request::Claim;
use makegood::evidence::{Answer, compile};
use makegood::policy::Outcome;

#[test]
fn delivery_and_use_are_told_in_figures_that_add_up() {
    let texts = compile(&records()).texts;
    assert_eq!(
        texts.service_documentation,
        "100 credits and 10 bonus credits were delivered to the account on 2025-03-03 12:00:05 UTC.\n\
         55 credits of this purchase were used; 3 attempts were charged between 2025-03-04 09:00:00 UTC and \
         2025-03-06 11:00:00 UTC, and 12 credits given back after failures.\n\
         55 credits are left in the account."
    );
    assert_eq!(texts.service_date, "2025-03-03");
    assert_eq!(
        texts.access_activity_log,
        "2025-03-04 09:00:00 UTC  job job-1, attempt 1: 3 of 3 outputs delivered, 10 credits charged\n\
         2025-03-05 10:30:00 UTC  job job-2, attempt 1: 3 of 3 outputs delivered, 45 credits charged\n\
         2025-03-06 11:00:00 UTC  job job-3, attempt 1: 3 of 3 outputs delivered, 12 credits charged, \
         12 of them given back after a failure"
    );
}

#[test]
fn a_purchase_that_never_arrived_was_neither_delivered_nor_used() {
    let mut records = records();
    records.deliveries.clear();
    records.deliveries_in_all = 0;
    records.lots.clear();
    records.attempts.clear();
    records.attempts_in_all = 0;
    let texts = compile(&records).texts;
    assert_eq!(texts.service_documentation, "No credits of this purchase were delivered.");
    assert_eq!((texts.service_date.as_str(), texts.access_activity_log.as_str()), ("", ""));
}

#[test]
fn another_payment_is_called_distinct_only_where_the_records_show_it() {
    let explained = |apart: TimeDelta, used: i64, twin_used: i64, refunded: bool| {
        let mut records = records();
        for lot in records.lots.iter_mut().filter(|lot| lot.source == Source::Purchase) {
            lot.consumed = credits(used);
        }
        let twin = records.twin.as_mut().unwrap();
        twin.paid_at = records.purchase.paid_at.checked_sub_signed(apart).unwrap();
        (twin.used, twin.refunded) = (credits(twin_used), refunded);
        let texts = compile(&records).texts;
        assert_eq!(texts.duplicate_charge_id.is_empty(), texts.duplicate_charge_explanation.is_empty());
        texts.duplicate_charge_explanation
    };
    let day = TimeDelta::hours(24);
    // Within the policy's window and with one of them untouched it may well be a slip.
    assert_eq!(explained(day, 0, 80, false), "");
    assert_eq!(explained(day, 45, 0, false), "");
    let beyond = explained(TimeDelta::hours(25), 0, 80, false);
    assert!(beyond.ends_with("(order A-0907): it was paid 25 hours apart."), "{beyond}");
    let both = explained(day, 45, 80, false);
    assert!(both.ends_with("credits of both were used (45 of this purchase, 80 of the other)."), "{both}");
    assert!(explained(day, 0, 0, true).ends_with("the other one was paid back."));
    let mut alone = records();
    alone.twin = None;
    assert_eq!(compile(&alone).texts.duplicate_charge_id, "");
}

#[test]
fn a_subscription_is_told_how_it_ends_and_what_was_heard_of_it() {
    let once = compile(&records()).texts;
    assert_eq!((once.cancellation_policy.as_str(), once.cancellation_rebuttal.as_str()), ("", ""));
    let mut renewed = records();
    renewed.purchase.kind = PurchaseKind::Subscription;
    renewed.purchase.renewal = true;
    let texts = compile(&renewed).texts;
    assert!(
        texts.cancellation_policy.contains("within 48 hours of its charge"),
        "{}",
        texts.cancellation_policy
    );
    assert!(!texts.cancellation_policy.contains(['{', '}']));
    assert_eq!(
        texts.cancellation_rebuttal,
        "The payment of 2025-03-03 12:00:00 UTC renewed the subscription. The first request about this period was \
         received on 2025-03-07 12:00:00 UTC, 96 hours after the payment."
    );
    renewed.requests = vec![request(Claim::UnintendedRenewal, "2025-03-11T12:00:00Z", Vec::new())];
    assert!(compile(&renewed).texts.cancellation_rebuttal.ends_with(
        "Nothing about this period was received before the dispute was opened on 2025-03-10 08:00:00 UTC."
    ));
}

#[test]
fn only_denials_explain_a_refusal() {
    let mut records = records();
    let approval = Answer { outcome: Outcome::Approve, ..denial("2025-03-08T12:00:00Z", "We refund you.") };
    records.requests[0].answers.push(approval);
    let texts = compile(&records).texts;
    assert_eq!(
        texts.refund_refusal_explanation,
        "2025-03-07 12:00:00 UTC (§3.2): We cannot refund a change of mind; your credits stay available (§3.2)."
    );
    assert!(texts.uncategorized_text.ends_with(
        "1 refund request was received before the dispute was opened on 2025-03-10 08:00:00 UTC."
    ));
    records.requests[0].answers.remove(0);
    assert_eq!(compile(&records).texts.refund_refusal_explanation, "");
}

#[test]
fn what_support_noted_is_not_in_the_pack() {
    let html = compile(&records()).html;
    for inside in ["agent:kim", "frontend:shop"] {
        assert!(!html.contains(inside), "{inside}");
    }
}

#[test]
fn how_the_policy_was_shown_is_told_as_far_as_it_was_recorded() {
    let shown = compile(&records()).texts.refund_policy_disclosure;
    assert!(
        shown.starts_with("Version 2024-12-19 of the refund policy, published with SHA-256 0123456789abcdef")
    );
    assert!(
        shown.ends_with(
            "\nRecorded with the purchase: refund policy shown at: 2025-03-03T11:59:40Z at checkout"
        )
    );
    assert!(!shown.contains("country"), "other attributes say nothing of it");
    let mut silent = records();
    silent.purchase.attributes.clear();
    assert_eq!(compile(&silent).texts.refund_policy_disclosure.lines().count(), 1);
}
