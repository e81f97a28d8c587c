//! What a check finds: for each kind of finding a small document that has it, with the case that shows it.

use super::case::consistent;
use super::desk::shipped;
use super::document::{row, with_rows};
use makegood::policy::check::{Example, Finding, FindingKind, Report, check};
use makegood::policy::{Document, Outcome, ReviewReason, decide};

fn report(rows: &[String]) -> Report {
    let document = Document::parse(&with_rows(&rows.concat())).unwrap();
    let report = check(&document, &mut |_| ());
    // Whatever is found, its case could be one of ours, and is decided by the desk's own decision.
    for example in report.findings.iter().filter_map(|finding| finding.example.as_ref()) {
        assert_eq!(consistent(&example.facts), Ok(()), "{example}");
        assert_eq!(example.decision, decide(&document, &example.facts));
    }
    report
}

/// A row that denies, unless it is changed.
fn line(id: &str, changes: &[(&str, &str)]) -> String {
    let id = format!("\"{id}\"");
    row(&[&[("row", id.as_str())], changes].concat())
}

fn errors(report: &Report) -> Vec<(FindingKind, String, String)> {
    let shown = |finding: &Finding| {
        let example = finding.example.as_ref().map(ToString::to_string).unwrap_or_default();
        (finding.kind, finding.message.clone(), example)
    };
    report.errors().map(shown).collect()
}

/// The only error, with its example.
fn only(report: &Report) -> (FindingKind, String, Example) {
    let errors: Vec<_> = report.errors().collect();
    let [finding] = errors.as_slice() else { panic!("{:#?}", self::errors(report)) };
    (finding.kind, finding.message.clone(), finding.example.clone().unwrap())
}

const PAYS: [(&str, &str); 2] = [("outcome", r#""APPROVE""#), ("remedies", r#"["refund_unused"]"#)];

/// A row that pays, with further changes.
fn paying<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&PAYS, changes].concat()
}

/// Rows that keep what the engine forbids away from those behind them.
fn barriers() -> String {
    line(
        "0",
        &[(
            "when",
            r#"[{ dispute = { not = ["none", "won"] } }, { violation = "confirmed" }, { standing = { has = "terminated" } }]"#,
        )],
    )
}

#[test]
fn the_shipped_policy_comes_out_clean() {
    let report = check(shipped(), &mut |_| ());
    assert_eq!(errors(&report), []);
    assert!(report.passed() && report.all_warnings);
    assert!(report.cells > 1_000_000_000_000, "{}", report.cells);
    for warning in report.warnings() {
        let example = warning.example.as_ref().unwrap();
        assert_eq!(consistent(&example.facts), Ok(()), "{example}");
        let holding: Vec<&str> = shipped()
            .rows()
            .iter()
            .filter(|row| row.evaluate(&example.facts) == makegood::policy::RowOutcome::Hit)
            .map(|row| row.id.as_str())
            .take(2)
            .collect();
        assert_eq!(holding, warning.rows, "{}: {example}", warning.message);
    }
}

#[test]
fn the_example_policies_come_out_clean() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/examples");
    let mut checked = 0_usize;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let document = Document::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let report = check(&document, &mut |_| ());
        assert_eq!(errors(&report), [], "{}", path.display());
        for example in report.findings.iter().filter_map(|finding| finding.example.as_ref()) {
            assert_eq!(consistent(&example.facts), Ok(()), "{example}");
        }
        checked = checked.saturating_add(1);
    }
    assert!(checked >= 3);
}

#[test]
fn a_case_that_no_row_answers_is_found() {
    let report = report(&[
        line("1", &[("when", r#"[{ purchase_age = { at_most = "7d" } }]"#)]),
        line("2", &[("when", r#"[{ purchase_age = { more_than = "8d" } }]"#)]),
        line("3", &[("when", "[{ purchase_known = false }]")]),
    ]);
    let (kind, message, example) = only(&report);
    assert_eq!(kind, FindingKind::NotTotal);
    assert_eq!(message, "no row answers this case; a last row without conditions would");
    assert_eq!(example.to_string(), "claim = other, purchase_age = 7d1us");
    assert_eq!(example.decision.review_reason, Some(ReviewReason::NoRow));
}

#[test]
fn a_row_whose_conditions_no_case_fits_is_found() {
    for when in [
        r#"[{ renewal = true, purchase_kind = "one_time" }]"#,
        "[{ untouched = true, used = { more_than = 0 } }]",
        r#"[{ used_share = { at_least = "50%" }, used = 0 }]"#,
        r#"[{ restoration_possible = true, dispute = "open" }]"#,
        r#"[{ standing = { has = "violation_confirmed" }, violation = "none" }]"#,
        r#"[{ outage = "none", outage_lasted = { more_than = "1h" } }]"#,
        r#"[{ missing_details = { has = "logs" } }]"#,
        "[{ purchase_known = false, unused = { at_least = 1 } }]",
        r#"[{ purchase_age = { more_than = "8d" }, undelivered_for = { less_than = "7d" } }]"#,
        r#"[{ details_given = { has = "statement" }, evidence_given = false }]"#,
        r#"[{ refunded = "none", credits_refunded = { more_than = 0 } }]"#,
        "[{ bought = { at_most = 10 }, used = { at_least = 6 }, unused = { at_least = 6 } }]",
    ] {
        let report = report(&[line("1", &[("when", when)]), line("2", &[])]);
        let expected = "row 1 never decides: no case that can occur fits its conditions";
        assert_eq!(
            errors(&report),
            [(FindingKind::UnreachableRow, expected.to_owned(), String::new())],
            "{when}"
        );
    }
}

#[test]
fn a_row_that_others_take_everything_from_is_found() {
    let report = report(&[
        line("1", &[("when", "[{ used = { more_than = 20 } }]")]),
        line("2", &[("when", "[{ used = { at_most = 30 } }]")]),
        line("3", &[("when", "[{ used = { at_least = 10 } }]")]),
        line("4", &[]),
    ]);
    let (kind, message, example) = only(&report);
    assert_eq!(kind, FindingKind::ShadowedRow);
    assert_eq!(message, "row 3 never decides: rows 1, 2 before it take every case that fits it");
    assert_eq!(example.to_string(), "claim = other, untouched = false, used = 10");
    assert_eq!(example.decision.row, "2");
    assert_eq!(report.findings[0].rows, ["3", "1", "2"]);
}

#[test]
fn money_while_the_bank_decides_and_after_a_violation_is_found() {
    let report = report(&[line("1", &paying(&[("claims", r#"["technical_issue"]"#)])), line("2", &[])]);
    let found = errors(&report);
    let kind = FindingKind::EngineGuardrail;
    let disputed =
        "row 1 pays while the bank has yet to decide a dispute, or after it returned the money (§6)";
    let violated = "row 1 pays to a terminated account or after a confirmed violation (§3.3)";
    assert_eq!(
        found,
        [
            (
                kind,
                disputed.to_owned(),
                "claim = technical_issue, dispute = open, restoration_possible = false".to_owned()
            ),
            (
                kind,
                violated.to_owned(),
                "claim = technical_issue, restoration_possible = false, standing = terminated".to_owned()
            ),
        ]
    );
    for finding in report.errors() {
        let decision = &finding.example.as_ref().unwrap().decision;
        assert_eq!(decision.review_reason, Some(ReviewReason::Guardrail), "{}", finding.message);
    }
    let names: Vec<_> = report.errors().filter_map(|finding| finding.guardrail.as_deref()).collect();
    assert_eq!(names, ["pay_while_disputed", "pay_after_violation"]);
}

#[test]
fn the_full_price_for_credits_given_up_is_found() {
    let claims = ("claims", r#"["duplicate_purchase"]"#);
    let full = [claims, ("outcome", r#""APPROVE""#), ("remedies", r#"["refund_full"]"#)];
    let untouched = r#"[{ refunded = "full" }, { untouched = true }]"#;
    let report =
        report(&[barriers(), line("1", &[&full[..], &[("when", untouched)]].concat()), line("2", &[])]);
    let broken: Vec<_> = report.errors().filter_map(|finding| finding.guardrail.as_deref()).collect();
    assert!(broken.contains(&"pay_for_refunded_credits"), "{broken:?}");
    let whole = line("1", &[&full[..], &[("when", "[{ untouched = true }]")]].concat());
    assert_eq!(errors(&self::report(&[barriers(), whole, line("2", &[])])), []);
}

#[test]
fn an_approval_because_of_papers_is_found() {
    let restores = [("outcome", r#""APPROVE""#), ("remedies", r#"["restore_failed"]"#)];
    // Said outright, by the kind of paper, or by asking for papers first and approving whoever sends some.
    let outright = line("1", &[&restores[..], &[("when", "[{ evidence_given = true }]")]].concat());
    let by_kind =
        line("1", &[&restores[..], &[("when", r#"[{ details_given = { has = "logs" } }]"#)]].concat());
    let asks = [("outcome", r#""REQUEST_INFORMATION""#), ("request", r#"["logs"]"#)];
    let unasked = ("when", r#"[{ information_asked = { lacks = "logs" } }]"#);
    let asked = format!("{}{}", line("1", &[&asks[..], &[unasked]].concat()), line("2", &restores));
    for (rows, row, example) in [
        (outright, "1", "claim = other, evidence_given = true"),
        (by_kind, "1", "claim = other, evidence_given = true, details_given = logs, order_id"),
        (asked, "2", "claim = other, evidence_given = true, details_given = logs, order_id"),
    ] {
        let report =
            report(&[rows, line("9", &[("when", "[{ used = { at_least = 0 } }]")]), line("10", &[])]);
        let found = report.errors().find(|finding| finding.kind == FindingKind::EngineGuardrail).unwrap();
        assert_eq!(found.guardrail.as_deref(), Some("approve_on_evidence"));
        assert_eq!(found.rows, [row]);
        assert_eq!(found.example.as_ref().unwrap().to_string(), example);
    }
    // Papers that change nothing are no reason.
    let either_way = report(&[line("1", &restores)]);
    assert_eq!(errors(&either_way), []);
}

#[test]
fn what_the_document_forbids_itself_is_found() {
    let full = ("remedies", r#"["refund_full"]"#);
    let fixed = ("remedies", "[{ refund_fixed = { USD = 100 } }]");
    let used = "claim = other, untouched = false, used = 1";
    for (claim, remedies, name, does, example) in [
        (
            "change_of_mind",
            None,
            "pay_for_change_of_mind",
            "pays for a change of mind (§3.2)",
            "claim = change_of_mind",
        ),
        (
            "dissatisfied",
            None,
            "pay_for_dissatisfaction",
            "pays for dissatisfaction (§3.1)",
            "claim = dissatisfied",
        ),
        (
            "other",
            Some(full),
            "pay_for_used_credits",
            "pays for credits that were used or are held (§3.1, §7.1)",
            used,
        ),
        (
            "other",
            Some(fixed),
            "pay_for_used_credits",
            "pays for credits that were used or are held (§3.1, §7.1)",
            used,
        ),
        (
            "credits_not_delivered",
            None,
            "pay_before_restoring",
            "pays for missing credits that can still be delivered (§2.3)",
            "claim = credits_not_delivered, undelivered = 1",
        ),
    ] {
        let claims = format!("[\"{claim}\"]");
        let changes: Vec<_> = std::iter::once(("claims", claims.as_str())).chain(remedies).collect();
        let rows = [
            barriers(),
            line("1", &[("when", r#"[{ refunded = "full" }]"#)]),
            line("2", &paying(&changes)),
            line("3", &[]),
        ];
        let report = report(&rows);
        let (kind, message, found) = only(&report);
        assert_eq!((kind, message), (FindingKind::DeclaredGuardrail, format!("row 2 {does}")));
        assert_eq!(report.findings[0].guardrail.as_deref(), Some(name));
        assert_eq!(found.to_string(), example, "{name}");
        assert_eq!(found.decision.outcome, Outcome::Approve, "{name}");
        // A document that does not forbid it may do it.
        let free = with_rows(&rows.concat()).replacen(&format!("\"{name}\""), "", 1).replace(", ,", ",");
        let free = free.replace("[, ", "[").replace(", ]", "]");
        let report = check(&Document::parse(&free).unwrap(), &mut |_| ());
        assert_eq!(errors(&report), [], "{name}");
    }
}

#[test]
fn money_that_only_a_person_may_pay_breaks_no_declared_guardrail() {
    let rows =
        [barriers(), line("1", &paying(&[("claims", r#"["change_of_mind"]"#)])), line("2", &[])].concat();
    let text = with_rows(&rows);
    let (head, tail) = text.split_once("[limits.approve_at_most]").unwrap();
    let (_, tail) = tail.split_once("\n# ").unwrap();
    let document = Document::parse(&format!("{head}[limits.approve_at_most]\n# {tail}")).unwrap();
    assert_eq!(errors(&check(&document, &mut |_| ())), []);
}

#[test]
fn two_rows_whose_order_decides_are_warned_about() {
    let report = report(&[
        line("1", &[("when", "[{ used = { more_than = 0 } }]")]),
        line("2", &[("when", "[{ renewal = true }]"), ("outcome", r#""REVIEW""#)]),
        line("3", &[("when", "[{ held = { more_than = 0 } }]")]),
        line("4", &[]),
    ]);
    assert_eq!(errors(&report), []);
    let warned: Vec<_> = report
        .warnings()
        .map(|warning| (warning.message.as_str(), warning.example.as_ref().unwrap().to_string()))
        .collect();
    assert_eq!(
        warned,
        [
            (
                "row 1 (DENY) comes before row 2 (REVIEW), and both fit this case",
                "claim = other, untouched = false, used = 1, purchase_kind = subscription, renewal = true"
                    .to_owned()
            ),
            (
                "row 2 (REVIEW) comes before row 3 (DENY), and both fit this case",
                "claim = other, untouched = false, held = 1, purchase_kind = subscription, renewal = true"
                    .to_owned()
            ),
        ]
    );
}

#[test]
fn a_check_says_how_far_it_is() {
    let document = Document::parse(&with_rows(&row(&[]))).unwrap();
    let mut told = Vec::new();
    let _ = check(&document, &mut |progress| told.push((progress.doing, progress.done, progress.of)));
    let expected = ["rows", "guardrails", "order"].map(|doing| [(doing, 0, 1), (doing, 1, 1)]);
    assert_eq!(told, expected.concat());
}
