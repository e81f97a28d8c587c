//! As Markdown, for a help page.

use super::words::{HOW_TO_READ, Line, Section, lines, sections, version};
use crate::policy::document::Document;

/// The document as Markdown.
#[must_use]
pub fn markdown(document: &Document) -> String {
    let mut out = vec![
        format!("# {}", escaped(document.title())),
        String::new(),
        format!("{}.", escaped(&version(document))),
        String::new(),
        HOW_TO_READ.to_owned(),
        String::new(),
        "| Row | Clause | Claim | When | Answer | What the customer reads |".to_owned(),
        "|---|---|---|---|---|---|".to_owned(),
    ];
    out.extend(lines(document).map(|line| row(&line)));
    for section in sections(document) {
        out.push(String::new());
        out.extend(listed(&section));
    }
    out.push(String::new());
    out.join("\n")
}

fn row(line: &Line) -> String {
    let when = match line.when.as_slice() {
        [] => "always".to_owned(),
        alternatives => alternatives.iter().map(|text| escaped(text)).collect::<Vec<_>>().join("<br>or "),
    };
    let [row, clauses, claims, answer, sentence] =
        [&line.row, &line.clauses, &line.claims, &line.answer, &line.sentence].map(|text| escaped(text));
    format!("| {row} | {clauses} | {claims} | {when} | {answer} | {sentence} |")
}

fn listed(section: &Section) -> Vec<String> {
    let mut out = vec![format!("## {}", section.title), String::new()];
    out.extend(section.items.iter().map(|(name, text)| {
        if text.is_empty() {
            format!("- {}", escaped(name))
        } else {
            format!("- {}: {}", escaped(name), escaped(text))
        }
    }));
    out
}

/// Text that Markdown takes as it stands.
fn escaped(text: &str) -> String {
    let special = |letter: char| matches!(letter, '\\' | '|' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '#');
    let mut out = String::with_capacity(text.len());
    for letter in text.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        if special(letter) {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}
