//! A refund of the whole price pays for credits that were spent or are held as well: nothing that was refunded can be
//! spent, also when it comes back.

use crate::world::{credits, day};
use chrono::TimeDelta;
use makegood::domain::book::{Book, HoldOrder, RestoreOutcome};
use makegood::domain::credits::Credits;
use makegood::domain::entry::EntryCause;
use makegood::domain::fault::Fault;
use makegood::domain::ids::{Attempt, Cause, JobId, LotId, PurchaseId, RefundId, RefundRequestId};
use makegood::domain::lot::{Bucket, Lot, NewLot, Source};
use makegood::domain::usage::{Failure, Usage};
use uuid::Uuid;

const PURCHASE: PurchaseId = PurchaseId(Uuid::from_u128(1));
const LOT: LotId = LotId(Uuid::from_u128(2));
const BONUS: LotId = LotId(Uuid::from_u128(3));
const WHOLE: RefundId = RefundId(Uuid::from_u128(4));
const PART: RefundId = RefundId(Uuid::from_u128(5));

fn lot(lot_id: LotId, source: Source) -> Lot {
    let mut lot = Lot::empty(NewLot {
        lot_id,
        source,
        purchase_id: Some(PURCHASE),
        order_id: None,
        priority: source.default_priority(),
        granted_at: day(0),
        expires_at: None,
    });
    lot.shift(Bucket::Granted, Bucket::Available, credits(100)).unwrap();
    lot
}

/// A book with 100 bought credits and 100 free ones, of which 30 bought ones are used and 20 are held.
fn used() -> (Book, Usage, Usage) {
    let mut book =
        Book::open(vec![lot(LOT, Source::Purchase), lot(BONUS, Source::Bonus)], day(1), TimeDelta::zero());
    let mut usage = |job: &str, cost: i64| {
        let attempt = Attempt { job_id: JobId::parse(job).unwrap(), number: 1 };
        let order =
            HoldOrder { attempt, cost: credits(cost), outputs: 1, expires_at: day(2), trace_id: None };
        book.hold(order).unwrap()
    };
    // The free ones burn first.
    let (mut first, held) = (usage("first", 130), usage("second", 20));
    book.capture(&mut first, 1).unwrap();
    (book, first, held)
}

fn refund_whole(book: &mut Book) -> Vec<(LotId, i64)> {
    let taken = book.refund(PURCHASE, &EntryCause::Refund(WHOLE)).unwrap();
    book.repay_spent(PURCHASE, WHOLE).unwrap();
    vec![(LOT, taken.paid.get()), (BONUS, taken.bonus.get())]
}

fn fail(book: &mut Book, usage: &mut Usage) -> RestoreOutcome {
    let failure = Failure {
        cause: Cause::parse("gpu_error").unwrap(),
        fault: Fault::Platform,
        failed_at: day(1),
        reported_at: day(1),
        trace_id: None,
    };
    book.report_failure(usage, failure).unwrap().outcome
}

/// Available, held, consumed and refunded credits of a lot.
fn buckets(book: &Book, lot_id: LotId) -> [i64; 4] {
    let lot = book.lots().iter().find(|lot| lot.lot_id == lot_id).unwrap();
    assert_eq!(lot.total().unwrap(), lot.granted);
    [lot.available, lot.held, lot.consumed, lot.refunded].map(Credits::get)
}

#[test]
fn what_comes_back_after_the_whole_price_was_paid_is_given_up() {
    let (mut book, mut first, mut held) = used();
    assert_eq!(refund_whole(&mut book), [(LOT, 50), (BONUS, 0)]);
    assert_eq!(buckets(&book, LOT), [0, 20, 30, 50]);
    book.release(&mut held).unwrap();
    assert_eq!(buckets(&book, LOT), [0, 0, 30, 70]);
    assert_eq!(fail(&mut book, &mut first), RestoreOutcome::Restored);
    assert_eq!(buckets(&book, LOT), [0, 0, 0, 100]);
    // The bonus leaves with the purchase.
    assert_eq!(buckets(&book, BONUS), [0, 0, 0, 100]);
    assert_eq!(book.balance().unwrap().available, credits(0));
}

#[test]
fn what_comes_back_after_a_part_was_paid_can_be_spent() {
    let (mut book, mut first, _) = used();
    book.refund(PURCHASE, &EntryCause::Refund(PART)).unwrap();
    fail(&mut book, &mut first);
    assert_eq!(buckets(&book, LOT), [30, 20, 0, 50]);
}

#[test]
fn a_refund_that_fails_gives_back_what_came_back_meanwhile() {
    let (mut book, mut first, mut held) = used();
    refund_whole(&mut book);
    fail(&mut book, &mut first);
    let request = EntryCause::RefundRequest(RefundRequestId(Uuid::from_u128(6)));
    book.undo_repay_spent(WHOLE, &request).unwrap();
    book.undo_refund(&[(LOT, credits(50))], &EntryCause::Refund(WHOLE)).unwrap();
    assert_eq!(buckets(&book, LOT), [80, 20, 0, 0]);
    assert_eq!(buckets(&book, BONUS), [100, 0, 0, 0]);
    book.release(&mut held).unwrap();
    assert_eq!(buckets(&book, LOT), [100, 0, 0, 0]);
}

#[test]
fn another_refund_that_fails_gives_back_only_its_own() {
    let (mut book, mut first, _) = used();
    book.refund(PURCHASE, &EntryCause::Refund(PART)).unwrap();
    refund_whole(&mut book);
    fail(&mut book, &mut first);
    let request = EntryCause::RefundRequest(RefundRequestId(Uuid::from_u128(6)));
    book.undo_repay_spent(PART, &request).unwrap();
    book.undo_refund(&[(LOT, credits(50))], &EntryCause::Refund(PART)).unwrap();
    assert_eq!(buckets(&book, LOT), [50, 20, 0, 30]);
}
