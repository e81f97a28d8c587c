//! Decision diagrams: sets of cells of the fact space, kept small by sharing.
//!
//! A cell is one choice for each variable. A set of cells is a node that names the first variable which matters to it
//! and, for each choice of that variable, the set that is left; equal sets are one node. So a set that leaves most
//! variables open stays small however many cells it holds, and two sets are equal only when their numbers are.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// Most nodes of one analysis: a dozen times what the shipped document needs, and a few hundred megabytes at most.
pub(super) const MAX_NODES: usize = 1_000_000;

/// Steps that an analysis may take for each node that it may have: several sets are made of the same nodes.
const STEPS_PER_NODE: usize = 16;

/// A set of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Region(u32);

impl Region {
    /// No cell.
    pub(super) const NONE: Self = Self(0);
    /// Every cell.
    pub(super) const ALL: Self = Self(1);

    pub(super) fn is_empty(self) -> bool {
        self == Self::NONE
    }
}

/// A choice for each variable, in the order of the variables.
pub(super) type Assignment = Vec<usize>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Operation {
    And,
    Or,
    Minus,
}

#[derive(Debug)]
struct Node {
    variable: usize,
    children: Arc<[u32]>,
}

/// All sets of one analysis.
#[derive(Debug)]
pub(super) struct Diagram {
    /// How many choices each variable has, in order.
    widths: Vec<usize>,
    /// Most nodes.
    most: usize,
    nodes: Vec<Node>,
    known: Map<(usize, Arc<[u32]>), u32>,
    done: Map<(u8, u32, u32), Region>,
}

impl Diagram {
    /// The sets over variables with so many choices each, made of at most so many nodes.
    pub(super) fn new(widths: Vec<usize>, most: usize) -> Self {
        // The two nodes without a variable stand for no cell and for every cell; no variable comes after them.
        let end = |number| Node { variable: usize::MAX, children: Arc::from([number]) };
        Self { widths, most, nodes: vec![end(0), end(1)], known: Map::default(), done: Map::default() }
    }

    /// How many nodes there are.
    pub(super) fn size(&self) -> usize {
        self.nodes.len()
    }

    /// Whether the analysis has outgrown its bound. From then on answers are worthless.
    pub(super) fn is_full(&self) -> bool {
        self.nodes.len() >= self.most || self.done.len() >= self.most.saturating_mul(STEPS_PER_NODE)
    }

    /// The cells in which the variable has a choice that holds.
    pub(super) fn choices(&mut self, variable: usize, holds: impl Fn(usize) -> bool) -> Region {
        let width = self.widths.get(variable).copied().unwrap_or(0);
        let children = (0..width).map(|choice| if holds(choice) { Region::ALL } else { Region::NONE });
        let children = children.collect();
        self.node(variable, children)
    }

    /// The set that is left of each choice. The variable comes before all those of the children.
    pub(super) fn node(&mut self, variable: usize, children: Vec<Region>) -> Region {
        let Some(first) = children.first().copied() else { return Region::NONE };
        if children.iter().all(|child| *child == first) {
            return first;
        }
        let children: Arc<[u32]> = children.into_iter().map(|child| child.0).collect();
        let key = (variable, Arc::clone(&children));
        if let Some(number) = self.known.get(&key) {
            return Region(*number);
        }
        let Ok(number) = u32::try_from(self.nodes.len()) else { return Region::NONE };
        if self.is_full() {
            return Region::NONE;
        }
        self.nodes.push(Node { variable, children });
        self.known.insert(key, number);
        Region(number)
    }

    /// The cells in both.
    pub(super) fn and(&mut self, one: Region, other: Region) -> Region {
        match (one, other) {
            (Region::NONE, _) | (_, Region::NONE) => Region::NONE,
            (Region::ALL, region) | (region, Region::ALL) => region,
            _ if one == other => one,
            // Either order is the same set: remembered once.
            _ => self.apply(Operation::And, Region(one.0.min(other.0)), Region(one.0.max(other.0))),
        }
    }

    /// The cells in either.
    pub(super) fn or(&mut self, one: Region, other: Region) -> Region {
        match (one, other) {
            (Region::ALL, _) | (_, Region::ALL) => Region::ALL,
            (Region::NONE, region) | (region, Region::NONE) => region,
            _ if one == other => one,
            _ => self.apply(Operation::Or, Region(one.0.min(other.0)), Region(one.0.max(other.0))),
        }
    }

    /// The cells of the one that are not in the other.
    pub(super) fn minus(&mut self, one: Region, other: Region) -> Region {
        match (one, other) {
            (Region::NONE, _) | (_, Region::ALL) => Region::NONE,
            (region, Region::NONE) => region,
            _ if one == other => Region::NONE,
            _ => self.apply(Operation::Minus, one, other),
        }
    }

    /// All other cells.
    pub(super) fn not(&mut self, region: Region) -> Region {
        self.minus(Region::ALL, region)
    }

    fn apply(&mut self, operation: Operation, one: Region, other: Region) -> Region {
        let key = (operation as u8, one.0, other.0);
        if let Some(done) = self.done.get(&key) {
            return *done;
        }
        if self.is_full() {
            return Region::NONE;
        }
        let variable = self.variable(one).min(self.variable(other));
        let width = self.widths.get(variable).copied().unwrap_or(0);
        let mut children = Vec::with_capacity(width);
        for choice in 0..width {
            let (left, right) = (self.child(one, variable, choice), self.child(other, variable, choice));
            children.push(match operation {
                Operation::And => self.and(left, right),
                Operation::Or => self.or(left, right),
                Operation::Minus => self.minus(left, right),
            });
        }
        let done = self.node(variable, children);
        self.done.insert(key, done);
        done
    }

    /// What is left of a set once variables have been chosen, each at most once; the variables matter no more.
    pub(super) fn given(&mut self, region: Region, chosen: &[(usize, usize)]) -> Region {
        self.cut(region, chosen, &mut HashMap::new())
    }

    fn cut(
        &mut self,
        region: Region,
        chosen: &[(usize, usize)],
        done: &mut HashMap<Region, Region>,
    ) -> Region {
        let variable = self.variable(region);
        if variable == usize::MAX {
            return region;
        }
        if let Some(known) = done.get(&region) {
            return *known;
        }
        let cut = match chosen.iter().find(|(known, _)| *known == variable) {
            Some((_, choice)) => {
                let child = self.child(region, variable, *choice);
                self.cut(child, chosen, done)
            }
            None => {
                let width = self.widths.get(variable).copied().unwrap_or(0);
                let children: Vec<_> =
                    (0..width).map(|choice| self.child(region, variable, choice)).collect();
                let children = children.into_iter().map(|child| self.cut(child, chosen, done)).collect();
                self.node(variable, children)
            }
        };
        done.insert(region, cut);
        cut
    }

    /// Whether the cell is in the set.
    pub(super) fn holds(&self, region: Region, cell: &[usize]) -> bool {
        let mut region = region;
        while self.variable(region) != usize::MAX {
            let variable = self.variable(region);
            region = self.child(region, variable, cell.get(variable).copied().unwrap_or(0));
        }
        region == Region::ALL
    }

    /// A cell of the set that costs least; of equals the one whose first choices are lowest. Every variable has a
    /// choice that costs nothing, taken where the set leaves it open.
    pub(super) fn cheapest(&self, region: Region, cost: impl Fn(usize, usize) -> u32) -> Option<Assignment> {
        if region.is_empty() {
            return None;
        }
        let mut known = HashMap::new();
        self.price(region, &cost, &mut known);
        let free = |variable: usize, width: usize| {
            (0..width).find(|choice| cost(variable, *choice) == 0).unwrap_or(0)
        };
        let mut cell: Assignment =
            self.widths.iter().enumerate().map(|(variable, width)| free(variable, *width)).collect();
        let mut region = region;
        while self.variable(region) != usize::MAX {
            let variable = self.variable(region);
            let (_, choice) = known.get(&region).copied().unwrap_or_default();
            if let Some(chosen) = cell.get_mut(variable) {
                *chosen = choice;
            }
            region = self.child(region, variable, choice);
        }
        Some(cell)
    }

    /// The least cost of a set and the first choice on the way there; `None` when it is empty.
    fn price(
        &self,
        region: Region,
        cost: &impl Fn(usize, usize) -> u32,
        known: &mut HashMap<Region, (u32, usize)>,
    ) -> Option<u32> {
        let variable = self.variable(region);
        if variable == usize::MAX {
            return (region == Region::ALL).then_some(0);
        }
        if let Some((price, _)) = known.get(&region) {
            return Some(*price);
        }
        let width = self.widths.get(variable).copied().unwrap_or(0);
        let mut best: Option<(u32, usize)> = None;
        for choice in 0..width {
            let left = self.price(self.child(region, variable, choice), cost, known);
            let Some(price) = left.map(|left| left.saturating_add(cost(variable, choice))) else { continue };
            if best.is_none_or(|(least, _)| price < least) {
                best = Some((price, choice));
            }
        }
        let best = best?;
        known.insert(region, best);
        Some(best.0)
    }

    /// How many cells the set holds, at most `u128::MAX`.
    pub(super) fn count(&self, region: Region) -> u128 {
        let below = self.below(region, &mut HashMap::new());
        self.open(0, self.variable(region)).saturating_mul(below)
    }

    fn below(&self, region: Region, known: &mut HashMap<Region, u128>) -> u128 {
        let variable = self.variable(region);
        if variable == usize::MAX {
            return u128::from(region == Region::ALL);
        }
        if let Some(count) = known.get(&region) {
            return *count;
        }
        let width = self.widths.get(variable).copied().unwrap_or(0);
        let mut count = 0_u128;
        for choice in 0..width {
            let child = self.child(region, variable, choice);
            let open = self.open(variable.saturating_add(1), self.variable(child));
            count = count.saturating_add(open.saturating_mul(self.below(child, known)));
        }
        known.insert(region, count);
        count
    }

    /// In how many ways the variables from `first` to before `end` can be chosen.
    fn open(&self, first: usize, end: usize) -> u128 {
        let widths = self.widths.get(first..end.min(self.widths.len())).unwrap_or_default();
        widths.iter().fold(1, |ways: u128, width| ways.saturating_mul(u128::try_from(*width).unwrap_or(1)))
    }

    /// The first variable that matters; `usize::MAX` when none does.
    fn variable(&self, region: Region) -> usize {
        self.at(region).map_or(usize::MAX, |node| node.variable)
    }

    /// What is left when the variable, not after the set's first, is chosen.
    fn child(&self, region: Region, variable: usize, choice: usize) -> Region {
        match self.at(region) {
            Some(node) if node.variable == variable => {
                node.children.get(choice).copied().map_or(Region::NONE, Region)
            }
            _ => region,
        }
    }

    fn at(&self, region: Region) -> Option<&Node> {
        self.nodes.get(usize::try_from(region.0).ok()?)
    }
}

type Map<K, V> = HashMap<K, V, BuildHasherDefault<Mixer>>;

/// A quick hash for the small numbers that name sets. Nobody chooses them to collide: they count nodes.
#[derive(Debug, Default)]
struct Mixer(u64);

impl Mixer {
    fn mix(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0 ^ self.0.rotate_right(32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            self.mix(chunk.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte)));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.mix(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.mix(u64::from(number));
    }

    fn write_usize(&mut self, number: usize) {
        self.mix(u64::try_from(number).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests;
