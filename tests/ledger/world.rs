//! One account's history, told to the book and to the model at once, and compared after every step.

use crate::model::{GRACE, Model, PRICE, Pot};
use chrono::{DateTime, TimeDelta, Utc};
use makegood::domain::book::{Book, BookError, HoldOrder, Loss, RestoreOutcome, Returned};
use makegood::domain::credits::Credits;
use makegood::domain::entry::{EntryCause, Movement};
use makegood::domain::fault::Fault;
use makegood::domain::ids::{Attempt, Cause, JobId, LotId, PurchaseId};
use makegood::domain::lot::{Bucket, Lot, NewLot, Source};
use makegood::domain::usage::{Failure, Usage, UsageStage};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Something that happens. Small numbers choose among what is there, by remainder.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Grant { purchase: u8, source: u8, credits: i64, days: Option<i64>, salt: u8 },
    Hold { cost: i64, outputs: i32 },
    Capture { usage: u8, delivered: i32 },
    Release { usage: u8 },
    Fail { usage: u8, fault: u8 },
    Open { purchase: u8 },
    Lose { dispute: u8, returned: i64 },
    Win { dispute: u8 },
    Refund { purchase: u8 },
    UndoRefund { refund: u8 },
    Wait { days: i64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    Lost,
    Won,
}

#[derive(Debug)]
struct Dispute {
    purchase: u8,
    stage: Stage,
    returned: i64,
    losses: Vec<Loss>,
}

#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) model: Model,
    pub(crate) lots: Vec<Lot>,
    pub(crate) movements: Vec<Movement>,
    pub(crate) usages: Vec<Usage>,
    disputes: Vec<Dispute>,
    refunds: Vec<(u8, Vec<(LotId, Credits)>)>,
}

pub(crate) fn credits(credits: i64) -> Credits {
    Credits::new(credits).unwrap()
}

pub(crate) fn day(day: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_740_000_000, 0).unwrap() + TimeDelta::days(day)
}

fn purchase_id(purchase: u8) -> PurchaseId {
    PurchaseId(Uuid::from_u128(u128::from(purchase) + 1))
}

fn pick<T>(all: &[T], choice: u8) -> Option<usize> {
    usize::from(choice).checked_rem(all.len())
}

impl World {
    fn open(&self) -> Book {
        Book::open(self.lots.clone(), day(self.model.today), TimeDelta::days(GRACE))
    }

    /// Keeps what a book came to, as the tables would.
    fn keep(&mut self, book: Book) -> Vec<Movement> {
        let changes = book.close();
        for lot in changes.new_lots.into_iter().chain(changes.changed_lots) {
            self.lots.retain(|old| old.lot_id != lot.lot_id);
            self.lots.push(lot);
        }
        self.movements.extend(changes.movements.iter().cloned());
        changes.movements
    }

    pub(crate) fn take(&mut self, step: &Step) {
        match *step {
            Step::Grant { purchase, source, credits, days, salt } => {
                self.grant(purchase, source, credits, days, salt);
            }
            Step::Hold { cost, outputs } => self.hold(cost, outputs),
            Step::Capture { usage, delivered } => self.capture(usage, delivered),
            Step::Release { usage } => self.release(usage),
            Step::Fail { usage, fault } => self.fail(usage, fault),
            Step::Open { purchase } => self.dispute(purchase),
            Step::Lose { dispute, returned } => self.lose(dispute, returned),
            Step::Win { dispute } => {
                if let Some(dispute) = pick(&self.disputes, dispute) {
                    self.win(dispute);
                }
            }
            Step::Refund { purchase } => self.refund(purchase),
            Step::UndoRefund { refund } => self.undo_refund(refund),
            Step::Wait { days } => self.model.today += days,
        }
        self.compare();
    }

    /// Every lot is what the model says, sums up, and is what the movements made of it.
    pub(crate) fn compare(&self) {
        assert_eq!(self.lots.len(), self.model.pots.len());
        let mut told: BTreeMap<(LotId, &str), i64> = BTreeMap::new();
        for movement in &self.movements {
            assert!(!movement.credits.is_zero(), "a movement of nothing: {movement:?}");
            *told.entry((movement.lot_id, movement.from.name())).or_default() -= movement.credits.get();
            *told.entry((movement.lot_id, movement.to.name())).or_default() += movement.credits.get();
        }
        for lot in &self.lots {
            let pot = &self.model.pots[&lot.lot_id.0.as_u128()];
            let mut sum = 0;
            for bucket in Bucket::ALL.iter().filter(|bucket| **bucket != Bucket::Granted) {
                let has = lot.bucket(*bucket).get();
                assert!(has >= 0, "{bucket:?} of {lot:?}");
                assert_eq!(has, pot.has(bucket.name()), "{bucket:?} of {lot:?} and {pot:?}");
                assert_eq!(has, told.get(&(lot.lot_id, bucket.name())).copied().unwrap_or(0), "{lot:?}");
                sum += has;
            }
            assert_eq!((sum, lot.granted.get()), (pot.granted, pot.granted));
            assert_eq!((lot.owed.get(), lot.disputed), (pot.debt, pot.disputed), "{lot:?}");
            assert_eq!(lot.expires_at, pot.expires_on.map(day), "{lot:?}");
        }
        assert_eq!(self.open().balance().unwrap().available.get(), self.model.spendable());
    }

    fn grant(&mut self, purchase: u8, source: u8, granted: i64, days: Option<i64>, salt: u8) {
        let source = [Source::Purchase, Source::Bonus, Source::Promotion][usize::from(source)];
        let purchase = (source != Source::Promotion).then_some(purchase);
        // Nothing is delivered of a purchase that was refunded or returned: the command refuses it.
        let is_over = self.refunds.iter().any(|(of, taken)| Some(*of) == purchase && !taken.is_empty())
            || self.disputes.iter().any(|of| Some(of.purchase) == purchase && of.stage == Stage::Lost);
        if is_over {
            return;
        }
        let id = (u128::from(salt) << 32) + u128::try_from(self.lots.len()).unwrap();
        let expires_on = days.map(|days| self.model.today + days);
        let priority = source.default_priority();
        let disputed = purchase.is_some_and(|purchase| self.is_open(purchase, None));
        let new = NewLot {
            lot_id: LotId(Uuid::from_u128(id)),
            source,
            purchase_id: purchase.map(purchase_id),
            order_id: None,
            priority,
            granted_at: day(self.model.today),
            expires_at: expires_on.map(day),
        };
        let mut book = self.open();
        book.grant(new, credits(granted), disputed, &EntryCause::Person(None)).unwrap();
        self.keep(book);
        let granted_on = self.model.today;
        let buckets = BTreeMap::new();
        let pot = Pot { id, priority, granted_on, expires_on, purchase, granted, debt: 0, disputed, buckets };
        self.model.grant(pot, granted, disputed);
    }

    fn hold(&mut self, cost: i64, outputs: i32) {
        let job_id = JobId::parse(format!("job-{}", self.usages.len())).unwrap();
        let order = HoldOrder {
            attempt: Attempt { job_id, number: 1 },
            cost: credits(cost),
            outputs,
            expires_at: day(self.model.today + 1),
            trace_id: None,
        };
        let available = self.model.spendable();
        let mut book = self.open();
        match (book.hold(order), self.model.hold(cost)) {
            (Ok(usage), Some(taken)) => {
                let allocated: Vec<_> = usage
                    .allocations
                    .iter()
                    .map(|part| (part.lot_id.0.as_u128(), part.taken.get()))
                    .collect();
                assert_eq!(allocated, taken, "another burn order");
                self.keep(book);
                self.usages.push(usage);
            }
            (Err(error), None) => {
                let (needed, available) = (credits(cost), credits(available));
                assert_eq!(error, BookError::InsufficientCredits { needed, available });
                assert!(self.keep(book).is_empty(), "a refused hold moved credits");
            }
            (book, model) => panic!("the book says {book:?} and the model {model:?}"),
        }
    }

    fn capture(&mut self, usage: u8, delivered: i32) {
        let Some(index) = pick(&self.usages, usage) else { return };
        let (mut usage, mut book) = (self.usages[index].clone(), self.open());
        let outcome = book.capture(&mut usage, delivered);
        if self.usages[index].stage != UsageStage::Held {
            assert_eq!(outcome, Err(BookError::NotHeld(self.usages[index].stage)));
        } else if delivered > usage.outputs {
            assert_eq!(outcome, Err(BookError::TooManyOutputs { delivered, asked: usage.outputs }));
        } else {
            outcome.unwrap();
            self.keep(book);
            let charge = usage.cost.get() * i64::from(delivered) / i64::from(usage.outputs);
            assert_eq!(usage.captured().unwrap().get(), charge);
            assert_eq!(usage.released().unwrap().get(), usage.cost.get() - charge);
            self.model.capture(index, i64::from(delivered), i64::from(usage.outputs));
            self.usages[index] = usage;
            return;
        }
        assert_eq!(usage, self.usages[index], "a refused capture changed its usage");
    }

    fn release(&mut self, usage: u8) {
        let Some(index) = pick(&self.usages, usage) else { return };
        let (mut usage, mut book) = (self.usages[index].clone(), self.open());
        let outcome = book.release(&mut usage);
        if self.usages[index].stage != UsageStage::Held {
            assert_eq!(outcome, Err(BookError::NotHeld(self.usages[index].stage)));
            return;
        }
        outcome.unwrap();
        let movements = self.keep(book);
        assert_goes_back(&usage, &movements, Bucket::Held);
        self.model.release(index);
        self.usages[index] = usage;
    }

    fn fail(&mut self, usage: u8, fault: u8) {
        let Some(index) = pick(&self.usages, usage) else { return };
        let fault = [Fault::Platform, Fault::Customer, Fault::Undetermined][usize::from(fault)];
        let now = day(self.model.today);
        let cause = Cause::parse("crash").unwrap();
        let failure = Failure { cause, fault, failed_at: now, reported_at: now, trace_id: None };
        let before = self.usages[index].clone();
        let (mut usage, mut book) = (before.clone(), self.open());
        let report = book.report_failure(&mut usage, failure).unwrap();
        let movements = self.keep(book);
        match report.outcome {
            RestoreOutcome::Restored => {
                let settled = before.failure.clone().filter(|known| known.fault != Fault::Undetermined);
                assert_eq!(settled.map_or(fault, |known| known.fault), Fault::Platform);
                assert_eq!(before.stage, UsageStage::Captured);
                assert_eq!(
                    (report.credits, usage.charged().unwrap()),
                    (before.charged().unwrap(), credits(0))
                );
                assert_goes_back(&usage, &movements, Bucket::Consumed);
                self.model.restore(index);
            }
            RestoreOutcome::Released => {
                assert_eq!(before.stage, UsageStage::Held);
                assert_goes_back(&usage, &movements, Bucket::Held);
                self.model.release(index);
            }
            RestoreOutcome::AlreadyRestored | RestoreOutcome::NotRestorable(_) => {
                assert!(movements.is_empty() && report.credits.is_zero());
            }
        }
        self.usages[index] = usage;
    }

    fn is_open(&self, purchase: u8, except: Option<usize>) -> bool {
        let mut all = self.disputes.iter().enumerate();
        all.any(|(index, of)| of.purchase == purchase && of.stage == Stage::Open && Some(index) != except)
    }

    fn dispute(&mut self, purchase: u8) {
        let mut book = self.open();
        book.freeze(purchase_id(purchase), &EntryCause::Person(None)).unwrap();
        self.keep(book);
        self.model.freeze(purchase);
        self.disputes.push(Dispute { purchase, stage: Stage::Open, returned: 0, losses: Vec::new() });
    }

    fn lose(&mut self, dispute: u8, returned: i64) {
        let Some(index) = pick(&self.disputes, dispute) else { return };
        let (purchase, stage) = (self.disputes[index].purchase, self.disputes[index].stage);
        if stage == Stage::Lost {
            return;
        }
        let id = purchase_id(purchase);
        let mut book = self.open();
        if stage == Stage::Won {
            book.freeze(id, &EntryCause::Person(None)).unwrap();
            self.model.freeze(purchase);
        }
        self.disputes[index].returned = returned;
        self.disputes[index].stage = Stage::Lost;
        let (others, so_far) = (self.lost_besides(index), self.returned(purchase));
        let others: Vec<_> = others.iter().map(|other| self.disputes[*other].losses.clone()).collect();
        let losses = book.revoke_lost(id, &others, so_far, &EntryCause::Person(None)).unwrap();
        self.model.lose(purchase, so_far.minor_units);
        if !self.is_open(purchase, Some(index)) {
            book.unfreeze(id, &EntryCause::Person(None)).unwrap();
            self.model.unfreeze(purchase);
        }
        self.keep(book);
        self.disputes[index].losses = losses;
    }

    /// The other lost disputes over the same purchase, oldest first.
    fn lost_besides(&self, index: usize) -> Vec<usize> {
        let purchase = self.disputes[index].purchase;
        let is_other = |other: &usize| {
            let Dispute { purchase: of, stage, .. } = &self.disputes[*other];
            (*of, *stage) == (purchase, Stage::Lost) && *other != index
        };
        (0..self.disputes.len()).filter(is_other).collect()
    }

    /// What the bank has returned of a purchase's price.
    fn returned(&self, purchase: u8) -> Returned {
        let lost = self.disputes.iter().filter(|of| (of.purchase, of.stage) == (purchase, Stage::Lost));
        let returned: Vec<i64> = lost.map(|of| of.returned).collect();
        Returned { minor_units: returned.iter().sum(), price_minor: PRICE, is_lost: !returned.is_empty() }
    }

    fn win(&mut self, index: usize) {
        let Dispute { purchase, stage, .. } = self.disputes[index];
        let mut book = self.open();
        match stage {
            Stage::Won => return,
            Stage::Lost => {
                let losses = std::mem::take(&mut self.disputes[index].losses);
                self.disputes[index].stage = Stage::Won;
                let (heirs, so_far) = (self.lost_besides(index), self.returned(purchase));
                let mut others: Vec<_> =
                    heirs.iter().map(|other| self.disputes[*other].losses.clone()).collect();
                book.reinstate(&losses, &mut others, so_far, &EntryCause::Person(None)).unwrap();
                for (heir, losses) in heirs.iter().zip(others) {
                    self.disputes[*heir].losses = losses;
                }
                self.model.reinstate(purchase, so_far.minor_units);
            }
            Stage::Open if !self.is_open(purchase, Some(index)) => {
                book.unfreeze(purchase_id(purchase), &EntryCause::Person(None)).unwrap();
                self.model.unfreeze(purchase);
            }
            Stage::Open => {}
        }
        self.keep(book);
        self.disputes[index].stage = Stage::Won;
    }

    /// Wins every dispute, the lost ones among them.
    pub(crate) fn win_all(&mut self) {
        for index in 0..self.disputes.len() {
            self.win(index);
            self.compare();
        }
    }

    fn refund(&mut self, purchase: u8) {
        let mut book = self.open();
        let refunded = book.refund(purchase_id(purchase), &EntryCause::Person(None)).unwrap();
        let taken: Vec<_> =
            self.keep(book).into_iter().map(|movement| (movement.lot_id, movement.credits)).collect();
        let sum = taken.iter().map(|(_, credits)| credits.get()).sum::<i64>();
        assert_eq!(sum, refunded.paid.get() + refunded.bonus.get());
        self.refunds.push((purchase, taken));
        self.model.refund(purchase);
    }

    fn undo_refund(&mut self, refund: u8) {
        let Some(index) = pick(&self.refunds, refund) else { return };
        let mut book = self.open();
        let taken = std::mem::take(&mut self.refunds[index].1);
        book.undo_refund(&taken, &EntryCause::Person(None)).unwrap();
        self.keep(book);
        self.model.undo_refund(index);
    }
}

/// Credits went back to the lots they came from, the last taken first.
fn assert_goes_back(usage: &Usage, movements: &[Movement], from: Bucket) {
    let mut order: Vec<LotId> =
        movements.iter().filter(|movement| movement.from == from).map(|movement| movement.lot_id).collect();
    order.dedup();
    let with_something = usage.allocations.iter().rev().filter(|part| match from {
        Bucket::Held => !part.released.is_zero(),
        _ => !part.captured.is_zero(),
    });
    assert_eq!(order, with_something.map(|part| part.lot_id).collect::<Vec<_>>());
}
