//! What is said about facts, as sets of cells.

use super::diagram::{Diagram, Region};
use super::space::{Cell, Space, Variable};
use crate::domain::request::{Claim, Detail};
use crate::policy::facts::{DETAILS, FactKind, FactName, Facts, Value, read_word, word};
use crate::policy::table::{Ask, Condition, Outcome, Row, Test};
use std::collections::BTreeMap;

/// Most combinations of cells for which figures are compared; a document that cuts finer is proved without.
const MAX_TUPLES: usize = 100_000;

/// The fact space of one document, and the sets of its cells.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) space: Space,
    pub(super) sets: Diagram,
}

impl Field {
    pub(super) fn new(space: Space, most_nodes: usize) -> Self {
        let sets = Diagram::new(space.widths(), most_nodes);
        Self { space, sets }
    }

    /// The cells in all of these.
    pub(super) fn all(&mut self, regions: impl IntoIterator<Item = Region>) -> Region {
        regions.into_iter().fold(Region::ALL, |all, region| self.sets.and(all, region))
    }

    /// The cells in any of these.
    pub(super) fn any(&mut self, regions: impl IntoIterator<Item = Region>) -> Region {
        regions.into_iter().fold(Region::NONE, |any, region| self.sets.or(any, region))
    }

    /// The cells in which the one implies the other.
    pub(super) fn implies(&mut self, one: Region, other: Region) -> Region {
        let not = self.sets.not(one);
        self.sets.or(not, other)
    }

    /// The cells in which both hold or neither does.
    pub(super) fn same(&mut self, one: Region, other: Region) -> Region {
        let there = self.implies(one, other);
        let back = self.implies(other, one);
        self.sets.and(there, back)
    }

    /// The cells in which a fact that is no set is in one of its cells that hold; all cells when nothing is known
    /// of the fact because nobody speaks about it.
    pub(super) fn fact(&mut self, fact: FactName, holds: impl Fn(&Cell) -> bool) -> Region {
        let Some((variable, cells)) = self.space.fact(fact, None) else { return Region::ALL };
        let choices: Vec<bool> = cells.iter().map(holds).collect();
        self.sets.choices(variable, |choice| choices.get(choice) == Some(&true))
    }

    /// Whether anybody speaks about a fact that is no set.
    pub(super) fn speaks(&self, fact: FactName) -> bool {
        self.space.fact(fact, None).is_some()
    }

    /// As [`Field::fact`], but no cells when nobody speaks about the fact.
    pub(super) fn certainly(&mut self, fact: FactName, holds: impl Fn(&Cell) -> bool) -> Region {
        if self.speaks(fact) { self.fact(fact, holds) } else { Region::NONE }
    }

    /// The cells in which numbers can be found, one in each fact's cell, that are related. Whatever cannot be known
    /// is not held against them. `related` is told the first and last number of each cell, in the order of the facts.
    pub(super) fn relation(&mut self, facts: &[FactName], related: impl Fn(&[(i64, i64)]) -> bool) -> Region {
        let mut places: Vec<(usize, usize, Vec<Cell>)> = Vec::new();
        for (at, fact) in facts.iter().enumerate() {
            if let Some((variable, cells)) = self.space.fact(*fact, None) {
                places.push((variable, at, cells.to_vec()));
            }
        }
        let tuples = places.iter().fold(1_usize, |ways, (_, _, cells)| ways.saturating_mul(cells.len()));
        if tuples > MAX_TUPLES {
            return Region::ALL;
        }
        places.sort_by_key(|(variable, _, _)| *variable);
        let mut chosen = vec![(0, i64::MAX); facts.len()];
        self.relate(&places, &mut chosen, &related)
    }

    fn relate(
        &mut self,
        places: &[(usize, usize, Vec<Cell>)],
        chosen: &mut Vec<(i64, i64)>,
        related: &impl Fn(&[(i64, i64)]) -> bool,
    ) -> Region {
        let Some(((variable, at, cells), rest)) = places.split_first() else {
            return if related(chosen) { Region::ALL } else { Region::NONE };
        };
        let mut children = Vec::with_capacity(cells.len());
        for cell in cells {
            let range = match cell {
                Cell::Range(first, last) => Some((*first, *last)),
                _ => None,
            };
            children.push(match (range, chosen.get_mut(*at)) {
                (Some(range), Some(place)) => {
                    *place = range;
                    self.relate(rest, chosen, related)
                }
                _ => Region::ALL,
            });
        }
        if let Some(place) = chosen.get_mut(*at) {
            *place = (0, i64::MAX);
        }
        self.sets.node(*variable, children)
    }

    /// The cells in which one number may be at most another.
    pub(super) fn at_most(&mut self, less: FactName, more: FactName) -> Region {
        self.relation(&[less, more], |cells| match cells {
            [less, more] => less.0 <= more.1,
            _ => true,
        })
    }

    /// The cells in which a fact is one of these words.
    pub(super) fn is(&mut self, fact: FactName, words: &[&str]) -> Region {
        self.fact(fact, |cell| matches!(cell, Cell::Is(Value::Text(text)) if words.contains(&text.as_str())))
    }

    /// The cells in which a fact is true.
    pub(super) fn truth(&mut self, fact: FactName) -> Region {
        self.fact(fact, |cell| *cell == Cell::Is(Value::Bool(true)))
    }

    /// The cells in which a fact may be more than nothing.
    pub(super) fn some(&mut self, fact: FactName) -> Region {
        self.fact(fact, |cell| matches!(cell, Cell::Range(_, last) if *last > 0))
    }

    /// The cells in which a fact, set or not, is known.
    pub(super) fn known(&mut self, fact: FactName) -> Region {
        match self.space.known(fact) {
            Some(variable) => self.sets.choices(variable, |choice| choice == 1),
            None => self.fact(fact, |cell| *cell != Cell::Absent),
        }
    }

    /// The cells in which a set has a word; no cells when the set has no such word.
    pub(super) fn has(&mut self, set: FactName, word: &str) -> Region {
        match self.space.word(set, word) {
            Some(variable) => self.sets.choices(variable, |choice| choice == 1),
            None => Region::NONE,
        }
    }

    /// The cells whose facts a row's conditions fit, whatever the rows before it.
    pub(super) fn row(&mut self, row: &Row) -> Region {
        let speaks = match &row.claims {
            None => Region::ALL,
            Some(claims) => {
                let claims: Vec<String> = claims.iter().map(word).collect();
                let claims: Vec<&str> = claims.iter().map(String::as_str).collect();
                self.is(FactName::Claim, &claims)
            }
        };
        let mut holds = if row.when.is_empty() { Region::ALL } else { Region::NONE };
        for conditions in &row.when {
            let mut every = Region::ALL;
            for condition in conditions {
                let one = self.condition(condition);
                every = self.sets.and(every, one);
            }
            holds = self.sets.or(holds, every);
        }
        let asks = if row.outcome == Outcome::RequestInformation { self.asks(row) } else { Region::ALL };
        self.all([speaks, holds, asks])
    }

    fn condition(&mut self, condition: &Condition) -> Region {
        if let FactKind::Set(_) = condition.fact.kind() {
            let mut every = self.known(condition.fact);
            for test in &condition.tests {
                let one = self.set_test(condition.fact, test);
                every = self.sets.and(every, one);
            }
            return every;
        }
        // What decides requests decides here as well: the condition itself, asked about each cell.
        let Some((variable, cells)) = self.space.fact(condition.fact, condition.key.as_deref()) else {
            return Region::NONE;
        };
        let choices: Vec<bool> = cells.iter().map(|cell| holds_in(condition, cell, &self.space)).collect();
        self.sets.choices(variable, |choice| choices.get(choice) == Some(&true))
    }

    fn set_test(&mut self, set: FactName, test: &Test) -> Region {
        let FactKind::Set(vocabulary) = set.kind() else { return Region::NONE };
        match test {
            Test::Has(words) => {
                let each: Vec<_> = words.iter().map(|word| self.has(set, word)).collect();
                self.all(each)
            }
            Test::HasAny(words) => {
                let each: Vec<_> = words.iter().map(|word| self.has(set, word)).collect();
                self.any(each)
            }
            Test::Lacks(words) => {
                let each: Vec<_> = words.iter().map(|word| self.has(set, word)).collect();
                let any = self.any(each);
                self.sets.not(any)
            }
            Test::Empty(wanted) => {
                let each: Vec<_> = vocabulary.iter().map(|word| self.has(set, word)).collect();
                let any = self.any(each);
                if *wanted { self.sets.not(any) } else { any }
            }
            Test::AnyOutside(other) => {
                let known = self.known(*other);
                let mut outside = Region::NONE;
                for word in vocabulary {
                    let (here, there) = (self.has(set, word), self.has(*other, word));
                    let alone = self.sets.minus(here, there);
                    outside = self.sets.or(outside, alone);
                }
                self.sets.and(known, outside)
            }
            // No condition on a set: the document's reader refuses them.
            Test::Is(_)
            | Test::OneOf(_)
            | Test::NoneOf(_)
            | Test::Exactly(_)
            | Test::AtLeast(_)
            | Test::MoreThan(_)
            | Test::AtMost(_)
            | Test::LessThan(_) => Region::NONE,
        }
    }

    /// The cells in which a row that asks has something left to ask for.
    fn asks(&mut self, row: &Row) -> Region {
        let mut left = Region::NONE;
        for name in DETAILS {
            let Some(detail) = read_word::<Detail>(name) else { continue };
            let asked = self.has(FactName::InformationAsked, name);
            for ask in &row.request {
                let wanted = match ask {
                    Ask::Detail(Detail::OrderId) if detail == Detail::OrderId => Region::ALL,
                    Ask::Detail(known) if *known == detail => {
                        let given = self.has(FactName::DetailsGiven, name);
                        self.sets.not(given)
                    }
                    Ask::Detail(_) => Region::NONE,
                    Ask::DetailsIn(fact) => self.has(*fact, name),
                };
                let fresh = self.sets.minus(wanted, asked);
                left = self.sets.or(left, fresh);
            }
        }
        left
    }
}

/// Whether the condition holds for what stands for the cell.
fn holds_in(condition: &Condition, cell: &Cell, space: &Space) -> bool {
    let mut facts = Facts::new(Claim::Other, space.ordinary.received_at());
    facts.forget(condition.fact);
    if let Some(value) = cell.representative(condition.fact.kind()) {
        let value = match (&condition.key, value) {
            (Some(key), Value::Text(text)) => Value::Map(BTreeMap::from([(key.clone(), text)])),
            (_, value) => value,
        };
        facts.put(condition.fact, value);
    }
    condition.failure(&facts).is_none()
}

/// The facts of a cell, each by itself: as the partition says, not as arithmetic would have it. Where the choice is that
/// of the ordinary case, so is the value; what nobody speaks about is as in the ordinary case.
pub(super) fn representative(space: &Space, cell: &[usize]) -> Facts {
    let mut facts = space.ordinary.clone();
    for fact in space.variables.iter().map(Variable::fact) {
        facts.forget(fact);
    }
    for (variable, (choice, usual)) in space.variables.iter().zip(cell.iter().zip(&space.usual)) {
        match variable {
            Variable::Fact((fact, None), _) if choice == usual => {
                let value = space.ordinary.get(*fact).cloned();
                put(&mut facts, *fact, None, value);
            }
            Variable::Fact((fact, key), cells) => {
                let value = cells.get(*choice).and_then(|cell| cell.representative(fact.kind()));
                put(&mut facts, *fact, key.as_deref(), value);
            }
            Variable::Known(set) if *choice == 1 => facts.put(*set, Value::Set([].into())),
            Variable::Word(set, word) if *choice == 1 => {
                let mut words = facts.words(*set).cloned().unwrap_or_default();
                words.insert((*word).to_owned());
                facts.put(*set, Value::Set(words));
            }
            Variable::Known(_) | Variable::Word(..) => {}
        }
    }
    facts
}

/// Sets a fact, or one key of it, when there is a value.
fn put(facts: &mut Facts, fact: FactName, key: Option<&str>, value: Option<Value>) {
    match (key, value) {
        (_, None) => {}
        (None, Some(value)) => facts.put(fact, value),
        (Some(key), Some(value)) => {
            let mut map = match facts.get(fact) {
                Some(Value::Map(map)) => map.clone(),
                _ => BTreeMap::new(),
            };
            map.insert(key.to_owned(), value.to_string());
            facts.put(fact, Value::Map(map));
        }
    }
}
