//! What people read: the customer's sentence and support's trace of a real decision by every row, as one text that
//! is committed and compared. When they differ, the new text is written under the target directory, to be read before it is
//! committed in place of the old one.

use super::desk::shipped;
use super::golden::{cases, facts};
use makegood::policy::{Decision, Outcome, RowOutcome, RowResult, decide};
use std::fmt::Write;
use std::path::Path;

const EXPLANATIONS: &str = include_str!("explanations.txt");

/// A sentence is brief when it can be read at one glance, what it is filled with included.
const BRIEF_CHARACTERS: usize = 200;

/// The decision of a golden case.
struct Explained {
    case: String,
    about: String,
    decision: Decision,
}

/// Every golden case, decided.
fn explained() -> Vec<Explained> {
    let decided = cases().into_iter().map(|(name, case)| {
        let decision = decide(shipped(), &facts(&case).unwrap());
        Explained { case: name, about: case.about, decision }
    });
    decided.collect()
}

fn clauses(clauses: &[String]) -> String {
    clauses.iter().map(|clause| format!("§{clause}")).collect::<Vec<_>>().join(", ")
}

fn trace(result: &RowResult) -> String {
    let row = format!("  {:<4}{:<12}", result.row, clauses(&result.clauses));
    match &result.result {
        RowOutcome::Hit => format!("{row}hit\n"),
        RowOutcome::NotApplicable => format!("{row}does not speak to the claim\n"),
        RowOutcome::NoHit { failed } => {
            let failed: Vec<_> = failed.iter().map(ToString::to_string).collect();
            format!("{row}{}\n", failed.join(" | "))
        }
    }
}

fn page(explained: &Explained) -> String {
    let Explained { case, about, decision } = explained;
    let mut page = format!("== row {}: {about} ({case})\n", decision.row);
    let outcome = format!("{} under {}", decision.outcome, clauses(&decision.clauses));
    let reason =
        decision.review_reason.map(|reason| format!(", {}", serde_json::to_string(&reason).unwrap()));
    writeln!(page, "{outcome}{}", reason.unwrap_or_default()).unwrap();
    writeln!(page, "customer: {}", decision.sentence).unwrap();
    if !decision.advice.is_empty() {
        writeln!(page, "support:  {}", decision.advice).unwrap();
    }
    page.extend(decision.rows.iter().map(trace));
    page
}

/// The first golden case of every row in the order of the table, then of every other reason for a review.
fn explanations() -> String {
    let all = explained();
    let rows = shipped().rows().iter().map(|row| {
        let own = |one: &&Explained| one.decision.row == row.id && one.decision.outcome == row.outcome;
        all.iter().find(own).unwrap_or_else(|| panic!("row {} decides no golden case", row.id))
    });
    let mut pages: Vec<&Explained> = rows.collect();
    for one in &all {
        let same = |other: &&Explained| other.decision.review_reason == one.decision.review_reason;
        if !pages.iter().any(same) {
            pages.push(one);
        }
    }
    pages.into_iter().map(page).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_row_explains_itself_as_it_did_when_it_was_last_read() {
    let explanations = explanations();
    if explanations == EXPLANATIONS {
        return;
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("explanations.txt");
    std::fs::write(&path, &explanations).unwrap();
    let differs = explanations.lines().zip(EXPLANATIONS.lines()).position(|(new, old)| new != old);
    let line =
        differs.map_or("the last line".to_owned(), |index| format!("line {}", index.saturating_add(1)));
    panic!(
        "tests/policy/explanations.txt says something else from {line} on; read and copy {}",
        path.display()
    );
}

#[test]
fn every_denial_and_every_question_is_one_brief_sentence_that_cites_each_of_its_clauses() {
    let answers = [Outcome::Deny, Outcome::RequestInformation];
    for Explained { case, decision, .. } in explained() {
        if !answers.contains(&decision.outcome) {
            continue;
        }
        let sentence = &decision.sentence;
        let ends = [". ", "! ", "? "].map(|end| sentence.matches(end).count());
        assert_eq!(ends, [0, 0, 0], "{case} has more than one sentence: {sentence}");
        assert!(sentence.ends_with('.'), "{case}: {sentence}");
        assert!(sentence.chars().count() <= BRIEF_CHARACTERS, "{case} is not brief: {sentence}");
        for clause in &decision.clauses {
            assert!(sentence.contains(&format!("§{clause}")), "{case} does not cite §{clause}: {sentence}");
        }
    }
}

#[test]
fn every_trace_names_every_row_with_its_clauses_and_why_it_did_not_hold() {
    let document = shipped();
    for Explained { case, decision, .. } in explained() {
        let named: Vec<_> = decision.rows.iter().map(|result| (&result.row, &result.clauses)).collect();
        let known: Vec<_> = document.rows().iter().map(|row| (&row.id, &row.clauses)).collect();
        assert_eq!(named, known, "{case}");
        for result in &decision.rows {
            if let RowOutcome::NoHit { failed } = &result.result {
                assert!(!failed.is_empty(), "{case}, row {}", result.row);
                let told = |text: &str| !text.trim().is_empty();
                assert!(
                    failed.iter().all(|one| told(&one.fact) && told(&one.wanted)),
                    "{case}, row {}",
                    result.row
                );
            }
        }
    }
}
