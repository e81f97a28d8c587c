//! `makegood policy check`: the report as a person reads it, or as JSON.

use crate::config::CheckSettings;
use crate::policy::Document;
use crate::policy::check::{Finding, Progress, Report, check};
use anyhow::Context;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// The document breaks what must hold.
const BROKEN: u8 = 1;
/// There is no document to check.
const UNREADABLE: u8 = 2;

/// Checks the file, prints the report, and says by the exit code what came of it.
///
/// # Errors
/// A sentence when the report cannot be printed.
pub(super) fn run(settings: &CheckSettings) -> anyhow::Result<ExitCode> {
    let name = settings.file.display();
    let text = match std::fs::read_to_string(&settings.file) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("makegood: `{name}` cannot be read: {error}");
            return Ok(ExitCode::from(UNREADABLE));
        }
    };
    let document = match Document::parse(&text) {
        Ok(document) => document,
        Err(error) => {
            eprintln!("makegood: `{name}` is no policy: {error}");
            return Ok(ExitCode::from(UNREADABLE));
        }
    };
    let shows = std::io::stderr().is_terminal();
    let report = check(&document, &mut |progress| {
        if shows {
            show(progress);
        }
    });
    if shows {
        clear();
    }
    let told = if settings.json { json(&document, &report)? } else { readable(&document, &report) };
    let mut out = std::io::stdout().lock();
    out.write_all(told.as_bytes()).and_then(|()| out.flush()).context("the report could not be printed")?;
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::from(BROKEN) })
}

/// One line on the terminal, written over and over. That it could not be written is no matter.
fn show(progress: Progress) {
    let Progress { doing, done, of } = progress;
    let _ = write!(std::io::stderr(), "\r\x1b[2Kchecking {doing}: {done} of {of}");
    let _ = std::io::stderr().flush();
}

fn clear() {
    let _ = write!(std::io::stderr(), "\r\x1b[2K");
}

fn json(document: &Document, report: &Report) -> anyhow::Result<String> {
    let told = serde_json::json!({
        "version": document.version(),
        "document_sha256": document.sha256(),
        "passed": report.passed(),
        "report": report,
    });
    let text = serde_json::to_string_pretty(&told).context("the report cannot be written as JSON")?;
    Ok(format!("{text}\n"))
}

/// The report for a person: errors with their cases, warnings a line each with theirs, and the verdict last, where it
/// is seen.
fn readable(document: &Document, report: &Report) -> String {
    let mut text = format!("{} ({})\n", document.title(), document.version());
    for finding in report.errors() {
        let _ = write!(text, "\nerror: {}\n", finding.message);
        if let Some(guardrail) = &finding.guardrail {
            let _ = writeln!(text, "  guardrail: {guardrail}");
        }
        example(&mut text, finding);
    }
    if report.warnings().next().is_some() {
        text.push_str(
            "\nThe order of these rows decides; an ordinary case, but for what is told, fits both:\n",
        );
    }
    for finding in report.warnings() {
        let case = finding.example.as_ref().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(text, "  {} before {}: {case}", row(finding, 0), row(finding, 1));
    }
    if !report.all_warnings {
        text.push_str("  There are more pairs than are listed.\n");
    }
    let _ = writeln!(text, "\n{}", verdict(document, report));
    text
}

fn row(finding: &Finding, at: usize) -> &str {
    finding.rows.get(at).map_or("?", String::as_str)
}

/// The smallest case, a fact a line, and what it is answered.
fn example(text: &mut String, finding: &Finding) {
    let Some(example) = &finding.example else { return };
    text.push_str("  an ordinary case, but for\n");
    for (fact, value) in &example.telling {
        let _ = writeln!(text, "    {} = {value}", fact.name());
    }
    let decision = &example.decision;
    let _ = writeln!(text, "  is answered {} by row {}", decision.outcome, decision.row);
}

fn verdict(document: &Document, report: &Report) -> String {
    let (errors, warnings) = (report.errors().count(), report.warnings().count());
    let cells = grouped(report.cells);
    if errors == 0 {
        format!(
            "passed: {} rows over {cells} cells of facts; every case is answered, every row decides some case, and no \
             guardrail is broken ({warnings} warnings)",
            document.rows().len()
        )
    } else {
        format!("broken: {errors} errors, {warnings} warnings over {cells} cells of facts")
    }
}

/// A number with its thousands apart: `7,722,893`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && digits.len().saturating_sub(at).checked_rem(3) == Some(0) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::SHIPPED;

    #[test]
    fn a_report_is_read_from_the_errors_to_the_verdict() {
        let head = SHIPPED.split("[[rows]]").next().unwrap();
        let rows = r#"
[[rows]]
row = "1"
clauses = ["2.1"]
claims = ["change_of_mind"]
when = [{ dispute = "none", refunded = "none", violation = "none", standing = { empty = true } }]
outcome = "APPROVE"
remedies = ["refund_unused"]
sentence = "Yes (§2.1)."
why = "Because."

[[rows]]
row = "2"
clauses = ["2.1"]
when = [{ renewal = true }]
outcome = "DENY"
sentence = "No (§2.1)."
why = "Because."

[[rows]]
row = "3"
clauses = ["2.1"]
outcome = "REVIEW"
sentence = "Let us see (§2.1)."
why = "Because."
"#;
        let document = Document::parse(&format!("{head}{rows}")).unwrap();
        let report = check(&document, &mut |_| ());
        let text = readable(&document, &report);
        let (before, cells) = text.split_once("broken: 1 errors, 1 warnings over ").unwrap();
        assert!(cells.ends_with(" cells of facts\n"), "{cells}");
        assert_eq!(
            before,
            "Z-Image.win Refund Policy (2024-12-19)

error: row 1 pays for a change of mind (§3.2)
  guardrail: pay_for_change_of_mind
  an ordinary case, but for
    claim = change_of_mind
  is answered APPROVE by row 1

The order of these rows decides; an ordinary case, but for what is told, fits both:
  1 before 2: claim = change_of_mind, purchase_kind = subscription, renewal = true

"
        );
        let told: serde_json::Value = serde_json::from_str(&json(&document, &report).unwrap()).unwrap();
        assert_eq!(told["passed"], false);
        assert_eq!(told["report"]["findings"][0]["kind"], "DECLARED_GUARDRAIL");
        assert_eq!(told["report"]["findings"][0]["example"]["facts"]["claim"], "change_of_mind");
    }

    #[test]
    fn large_numbers_are_told_in_thousands() {
        assert_eq!([0, 999, 1_000, 7_722_893].map(grouped), ["0", "999", "1,000", "7,722,893"]);
    }
}
