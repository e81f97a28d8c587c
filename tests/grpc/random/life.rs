//! Lives: how they are made, and how one that goes wrong is made small.

use super::lots::DAY;
use super::wishes::{Act, act, beginning};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestError;
use std::fmt::Write;

/// Accounts that live side by side.
pub(crate) const ACCOUNTS: usize = 8;
/// Most rounds of a life, and most wishes of an account in a round.
const ROUNDS: usize = 16;
const WISHES: usize = 16;

/// Some time passes, perhaps somebody sweeps, and then every account makes its calls.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    pub(crate) wait: i64,
    pub(crate) sweeps: bool,
    /// By account.
    pub(crate) wishes: Vec<Vec<Act>>,
}

pub(crate) fn life() -> impl Strategy<Value = Vec<Round>> {
    const MINUTE: i64 = 60_000;
    let wait = prop_oneof![
        3 => Just(0),
        3 => Just(5 * MINUTE),
        2 => Just(90 * MINUTE),
        2 => Just(25 * 60 * MINUTE),
        1 => Just(3 * DAY),
        1 => Just(15 * DAY),
    ];
    let wishes = vec(vec(act(), 0..=WISHES), ACCOUNTS);
    let round = (wait, any::<bool>(), wishes);
    let rounds = vec(round.prop_map(|(wait, sweeps, wishes)| Round { wait, sweeps, wishes }), 1..=ROUNDS);
    (vec(beginning(), ACCOUNTS), rounds).prop_map(|(begun, mut rounds)| {
        for (wishes, begun) in rounds[0].wishes.iter_mut().zip(begun) {
            wishes.splice(..0, begun);
        }
        rounds
    })
}

/// A life that can be made smaller: by whole accounts first, then by ever smaller runs of wishes. proptest's own way,
/// wish by wish, would live hundreds of long lives before it came to the point.
pub(crate) struct Shrinking {
    rounds: Vec<Round>,
    /// Every wish as round, account and place, while it is in the life.
    kept: Vec<(usize, usize, usize)>,
    /// The part of `kept` that the present try is without.
    without: Vec<(usize, usize, usize)>,
    /// What is left to be tried in this pass.
    parts: Vec<Vec<(usize, usize, usize)>>,
    /// How many wishes each part of the next pass has.
    next_size: usize,
}

impl Shrinking {
    pub(crate) fn new(rounds: Vec<Round>) -> Self {
        let mut kept = Vec::new();
        for (round, of) in rounds.iter().enumerate() {
            for (account, wishes) in of.wishes.iter().enumerate() {
                kept.extend((0..wishes.len()).map(|place| (round, account, place)));
            }
        }
        let of_account = |account: usize| kept.iter().copied().filter(move |wish| wish.1 == account);
        let parts = (0..ACCOUNTS).map(|account| of_account(account).collect()).collect();
        Self { rounds, without: Vec::new(), parts, next_size: usize::MAX, kept }
    }

    pub(crate) fn wishes(&self) -> usize {
        self.kept.len()
    }

    /// Goes on to the next try, if there is one.
    fn advance(&mut self) -> bool {
        loop {
            if let Some(part) = self.parts.pop() {
                self.without = part;
                if self.without.iter().any(|wish| self.kept.contains(wish)) {
                    return true;
                }
            } else if self.next_size == 0 {
                self.without.clear();
                return false;
            } else {
                let size = self.next_size.min(self.kept.len().div_ceil(2)).max(1);
                self.parts = self.kept.chunks(size).map(<[_]>::to_vec).collect();
                self.next_size = size / 2;
            }
        }
    }
}

impl ValueTree for Shrinking {
    type Value = Vec<Round>;

    fn current(&self) -> Vec<Round> {
        let mut rounds = self.rounds.clone();
        for (number, round) in rounds.iter_mut().enumerate() {
            for (account, wishes) in round.wishes.iter_mut().enumerate() {
                let is_in = |place: usize| {
                    let wish = (number, account, place);
                    self.kept.contains(&wish) && !self.without.contains(&wish)
                };
                let mut place = 0;
                wishes.retain(|_| {
                    place += 1;
                    is_in(place - 1)
                });
            }
        }
        rounds
    }

    /// The try went wrong as well, so it is the life from now on.
    fn simplify(&mut self) -> bool {
        let without = std::mem::take(&mut self.without);
        self.kept.retain(|wish| !without.contains(wish));
        self.advance()
    }

    /// The try went well, so what it was without is needed.
    fn complicate(&mut self) -> bool {
        self.advance()
    }
}

/// What went wrong, and the smallest life in which it did: one line a round or account.
pub(crate) fn told_briefly(error: &TestError<Vec<Round>>) -> String {
    let TestError::Fail(reason, rounds) = error else { return error.to_string() };
    let mut told = format!("{reason}\nin the life");
    for Round { wait, sweeps, wishes } in rounds {
        let _ = write!(told, "\nafter {wait} ms{}", if *sweeps { " and a sweep" } else { "" });
        for (account, wishes) in wishes.iter().enumerate().filter(|(_, wishes)| !wishes.is_empty()) {
            let _ = write!(told, "\n  account {account}: {wishes:?}");
        }
    }
    told
}
