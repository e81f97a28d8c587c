//! What must hold for all facts: amounts, totality, and that no money moves where none may.

use super::desk::{received_at, shipped};
use makegood::domain::request::Claim;
use makegood::policy::amount::grants;
use makegood::policy::facts::{FactKind, Value};
use makegood::policy::share::Share;
use makegood::policy::span::Span;
use makegood::policy::table::{Deductions, Remedy};
use makegood::policy::{Decision, FactName, Facts, Outcome, Recommendation, ReviewReason, decide};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::BTreeMap;

/// Any value of a kind; numbers and times crowd around the thresholds.
fn value(kind: FactKind) -> BoxedStrategy<Value> {
    let micros = prop_oneof![
        Just(0),
        Just(1),
        Just(86_400_000_000),
        Just(86_400_000_001),
        Just(172_800_000_000),
        Just(172_800_000_001),
        Just(604_800_000_000),
        Just(604_800_000_001),
        0..=i64::MAX,
    ];
    let number = prop_oneof![Just(0), Just(1), 0..200_i64, 0..=i64::MAX];
    match kind {
        FactKind::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        FactKind::Word(words) => {
            prop::sample::select(words).prop_map(|word| Value::Text(word.to_owned())).boxed()
        }
        FactKind::Text => prop::sample::select(vec!["", "USD", "JPY", "KWD", "SEK", "order-1"])
            .prop_map(|text| Value::Text(text.to_owned()))
            .boxed(),
        FactKind::Set(words) => prop::collection::btree_set(prop::sample::select(words), 0..3)
            .prop_map(|set| Value::Set(set.into_iter().map(str::to_owned).collect()))
            .boxed(),
        FactKind::Count | FactKind::Credits | FactKind::Minor => number.prop_map(Value::Number).boxed(),
        FactKind::Share => (0..=100_i64).prop_map(|part| Value::Share(Share::of(part, 100))).boxed(),
        FactKind::Duration => {
            micros.prop_map(|micros| Value::Duration(Span::from_micros(micros).unwrap())).boxed()
        }
        FactKind::Time => Just(Value::Time(received_at())).boxed(),
        FactKind::Map => Just(Value::Map(BTreeMap::from([("country".to_owned(), "DE".to_owned())]))).boxed(),
    }
}

/// Any facts at all, however contradictory: every fact may be absent but the two that never are.
pub(super) fn any_facts() -> impl Strategy<Value = Facts> {
    let each: Vec<_> = FactName::ALL
        .iter()
        .map(|name| (Just(*name), prop::option::weighted(0.9, value(name.kind()))))
        .collect();
    each.prop_map(|values| {
        let mut facts = Facts::new(Claim::Other, received_at());
        for (name, value) in values {
            if let Some(value) = value {
                facts.set(name, value).unwrap();
            }
        }
        facts
    })
}

/// Facts that reach the rows behind the barriers of the first ones more often.
pub(super) fn likely_facts() -> impl Strategy<Value = Facts> {
    (any_facts(), prop::collection::vec(any::<bool>(), 8)).prop_map(|(mut facts, calm)| {
        let quiet = [
            (FactName::Standing, Value::Set([].into())),
            (FactName::Violation, Value::Text("none".to_owned())),
            (FactName::Dispute, Value::Text("none".to_owned())),
            (FactName::Refunded, Value::Text("none".to_owned())),
            (FactName::MissingDetails, Value::Set([].into())),
            (FactName::MismatchedDetails, Value::Set([].into())),
            (FactName::TwinDisputed, Value::Bool(false)),
            (FactName::EvidenceReused, Value::Bool(false)),
        ];
        for ((name, value), calm) in quiet.into_iter().zip(calm) {
            if calm {
                facts.set(name, value).unwrap();
            }
        }
        facts.set(FactName::PurchaseKnown, Value::Bool(true)).unwrap();
        facts
    })
}

/// The same cases in every run.
pub(super) fn seeded(cases: u32) -> ProptestConfig {
    ProptestConfig {
        rng_seed: RngSeed::Fixed(20_241_219),
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

fn paid(decision: &Decision) -> i64 {
    decision.money().map_or(0, |money| money.minor_units)
}

fn number(facts: &Facts, name: FactName) -> i64 {
    facts.number(name).unwrap_or(0)
}

proptest! {
    #![proptest_config(seeded(512))]

    #[test]
    fn every_facts_get_one_answer_and_always_the_same(facts in any_facts()) {
        let document = shipped();
        let decision = decide(document, &facts);
        prop_assert_ne!(decision.review_reason, Some(ReviewReason::NoRow));
        prop_assert_ne!(decision.review_reason, Some(ReviewReason::Guardrail));
        prop_assert_eq!(decision.rows.len(), document.rows().len());
        prop_assert!(!decision.sentence.is_empty());
        prop_assert_eq!(decision.outcome == Outcome::Review, decision.review_reason.is_some());
        prop_assert_eq!(decision.outcome == Outcome::Approve, !decision.remedies.is_empty());
        prop_assert_eq!(decision.outcome == Outcome::RequestInformation, !decision.requested_details.is_empty());

        let replayed: Facts = serde_json::from_str(&facts.canonical_json()).unwrap();
        let again = decide(shipped(), &replayed);
        prop_assert_eq!(decision.canonical_bytes(), again.canonical_bytes());
        let read: Decision = serde_json::from_slice(&decision.canonical_bytes()).unwrap();
        prop_assert_eq!(read, decision);
    }

    #[test]
    fn no_money_moves_where_none_may(facts in likely_facts()) {
        let decision = decide(shipped(), &facts);
        let disputed = matches!(facts.text(FactName::Dispute), Some("open" | "lost"));
        let closed = facts.words(FactName::Standing).is_some_and(|words| words.contains("terminated"));
        let violated = facts.text(FactName::Violation) == Some("confirmed");
        let unwilling = matches!(facts.text(FactName::Claim), Some("change_of_mind" | "dissatisfied"));
        if disputed || closed || violated || unwilling {
            prop_assert_eq!(paid(&decision), 0);
        }
        if closed || violated {
            prop_assert_eq!(decision.outcome, Outcome::Deny);
        }
        if facts.text(FactName::Claim) == Some("unauthorised_payment") {
            prop_assert_ne!(decision.outcome, Outcome::Approve);
        }
    }

    #[test]
    fn money_stays_within_what_was_paid_and_what_a_machine_may_approve(facts in likely_facts()) {
        let document = shipped();
        let decision = decide(document, &facts);
        let gone = [FactName::RefundedMinor, FactName::PendingMinor, FactName::ReturnedMinor];
        let gone = gone.map(|name| number(&facts, name)).into_iter().fold(0, i64::saturating_add);
        let payable = number(&facts, FactName::PriceMinor).saturating_sub(gone).max(0);
        prop_assert!(paid(&decision) <= payable);
        if let Some(money) = decision.money() {
            prop_assert!(money.minor_units > 0);
            prop_assert!(money.minor_units <= document.parameters().limits().approve_at_most[&money.currency]);
            prop_assert!(number(&facts, FactName::RecentRefunds) <= 2);
        }
        let offered = match &decision.recommendation {
            Some(Recommendation::Approve(grants)) => grants.iter().chain(&decision.remedies).cloned().collect(),
            _ => decision.remedies.clone(),
        };
        for grant in offered {
            prop_assert!(!grant.is_nothing());
            if grant.kind.pays() {
                let left = number(&facts, FactName::Bought).saturating_sub(number(&facts, FactName::CreditsRefunded));
                prop_assert!(grant.credits.get() <= left.max(0));
                prop_assert!(grant.undelivered <= grant.credits);
            }
        }
    }

    #[test]
    fn nobody_is_asked_twice_for_the_same(facts in any_facts()) {
        let decision = decide(shipped(), &facts);
        let asked = facts.details(FactName::InformationAsked);
        prop_assert!(decision.requested_details.is_disjoint(&asked));
    }

    #[test]
    fn many_small_refunds_pay_exactly_what_one_large_one_would(
        price in 0_i64..=1_000_000_000_000,
        bought in 1_i64..=1_000_000_000_000,
        cuts in prop::collection::vec(0_i64..=1_000_000_000_000, 1..12),
        bank in 0_i64..3,
    ) {
        let mut given_up = 0_i64;
        let mut paid_back = 0_i64;
        let returned = if bank == 0 { price.checked_div(3).unwrap() } else { 0 };
        for cut in cuts {
            let unused = cut.min(bought.checked_sub(given_up).unwrap());
            let mut facts = Facts::new(Claim::TechnicalIssue, received_at());
            facts.set(FactName::Currency, Value::Text("USD".to_owned())).unwrap();
            for (name, number) in [
                (FactName::PriceMinor, price),
                (FactName::Bought, bought),
                (FactName::CreditsRefunded, given_up),
                (FactName::RefundedMinor, paid_back),
                (FactName::ReturnedMinor, returned),
                (FactName::Unused, unused),
            ] {
                facts.set(name, Value::Number(number)).unwrap();
            }
            let grant = grants(&[Remedy::RefundUnused(Deductions::default())], &facts).remove(0);
            prop_assert_eq!(grant.credits.get(), unused);
            given_up = given_up.checked_add(grant.credits.get()).unwrap();
            paid_back = paid_back.checked_add(grant.money.unwrap().minor_units).unwrap();
            let product = i128::from(price).checked_mul(i128::from(given_up)).unwrap();
            let total = product.checked_div(i128::from(bought)).unwrap();
            prop_assert_eq!(i128::from(paid_back), total.min(i128::from(price.checked_sub(returned).unwrap())));
        }
        prop_assert!(paid_back.checked_add(returned).unwrap() <= price);
    }

    #[test]
    fn one_decision_pays_no_credit_twice(unused in 0_i64..100, undelivered in 0_i64..100, failed in 0_i64..100) {
        let mut facts = Facts::new(Claim::TechnicalIssue, received_at());
        facts.set(FactName::Currency, Value::Text("USD".to_owned())).unwrap();
        for (name, number) in [
            (FactName::PriceMinor, 1_000),
            (FactName::Bought, 300),
            (FactName::Unused, unused),
            (FactName::Undelivered, undelivered),
            (FactName::FailedCredits, failed),
            (FactName::FailedOfPurchase, failed),
        ] {
            facts.set(name, Value::Number(number)).unwrap();
        }
        let twice = [Remedy::RestoreFailed, Remedy::RefundUnused(Deductions::default()), Remedy::RefundUnused(Deductions::default()), Remedy::RestoreFailed];
        let given = grants(&twice, &facts);
        let whole = unused.checked_add(undelivered).and_then(|sum| sum.checked_add(failed)).unwrap();
        prop_assert_eq!(given[1].credits.get(), whole);
        prop_assert!(given[2].is_nothing());
        prop_assert!(given[3].is_nothing());
    }
}
