//! Diagrams against plain sets of cells.

use super::*;
use std::collections::BTreeSet;

const WIDTHS: [usize; 4] = [2, 3, 2, 4];

fn cells() -> Vec<Assignment> {
    let mut cells = vec![Vec::new()];
    for width in WIDTHS {
        cells = cells
            .into_iter()
            .flat_map(|cell: Assignment| (0..width).map(move |choice| [cell.clone(), vec![choice]].concat()))
            .collect();
    }
    cells
}

/// Numbers that look random and are the same in every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap().checked_rem(end).unwrap()
    }
}

/// A region made of random choices and operations, with the plain set that it must be.
fn drawn(sets: &mut Diagram, draw: &mut Draw) -> (Region, BTreeSet<Assignment>) {
    let (mut region, mut plain) = (Region::NONE, BTreeSet::new());
    for _ in 0..6 {
        let variable = draw.below(WIDTHS.len());
        let wanted = draw.below(WIDTHS[variable]);
        let one = sets.choices(variable, |choice| choice == wanted);
        let same: BTreeSet<_> = cells().into_iter().filter(|cell| cell[variable] == wanted).collect();
        (region, plain) = match draw.below(3) {
            0 => (sets.or(region, one), &plain | &same),
            1 => (sets.minus(region, one), plain.difference(&same).cloned().collect()),
            _ => {
                let not = sets.not(region);
                let not_plain =
                    cells().into_iter().filter(|cell| !plain.contains(cell)).collect::<BTreeSet<_>>();
                (sets.and(not, one), &not_plain & &same)
            }
        };
    }
    (region, plain)
}

#[test]
fn a_region_holds_the_cells_of_the_plain_set() {
    let mut sets = Diagram::new(WIDTHS.to_vec(), MAX_NODES);
    let mut draw = Draw(20_241_219);
    for _ in 0..200 {
        let (region, plain) = drawn(&mut sets, &mut draw);
        for cell in cells() {
            assert_eq!(sets.holds(region, &cell), plain.contains(&cell));
        }
        assert_eq!(sets.count(region), u128::try_from(plain.len()).unwrap());
        assert_eq!(region.is_empty(), plain.is_empty());
    }
}

#[test]
fn equal_sets_are_one_node_however_they_were_made() {
    let mut sets = Diagram::new(WIDTHS.to_vec(), MAX_NODES);
    let mut draw = Draw(7);
    for _ in 0..100 {
        let (one, plain) = drawn(&mut sets, &mut draw);
        let mut other = Region::NONE;
        for cell in &plain {
            let mut all = Region::ALL;
            for (variable, wanted) in cell.iter().enumerate() {
                let choice = sets.choices(variable, |choice| choice == *wanted);
                all = sets.and(all, choice);
            }
            other = sets.or(all, other);
        }
        assert_eq!(one, other);
    }
}

#[test]
fn the_cheapest_cell_is_as_cheap_as_any() {
    let mut sets = Diagram::new(WIDTHS.to_vec(), MAX_NODES);
    let mut draw = Draw(3);
    let usual = [1, 2, 0, 3];
    let cost =
        |variable: usize, choice: usize| if choice == usual[variable] { 0 } else { [5, 3, 2, 1][variable] };
    let price =
        |cell: &Assignment| cell.iter().enumerate().map(|(at, choice)| cost(at, *choice)).sum::<u32>();
    for _ in 0..200 {
        let (region, plain) = drawn(&mut sets, &mut draw);
        let found = sets.cheapest(region, cost);
        assert_eq!(found.as_ref().map(price), plain.iter().map(price).min());
        assert!(found.is_none_or(|cell| plain.contains(&cell)));
    }
}

#[test]
fn what_is_left_of_chosen_variables_is_open_in_them() {
    let mut sets = Diagram::new(WIDTHS.to_vec(), MAX_NODES);
    let mut draw = Draw(11);
    for _ in 0..100 {
        let (region, plain) = drawn(&mut sets, &mut draw);
        let left = sets.given(region, &[(1, 2), (3, 0)]);
        for mut cell in cells() {
            let held = sets.holds(left, &cell);
            (cell[1], cell[3]) = (2, 0);
            assert_eq!(held, plain.contains(&cell));
        }
    }
}
