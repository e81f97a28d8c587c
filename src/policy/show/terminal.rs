//! At a terminal: columns, 100 letters wide.

use super::words::{HOW_TO_READ, Line, Section, lines, sections, version};
use crate::policy::document::Document;

/// How wide the whole is: what fits beside an editor.
const WIDTH: usize = 100;
/// Row, clauses, claims, conditions, answer.
const COLUMNS: [usize; 5] = [4, 10, 20, 36, 22];
const GAP: usize = 2;
/// Where the sentence below a row begins.
const INDENT: usize = 6;

/// The document for a terminal.
#[must_use]
pub fn terminal(document: &Document) -> String {
    let mut out = vec![document.title().to_owned(), version(document), String::new()];
    out.extend(wrap(HOW_TO_READ, WIDTH));
    out.push(String::new());
    let heads = ["row", "clause", "claim", "when", "answer"].map(|head| vec![head.to_owned()]);
    out.extend(side_by_side(&heads));
    out.push("-".repeat(WIDTH));
    for line in lines(document) {
        out.extend(row(&line));
        out.push(String::new());
    }
    for section in sections(document) {
        out.extend(listed(&section));
        out.push(String::new());
    }
    while out.last().is_some_and(String::is_empty) {
        out.pop();
    }
    out.push(String::new());
    out.join("\n")
}

fn row(line: &Line) -> Vec<String> {
    let [row, clauses, claims, when, answer] = COLUMNS;
    let alternatives = line.when.iter().enumerate().flat_map(|(index, conditions)| {
        let or = if index == 0 { "" } else { "or " };
        wrap(&format!("{or}{conditions}"), when)
    });
    let conditions: Vec<String> =
        if line.when.is_empty() { vec!["always".to_owned()] } else { alternatives.collect() };
    let cells = [
        wrap(&line.row, row),
        wrap(&line.clauses, clauses),
        wrap(&line.claims, claims),
        conditions,
        wrap(&line.answer, answer),
    ];
    let mut out = side_by_side(&cells);
    let sentence = wrap(&format!("\"{}\"", line.sentence), WIDTH.saturating_sub(INDENT));
    out.extend(sentence.into_iter().map(|text| format!("{:INDENT$}{text}", "")));
    out
}

fn side_by_side(cells: &[Vec<String>; 5]) -> Vec<String> {
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    let line = |at: usize| {
        let parts = cells.iter().zip(COLUMNS).map(|(cell, width)| {
            let text = cell.get(at).map_or("", String::as_str);
            let padding = width.saturating_add(GAP).saturating_sub(text.chars().count());
            format!("{text}{:padding$}", "")
        });
        parts.collect::<String>().trim_end().to_owned()
    };
    (0..height).map(line).collect()
}

fn listed(section: &Section) -> Vec<String> {
    let names = section.items.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let width = names.saturating_add(GAP);
    let mut out = vec![section.title.to_owned()];
    for (name, text) in &section.items {
        let room = WIDTH.saturating_sub(width).saturating_sub(GAP);
        let mut texts = wrap(text, room).into_iter();
        let first = texts.next().unwrap_or_default();
        out.push(format!("{:GAP$}{name:width$}{first}", "").trim_end().to_owned());
        out.extend(texts.map(|text| format!("{:GAP$}{:width$}{text}", "", "")));
    }
    out
}

/// Breaks a text between words; a word that is wider than a line stands alone.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let fits = |line: &String| {
            line.chars().count().saturating_add(1).saturating_add(word.chars().count()) <= width
        };
        match lines.last_mut().filter(|line| fits(line)) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}
