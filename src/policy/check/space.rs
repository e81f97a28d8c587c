//! The partition of the fact space: every fact falls into one of the few cells that the document can tell apart.
//!
//! A number is cut where a condition's bound cuts it, a word or a text into those that can be told apart, a set into
//! one yes or no for each of its words, and every fact may be absent. Facts that neither the document nor a guardrail
//! speaks about are left out: no answer depends on them.

use super::ordinary;
use crate::policy::document::Document;
use crate::policy::facts::{FactKind, FactName, Facts, Value};
use crate::policy::share::Share;
use crate::policy::span::Span;
use crate::policy::table::{Remedy, Test};
use std::collections::{BTreeMap, BTreeSet};

/// A fact, or one key of a fact that is text by key.
pub(super) type Place = (FactName, Option<String>);

/// Values of one fact that nothing tells apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    /// The fact cannot be known.
    Absent,
    /// Exactly this.
    Is(Value),
    /// Any text that the document does not name, such as this one.
    Other(String),
    /// From the first to the last number, in the unit of the fact.
    Range(i64, i64),
}

impl Cell {
    /// The value that stands for all of the cell; `None` when the fact is absent.
    pub(super) fn representative(&self, kind: FactKind) -> Option<Value> {
        match self {
            Self::Absent => None,
            Self::Is(value) => Some(value.clone()),
            Self::Other(text) => Some(Value::Text(text.clone())),
            Self::Range(first, _) => Some(of_number(kind, *first)),
        }
    }

    /// Whether the value of a fact, or its absence, is in the cell. [`Cell::Other`] is asked last.
    fn takes(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Self::Absent, value) => value.is_none(),
            (Self::Is(known), Some(value)) => known == value,
            (Self::Other(_), Some(Value::Text(_))) => true,
            (Self::Range(first, last), Some(value)) => {
                value.number().is_some_and(|number| (*first..=*last).contains(&number))
            }
            _ => false,
        }
    }
}

/// A number in the unit of the fact as a value of its kind.
pub(super) fn of_number(kind: FactKind, number: i64) -> Value {
    match kind {
        FactKind::Share => Value::Share(Share::of(number, Share::WHOLE)),
        FactKind::Duration => Value::Duration(Span::from_micros(number).unwrap_or_default()),
        _ => Value::Number(number),
    }
}

/// One choice that makes a cell of the whole space.
#[derive(Debug)]
pub(super) enum Variable {
    /// In which of its cells a fact is.
    Fact(Place, Vec<Cell>),
    /// Whether a set is known: no, yes.
    Known(FactName),
    /// Whether a set has a word: no, yes.
    Word(FactName, &'static str),
}

impl Variable {
    fn width(&self) -> usize {
        match self {
            Self::Fact(_, cells) => cells.len(),
            Self::Known(_) | Self::Word(..) => 2,
        }
    }

    /// The fact that it is about.
    pub(super) fn fact(&self) -> FactName {
        match self {
            Self::Fact((fact, _), _) | Self::Known(fact) | Self::Word(fact, _) => *fact,
        }
    }
}

/// The partitioned fact space of one document.
#[derive(Debug)]
pub(super) struct Space {
    pub(super) variables: Vec<Variable>,
    facts: BTreeMap<Place, usize>,
    known: BTreeMap<FactName, usize>,
    words: BTreeMap<(FactName, &'static str), usize>,
    /// The case from which examples differ as little as they can.
    pub(super) ordinary: Facts,
    /// The cell of the ordinary case.
    pub(super) usual: Vec<usize>,
}

/// Facts that guardrails and what can occur are said by, whatever the document speaks about. They come first in the
/// order of the variables: the first rows of a table ask for them, and so the sets stay small.
const ALWAYS: [FactName; 29] = [
    FactName::Claim,
    FactName::PurchaseKnown,
    FactName::EvidenceGiven,
    FactName::EvidenceReused,
    FactName::Violation,
    FactName::Dispute,
    FactName::Refunded,
    FactName::RestorationPossible,
    FactName::Standing,
    FactName::MissingDetails,
    FactName::MismatchedDetails,
    FactName::DetailsGiven,
    FactName::InformationAsked,
    FactName::Untouched,
    FactName::Unused,
    FactName::Undelivered,
    FactName::Held,
    FactName::Used,
    FactName::FailedOfPurchase,
    FactName::FailedCredits,
    FactName::CreditsRefunded,
    FactName::RecentRefunds,
    FactName::Currency,
    FactName::PriceMinor,
    FactName::PurchaseKind,
    FactName::Outage,
    FactName::AttemptKnown,
    FactName::AttemptResult,
    FactName::ListPriceMinor,
];

/// Where a fact must be told apart.
#[derive(Debug, Default)]
struct Cuts {
    /// Numbers that begin a cell.
    numbers: BTreeSet<i64>,
    texts: BTreeSet<String>,
}

impl Space {
    /// Cuts the facts where the document does.
    pub(super) fn of(document: &Document) -> Self {
        let cuts = cuts(document);
        let mut space = Self {
            variables: Vec::new(),
            facts: BTreeMap::new(),
            known: BTreeMap::new(),
            words: BTreeMap::new(),
            ordinary: ordinary::case(document),
            usual: Vec::new(),
        };
        let late = cuts.keys().filter(|(fact, _)| !ALWAYS.contains(fact)).cloned();
        let order: Vec<Place> = ALWAYS.iter().map(|fact| (*fact, None)).chain(late).collect();
        for (at, place) in order.iter().enumerate() {
            match place.0.kind() {
                // All sets of the same words at once, word by word: conditions compare them so.
                FactKind::Set(words) => {
                    let alike = |(fact, _): &&Place| fact.kind() == FactKind::Set(words);
                    if order.iter().take(at).all(|place| !alike(&place)) {
                        let sets: Vec<FactName> = order.iter().filter(alike).map(|(fact, _)| *fact).collect();
                        space.add_sets(&sets, words);
                    }
                }
                _ => {
                    let none = Cuts::default();
                    let cells = cells(place.0, cuts.get(place).unwrap_or(&none));
                    space.facts.insert(place.clone(), space.variables.len());
                    space.variables.push(Variable::Fact(place.clone(), cells));
                }
            }
        }
        space.usual = space.cell_of(&space.ordinary);
        space
    }

    fn add_sets(&mut self, sets: &[FactName], words: &[&'static str]) {
        for set in sets {
            self.known.insert(*set, self.variables.len());
            self.variables.push(Variable::Known(*set));
        }
        for word in words {
            for set in sets {
                self.words.insert((*set, *word), self.variables.len());
                self.variables.push(Variable::Word(*set, word));
            }
        }
    }

    /// How many choices each variable has.
    pub(super) fn widths(&self) -> Vec<usize> {
        self.variables.iter().map(Variable::width).collect()
    }

    /// The variable and the cells of a fact that is no set; `None` when the document does not speak about it.
    pub(super) fn fact(&self, fact: FactName, key: Option<&str>) -> Option<(usize, &[Cell])> {
        let variable = *self.facts.get(&(fact, key.map(str::to_owned)))?;
        match self.variables.get(variable)? {
            Variable::Fact(_, cells) => Some((variable, cells)),
            Variable::Known(_) | Variable::Word(..) => None,
        }
    }

    /// The variables of a fact that is no set: one, or one for each key that the document speaks about.
    pub(super) fn variables_of(&self, fact: FactName) -> Vec<usize> {
        self.facts.iter().filter(|((known, _), _)| *known == fact).map(|(_, at)| *at).collect()
    }

    /// The variable that says whether a set is known.
    pub(super) fn known(&self, set: FactName) -> Option<usize> {
        self.known.get(&set).copied()
    }

    /// The variable that says whether a set has a word.
    pub(super) fn word(&self, set: FactName, word: &str) -> Option<usize> {
        self.words.iter().find(|((fact, known), _)| *fact == set && *known == word).map(|(_, at)| *at)
    }

    /// The cell that these facts fall into.
    pub(super) fn cell_of(&self, facts: &Facts) -> Vec<usize> {
        self.variables.iter().map(|variable| choice(variable, facts)).collect()
    }
}

fn choice(variable: &Variable, facts: &Facts) -> usize {
    match variable {
        Variable::Known(set) => usize::from(facts.words(*set).is_some()),
        Variable::Word(set, word) => {
            usize::from(facts.words(*set).is_some_and(|words| words.contains(*word)))
        }
        Variable::Fact((fact, key), cells) => {
            let value = facts.get(*fact);
            let keyed = key.as_deref().map(|key| match value {
                Some(Value::Map(map)) => map.get(key).map(|text| Value::Text(text.clone())),
                _ => None,
            });
            let value = keyed.as_ref().map_or(value, Option::as_ref);
            cells.iter().position(|cell| cell.takes(value)).unwrap_or(0)
        }
    }
}

/// Where the document's conditions cut, and what the guardrails need to tell apart.
fn cuts(document: &Document) -> BTreeMap<Place, Cuts> {
    let mut cuts: BTreeMap<Place, Cuts> = BTreeMap::new();
    for condition in document.rows().iter().flat_map(|row| &row.when).flatten() {
        for test in &condition.tests {
            cut(cuts.entry((condition.fact, condition.key.clone())).or_default(), test);
            if let Test::AnyOutside(other) = test {
                cuts.entry((*other, None)).or_default();
            }
        }
    }
    let limits = document.parameters().limits();
    let some = [
        FactName::Unused,
        FactName::Undelivered,
        FactName::Held,
        FactName::Used,
        FactName::FailedOfPurchase,
        FactName::FailedCredits,
        FactName::CreditsRefunded,
        FactName::PriceMinor,
    ];
    for fact in some {
        cuts.entry((fact, None)).or_default().numbers.insert(1);
    }
    let recent = limits.recent_refunds_at_most.saturating_add(1);
    cuts.entry((FactName::RecentRefunds, None)).or_default().numbers.insert(recent);
    let amounts = document.rows().iter().flat_map(|row| &row.remedies).filter_map(|remedy| match remedy {
        Remedy::RefundFixed(amounts) => Some(amounts),
        Remedy::RefundUnused(less) | Remedy::RefundFull(less) => Some(&less.fee),
        Remedy::RestoreUndelivered
        | Remedy::RestoreFailed
        | Remedy::RestoreAttempt
        | Remedy::Compensate(_) => None,
    });
    let codes = limits.approve_at_most.keys().chain(amounts.flat_map(BTreeMap::keys));
    let codes = codes.map(|currency| currency.code().to_owned());
    cuts.entry((FactName::Currency, None)).or_default().texts.extend(codes);
    cuts
}

fn cut(cuts: &mut Cuts, test: &Test) {
    match test {
        Test::OneOf(words) | Test::NoneOf(words) => cuts.texts.extend(words.iter().cloned()),
        Test::Exactly(bound) => cuts.numbers.extend([bound.number, bound.number.saturating_add(1)]),
        Test::AtLeast(bound) | Test::LessThan(bound) => cuts.numbers.extend([bound.number]),
        Test::MoreThan(bound) | Test::AtMost(bound) => cuts.numbers.extend([bound.number.saturating_add(1)]),
        // Truths and sets are told apart whole.
        Test::Is(_)
        | Test::Has(_)
        | Test::HasAny(_)
        | Test::Lacks(_)
        | Test::Empty(_)
        | Test::AnyOutside(_) => {}
    }
}

fn cells(fact: FactName, cuts: &Cuts) -> Vec<Cell> {
    let text = |word: &str| Cell::Is(Value::Text(word.to_owned()));
    let mut cells = vec![Cell::Absent];
    match fact.kind() {
        FactKind::Bool => cells.extend([false, true].map(|truth| Cell::Is(Value::Bool(truth)))),
        FactKind::Word(words) => cells.extend(words.iter().map(|word| text(word))),
        FactKind::Text | FactKind::Map => {
            cells.extend(cuts.texts.iter().map(|word| text(word)));
            cells.push(Cell::Other(another(fact, &cuts.texts)));
        }
        FactKind::Count | FactKind::Credits | FactKind::Minor | FactKind::Duration => {
            cells.extend(ranges(&cuts.numbers, i64::MAX));
        }
        FactKind::Share => cells.extend(ranges(&cuts.numbers, Share::WHOLE)),
        // Instants take no conditions, and sets are cut by their words.
        FactKind::Time | FactKind::Set(_) => {}
    }
    cells
}

fn ranges(cuts: &BTreeSet<i64>, last: i64) -> Vec<Cell> {
    let begins: Vec<i64> = std::iter::once(0).chain(cuts.range(1..=last).copied()).collect();
    let ends = begins.iter().skip(1).map(|next| next.saturating_sub(1)).chain([last]);
    begins.iter().zip(ends).map(|(first, end)| Cell::Range(*first, end)).collect()
}

/// A text that is not among these; for a currency, a real one.
fn another(fact: FactName, texts: &BTreeSet<String>) -> String {
    let currencies: &[&str] = &["SEK", "NOK", "DKK", "PLN", "MXN", "ZAR", "XTS"];
    let known = if fact == FactName::Currency { currencies } else { &["another"] };
    match known.iter().find(|text| !texts.contains(**text)) {
        Some(text) => (*text).to_owned(),
        // Longer than any of them, so none of them.
        None => "x".repeat(texts.iter().map(String::len).max().unwrap_or(0).saturating_add(1)),
    }
}
