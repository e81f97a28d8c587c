//! What another document would have made of decisions that were made: a tally over stored facts.

use super::amount::{self, Grant};
use super::decision::{Answer, answer};
use super::document::Document;
use super::facts::{Carrier, FactName, Facts};
use super::table::Outcome;
use crate::domain::credits::Credits;
use crate::domain::ids::{AccountId, DecisionId, RefundRequestId};
use crate::domain::money::{Currency, Money};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Most kinds of flips in a report; the most frequent ones are kept.
pub const MAX_FLIPS: usize = 1_000;

/// Examples of each kind of flip.
pub const MAX_EXAMPLES: usize = 5;

/// Largest flips in a report.
pub const MAX_LARGEST: usize = 20;

/// Names one stored decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The account.
    pub account_id: AccountId,
    /// The request that was decided.
    pub refund_request_id: RefundRequestId,
    /// The decision.
    pub decision_id: DecisionId,
}

/// A decision that was made, as it is stored.
#[derive(Debug, Clone)]
pub struct Past {
    /// Which one.
    pub reference: Reference,
    /// Its outcome.
    pub outcome: Outcome,
    /// The row that decided.
    pub row: String,
    /// The kinds of its remedies, in their order, with commas between.
    pub remedies: String,
    /// The money that it gave.
    pub money: Option<Money>,
    /// The credits that it gave to the customer.
    pub credits: Credits,
    /// Its facts, canonical JSON.
    pub facts: String,
    /// The number of the catalogue of facts that it was made with.
    pub catalogue: i32,
}

/// An outcome and the row that it came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answered {
    /// The outcome.
    pub outcome: Outcome,
    /// The row.
    pub row: String,
}

/// How many decisions went from one answer to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flip {
    /// What was answered.
    pub from: Answered,
    /// What would be answered. The same, where only what is given differs.
    pub to: Answered,
    /// How many.
    pub decisions: u64,
    /// Some of them.
    pub examples: Vec<Reference>,
}

/// One decision that would be another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Which one.
    pub reference: Reference,
    /// What was answered.
    pub from: Answered,
    /// What would be answered.
    pub to: Answered,
    /// Money that was given.
    pub stored: Option<Money>,
    /// Money that would be given.
    pub candidate: Option<Money>,
    /// Credits that would be given, less those that were.
    pub credits_difference: i64,
}

impl Example {
    /// How large the difference is: minor units first, whatever the currency, then credits.
    fn size(&self) -> (u64, u64) {
        let minor = |money: Option<Money>| money.map_or(0, |money| money.minor_units);
        let money = if self.stored.map(|money| money.currency) == self.candidate.map(|money| money.currency) {
            minor(self.candidate).abs_diff(minor(self.stored))
        } else {
            minor(self.candidate).unsigned_abs().saturating_add(minor(self.stored).unsigned_abs())
        };
        (money, self.credits_difference.unsigned_abs())
    }
}

/// Money in one currency: what was given, and what would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// What was given, in minor units.
    pub stored_minor: i64,
    /// What would be given, in minor units.
    pub candidate_minor: i64,
}

/// What came out so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Decisions that were decided again.
    pub replayed: u64,
    /// Decisions of which nobody knows what would be answered.
    pub not_replayable: u64,
    /// Decisions with the same answer and the same remedies.
    pub unchanged: u64,
    /// Money, by currency.
    pub money: BTreeMap<Currency, Sums>,
    /// Credits that would be given, less those that were.
    pub credits_difference: i64,
    /// Facts that were missing, with how often.
    pub missing_facts: BTreeMap<FactName, u64>,
    flips: BTreeMap<(Answered, Answered), (u64, Vec<Reference>)>,
    largest: Vec<Example>,
}

impl Tally {
    /// Decides one decision again, made under the document that the carrier comes from, and counts what came out.
    pub fn add(&mut self, candidate: &Document, carrier: &Carrier<'_>, past: Past) {
        let Ok(facts) = serde_json::from_str::<Facts>(&past.facts) else {
            self.not_replayable = self.not_replayable.saturating_add(1);
            return;
        };
        let known = carrier.carry(facts, past.catalogue);
        match answer(candidate, &known.facts, &known.unknown) {
            Ok(answer) => self.compare(past, &answer),
            Err(names) => self.give_up(names),
        }
    }

    /// Counts a decision of which nobody knows what would be answered.
    pub fn give_up(&mut self, missing: BTreeSet<FactName>) {
        self.not_replayable = self.not_replayable.saturating_add(1);
        for name in missing {
            let count = self.missing_facts.entry(name).or_default();
            *count = count.saturating_add(1);
        }
    }

    fn compare(&mut self, past: Past, answer: &Answer<'_>) {
        self.replayed = self.replayed.saturating_add(1);
        let money = amount::money(&answer.remedies);
        let credits = amount::credits_given(&answer.remedies);
        for (money, is_stored) in [(past.money, true), (money, false)] {
            let Some(Money { currency, minor_units }) = money else { continue };
            let sums = self.money.entry(currency).or_default();
            let sum = if is_stored { &mut sums.stored_minor } else { &mut sums.candidate_minor };
            *sum = sum.saturating_add(minor_units);
        }
        let credits_difference = credits.get().saturating_sub(past.credits.get());
        self.credits_difference = self.credits_difference.saturating_add(credits_difference);
        let same_answer = past.outcome == answer.outcome && past.row == answer.row;
        let same_gift =
            past.money == money && credits_difference == 0 && same_kinds(&past.remedies, &answer.remedies);
        if same_answer && same_gift {
            self.unchanged = self.unchanged.saturating_add(1);
            return;
        }
        self.flip(Example {
            reference: past.reference,
            from: Answered { outcome: past.outcome, row: past.row },
            to: Answered { outcome: answer.outcome, row: answer.row.to_owned() },
            stored: past.money,
            candidate: money,
            credits_difference,
        });
    }

    fn flip(&mut self, example: Example) {
        let (count, examples) = self.flips.entry((example.from.clone(), example.to.clone())).or_default();
        *count = count.saturating_add(1);
        if examples.len() < MAX_EXAMPLES {
            examples.push(example.reference.clone());
        }
        let size = example.size();
        let place = self.largest.partition_point(|known| known.size() >= size);
        if place < MAX_LARGEST {
            self.largest.insert(place, example);
            self.largest.truncate(MAX_LARGEST);
        }
    }

    /// How answers went over into others, the most frequent first; at most [`MAX_FLIPS`].
    #[must_use]
    pub fn flips(&self) -> Vec<Flip> {
        let mut flips: Vec<Flip> = self
            .flips
            .iter()
            .map(|((from, to), (decisions, examples))| Flip {
                from: from.clone(),
                to: to.clone(),
                decisions: *decisions,
                examples: examples.clone(),
            })
            .collect();
        flips.sort_by_key(|flip| Reverse(flip.decisions));
        flips.truncate(MAX_FLIPS);
        flips
    }

    /// The largest flips, by money and then by credits; at most [`MAX_LARGEST`].
    #[must_use]
    pub fn largest(&self) -> &[Example] {
        &self.largest
    }
}

/// Whether these are the kinds that were stored.
fn same_kinds(stored: &str, remedies: &[Grant]) -> bool {
    let stored = stored.split(',').filter(|kind| !kind.is_empty());
    stored.eq(remedies.iter().map(|grant| grant.kind.name()))
}
