//! As sentences, for a reader outside who knows neither the table nor its notation.

use super::words::{HOW_TO_READ, Line, lines, version};
use crate::policy::document::Document;
use crate::policy::parameters::Parameters;
use crate::policy::sentence::Template;
use crate::policy::table::{Outcome, Row};

/// The table in words, one row a paragraph. What only the desk goes by, as limits and advice, is left out.
#[must_use]
pub fn prose(document: &Document) -> String {
    let head = [document.title().to_owned(), format!("{}.", version(document)), HOW_TO_READ.to_owned()];
    let rows = document.rows().iter().zip(lines(document));
    let rows = rows.map(|(row, line)| paragraph(row, &line, &filled(&row.sentence, document.parameters())));
    head.into_iter().chain(rows).collect::<Vec<_>>().join("\n")
}

/// A sentence with the document's own figures filled in; what depends on a case stands in brackets, as `[order id]`.
#[must_use]
pub fn filled(sentence: &Template, parameters: &Parameters) -> String {
    let named = parameters.iter().fold(sentence.to_string(), |text, (name, parameter)| {
        text.replace(&format!("{{{name}}}"), &parameter.words())
    });
    let mut parts = named.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| {
        let (name, rest) = part.split_once('}').unwrap_or((part, ""));
        format!("{out}[{}]{rest}", name.replace('_', " "))
    })
}

fn paragraph(row: &Row, line: &Line, sentence: &str) -> String {
    let when = match line.when.as_slice() {
        [] => "always".to_owned(),
        alternatives => alternatives.join("; or "),
    };
    let answer = if row.outcome == Outcome::Review { "A person decides" } else { &line.answer };
    let Line { row, clauses, claims, .. } = line;
    format!("Row {row} ({clauses}). Claim: {claims}. When: {when}. Answer: {answer}. \"{sentence}\"")
}
