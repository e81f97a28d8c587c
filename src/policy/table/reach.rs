//! Whether a row holds, without saying why not, and when some facts are not known at all.
//!
//! A fact that is absent because it cannot be known fulfils no condition. A fact that was never stored is another
//! matter: a condition on it may hold or not, and nobody guesses which.

use super::{Ask, Condition, Outcome, Row, Test};
use crate::policy::facts::{FactName, Facts};
use std::collections::BTreeSet;

/// Whether a row holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) enum Reach {
    /// It does.
    Hit,
    /// It does not.
    Miss,
    /// It depends on these facts, which are not known.
    Depends(BTreeSet<FactName>),
}

impl Row {
    /// Whether the row holds for these facts, of which some are `unknown`. With none unknown this says what
    /// [`Row::evaluate`] says.
    pub(in crate::policy) fn reach(&self, facts: &Facts, unknown: &BTreeSet<FactName>) -> Reach {
        if !self.speaks_to(facts) {
            return Reach::Miss;
        }
        let mut open = BTreeSet::new();
        if !self.when.is_empty() {
            let mut alternatives = self.when.iter().map(|all| conjunction(all, facts, unknown));
            // One alternative that surely holds is enough, whatever the others depend on.
            let holds = alternatives.by_ref().any(|reach| match reach {
                Reach::Hit => true,
                Reach::Miss => false,
                Reach::Depends(names) => {
                    open.extend(names);
                    false
                }
            });
            match (holds, open.is_empty()) {
                (true, _) => open.clear(),
                (false, true) => return Reach::Miss,
                (false, false) => return Reach::Depends(open),
            }
        }
        self.reach_of_asking(facts, unknown)
    }

    /// A row that asks holds only while something is left to ask for.
    fn reach_of_asking(&self, facts: &Facts, unknown: &BTreeSet<FactName>) -> Reach {
        if self.outcome != Outcome::RequestInformation {
            return Reach::Hit;
        }
        let sources = self.request.iter().filter_map(|ask| match ask {
            Ask::DetailsIn(fact) => Some(*fact),
            Ask::Detail(_) => None,
        });
        let read = sources.chain([FactName::DetailsGiven, FactName::InformationAsked]);
        let open: BTreeSet<FactName> = read.filter(|fact| unknown.contains(fact)).collect();
        match (open.is_empty(), self.asks(facts).is_empty()) {
            (false, _) => Reach::Depends(open),
            (true, false) => Reach::Hit,
            (true, true) => Reach::Miss,
        }
    }
}

/// All conditions together: one that surely fails settles it.
fn conjunction(conditions: &[Condition], facts: &Facts, unknown: &BTreeSet<FactName>) -> Reach {
    let mut open = BTreeSet::new();
    for condition in conditions {
        let depends = !unknown.is_empty() && condition.reads().any(|fact| unknown.contains(&fact));
        if depends {
            open.extend(condition.reads().filter(|fact| unknown.contains(fact)));
        } else if !condition.holds(facts) {
            return Reach::Miss;
        }
    }
    if open.is_empty() { Reach::Hit } else { Reach::Depends(open) }
}

impl Condition {
    /// The facts that it reads.
    fn reads(&self) -> impl Iterator<Item = FactName> {
        let others = self.tests.iter().filter_map(|test| match test {
            Test::AnyOutside(other) => Some(*other),
            _ => None,
        });
        std::iter::once(self.fact).chain(others)
    }
}
