//! The words of the wire are the words of the domain, each once and none unspecified.

use super::{
    account, bucket, chargeback, credit, decision, fault, purchase, record_chargeback, refund,
    restore_credits,
};
use super::{evaluate_request, timestamp};
use crate::command::{
    BalanceAt, ChargebackAnswer, EvaluateAnswer, Moved, Outcome, RemedyKind, RestoreAnswer, ReviewReason,
    RowOutcome,
};
use crate::domain::book::{Balance, NotRestorable, RestoreOutcome};
use crate::domain::chargeback::{Chargeback, ChargebackPhase, ChargebackStage, Determination};
use crate::domain::credits::Credits;
use crate::domain::fault::Fault;
use crate::domain::ids::{
    AccountId, Attempt, ChargebackId, DisputeId, JobId, LotId, PaymentId, Provider, PurchaseId,
};
use crate::domain::lot::{Bucket, Source};
use crate::domain::money::{Currency, Money};
use crate::domain::purchase::{DisputeState, PurchaseKind};
use crate::domain::refund::{RefundMethod, RefundStage};
use crate::domain::request::{Claim, EvidenceKind, RequestStage};
use crate::domain::restriction::{RestrictionCause, RestrictionKind};
use crate::domain::usage::{Allocation, Usage, UsageStage};
use crate::proto::makegood::v1;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Both ways: every value has a word of its own that is not the unspecified one, and the words of the wire that no
/// value has are exactly `unreached`.
#[track_caller]
fn is_total<W>(values: impl IntoIterator<Item = W>, unreached: &[W])
where
    W: TryFrom<i32> + Into<i32> + Copy + PartialEq + std::fmt::Debug,
{
    let mut reached: Vec<W> = unreached.to_vec();
    for word in values {
        assert_ne!(word.into(), 0, "{word:?}");
        assert!(!reached.contains(&word), "{word:?} stands for two values");
        reached.push(word);
    }
    let words: Vec<W> = (1..).map_while(|number| W::try_from(number).ok()).collect();
    assert!(words.iter().all(|word| reached.contains(word)), "{words:?} of which only {reached:?}");
}

/// And the word is the value's stored name.
macro_rules! is_named_alike {
    ($domain:ty, $prefix:literal, $encode:path, $unreached:expr) => {
        is_total(<$domain>::ALL.iter().map(|value| $encode(*value)), $unreached);
        for value in <$domain>::ALL {
            let word = format!("{}{}", $prefix, value.name().to_uppercase());
            assert_eq!($encode(*value).as_str_name(), word);
        }
    };
}

#[test]
fn every_stored_name_is_its_word_on_the_wire() {
    is_named_alike!(Fault, "FAULT_", fault, &[]);
    is_named_alike!(Bucket, "BUCKET_", bucket, &[]);
    is_named_alike!(Source, "LOT_SOURCE_", credit::source, &[]);
    is_named_alike!(UsageStage, "USAGE_STAGE_", credit::usage_stage, &[]);
    is_named_alike!(NotRestorable, "NOT_RESTORABLE_REASON_", credit::not_restorable_reason, &[]);
    is_named_alike!(PurchaseKind, "PURCHASE_KIND_", purchase::purchase_kind, &[]);
    is_named_alike!(DisputeState, "PURCHASE_DISPUTE_", purchase::purchase_dispute, &[]);
    is_named_alike!(Outcome, "OUTCOME_", decision::outcome, &[]);
    is_named_alike!(Claim, "CLAIM_", refund::claim, &[]);
    is_named_alike!(EvidenceKind, "EVIDENCE_KIND_", refund::evidence_kind, &[]);
    is_named_alike!(RefundStage, "REFUND_STAGE_", refund::refund_stage, &[]);
    is_named_alike!(ChargebackStage, "CHARGEBACK_STAGE_", chargeback::chargeback_stage, &[]);
    is_named_alike!(ChargebackPhase, "CHARGEBACK_PHASE_", chargeback::chargeback_phase, &[]);
    let determination = |found| chargeback::determination(Some(found));
    is_named_alike!(Determination, "CHARGEBACK_DETERMINATION_", determination, &[]);
    is_named_alike!(RestrictionCause, "RESTRICTION_CAUSE_", account::restriction_cause, &[]);
    is_named_alike!(RequestStage, "REFUND_REQUEST_STAGE_", refund::request_stage, &[]);
    is_named_alike!(RefundMethod, "REFUND_METHOD_", refund::refund_method, &[]);
}

#[test]
fn every_restriction_has_its_word_and_suspension_a_clearer_one() {
    is_total(RestrictionKind::ALL.iter().map(|kind| account::restriction_kind(*kind)), &[]);
    for kind in RestrictionKind::ALL.iter().filter(|kind| **kind != RestrictionKind::Suspended) {
        let word = format!("RESTRICTION_KIND_{}", kind.name().to_uppercase());
        assert_eq!(account::restriction_kind(*kind).as_str_name(), word);
    }
}

#[test]
fn every_part_of_a_decision_has_its_word() {
    let kinds = [
        RemedyKind::RestoreUndelivered,
        RemedyKind::RestoreFailed,
        RemedyKind::RestoreAttempt,
        RemedyKind::RefundUnused,
        RemedyKind::RefundFull,
        RemedyKind::RefundFixed,
        RemedyKind::Compensate,
    ];
    is_total(kinds.map(decision::remedy_kind), &[]);
    let reasons = [
        ReviewReason::Row,
        ReviewReason::AboveApprovalLimit,
        ReviewReason::CurrencyWithoutLimit,
        ReviewReason::TooManyRecentRefunds,
        ReviewReason::NothingToGive,
        ReviewReason::Guardrail,
        ReviewReason::CreditsGone,
        ReviewReason::NoRow,
    ];
    let events_say = [v1::ReviewReason::RefundFailed, v1::ReviewReason::Disputed];
    is_total(reasons.map(decision::review_reason), &events_say);
    let rows = [RowOutcome::Hit, RowOutcome::NoHit { failed: Vec::new() }, RowOutcome::NotApplicable];
    is_total(rows.iter().map(decision::row_match), &[]);
}

#[test]
fn every_restore_outcome_has_its_word_and_a_reason_only_when_nothing_goes_back() {
    let outcomes = [
        RestoreOutcome::Restored,
        RestoreOutcome::Released,
        RestoreOutcome::AlreadyRestored,
        RestoreOutcome::NotRestorable(NotRestorable::CustomerFault),
    ];
    is_total(outcomes.map(|outcome| credit::restore_outcome(outcome).0), &[]);
    for outcome in outcomes {
        let has_reason = credit::restore_outcome(outcome).1 != v1::NotRestorableReason::Unspecified;
        assert_eq!(has_reason, matches!(outcome, RestoreOutcome::NotRestorable(_)), "{outcome:?}");
    }
}

#[test]
fn a_time_keeps_its_microseconds_and_a_leap_second_stays_a_timestamp() {
    assert_eq!(timestamp(time("2024-12-19T00:00:00.000001Z")).nanos, 1_000);
    assert_eq!(timestamp(time("2016-12-31T23:59:60.5Z")).nanos, 999_999_999);
    assert_eq!(timestamp(time("1969-12-31T23:59:59.5Z")).seconds, -1);
}

#[test]
fn a_restore_tells_the_attempts_credits_and_not_those_that_expired_beside_them() {
    let moved = |from, to, count| Moved { lot_id: lot_id(), credits: credits(count), from, to };
    let usage = Usage {
        attempt: Attempt { job_id: JobId::parse("cat").unwrap(), number: 1 },
        stage: UsageStage::Failed,
        cost: credits(4),
        outputs: 4,
        delivered_outputs: Some(3),
        allocations: vec![Allocation {
            lot_id: lot_id(),
            taken: credits(4),
            captured: credits(3),
            released: credits(1),
            restored: credits(3),
        }],
        held_at: DateTime::UNIX_EPOCH,
        hold_expires_at: DateTime::UNIX_EPOCH,
        ended_at: None,
        failure: None,
        trace_id: None,
    };
    let answer = restore_credits(
        &account_id(),
        &RestoreAnswer {
            outcome: RestoreOutcome::Restored,
            fault: Fault::Platform,
            credits: credits(3),
            moved: vec![
                moved(Bucket::Available, Bucket::Expired, 7),
                moved(Bucket::Consumed, Bucket::Available, 3),
            ],
            usage,
            balance: nothing(),
            clause: "2.2".to_owned(),
            sentence: String::new(),
        },
    );
    assert_eq!((answer.credits_restored, answer.credits_released), (3, 0));
    let movements: Vec<_> =
        answer.movements.iter().map(|moved| (moved.from_bucket(), moved.credits)).collect();
    assert_eq!(movements, [(v1::Bucket::Consumed, 3)]);
    let usage = answer.usage.unwrap();
    assert_eq!((usage.held, usage.captured, usage.released, usage.restored), (0, 3, 1, 3));
}

#[test]
fn a_dispute_over_an_unrecorded_payment_shows_no_account() {
    let answer = |purchase_id| ChargebackAnswer {
        account_id: Some(account_id()),
        chargeback: Chargeback {
            chargeback_id: ChargebackId(Uuid::nil()),
            purchase_id,
            provider: Provider::parse("stripe").unwrap(),
            dispute_id: DisputeId::parse("dp_1").unwrap(),
            payment_id: PaymentId::parse("pi_1").unwrap(),
            stage: ChargebackStage::Open,
            phase: ChargebackPhase::Chargeback,
            provider_status: String::new(),
            reason_code: String::new(),
            amount: Money::zero(Currency::parse("USD").unwrap()),
            losses: Vec::new(),
            frozen_credits: credits(5),
            opened_at: DateTime::UNIX_EPOCH,
            closed_at: None,
            last_event_at: DateTime::UNIX_EPOCH,
            determined: None,
        },
        moved: Vec::new(),
        canceled_refunds: Vec::new(),
        restrictions: Vec::new(),
        balance: nothing(),
    };
    let unmatched = record_chargeback(&answer(None));
    assert_eq!((unmatched.account, unmatched.balance), (None, None));
    assert_eq!(unmatched.chargeback.unwrap().account_id, "");
    let matched = record_chargeback(&answer(Some(PurchaseId(Uuid::nil()))));
    assert!(matched.account.unwrap().may_be_refunded);
    assert_eq!(matched.chargeback.unwrap().frozen_credits, 5);
}

#[test]
fn a_preview_has_a_decision_and_facts_in_the_notation_of_the_documents() {
    let answer: EvaluateAnswer = serde_json::from_str(
        r#"{"refund_request": null, "refunds": [], "decision": {
            "decision_id": null, "canonical": "", "decision_sha256": "", "decided_at": "2024-12-20T10:00:00Z", "trace_id": null,
            "facts": {"claim": "other", "received_at": "2024-12-20T10:00:00Z", "purchase_age": "7d",
                "first_purchase": true, "standing": ["suspended"]},
            "decision": {"outcome": "DENY", "row": "14", "clauses": ["3.1"], "remedies": [],
                "recommendation": null, "review_reason": null, "requested_details": [], "sentence": "", "advice": "",
                "policy_version": "v", "document_sha256": "", "facts_sha256": "",
                "respond_by": "2024-12-26T10:00:00Z", "rows": [
                    {"row": "1", "result": "no_hit", "failed": [
                        {"fact": "purchase_age", "wanted": "at most 2d", "found": "7d"},
                        {"fact": "unused", "wanted": "more than 0", "found": null}]},
                    {"row": "14", "clauses": ["3.1"], "result": "hit"}]}}}"#,
    )
    .unwrap();
    let response = evaluate_request(&account_id(), &answer);
    assert_eq!(response.refund_request, None);
    let decision = response.decision.unwrap();
    let facts: Vec<_> = decision.facts.iter().map(|fact| (fact.name.as_str(), fact.value.as_str())).collect();
    assert_eq!(
        facts,
        [
            ("claim", "other"),
            ("first_purchase", "true"),
            ("purchase_age", "7d"),
            ("received_at", "2024-12-20T10:00:00.000000Z"),
            ("standing", r#"["suspended"]"#),
        ]
    );
    let failed = &decision.rows[0].failed_conditions;
    assert_eq!(failed[0], "purchase_age is 7d, wanted at most 2d");
    assert_eq!(failed[1], "unused is not known, wanted more than 0");
    assert_eq!(decision.rows[1].clauses, ["3.1"]);
    assert_eq!(decision.decision_id, "");
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn credits(count: i64) -> Credits {
    Credits::new(count).unwrap()
}

fn account_id() -> AccountId {
    AccountId::parse("ada").unwrap()
}

fn lot_id() -> LotId {
    LotId(Uuid::nil())
}

fn nothing() -> BalanceAt {
    BalanceAt { balance: Balance::default(), last_seq: 0, as_of: DateTime::UNIX_EPOCH }
}
