//! Other kinds of policy: each example document with golden cases of its own.

use super::case::{Case, cases_in, differences, facts};
use super::schema::documents;
use makegood::policy::{Document, RowOutcome, decide};
use std::collections::BTreeSet;

/// An example with its cases.
struct Example {
    name: String,
    document: Document,
    cases: Vec<(String, Case)>,
}

fn examples() -> Vec<Example> {
    let examples = documents().into_iter().filter(|(name, _)| !name.starts_with("20"));
    let read = |(name, text): (String, String)| {
        let document = Document::parse(&text).unwrap();
        let cases = cases_in(&format!("examples/{name}"));
        Example { name, document, cases }
    };
    examples.map(read).collect()
}

#[test]
fn every_golden_case_of_an_example_decides_as_written() {
    let mut wrong = Vec::new();
    for Example { name: example, document, cases } in examples() {
        for (name, case) in cases {
            match facts(&case) {
                Ok(facts) => wrong.extend(
                    differences(&case, &decide(&document, &facts))
                        .into_iter()
                        .map(|line| format!("{example}/{name} ({}): {line}", case.about)),
                ),
                Err(error) => wrong.push(format!("{example}/{name}: {error}")),
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_row_of_an_example_decides_a_golden_case() {
    for Example { name: example, document, cases } in examples() {
        let decided: BTreeSet<&str> = cases.iter().map(|(_, case)| case.expect.row.as_str()).collect();
        let missed: Vec<&String> =
            document.rows().iter().map(|row| &row.id).filter(|id| !decided.contains(id.as_str())).collect();
        assert!(missed.is_empty(), "{example}: no case for rows {missed:?}");
    }
}

#[test]
fn no_example_has_a_gap_or_pays_where_no_policy_may() {
    for Example { name: example, document, cases } in examples() {
        let last = document.rows().last().unwrap();
        assert!(last.when.is_empty() && last.claims.is_none(), "{example} has no last word");
        for (name, case) in cases {
            let decision = decide(&document, &facts(&case).unwrap());
            let hits = decision.rows.iter().filter(|row| row.result == RowOutcome::Hit).count();
            assert!(hits > 0, "{example}/{name}");
            assert!(
                decision.sentence.contains('§') && !decision.sentence.contains(['{', '}']),
                "{example}/{name}"
            );
        }
    }
}
