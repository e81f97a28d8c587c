//! What persons decide: sized by the policy's rules, within its guardrails, whatever they propose.

use super::desk::{case_file, observe, shipped, usd};
use super::properties::likely_facts;
use makegood::domain::credits::Credits;
use makegood::domain::money::{Currency, Money};
use makegood::domain::refund::RefundMethod;
use makegood::domain::request::Claim;
use makegood::policy::amount::Grant;
use makegood::policy::resolution::{
    NotPossible, Proposed, Ruling, approval_sentence, approvals_required, rule, sized,
};
use makegood::policy::table::{Compensation, Deductions, Remedy};
use makegood::policy::{FactName, Facts, Outcome, RemedyKind};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::{BTreeMap, BTreeSet};

fn proposed(remedy: Remedy) -> Proposed {
    Proposed { remedy, credits: None, money: None }
}

fn fixed(minor_units: i64) -> Remedy {
    Remedy::RefundFixed(BTreeMap::from([(Currency::parse("USD").unwrap(), minor_units)]))
}

fn facts(claim: Claim) -> Facts {
    observe(&case_file(claim))
}

#[test]
fn a_remedy_has_the_size_of_the_rule_and_no_other() {
    let unused = |credits, money| {
        let one = Proposed { remedy: Remedy::RefundUnused(Deductions::default()), credits, money };
        sized(shipped(), &facts(Claim::Other), &[one])
    };
    let given = unused(None, None).unwrap();
    assert_eq!((given[0].credits.get(), given[0].money), (60, Some(usd(1199))));
    assert_eq!(unused(Some(60), Some(usd(1199))).unwrap(), given);
    let other = Err(NotPossible::OtherSize {
        kind: RemedyKind::RefundUnused,
        possible: "11.99 USD for 60 credits".to_owned(),
    });
    for (credits, money) in
        [(Some(59), None), (Some(61), None), (None, Some(usd(1198))), (None, Some(usd(1200)))]
    {
        assert_eq!(unused(credits, money), other);
    }
}

#[test]
fn what_the_policy_never_pays_no_person_pays() {
    let refused = |claim: Claim, remedies: Vec<Remedy>| {
        let remedies: Vec<_> = remedies.into_iter().map(proposed).collect();
        match sized(shipped(), &facts(claim), &remedies) {
            Err(NotPossible::Never(what)) => what,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        refused(Claim::ChangeOfMind, vec![Remedy::RefundUnused(Deductions::default())]),
        "money for a change of mind"
    );
    let dissatisfied = refused(Claim::Dissatisfied, vec![Remedy::RefundUnused(Deductions::default())]);
    assert_eq!(dissatisfied, "money for dissatisfaction with what was generated");
    assert_eq!(
        refused(Claim::Other, vec![Remedy::RefundFull(Deductions::default())]),
        "money for used credits"
    );
    assert_eq!(refused(Claim::Other, vec![fixed(1200)]), "money for used credits");
    let mut undelivered = case_file(Claim::Other);
    let known = undelivered.purchase.as_mut().unwrap();
    (known.purchase.delivered_credits, known.unused) = (Credits::new(70).unwrap(), Credits::new(30).unwrap());
    let undelivered = observe(&undelivered);
    let money = sized(shipped(), &undelivered, &[proposed(Remedy::RefundUnused(Deductions::default()))]);
    assert_eq!(money, Err(NotPossible::Never("money for credits that can still be delivered")));
    let first = [proposed(Remedy::RestoreUndelivered), proposed(Remedy::RefundUnused(Deductions::default()))];
    assert!(sized(shipped(), &undelivered, &first).is_ok());
    // Credits are no money.
    let credits = Remedy::Compensate(Compensation::Credits(Credits::new(5).unwrap()));
    assert!(sized(shipped(), &facts(Claim::ChangeOfMind), &[proposed(credits)]).is_ok());
}

#[test]
fn two_people_are_needed_above_the_limit_and_without_one() {
    let of = |money: Option<Money>| {
        let grant = Grant {
            kind: RemedyKind::RefundUnused,
            credits: Credits::ZERO,
            undelivered: Credits::ZERO,
            money,
            pays_for_spent: false,
        };
        approvals_required(shipped(), &[grant])
    };
    let other = Money::new(Currency::parse("SEK").unwrap(), 1).unwrap();
    let required = [None, Some(usd(10_000)), Some(usd(10_001)), Some(other)].map(of);
    assert_eq!(required, [1, 1, 2, 2]);
    assert_eq!(approvals_required(shipped(), &[]), 1);
}

#[test]
fn an_approval_says_what_is_given_in_the_rows_words_or_plainly() {
    let facts = facts(Claim::DuplicatePurchase);
    let given = sized(shipped(), &facts, &[proposed(Remedy::RefundUnused(Deductions::default()))]).unwrap();
    let said =
        |row: &str, method| approval_sentence(shipped(), &facts, (row, &["2.1".to_owned()]), &given, method);
    let original = RefundMethod::OriginalPayment;
    assert!(said("14", original).starts_with("You paid for the same purchase more than once."));
    assert_eq!(
        said("15", original),
        "We have looked at your request and are refunding 11.99 USD to your original payment method (§2.1)."
    );
    assert!(said("14", RefundMethod::Other).contains("in another way than you paid (§2.1)"));
}

#[test]
fn a_ruling_is_a_decision_without_a_row() {
    let facts = facts(Claim::Other);
    let ruling = Ruling {
        outcome: Outcome::Deny,
        clauses: vec!["5.3".to_owned()],
        remedies: Vec::new(),
        requested_details: BTreeSet::new(),
        sentence: "No (§5.3).".to_owned(),
    };
    let decision = rule(shipped(), &facts, ruling);
    assert_eq!((decision.row.as_str(), decision.rows.len()), ("", 0));
    assert_eq!(
        (decision.facts_sha256.clone(), decision.policy_version.as_str()),
        (facts.sha256(), "2024-12-19")
    );
    let read: makegood::policy::Decision = serde_json::from_slice(&decision.canonical_bytes()).unwrap();
    assert_eq!(read, decision);
}

fn any_remedy() -> impl Strategy<Value = Remedy> {
    prop_oneof![
        Just(Remedy::RestoreUndelivered),
        Just(Remedy::RestoreFailed),
        Just(Remedy::RestoreAttempt),
        Just(Remedy::RefundUnused(Deductions::default())),
        Just(Remedy::RefundFull(Deductions::default())),
        (0_i64..3_000).prop_map(fixed),
        (1_i64..50)
            .prop_map(|credits| Remedy::Compensate(Compensation::Credits(Credits::new(credits).unwrap()))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(20_250_303),
        failure_persistence: None,
        ..ProptestConfig::with_cases(4_000)
    })]

    #[test]
    fn whatever_a_person_proposes_no_more_is_paid_than_is_left_and_none_where_none_may(
        facts in likely_facts(),
        remedies in prop::collection::vec(any_remedy(), 1..5),
    ) {
        let remedies: Vec<_> = remedies.into_iter().map(proposed).collect();
        let Ok(grants) = sized(shipped(), &facts, &remedies) else { return Ok(()) };
        prop_assert!(grants.iter().all(|grant| !grant.is_nothing()));
        let paid: i64 = grants.iter().filter_map(|grant| grant.money).map(|money| money.minor_units).sum();
        if paid == 0 {
            return Ok(());
        }
        let number = |name| facts.number(name).unwrap_or(0);
        let gone = [FactName::RefundedMinor, FactName::PendingMinor, FactName::ReturnedMinor].map(number);
        let left = gone.into_iter().fold(number(FactName::PriceMinor), i64::saturating_sub);
        prop_assert!(paid <= left, "{paid} of {left}");
        prop_assert!(!matches!(facts.text(FactName::Dispute), Some("open" | "lost")));
        prop_assert!(facts.text(FactName::Violation) != Some("confirmed"));
        prop_assert!(!matches!(facts.claim(), Some(Claim::ChangeOfMind | Claim::Dissatisfied)));
    }
}
