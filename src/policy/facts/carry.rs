//! Stored facts under another document: what they still say, and what nobody can know any more.
//!
//! Some facts are computed with parameters: a duplicate is one within the document's window. Under a document with
//! another window the stored fact is the answer to another question. Where the answer follows all the same (none within
//! a week means none within a day), it is carried over; where it does not, the fact is unknown, and never guessed.

use super::claim::apart;
use super::value::{read_word, word};
use super::{FactName, Facts, Value};
use crate::domain::request::{Claim, Detail};
use crate::policy::parameters::Parameters;
use crate::policy::span::Span;
use std::collections::BTreeSet;

/// The number of the present catalogue. It grows by one whenever facts are added after a release, or one changes its
/// meaning, and is stored with every decision.
pub const CATALOGUE: i32 = 1;

/// Facts that came after the first catalogue, each with the number of the catalogue that it came with.
const NEWER: &[(FactName, i32)] = &[];

/// Facts as another document would find them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// What is known; a fact that is missing here and not unknown cannot be known.
    pub facts: Facts,
    /// What was not stored, so that nobody knows it.
    pub unknown: BTreeSet<FactName>,
}

/// Carries facts from decisions under one document over to another.
#[derive(Debug, Clone, Copy)]
pub struct Carrier<'a> {
    other: &'a Parameters,
    recent_refund_window: Change,
    duplicate_window: Change,
    purchase_date_tolerance: Change,
    /// The least number of failures in a row that is an outage under either document; `None` when both agree.
    outage_failures: Option<i64>,
    required_details: bool,
    /// The other document's window, to see whether the nearest duplicate lies within.
    window: Span,
}

/// How a length of time differs from the one that the facts were computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Same,
    Shorter,
    Longer,
}

impl Change {
    fn of(own: Span, other: Span) -> Self {
        match other.cmp(&own) {
            std::cmp::Ordering::Equal => Self::Same,
            std::cmp::Ordering::Less => Self::Shorter,
            std::cmp::Ordering::Greater => Self::Longer,
        }
    }
}

impl<'a> Carrier<'a> {
    /// From a document with these parameters to another one.
    #[must_use]
    pub fn new(own: &Parameters, other: &'a Parameters) -> Self {
        let outage = (own.outage_failures() != other.outage_failures())
            .then(|| own.outage_failures().min(other.outage_failures()));
        let required = |claim: &Claim| own.required_details(*claim) != other.required_details(*claim);
        Self {
            other,
            recent_refund_window: Change::of(own.recent_refund_window(), other.recent_refund_window()),
            duplicate_window: Change::of(own.duplicate_window(), other.duplicate_window()),
            purchase_date_tolerance: Change::of(
                own.purchase_date_tolerance(),
                other.purchase_date_tolerance(),
            ),
            outage_failures: outage,
            required_details: super::CLAIMS
                .iter()
                .filter_map(|claim| read_word(claim))
                .any(|claim| required(&claim)),
            window: other.duplicate_window(),
        }
    }

    /// Carries the facts of one decision over; `catalogue` is the number of the catalogue that it was made with.
    #[must_use]
    pub fn carry(&self, facts: Facts, catalogue: i32) -> Carried {
        let mut carried = Carried { facts, unknown: not_stored(catalogue) };
        carried.unknown.retain(|name| carried.facts.get(*name).is_none());
        self.dates(&mut carried);
        self.details(&mut carried);
        self.refunds(&mut carried);
        self.duplicates(&mut carried);
        self.outages(&mut carried);
        for name in &carried.unknown {
            carried.facts.forget(*name);
        }
        carried
    }

    /// What the claim requires besides what was given can be said again exactly.
    fn details(&self, carried: &mut Carried) {
        let Some(claim) = carried.facts.claim().filter(|_| self.required_details) else { return };
        let mut given = carried.facts.details(FactName::DetailsGiven);
        given.extend(carried.facts.details(FactName::MismatchedDetails));
        let missing = self.other.required_details(claim).difference(&given).map(word).collect();
        carried.facts.put(FactName::MissingDetails, Value::Set(missing));
    }

    /// A date that fits within a day fits within two; one that does not fit within two does not fit within one.
    fn dates(&self, carried: &mut Carried) {
        let fits = |name| carried.facts.details(name).contains(&Detail::PurchasedAt);
        let settled = match self.purchase_date_tolerance {
            Change::Same => true,
            Change::Longer => !fits(FactName::MismatchedDetails),
            Change::Shorter => !fits(FactName::DetailsGiven),
        };
        // A date that nobody could compare with a purchase fits whatever the tolerance.
        if !settled && carried.facts.is_true(FactName::PurchaseKnown) {
            // Which details are missing does not depend on whether they fit, so that one stays known.
            carried.unknown.extend([FactName::MismatchedDetails, FactName::DetailsGiven]);
        }
    }

    fn refunds(&self, carried: &mut Carried) {
        let number = |name| carried.facts.number(name);
        let settled = match self.recent_refund_window {
            Change::Same => true,
            Change::Shorter => number(FactName::RecentRefunds) == Some(0),
            Change::Longer => number(FactName::RecentRefunds) == number(FactName::RefundsEver),
        };
        if !settled {
            carried.unknown.insert(FactName::RecentRefunds);
        }
        // How many compensations there ever were is no fact, so only none within a longer time says anything.
        let compensated = number(FactName::RecentCompensations) != Some(0);
        if self.recent_refund_window == Change::Longer
            || (self.recent_refund_window == Change::Shorter && compensated)
        {
            carried.unknown.insert(FactName::RecentCompensations);
        }
    }

    fn duplicates(&self, carried: &mut Carried) {
        let facts = &mut carried.facts;
        if self.duplicate_window == Change::Same || !facts.is_true(FactName::PurchaseKnown) {
            return;
        }
        let found = facts.number(FactName::DuplicatesFound).unwrap_or(0);
        let nearest = facts.time(FactName::PaidAt).zip(facts.time(FactName::TwinPaidAt));
        let nearest_is_near = nearest.is_some_and(|(paid, twin)| apart(paid, twin) <= self.window);
        match self.duplicate_window {
            Change::Shorter if found > 0 && !nearest_is_near => {
                facts.put(FactName::DuplicatesFound, Value::Number(0));
                facts.forget(FactName::TwinPaidAt);
            }
            // One that stays the nearest of one; of several, the others may lie outside now.
            Change::Shorter if found <= 1 => {}
            Change::Shorter => {
                carried.unknown.insert(FactName::DuplicatesFound);
            }
            // The nearest of those that were found stays the nearest of more.
            Change::Longer if found > 0 => {
                carried.unknown.insert(FactName::DuplicatesFound);
            }
            Change::Longer | Change::Same => {
                carried.unknown.extend([FactName::DuplicatesFound, FactName::TwinPaidAt]);
            }
        }
        let disputed = carried.facts.is_true(FactName::TwinDisputed);
        if disputed == (self.duplicate_window == Change::Shorter) {
            carried.unknown.insert(FactName::TwinDisputed);
        }
    }

    /// Fewer failures than either document calls an outage are none under both; what is left is what was declared.
    fn outages(&self, carried: &mut Carried) {
        let Some(least) = self.outage_failures else { return };
        let failures = carried.facts.number(FactName::PlatformFailures);
        if failures.is_none_or(|failures| failures >= least) {
            carried.unknown.extend([
                FactName::Outage,
                FactName::OutageLasted,
                FactName::OutageEndedAgo,
                FactName::OutageCompensated,
            ]);
        }
    }
}

/// The facts that came after this catalogue; all of them for a number that was never given.
fn not_stored(catalogue: i32) -> BTreeSet<FactName> {
    if catalogue >= CATALOGUE {
        return BTreeSet::new();
    }
    let came_with =
        |fact: &FactName| NEWER.iter().find(|(newer, _)| newer == fact).map_or(1, |(_, with)| *with);
    FactName::ALL.iter().copied().filter(|fact| came_with(fact) > catalogue).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_says_with_which_catalogue_it_came() {
        // A fact added after a release is listed in `NEWER`, and `CATALOGUE` grows: decisions stored before know
        // nothing of it. Until the first release all facts are of the first catalogue.
        assert_eq!(FactName::ALL.len() - NEWER.len(), 60, "see the comment");
        assert!(NEWER.iter().all(|(_, with)| *with > 1));
        assert_eq!(NEWER.iter().map(|(_, with)| *with).max().unwrap_or(1), CATALOGUE);
    }

    #[test]
    fn a_decision_of_the_present_catalogue_stored_everything_and_one_of_none_nothing() {
        assert!(not_stored(CATALOGUE).is_empty());
        assert_eq!(not_stored(0).len(), FactName::ALL.len());
    }
}
