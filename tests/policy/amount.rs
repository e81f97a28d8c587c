//! Amounts where the records are odd: earlier refunds that paid less, and facts that contradict each other.

use super::desk::received_at;
use makegood::domain::request::Claim;
use makegood::policy::amount::{Grant, grants};
use makegood::policy::facts::Value;
use makegood::policy::table::{Deductions, Remedy};
use makegood::policy::{FactName, Facts};

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
