//! The partition by itself, so that whoever doubts the argument can put it to the test against single decisions.

use super::diagram::{MAX_NODES, Region};
use super::field::{Field, representative};
use super::guardrail;
use super::possible::possible;
use super::space::Space;
use crate::policy::document::Document;
use crate::policy::facts::Facts;
use crate::policy::table::Outcome;

/// The partitioned fact space of one document, and what the check believes of its cells.
#[derive(Debug)]
pub struct Partition {
    field: Field,
    possible: Region,
    /// The rows, each with the cells that it decides and those of them in which it may pay.
    rows: Vec<(String, Region, Region)>,
    /// Cells in which money may be approved without a person, and cells in which the engine never pays.
    approvable: Region,
    barred: Region,
}

impl Partition {
    /// Partitions the facts as this document tells them apart.
    #[must_use]
    pub fn of(document: &Document) -> Self {
        let mut field = Field::new(Space::of(document), MAX_NODES);
        let possible = possible(&mut field, document);
        let mut left = Region::ALL;
        let mut rows = Vec::new();
        for row in document.rows() {
            let fits = field.row(row);
            let hits = field.sets.and(fits, left);
            left = field.sets.minus(left, fits);
            let pays = guardrail::pays(&mut field, &row.remedies);
            let approves = row.outcome == Outcome::Approve;
            let pays = if approves { field.sets.and(hits, pays) } else { Region::NONE };
            rows.push((row.id.clone(), hits, pays));
        }
        let approvable = guardrail::approvable(&mut field, document);
        let (disputed, violated) = (guardrail::disputed(&mut field), guardrail::violated(&mut field));
        let barred = field.sets.or(disputed, violated);
        Self { field, possible, rows, approvable, barred }
    }

    /// Whether the document stayed within the check's bounds; otherwise nothing that is said here counts.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.field.sets.is_full()
    }

    /// Whether the check holds that a case may have these facts.
    #[must_use]
    pub fn can_occur(&self, facts: &Facts) -> bool {
        self.holds(self.possible, facts)
    }

    /// The row that the check holds to decide these facts.
    #[must_use]
    pub fn row_of(&self, facts: &Facts) -> Option<&str> {
        self.rows.iter().find(|(_, hits, _)| self.holds(*hits, facts)).map(|(row, _, _)| row.as_str())
    }

    /// Whether the check holds it possible that a machine pays on these facts.
    #[must_use]
    pub fn may_pay(&self, facts: &Facts) -> bool {
        self.would_pay(facts) && self.holds(self.approvable, facts) && !self.holds(self.barred, facts)
    }

    /// Whether the check holds it possible that the engine stops a payment on these facts.
    #[must_use]
    pub fn may_be_barred(&self, facts: &Facts) -> bool {
        self.would_pay(facts) && self.holds(self.barred, facts)
    }

    /// The facts that stand for the cell of these.
    #[must_use]
    pub fn representative(&self, facts: &Facts) -> Facts {
        representative(&self.field.space, &self.field.space.cell_of(facts))
    }

    fn would_pay(&self, facts: &Facts) -> bool {
        self.rows.iter().any(|(_, _, pays)| self.holds(*pays, facts))
    }

    fn holds(&self, region: Region, facts: &Facts) -> bool {
        self.field.sets.holds(region, &self.field.space.cell_of(facts))
    }
}
