//! Amounts where the records are odd: earlier refunds that paid less, and facts that contradict each other.

use super::desk::received_at;
use makegood::domain::credits::Credits;
use makegood::domain::money::Currency;
use makegood::domain::request::Claim;
use makegood::policy::amount::{Grant, RemedyKind, grants};
use makegood::policy::facts::Value;
use makegood::policy::share::Share;
use makegood::policy::table::{Compensation, Deductions, Remedy};
use makegood::policy::{FactName, Facts};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::BTreeMap;

/// A purchase of 100 credits for 10.00 USD, with these numbers besides.
fn given(remedies: &[Remedy], numbers: &[(FactName, i64)]) -> Vec<Grant> {
    let mut facts = Facts::new(Claim::TechnicalIssue, received_at());
    facts.set(FactName::Currency, Value::Text("USD".to_owned())).unwrap();
    for (name, number) in [(FactName::PriceMinor, 1000), (FactName::Bought, 100)].iter().chain(numbers) {
        facts.set(*name, Value::Number(*number)).unwrap();
    }
    grants(remedies, &facts)
}

fn minor(grant: &Grant) -> i64 {
    grant.money.unwrap().minor_units
}

#[test]
fn without_unused_credits_an_earlier_underpayment_is_not_made_up_for() {
    let numbers = [(FactName::CreditsRefunded, 50), (FactName::RefundedMinor, 100)];
    assert!(given(&[Remedy::RefundUnused(Deductions::default())], &numbers)[0].is_nothing());
}

#[test]
fn credits_that_were_given_up_are_not_given_up_again() {
    let numbers = [
        (FactName::CreditsRefunded, 90),
        (FactName::RefundedMinor, 900),
        (FactName::Unused, 60),
        (FactName::Undelivered, 60),
    ];
    let grants = given(&[Remedy::RefundUnused(Deductions::default())], &numbers);
    assert_eq!((grants[0].credits.get(), grants[0].undelivered.get(), minor(&grants[0])), (10, 10, 100));
}

#[test]
fn no_more_failed_credits_of_the_purchase_become_unused_than_failed_at_all() {
    let numbers = [(FactName::FailedCredits, 5), (FactName::FailedOfPurchase, 50)];
    let grants = given(&[Remedy::RestoreFailed, Remedy::RefundUnused(Deductions::default())], &numbers);
    assert_eq!((grants[0].credits.get(), grants[1].credits.get()), (5, 5));
}

#[test]
fn a_full_refund_pays_what_was_not_paid_back_yet() {
    let numbers = [(FactName::PendingMinor, 300), (FactName::ReturnedMinor, 200), (FactName::Unused, 100)];
    assert_eq!(minor(&given(&[Remedy::RefundFull(Deductions::default())], &numbers)[0]), 500);
}

#[test]
fn what_cannot_be_restored_is_not_restored() {
    assert!(given(&[Remedy::RestoreUndelivered], &[(FactName::Undelivered, 10)])[0].is_nothing());
}

#[test]
fn without_a_currency_nothing_is_paid() {
    let mut facts = Facts::new(Claim::TechnicalIssue, received_at());
    facts.set(FactName::PriceMinor, Value::Number(1000)).unwrap();
    assert!(grants(&[Remedy::RefundFull(Deductions::default())], &facts)[0].is_nothing());
}

fn usd_fee(minor: i64) -> BTreeMap<Currency, i64> {
    BTreeMap::from([(Currency::parse("USD").unwrap(), minor)])
}

fn share(text: &str) -> Share {
    Share::parse(text).unwrap()
}

#[test]
fn a_fee_is_taken_once_however_often_parts_are_refunded() {
    let remedy = [Remedy::RefundUnused(Deductions { fee: usd_fee(100), ..Deductions::default() })];
    let first = given(&remedy, &[(FactName::Unused, 40)]).remove(0);
    assert_eq!((first.credits.get(), minor(&first)), (40, 300));
    let after_first =
        [(FactName::Unused, 60), (FactName::CreditsRefunded, 40), (FactName::RefundedMinor, 300)];
    let second = given(&remedy, &after_first).remove(0);
    assert_eq!((second.credits.get(), minor(&second)), (60, 600));
}

#[test]
fn a_share_of_the_price_and_used_credits_are_taken_off_together_rounded_down() {
    let less = Deductions { fee: usd_fee(7), fee_share: share("0.55%"), used_at_list_price: true };
    let numbers = [
        (FactName::ListPriceMinor, 1499),
        (FactName::Used, 10),
        (FactName::FailedOfPurchase, 3),
        (FactName::FailedCredits, 3),
        (FactName::Held, 1),
        (FactName::Unused, 89),
    ];
    // 1000 less 7, floor(5.5), and eleven credits at floor(164.89).
    let grant = given(&[Remedy::RefundFull(less.clone())], &numbers).remove(0);
    assert_eq!((grant.credits.get(), minor(&grant), grant.pays_for_spent), (89, 824, false));
    // What is given back first is not charged: eight credits at floor(119.92).
    let grant = given(&[Remedy::RestoreFailed, Remedy::RefundFull(less)], &numbers).remove(1);
    assert_eq!((grant.credits.get(), minor(&grant)), (92, 869));
}

#[test]
fn the_whole_price_pays_for_what_was_spent_and_says_so() {
    let full = [Remedy::RefundFull(Deductions::default())];
    let spent = given(&full, &[(FactName::Used, 1), (FactName::Unused, 99)]).remove(0);
    assert_eq!((minor(&spent), spent.pays_for_spent), (1000, true));
    let held = given(&full, &[(FactName::Held, 1), (FactName::Unused, 99)]).remove(0);
    assert!(held.pays_for_spent);
    let untouched = given(&full, &[(FactName::Unused, 100)]).remove(0);
    assert!(!untouched.pays_for_spent);
    assert!(!serde_json::to_string(&untouched).unwrap().contains("pays_for_spent"));
}

#[test]
fn without_an_amount_in_its_currency_a_fee_leaves_nothing_to_pay() {
    let euros = BTreeMap::from([(Currency::parse("EUR").unwrap(), 1)]);
    let less = Deductions { fee: euros, ..Deductions::default() };
    assert!(given(&[Remedy::RefundFull(less)], &[(FactName::Unused, 100)]).remove(0).is_nothing());
    let dear = Deductions { fee: usd_fee(1001), ..Deductions::default() };
    assert!(given(&[Remedy::RefundFull(dear)], &[(FactName::Unused, 100)]).remove(0).is_nothing());
}

#[test]
fn a_compensation_may_be_a_part_of_a_count() {
    let part = |share_of: &str, at_most: Option<i64>| {
        let at_most = at_most.map(|most| Credits::new(most).unwrap());
        let compensation = Compensation::Share { share: share(share_of), of: FactName::Used, at_most };
        given(&[Remedy::Compensate(compensation)], &[(FactName::Used, 19)]).remove(0).credits.get()
    };
    assert_eq!(
        (part("10%", None), part("100%", None), part("100%", Some(18)), part("5%", None)),
        (1, 19, 18, 0)
    );
    let unknown = Compensation::Share { share: share("10%"), of: FactName::AttemptCredits, at_most: None };
    assert!(given(&[Remedy::Compensate(unknown)], &[]).remove(0).is_nothing());
}

#[test]
fn the_credits_of_an_attempt_are_given_back_as_they_were_charged() {
    let grant = given(&[Remedy::RestoreAttempt], &[(FactName::AttemptCredits, 4)]).remove(0);
    assert_eq!((grant.kind, grant.credits.get(), grant.money), (RemedyKind::RestoreAttempt, 4, None));
    assert!(given(&[Remedy::RestoreAttempt], &[]).remove(0).is_nothing());
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(20_241_219),
        failure_persistence: None,
        ..ProptestConfig::with_cases(512)
    })]

    #[test]
    fn deductions_never_pay_more_than_was_paid_and_never_more_than_none_would(
        price in 0..=i64::MAX,
        list in prop::option::of(0..=i64::MAX),
        credits in prop::array::uniform5(0..=i64::MAX),
        fee in prop::option::of(1..=i64::MAX),
        points in 0..=Share::WHOLE,
        gone in prop::array::uniform3(0..=i64::MAX),
        full in any::<bool>(),
    ) {
        let [unused, used, held, undelivered, bought] = credits;
        let [refunded, pending, returned] = gone;
        let mut numbers = vec![
            (FactName::PriceMinor, price),
            (FactName::Bought, bought),
            (FactName::Unused, unused),
            (FactName::Used, used),
            (FactName::Held, held),
            (FactName::Undelivered, undelivered),
            (FactName::RefundedMinor, refunded),
            (FactName::PendingMinor, pending),
            (FactName::ReturnedMinor, returned),
        ];
        numbers.extend(list.map(|list| (FactName::ListPriceMinor, list)));
        let less = Deductions {
            fee: fee.map(usd_fee).unwrap_or_default(),
            fee_share: Share::from_basis_points(points).unwrap(),
            used_at_list_price: list.is_some(),
        };
        let remedy = |less| if full { Remedy::RefundFull(less) } else { Remedy::RefundUnused(less) };
        let paid = minor(&given(&[remedy(less)], &numbers).remove(0));
        let most = minor(&given(&[remedy(Deductions::default())], &numbers).remove(0));
        prop_assert!(paid <= most);
        let left = price.saturating_sub(refunded).saturating_sub(pending).saturating_sub(returned);
        prop_assert!(most <= left.max(0));
    }
}
