//! The shipped document's golden cases: every row, its boundaries and its neighbours.

pub(super) use super::case::facts;
use super::case::{Case, cases_in, differences, folder};
use super::desk::shipped;
use makegood::policy::decide;

/// Every case of the shipped document.
pub(super) fn cases() -> Vec<(String, Case)> {
    cases_in("cases")
}

#[test]
fn every_golden_case_decides_as_written() {
    let document = shipped();
    let mut wrong = Vec::new();
    for (name, case) in cases() {
        match facts(&case) {
            Ok(facts) => {
                let differences = differences(&case, &decide(document, &facts));
                wrong.extend(differences.into_iter().map(|line| format!("{name} ({}): {line}", case.about)));
            }
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_row_has_golden_cases_where_it_decides_and_where_it_just_does_not() {
    let document = shipped();
    let cases = cases();
    for row in document.rows() {
        let decides = cases.iter().filter(|(_, case)| case.expect.row == row.id).count();
        assert!(decides > 0, "row {} decides no golden case", row.id);
        // A row without conditions can only lose to the rows before it, or not speak to the claim.
        let conditional = !row.when.is_empty();
        let refused = cases.iter().any(|(_, case)| case.expect.fails.contains_key(&row.id));
        assert!(refused || !conditional, "no golden case says why row {} does not hold", row.id);
    }
}

#[test]
fn every_case_stands_in_the_folder_of_its_row_or_clause() {
    let document = shipped();
    for (name, case) in cases() {
        let group = name.split('/').next().unwrap();
        let of_row = group == case.expect.row;
        let clause = group.strip_prefix("clause_").map(str::to_owned);
        let of_clause = clause.is_some_and(|clause| case.expect.clauses.contains(&clause));
        assert!(of_row || of_clause, "{name} decides by row {}", case.expect.row);
        let known = |row: &String| document.rows().iter().any(|known| known.id == *row);
        assert!(case.expect.fails.keys().chain(&case.expect.beats).all(known), "{name} names an unknown row");
    }
}

#[test]
fn every_row_without_conditions_is_refused_or_bounded_by_its_claims() {
    for row in shipped().rows().iter().filter(|row| row.when.is_empty()) {
        assert!(row.claims.is_some() || row.id == "30", "row {} would end the table", row.id);
    }
}

#[test]
fn every_base_is_used() {
    let cases = cases();
    for base in std::fs::read_dir(folder("bases")).unwrap() {
        let path = base.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(cases.iter().any(|(_, case)| case.base == name), "base {name} is not used");
    }
}

#[test]
fn every_sentence_cites_a_clause_and_fills_its_placeholders() {
    let document = shipped();
    for (name, case) in cases() {
        let decision = decide(document, &facts(&case).unwrap());
        assert!(decision.sentence.contains('§'), "{name}: {}", decision.sentence);
        for text in [&decision.sentence, &decision.advice] {
            assert!(!text.contains(['{', '}']), "{name}: {text}");
            assert!(!text.contains("unknown") && !text.contains("no record"), "{name}: {text}");
        }
    }
}
