//! Whatever text it is given, the parser answers with a document, or with an error that names a place.

use super::schema::documents;
use makegood::policy::document::MAX_BYTES;
use makegood::policy::{Document, DocumentError, decide};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng};
use std::path::Path;

/// Mutants of every document that ships: enough to meet every kind of refusal, in a few seconds.
const MUTANTS: usize = 250;

/// What an error must have: something to read, and a line of the text, or nothing that could have one.
fn names_a_place(text: &str, error: &DocumentError) -> bool {
    let lines = text.lines().count().max(1).saturating_add(1);
    let whole = text.len() > MAX_BYTES || error.field.is_empty();
    let placed = error.line.is_some_and(|line| (1..=lines).contains(&line));
    let missing = error.line.is_none() && !error.field.is_empty();
    !error.problem.is_empty() && (placed || whole || missing) && error.to_string().contains(&error.problem)
}

#[track_caller]
fn answers(text: &str) -> bool {
    match Document::parse(text) {
        Ok(document) => {
            let facts = makegood::policy::Facts::new(
                makegood::domain::request::Claim::Other,
                super::desk::received_at(),
            );
            assert!(!decide(&document, &facts).sentence.is_empty(), "an empty sentence: {text}");
            assert_eq!(Document::parse(text).unwrap().sha256(), document.sha256());
            true
        }
        Err(error) => {
            assert!(names_a_place(text, &error), "{error:?}\n{text}");
            false
        }
    }
}

/// Texts that were interesting once, each in a file.
#[test]
fn the_corpus_is_answered() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policy/corpus");
    let mut seen = 0_usize;
    for file in std::fs::read_dir(corpus).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        answers(&String::from_utf8_lossy(&bytes));
        seen = seen.saturating_add(1);
    }
    assert!(seen >= 20, "the corpus has {seen} texts");
}

/// Pieces that documents are made of, put where they do not belong.
const PIECES: [&str; 32] = [
    "[[rows]]",
    "[rows]",
    "=",
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    ",",
    "#",
    "\n",
    "\\",
    "\u{0}",
    "é",
    "\u{202e}",
    "-1",
    "0",
    "9223372036854775807",
    "9223372036854775808",
    "1e9",
    "nan",
    "\"$claim_window\"",
    "\"$\"",
    "\"100.01%\"",
    "\"99999999999999999999d\"",
    "when = [{}]",
    "remedies = [{ compensate = 0 }]",
    "{unused}",
    "{{",
    "§9.9",
    "attributes.country = \"DE\"",
];

/// A text changed in one place: a piece put in, some taken out, a line doubled, two lines changed about.
fn mutated(text: &str, rng: &mut TestRng) -> String {
    let pick = |rng: &mut TestRng, below: usize| {
        let number = usize::try_from(rng.next_u32()).unwrap();
        number.checked_rem(below.max(1)).unwrap()
    };
    let boundary = |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
    let from = boundary(pick(rng, text.len()));
    let (before, after) = text.split_at(from);
    let mut lines: Vec<&str> = text.lines().collect();
    let line = pick(rng, lines.len());
    match pick(rng, 5) {
        0 => format!("{before}{}{after}", PIECES[pick(rng, PIECES.len())]),
        1 => {
            let to = boundary(from.saturating_add(pick(rng, 12)));
            format!("{before}{}", &text[to.max(from)..])
        }
        2 => {
            lines.insert(line, lines[line]);
            lines.join("\n")
        }
        3 => {
            let other = pick(rng, lines.len());
            lines.swap(line, other);
            lines.join("\n")
        }
        _ => {
            let (head, tail) = lines[line].split_once('=').unwrap_or((lines[line], ""));
            let replaced = format!(
                "{head}= {}{}",
                PIECES[pick(rng, PIECES.len())],
                if tail.is_empty() { "x" } else { "" }
            );
            lines[line] = &replaced;
            lines.join("\n")
        }
    }
}

#[test]
fn a_document_changed_anywhere_is_answered() {
    let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let (mut accepted, mut refused) = (0_usize, 0_usize);
    for (_, text) in documents() {
        for _ in 0..MUTANTS {
            let mut mutant = mutated(&text, &mut rng);
            if rng.next_u32().is_multiple_of(3) {
                mutant = mutated(&mutant, &mut rng);
            }
            if answers(&mutant) {
                accepted = accepted.saturating_add(1);
            } else {
                refused = refused.saturating_add(1);
            }
        }
    }
    assert!(accepted > 50 && refused > 300, "{accepted} accepted, {refused} refused");
}

#[test]
fn depth_and_size_are_bounded() {
    for text in [
        format!("x = {}", "[".repeat(100_000)),
        format!("x = {}", "{ a = ".repeat(100_000)),
        "[[rows]]\n".repeat(50_000),
        "a.".repeat(200_000),
        "x".repeat(MAX_BYTES.saturating_add(1)),
        String::new(),
    ] {
        assert!(!answers(&text));
    }
}
