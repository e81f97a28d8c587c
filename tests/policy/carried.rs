//! Stored facts under another document: what is carried over is what that document would have found, and what may
//! differ is unknown.

use super::desk::{before, case_file, shipped};
use super::plausible::plausible;
use chrono::{DateTime, TimeDelta, Utc};
use makegood::domain::case_file::{CaseFile, TwinFile};
use makegood::domain::ids::PurchaseId;
use makegood::domain::purchase::DisputeState;
use makegood::domain::request::Claim;
use makegood::policy::facts::{CATALOGUE, Carrier};
use makegood::policy::{Document, FactName, Facts, SHIPPED, answer, decide};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::BTreeSet;

/// The shipped policy with other parameters of the kinds that facts are computed with.
fn otherwise() -> impl Strategy<Value = Document> {
    let spans = |own: &'static str| prop::sample::select(vec![own, "1h", "30h", "3d", "60d"]);
    let required = prop::sample::select(vec![r#"["order_id"]"#, r#"["purchased_at", "explanation"]"#, "[]"]);
    (spans("24h"), spans("2d"), spans("90d"), 1..6_i64, required).prop_map(
        |(duplicate, tolerance, recent, failures, required)| {
            let text = SHIPPED
                .replace(r#"duplicate_window = "24h""#, &format!("duplicate_window = \"{duplicate}\""))
                .replace(
                    r#"purchase_date_tolerance = "2d""#,
                    &format!("purchase_date_tolerance = \"{tolerance}\""),
                )
                .replace(r#"recent_refund_window = "90d""#, &format!("recent_refund_window = \"{recent}\""))
                .replace("outage_failures = 3", &format!("outage_failures = {failures}"))
                .replace(
                    r#"technical_issue = ["order_id"]"#,
                    &format!("technical_issue = {required}\ndissatisfied = {required}"),
                );
            Document::parse(&text).unwrap()
        },
    )
}

fn known(facts: &Facts, unknown: &BTreeSet<FactName>) -> Vec<String> {
    let known = facts.iter().filter(|(name, _)| !unknown.contains(name));
    known.map(|(name, value)| format!("{} = {value}", name.name())).collect()
}

fn twin_state() -> impl Strategy<Value = (bool, DisputeState)> {
    let states =
        [DisputeState::None, DisputeState::None, DisputeState::Won, DisputeState::Open, DisputeState::Lost];
    (prop::bool::weighted(0.2), prop::sample::select(states.to_vec()))
}

/// A payment for the same thing, so many hours before or after.
fn twin(paid_at: DateTime<Utc>, hours: i64, (refunded, dispute): (bool, DisputeState)) -> TwinFile {
    TwinFile {
        purchase_id: PurchaseId::parse("018f2b1c-5f0e-7c3a-9d53-2b6f6a0f1c12").unwrap(),
        paid_at: paid_at.checked_add_signed(TimeDelta::hours(hours.checked_sub(40).unwrap())).unwrap(),
        refunded,
        dispute,
    }
}

/// What a document finds in a file.
fn found(file: &CaseFile, document: &Document) -> Facts {
    Facts::observe(file, document.parameters())
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(20_241_219),
        cases: 500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_carried_over_is_what_the_other_document_finds(
        mut file in plausible(),
        other in otherwise(),
        told in prop::option::of(prop::sample::select(vec![0, 1, 26, 60, 100])),
        refunds in prop::collection::vec(prop::sample::select(vec!["30m", "20h", "50h", "30d", "80d", "300d"]), 0..4),
        twins in prop::collection::vec((0..100_i64, twin_state()), 0..4),
    ) {
        let purchase = file.purchase.as_ref().map(|known| known.purchase.paid_at);
        file.details.purchased_at = told
            .zip(purchase)
            .and_then(|(hours, paid_at)| paid_at.checked_add_signed(TimeDelta::hours(hours)))
            .or_else(|| told.map(|_| file.received_at));
        file.account.refunds_at = refunds.iter().map(|age| before(age)).collect();
        file.account.compensated_at = refunds.iter().map(|age| before(age)).skip(1).collect();
        file.account.refunds_ever = i64::try_from(refunds.len()).unwrap();
        if let Some(paid_at) = purchase {
            file.twins = twins.into_iter().map(|(hours, state)| twin(paid_at, hours, state)).collect();
        }
        let own = shipped();
        let across = Carrier::new(own.parameters(), other.parameters());
        let carried = across.carry(found(&file, own), CATALOGUE);
        let wanted = found(&file, &other);
        prop_assert_eq!(known(&carried.facts, &carried.unknown), known(&wanted, &carried.unknown));
        // Where the answer does not depend on what is unknown, it is the other document's answer.
        if let Ok(answer) = answer(&other, &carried.facts, &carried.unknown) {
            let decision = decide(&other, &wanted);
            prop_assert_eq!((answer.row, answer.outcome), (decision.row.as_str(), decision.outcome));
            prop_assert_eq!(answer.remedies, decision.remedies);
        }
    }

    #[test]
    fn the_quick_answer_is_the_decisions(file in plausible()) {
        let document = shipped();
        let facts = found(&file, document);
        let decision = decide(document, &facts);
        let answer = answer(document, &facts, &BTreeSet::new()).unwrap();
        prop_assert_eq!((answer.row, answer.outcome), (decision.row.as_str(), decision.outcome));
        prop_assert_eq!(answer.remedies, decision.remedies);
    }

    /// Of every fact some value is missing: the answer without it is the answer with it, or is not given.
    #[test]
    fn an_answer_never_depends_on_what_is_not_known(
        file in plausible(),
        hidden in prop::collection::btree_set(prop::sample::select(FactName::ALL), 1..4),
    ) {
        let hidden: BTreeSet<FactName> =
            hidden.into_iter().filter(|fact| !matches!(fact, FactName::Claim | FactName::ReceivedAt)).collect();
        let document = shipped();
        let facts = found(&file, document);
        let kept: serde_json::Map<String, serde_json::Value> = serde_json::from_str::<serde_json::Map<_, _>>(
            &facts.canonical_json(),
        )
        .unwrap()
        .into_iter()
        .filter(|(name, _)| !hidden.iter().any(|fact| fact.name() == name))
        .collect();
        let without: Facts = serde_json::from_value(kept.into()).unwrap();
        if let Ok(answer) = answer(document, &without, &hidden) {
            let decision = decide(document, &facts);
            prop_assert_eq!((answer.row, answer.outcome), (decision.row.as_str(), decision.outcome));
            prop_assert_eq!(answer.remedies, decision.remedies);
        }
    }
}

#[test]
fn the_same_parameters_leave_nothing_unknown() {
    let document = shipped();
    let across = Carrier::new(document.parameters(), document.parameters());
    let facts = found(&case_file(Claim::Other), document);
    let carried = across.carry(facts.clone(), CATALOGUE);
    assert_eq!((carried.facts, carried.unknown), (facts, BTreeSet::new()));
}
