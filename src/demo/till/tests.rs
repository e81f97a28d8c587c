use super::Till;
use crate::proto::makegood::v1::{self, Bucket};

/// Ada bought 100 credits and 10 on top; all arrived.
fn bought() -> Till {
    let mut till = Till::new("Ada", "ada-1".to_owned());
    let price = v1::Money { currency_code: "USD".to_owned(), minor_units: 999 };
    let purchase = v1::Purchase {
        order_id: "A-1".to_owned(),
        credits: 100,
        bonus_credits: 10,
        price: Some(price),
        ..Default::default()
    };
    till.bought(&purchase).unwrap();
    let paid = v1::Lot { source: v1::LotSource::Purchase.into(), granted: 100, ..Default::default() };
    let bonus = v1::Lot { source: v1::LotSource::Bonus.into(), granted: 10, ..Default::default() };
    till.delivered("A-1", &[paid, bonus]).unwrap();
    till
}

fn balance(available: i64, frozen: i64) -> v1::Balance {
    v1::Balance { available, frozen, ..Default::default() }
}

#[test]
fn what_arrived_can_be_spent_and_what_is_held_cannot() {
    let mut till = bought();
    till.held(&v1::Usage { held: 40, ..Default::default() }).unwrap();
    assert_eq!((till.count(Bucket::Available), till.count(Bucket::Held)), (70, 40));
    till.captured(&v1::Usage { captured: 30, released: 10, ..Default::default() }).unwrap();
    assert_eq!((till.count(Bucket::Available), till.count(Bucket::Held), till.used), (80, 0, 30));
}

#[test]
fn a_refund_takes_the_bonus_along_and_not_what_never_arrived() {
    let mut till = Till::new("Dan", "dan-1".to_owned());
    let price = v1::Money { currency_code: "USD".to_owned(), minor_units: 1_000 };
    let purchase = v1::Purchase {
        order_id: "A-1".to_owned(),
        credits: 100,
        price: Some(price.clone()),
        ..Default::default()
    };
    till.bought(&purchase).unwrap();
    let lot = v1::Lot { source: v1::LotSource::Purchase.into(), granted: 40, ..Default::default() };
    till.delivered("A-1", &[lot]).unwrap();
    let mut ada = bought();
    for till in [&mut till, &mut ada] {
        let remedy =
            v1::Remedy { kind: v1::RemedyKind::RefundFull.into(), credits: 100, amount: Some(price.clone()) };
        let decision = v1::Decision { remedies: vec![remedy], ..Default::default() };
        let answer = v1::EvaluateRequestResponse { decision: Some(decision), ..Default::default() };
        till.approved("A-1", &answer).unwrap();
        assert_eq!((till.count(Bucket::Available), till.paid_back), (0, 1_000));
    }
}

#[test]
fn a_balance_that_differs_is_told_in_numbers() {
    let mut till = bought();
    assert_eq!(till.difference(&balance(110, 0)), None);
    let moved = v1::LotMovement {
        credits: 10,
        from_bucket: Bucket::Available.into(),
        to_bucket: Bucket::Frozen.into(),
        ..Default::default()
    };
    till.moved(&[moved]).unwrap();
    assert_eq!(till.difference(&balance(100, 10)), None);
    let difference = till.difference(&balance(110, 0)).unwrap();
    assert_eq!(
        difference,
        "Ada's answers come to 100 available, 0 held and 10 frozen, \
         GetBalance says 110 available, 0 held and 0 frozen"
    );
}

#[test]
fn a_total_that_cannot_be_counted_is_an_error() {
    let mut till = bought();
    assert!(till.held(&v1::Usage { held: i64::MIN, ..Default::default() }).is_err());
}
