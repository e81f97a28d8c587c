//! A document as a person reads it: at a terminal, or on a help page.

use super::document::Document;

/// For a terminal.
#[must_use]
pub fn terminal(document: &Document) -> String {
    let head = format!("{}, version {}\n\n", document.title(), document.version());
    let rows = document
        .rows()
        .iter()
        .map(|row| format!("{:<4} {:<20} {}\n", row.id, row.outcome, row.clauses.join(", ")));
    std::iter::once(head).chain(rows).collect()
}

/// As Markdown, for a help page.
#[must_use]
pub fn markdown(document: &Document) -> String {
    let head = format!("# {}\n\n| row | answer | clauses |\n|---|---|---|\n", document.title());
    let rows = document
        .rows()
        .iter()
        .map(|row| format!("| {} | {} | {} |\n", row.id, row.outcome, row.clauses.join(", ")));
    std::iter::once(head).chain(rows).collect()
}
