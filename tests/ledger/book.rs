//! Random histories.

use crate::world::{Step, World, credits, day};
use chrono::TimeDelta;
use makegood::domain::book::{Book, HoldOrder};
use makegood::domain::credits::Credits;
use makegood::domain::entry::EntryCause;
use makegood::domain::ids::{Attempt, JobId, LotId};
use makegood::domain::lot::{NewLot, Source};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use uuid::Uuid;

/// The same cases in every run.
fn seeded(cases: u32) -> ProptestConfig {
    ProptestConfig {
        rng_seed: RngSeed::Fixed(20_241_219),
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

fn step() -> impl Strategy<Value = Step> {
    let days = prop_oneof![Just(None), (1_i64..12).prop_map(Some)];
    let grant = (0_u8..3, 0_u8..3, 1_i64..120, days, any::<u8>()).prop_map(
        |(purchase, source, credits, days, salt)| Step::Grant { purchase, source, credits, days, salt },
    );
    prop_oneof![
        4 => grant,
        5 => (1_i64..150, 1_i32..6).prop_map(|(cost, outputs)| Step::Hold { cost, outputs }),
        3 => (any::<u8>(), 0_i32..7).prop_map(|(usage, delivered)| Step::Capture { usage, delivered }),
        2 => any::<u8>().prop_map(|usage| Step::Release { usage }),
        3 => (any::<u8>(), 0_u8..3).prop_map(|(usage, fault)| Step::Fail { usage, fault }),
        2 => (0_u8..3).prop_map(|purchase| Step::Open { purchase }),
        2 => (any::<u8>(), prop_oneof![Just(1_000_i64), 1_i64..1_000])
            .prop_map(|(dispute, returned)| Step::Lose { dispute, returned }),
        2 => any::<u8>().prop_map(|dispute| Step::Win { dispute }),
        1 => (0_u8..3).prop_map(|purchase| Step::Refund { purchase }),
        1 => any::<u8>().prop_map(|refund| Step::UndoRefund { refund }),
        2 => (1_i64..8).prop_map(|days| Step::Wait { days }),
    ]
}

proptest! {
    #![proptest_config(seeded(600))]

    #[test]
    fn every_history_leaves_what_the_model_says(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::default();
        for step in &steps {
            world.take(step);
        }
    }

    #[test]
    fn when_every_dispute_is_won_after_all_nothing_stays_revoked_frozen_or_owed(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = World::default();
        for step in &steps {
            world.take(step);
        }
        world.win_all();
        for lot in &world.lots {
            prop_assert_eq!((lot.revoked, lot.frozen, lot.owed), (Credits::ZERO, Credits::ZERO, Credits::ZERO));
            prop_assert!(!lot.disputed);
        }
    }

    #[test]
    fn credits_burn_by_priority_then_expiry_then_age_then_id(
        lots in prop::collection::vec((0_i32..3, prop::option::of(1_i64..4), 0_i64..3, any::<u64>()), 2..12),
    ) {
        let new = |(priority, days, age, id): (i32, Option<i64>, i64, u64)| NewLot {
            lot_id: LotId(Uuid::from_u128(u128::from(id))),
            source: Source::Promotion,
            purchase_id: None,
            order_id: None,
            priority,
            granted_at: day(-age),
            expires_at: days.map(day),
        };
        let mut book = Book::open(Vec::new(), day(0), TimeDelta::zero());
        for lot in &lots {
            book.grant(new(*lot), credits(1), false, &EntryCause::Person(None)).unwrap();
        }
        let burnt: Vec<_> = book.lots().iter().map(|lot| lot.lot_id.0.as_u128()).collect();
        let mut told = lots;
        told.sort_by_key(|(priority, days, age, id)| (*priority, days.unwrap_or(i64::MAX), -age, *id));
        prop_assert_eq!(burnt, told.iter().map(|lot| u128::from(lot.3)).collect::<Vec<_>>());
    }

    #[test]
    fn a_share_is_the_floor_and_never_overflows(cost in 0_i64..1_000_000_000_001, part in 0_i64..1_001, more in 0_i64..1_001) {
        let whole = part + more;
        prop_assume!(whole > 0);
        let share = credits(cost).share(part, whole).unwrap().get();
        let (cost, part, whole, share) = (i128::from(cost), i128::from(part), i128::from(whole), i128::from(share));
        prop_assert!(share * whole <= cost * part && cost * part < (share + 1) * whole);
    }
}

/// An order for credits of a new attempt at a job.
fn order(job: &str, cost: i64) -> HoldOrder {
    HoldOrder {
        attempt: Attempt { job_id: JobId::parse(job).unwrap(), number: 1 },
        cost: credits(cost),
        outputs: 1,
        expires_at: day(90),
        trace_id: None,
    }
}

#[test]
fn a_lot_with_a_grace_burns_by_its_new_expiry_from_the_next_operation_on_the_same_book() {
    let mut book = Book::open(Vec::new(), day(0), TimeDelta::days(30));
    for (id, days) in [(1, 1), (2, 9)] {
        let new = NewLot {
            lot_id: LotId(Uuid::from_u128(id)),
            source: Source::Promotion,
            purchase_id: None,
            order_id: None,
            priority: 100,
            granted_at: day(0),
            expires_at: Some(day(days)),
        };
        book.grant(new, credits(10), false, &EntryCause::Person(None)).unwrap();
    }
    let mut first = book.hold(order("job-1", 10)).unwrap();
    assert_eq!(first.allocations[0].lot_id.0.as_u128(), 1);
    book.turn_to(day(2), TimeDelta::days(30));
    // The first lot ran out; what comes back to it lives until day 32, longer than the second.
    book.release(&mut first).unwrap();
    let next = book.hold(order("job-2", 12)).unwrap();
    let burnt: Vec<_> =
        next.allocations.iter().map(|part| (part.lot_id.0.as_u128(), part.taken.get())).collect();
    assert_eq!(burnt, [(2, 10), (1, 2)]);
}
