//! What can be proved of a document before anybody is decided by it.
//!
//! The space of all facts is partitioned into cells that the document cannot tell apart (`check/space.rs`),
//! and every set of cells is kept as a decision diagram (`check/diagram.rs`), so that all of them are decided
//! at once and none is left out. Cells that no case can fall into are set aside (`check/possible.rs`). From
//! top to bottom, a row takes of the cells that are left those that fit its conditions (`check/field.rs`);
//! guardrails are sets of cells that must stay out of what a row takes (`check/guardrail.rs`). Where
//! something is wrong, the cheapest way through a diagram is the smallest case that shows it
//! (`check/example.rs`), and the decision about that case is the desk's own.

mod amounts;
mod diagram;
mod example;
mod field;
mod guardrail;
mod ordinary;
mod partition;
mod possible;
mod report;
mod space;

pub use partition::Partition;
pub use report::{Example, Finding, FindingKind, Progress, Report};

use self::diagram::{MAX_NODES, Region};
use self::example::smallest;
use self::field::Field;
use self::space::Space;
use super::document::Document;
use super::table::{Outcome, Row};

/// Most errors that a report lists: enough to know that a document is broken all over.
pub const MAX_ERRORS: usize = 100;

/// Most warnings that a report lists: more than a person reads.
pub const MAX_WARNINGS: usize = 400;

/// Proves a document over its whole partitioned fact space: that some row answers every case that can occur, that
/// every row decides some case, and that no guardrail is broken; and lists the pairs of rows whose order decides.
///
/// Says how far it is through `progress`. Pure, single-threaded and bounded; it takes up to a few seconds.
#[must_use]
pub fn check(document: &Document, progress: &mut dyn FnMut(Progress)) -> Report {
    check_within(document, MAX_NODES, progress)
}

fn check_within(document: &Document, most_nodes: usize, progress: &mut dyn FnMut(Progress)) -> Report {
    let mut analysis = Analysis::begin(document, most_nodes);
    analysis.walk(progress);
    analysis.guardrails(progress);
    if analysis.field.sets.is_full() {
        return analysis.too_intricate(most_nodes);
    }
    let all = analysis.order(progress);
    analysis.report(all)
}

/// A row with the cells that fit its conditions, and those of them that no row before it takes.
struct Walked<'a> {
    row: &'a Row,
    fits: Region,
    hits: Region,
}

struct Analysis<'a> {
    document: &'a Document,
    field: Field,
    possible: Region,
    rows: Vec<Walked<'a>>,
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
}

impl<'a> Analysis<'a> {
    fn begin(document: &'a Document, most_nodes: usize) -> Self {
        let mut field = Field::new(Space::of(document), most_nodes);
        let possible = possible::possible(&mut field, document);
        Self { document, field, possible, rows: Vec::new(), errors: Vec::new(), warnings: Vec::new() }
    }

    /// Lets every row take its cells, and looks at what is never taken and who never takes.
    fn walk(&mut self, progress: &mut dyn FnMut(Progress)) {
        let document = self.document;
        let of = document.rows().len();
        let mut left = self.possible;
        for (done, row) in document.rows().iter().enumerate() {
            progress(Progress { doing: "rows", done, of });
            let fits = self.field.row(row);
            let fits = self.field.sets.and(fits, self.possible);
            let hits = self.field.sets.and(fits, left);
            left = self.field.sets.minus(left, fits);
            let walked = Walked { row, fits, hits };
            let idle = self.idle(&walked);
            self.errors.extend(idle);
            self.rows.push(walked);
        }
        progress(Progress { doing: "rows", done: of, of });
        if let Some(example) = smallest(&self.field, document, left) {
            let message = "no row answers this case; a last row without conditions would".to_owned();
            self.find(FindingKind::NotTotal, message, &[], None, Some(example));
        }
    }

    /// What is wrong with a row that never decides.
    fn idle(&mut self, walked: &Walked<'_>) -> Option<Finding> {
        let id = &walked.row.id;
        if !walked.hits.is_empty() {
            return None;
        }
        if walked.fits.is_empty() {
            let message = format!("row {id} never decides: no case that can occur fits its conditions");
            return Some(finding(FindingKind::UnreachableRow, message, &[id], None, None));
        }
        let mut takers = Vec::new();
        for before in &self.rows {
            if !self.field.sets.and(before.hits, walked.fits).is_empty() {
                takers.push(before.row.id.as_str());
            }
        }
        let (taken, many) = (takers.join(", "), if takers.len() == 1 { "row" } else { "rows" });
        let message =
            format!("row {id} never decides: {many} {taken} before it take every case that fits it");
        let example = smallest(&self.field, self.document, walked.fits);
        let about: Vec<&str> = std::iter::once(id.as_str()).chain(takers).collect();
        Some(finding(FindingKind::ShadowedRow, message, &about, None, example))
    }

    fn guardrails(&mut self, progress: &mut dyn FnMut(Progress)) {
        let document = self.document;
        let of = self.rows.len();
        let approved: Vec<Region> = self
            .rows
            .iter()
            .filter(|walked| walked.row.outcome == Outcome::Approve)
            .map(|row| row.hits)
            .collect();
        let approved = self.field.any(approved);
        let unread = guardrail::on_evidence(&mut self.field, document, approved);
        for done in 0..of {
            progress(Progress { doing: "guardrails", done, of });
            let Some(Walked { row, hits, .. }) = self.rows.get(done) else { continue };
            let (row, hits) = (*row, *hits);
            for breach in guardrail::breaches(&mut self.field, document, row, hits, unread) {
                let kind =
                    if breach.engine { FindingKind::EngineGuardrail } else { FindingKind::DeclaredGuardrail };
                let message = format!("row {} {}", row.id, breach.does);
                let example = smallest(&self.field, document, breach.region);
                self.find(kind, message, &[&row.id], Some(breach.guardrail), example);
            }
            if let Some(broken) = amounts::broken(document, row, &self.field.space) {
                self.errors.push(broken);
            }
        }
        progress(Progress { doing: "guardrails", done: of, of });
    }

    /// The pairs of rows that fit the same case with different answers, so that the first of them decides only
    /// because it is the first. A row without conditions takes what others leave, and is meant to. Says whether all
    /// pairs were looked at.
    fn order(&mut self, progress: &mut dyn FnMut(Progress)) -> bool {
        let of = self.rows.len();
        for done in 0..of {
            progress(Progress { doing: "order", done, of });
            for (row, after, both) in self.next_after(done) {
                if self.field.sets.is_full() || self.warnings.len() >= MAX_WARNINGS {
                    return false;
                }
                let message = format!(
                    "row {} ({}) comes before row {} ({}), and both fit this case",
                    row.id, row.outcome, after.id, after.outcome
                );
                let example = smallest(&self.field, self.document, both);
                self.find(FindingKind::OrderDecides, message, &[&row.id, &after.id], None, example);
            }
        }
        progress(Progress { doing: "order", done: of, of });
        true
    }

    /// The rows that would decide instead if this one were not there and would answer otherwise, with the cells.
    fn next_after(&mut self, at: usize) -> Vec<(&'a Row, &'a Row, Region)> {
        let mut pairs = Vec::new();
        let Some((first, rest)) = self.rows.get(at..).and_then(<[_]>::split_first) else { return pairs };
        let mut left = first.hits;
        for after in rest {
            let both = self.field.sets.and(left, after.fits);
            left = self.field.sets.minus(left, after.fits);
            let takes_the_rest = after.row.when.is_empty() && after.row.claims.is_none();
            if !both.is_empty() && !takes_the_rest && !same_answer(first.row, after.row) {
                pairs.push((first.row, after.row, both));
            }
        }
        pairs
    }

    fn find(
        &mut self,
        kind: FindingKind,
        message: String,
        rows: &[&str],
        guardrail: Option<String>,
        example: Option<Example>,
    ) {
        let list = if kind.is_error() { &mut self.errors } else { &mut self.warnings };
        list.push(finding(kind, message, rows, guardrail, example));
    }

    fn report(mut self, all_warnings: bool) -> Report {
        self.errors.sort_by_key(|finding| finding.kind);
        self.errors.truncate(MAX_ERRORS);
        let cells = self.field.sets.count(self.possible);
        let nodes = self.field.sets.size();
        let findings = self.errors.into_iter().chain(self.warnings).collect();
        Report { findings, all_warnings, cells: u64::try_from(cells).unwrap_or(u64::MAX), nodes }
    }

    /// Past the bound nothing was proved, so nothing else is said.
    fn too_intricate(self, most_nodes: usize) -> Report {
        let message = format!(
            "the document is too intricate to be proved: its rows and thresholds take more than {most_nodes} nodes"
        );
        let findings = vec![finding(FindingKind::TooIntricate, message, &[], None, None)];
        Report { findings, all_warnings: false, cells: 0, nodes: self.field.sets.size() }
    }
}

/// Whether two rows come to the same for the customer.
fn same_answer(one: &Row, other: &Row) -> bool {
    one.outcome == other.outcome && one.remedies == other.remedies
}

fn finding(
    kind: FindingKind,
    message: String,
    rows: &[&str],
    guardrail: Option<String>,
    example: Option<Example>,
) -> Finding {
    let rows = rows.iter().map(|row| (*row).to_owned()).collect();
    Finding { kind, message, rows, guardrail, example }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::SHIPPED;

    #[test]
    fn a_document_that_outgrows_the_bound_is_not_called_proved() {
        let document = Document::parse(SHIPPED).unwrap();
        let report = check_within(&document, 2_000, &mut |_| ());
        assert!(!report.passed());
        let [finding] = report.findings.as_slice() else { panic!("{report:?}") };
        assert_eq!(finding.kind, FindingKind::TooIntricate);
        assert_eq!(
            finding.message,
            "the document is too intricate to be proved: its rows and thresholds take more than 2000 nodes"
        );
    }
}
