//! Disputes line by line: partial ones, two at once, and credits that come back when it is too late.

use crate::world::{Step, World};
use makegood::domain::lot::Lot;

/// Buys 100 credits as purchase 0 that never expire.
fn bought() -> World {
    let mut world = World::default();
    world.take(&Step::Grant { purchase: 0, source: 0, credits: 100, days: None, salt: 1 });
    world
}

fn used(world: &mut World, cost: i64) {
    world.take(&Step::Hold { cost, outputs: 1 });
    let usage = u8::try_from(world.usages.len() - 1).unwrap();
    world.take(&Step::Capture { usage, delivered: 1 });
}

/// Available, held, frozen, consumed, revoked, refunded and owed of the only lot.
fn line(world: &World) -> [i64; 7] {
    let lot: &Lot = &world.lots[0];
    [lot.available, lot.held, lot.frozen, lot.consumed, lot.revoked, lot.refunded, lot.owed]
        .map(makegood::domain::credits::Credits::get)
}

fn open() -> Step {
    Step::Open { purchase: 0 }
}

fn lose(dispute: u8, returned: i64) -> Step {
    Step::Lose { dispute, returned }
}

fn win(dispute: u8) -> Step {
    Step::Win { dispute }
}

fn fail(usage: u8) -> Step {
    Step::Fail { usage, fault: 0 }
}

/// Takes steps and says what the lot looks like after each.
fn play(mut world: World, story: &[(Step, [i64; 7])]) {
    for (step, after) in story {
        world.take(step);
        assert_eq!(line(&world), *after, "after {step:?}");
    }
}

#[test]
fn a_lost_dispute_is_owed_what_was_spent_and_gets_it_when_it_comes_back() {
    let mut world = bought();
    used(&mut world, 30);
    play(
        world,
        &[
            (open(), [0, 0, 70, 30, 0, 0, 0]),
            (lose(0, 1_000), [0, 0, 0, 30, 70, 0, 30]),
            (fail(0), [0, 0, 0, 0, 100, 0, 0]),
            (win(0), [100, 0, 0, 0, 0, 0, 0]),
        ],
    );
}

#[test]
fn what_comes_back_while_frozen_freezes_and_is_free_when_won() {
    let mut world = bought();
    used(&mut world, 30);
    world.take(&Step::Hold { cost: 20, outputs: 1 });
    play(
        world,
        &[
            (open(), [0, 20, 50, 30, 0, 0, 0]),
            (Step::Release { usage: 1 }, [0, 0, 70, 30, 0, 0, 0]),
            (fail(0), [0, 0, 100, 0, 0, 0, 0]),
            (win(0), [100, 0, 0, 0, 0, 0, 0]),
        ],
    );
}

#[test]
fn a_dispute_over_half_the_price_takes_half_of_what_was_granted_and_frees_the_rest() {
    let mut world = bought();
    used(&mut world, 30);
    play(
        world,
        &[
            (open(), [0, 0, 70, 30, 0, 0, 0]),
            (lose(0, 500), [20, 0, 0, 30, 50, 0, 0]),
            (fail(0), [50, 0, 0, 0, 50, 0, 0]),
            (win(0), [100, 0, 0, 0, 0, 0, 0]),
        ],
    );
}

#[test]
fn a_share_of_the_price_that_is_no_whole_number_of_credits_is_rounded_down() {
    play(bought(), &[(open(), [0, 0, 100, 0, 0, 0, 0]), (lose(0, 333), [67, 0, 0, 0, 33, 0, 0])]);
}

#[test]
fn the_second_open_dispute_keeps_credits_frozen_when_the_first_is_won() {
    play(
        bought(),
        &[
            (open(), [0, 0, 100, 0, 0, 0, 0]),
            (open(), [0, 0, 100, 0, 0, 0, 0]),
            (win(0), [0, 0, 100, 0, 0, 0, 0]),
            (win(1), [100, 0, 0, 0, 0, 0, 0]),
        ],
    );
}

#[test]
fn two_disputes_over_halves_take_their_halves_and_give_back_each_its_own() {
    play(
        bought(),
        &[
            (open(), [0, 0, 100, 0, 0, 0, 0]),
            (open(), [0, 0, 100, 0, 0, 0, 0]),
            (lose(0, 500), [0, 0, 50, 0, 50, 0, 0]),
            (lose(1, 500), [0, 0, 0, 0, 100, 0, 0]),
            (win(0), [50, 0, 0, 0, 50, 0, 0]),
            (win(1), [100, 0, 0, 0, 0, 0, 0]),
        ],
    );
}

#[test]
fn two_parts_of_the_price_that_make_the_whole_take_every_credit() {
    let story = |first, second, after: [[i64; 7]; 3]| {
        play(
            bought(),
            &[
                (open(), [0, 0, 100, 0, 0, 0, 0]),
                (open(), [0, 0, 100, 0, 0, 0, 0]),
                (lose(0, first), after[0]),
                (lose(1, second), [0, 0, 0, 0, 100, 0, 0]),
                (win(0), after[1]),
                (lose(0, first), [0, 0, 0, 0, 100, 0, 0]),
                (win(1), after[2]),
                (win(0), [100, 0, 0, 0, 0, 0, 0]),
            ],
        );
    };
    // 33.3 and 66.7 credits, and the other way round.
    story(333, 667, [[0, 0, 67, 0, 33, 0, 0], [34, 0, 0, 0, 66, 0, 0], [67, 0, 0, 0, 33, 0, 0]]);
    story(667, 333, [[0, 0, 34, 0, 66, 0, 0], [67, 0, 0, 0, 33, 0, 0], [34, 0, 0, 0, 66, 0, 0]]);
}

#[test]
fn one_of_two_lost_disputes_over_the_whole_price_that_is_won_gives_nothing_back() {
    let mut world = bought();
    used(&mut world, 40);
    play(
        world,
        &[
            (open(), [0, 0, 60, 40, 0, 0, 0]),
            (open(), [0, 0, 60, 40, 0, 0, 0]),
            (lose(0, 1_000), [0, 0, 0, 40, 60, 0, 40]),
            (lose(1, 1_000), [0, 0, 0, 40, 60, 0, 40]),
            (win(0), [0, 0, 0, 40, 60, 0, 40]),
            (fail(0), [0, 0, 0, 0, 100, 0, 0]),
            (win(1), [100, 0, 0, 0, 0, 0, 0]),
        ],
    );
}

#[test]
fn two_disputes_over_the_whole_price_never_take_more_than_there_is() {
    let mut world = bought();
    used(&mut world, 40);
    play(
        world,
        &[
            (open(), [0, 0, 60, 40, 0, 0, 0]),
            (open(), [0, 0, 60, 40, 0, 0, 0]),
            (lose(0, 1_000), [0, 0, 0, 40, 60, 0, 40]),
            (lose(1, 1_000), [0, 0, 0, 40, 60, 0, 40]),
            (fail(0), [0, 0, 0, 0, 100, 0, 0]),
            (win(1), [0, 0, 0, 0, 100, 0, 0]),
            (win(0), [100, 0, 0, 0, 0, 0, 0]),
        ],
    );
}

#[test]
fn what_a_victory_gives_back_is_frozen_while_another_dispute_is_open() {
    play(
        bought(),
        &[
            (open(), [0, 0, 100, 0, 0, 0, 0]),
            (lose(0, 1_000), [0, 0, 0, 0, 100, 0, 0]),
            (open(), [0, 0, 0, 0, 100, 0, 0]),
            (win(0), [0, 0, 100, 0, 0, 0, 0]),
            (win(1), [100, 0, 0, 0, 0, 0, 0]),
        ],
    );
}

#[test]
fn a_refund_that_failed_after_the_dispute_was_lost_gives_back_to_revoked() {
    let refund = Step::Refund { purchase: 0 };
    play(
        bought(),
        &[
            (refund, [0, 0, 0, 0, 0, 100, 0]),
            (open(), [0, 0, 0, 0, 0, 100, 0]),
            (lose(0, 1_000), [0, 0, 0, 0, 0, 100, 100]),
            (Step::UndoRefund { refund: 0 }, [0, 0, 0, 0, 100, 0, 0]),
            (win(0), [100, 0, 0, 0, 0, 0, 0]),
        ],
    );
}

#[test]
fn a_hold_open_at_refund_time_stays_out_of_it_and_is_free_when_released() {
    let mut world = bought();
    world.take(&Step::Hold { cost: 30, outputs: 1 });
    play(
        world,
        &[
            (Step::Refund { purchase: 0 }, [0, 30, 0, 0, 0, 70, 0]),
            (Step::Release { usage: 0 }, [30, 0, 0, 0, 0, 70, 0]),
        ],
    );
}

#[test]
fn a_failure_reported_after_the_rest_was_refunded_is_free_again() {
    let mut world = bought();
    used(&mut world, 30);
    play(
        world,
        &[(Step::Refund { purchase: 0 }, [0, 0, 0, 30, 0, 70, 0]), (fail(0), [30, 0, 0, 0, 0, 70, 0])],
    );
}

#[test]
fn credits_that_come_back_to_an_expired_lot_have_thirty_days_and_the_leftovers_do_not() {
    let mut world = World::default();
    world.take(&Step::Grant { purchase: 0, source: 0, credits: 100, days: Some(5), salt: 1 });
    used(&mut world, 30);
    world.take(&Step::Wait { days: 5 });
    assert_eq!(world.model.spendable(), 0, "the instant of expiry is too late");
    world.take(&fail(0));
    assert_eq!(line(&world), [30, 0, 0, 0, 0, 0, 0]);
    assert_eq!(world.lots[0].expired.get(), 70);
    world.take(&Step::Wait { days: 29 });
    assert_eq!(world.model.spendable(), 30);
    world.take(&Step::Wait { days: 1 });
    assert_eq!(world.model.spendable(), 0);
}

#[test]
fn frozen_credits_do_not_expire_and_have_the_same_grace_when_unfrozen() {
    let mut world = World::default();
    world.take(&Step::Grant { purchase: 0, source: 0, credits: 100, days: Some(5), salt: 1 });
    world.take(&open());
    world.take(&Step::Wait { days: 9 });
    world.take(&win(0));
    assert_eq!(world.model.spendable(), 100);
    world.take(&Step::Wait { days: 30 });
    assert_eq!(world.model.spendable(), 0);
}

#[test]
fn a_dispute_does_not_revive_credits_that_had_expired_before_it() {
    let mut world = World::default();
    world.take(&Step::Grant { purchase: 0, source: 0, credits: 100, days: Some(5), salt: 1 });
    world.take(&Step::Wait { days: 6 });
    world.take(&open());
    world.take(&win(0));
    assert_eq!((line(&world)[0], world.lots[0].expired.get()), (0, 100));
}
