//! The command: which database, and what a person or a program reads of it.

use super::{Check, Listener, Scope, Tally, Violation, figures};
use crate::clock::Clock;
use crate::config::AuditSettings;
use crate::records::Records;
use anyhow::Context;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};

/// Rows between two signs of progress: often enough to see that it lives, seldom enough to cost nothing.
const PROGRESS_EVERY: u64 = 10_000;

/// Audits a database and says whether every promise is kept.
///
/// # Errors
/// A sentence for the person who started it, when the audit could not be made or finished.
pub async fn audit(settings: AuditSettings) -> anyhow::Result<bool> {
    let records = Records::open(&settings.database).await?;
    let audited = audit_records(&records, &settings).await;
    records.close().await?;
    Ok(audited?.violations == 0)
}

async fn audit_records(records: &Records, settings: &AuditSettings) -> anyhow::Result<Tally> {
    let scope = Scope { since: settings.since, now: Clock::system().now() };
    let terminal = Some(std::io::stderr()).filter(IsTerminal::is_terminal);
    let mut printer = Printer::new(settings.json, std::io::stdout(), terminal);
    let tally =
        super::run(&records.store, scope, &mut printer).await.context("the audit could not be finished")?;
    printer.summary(tally)?;
    if let Some(file) = &settings.figures {
        let unwritten = || format!("the figures could not be written to `{}`", file.display());
        figures::write(file, tally, Clock::system().now()).with_context(unwritten)?;
    }
    Ok(tally)
}

/// Prints violations as they come, and on a terminal how far it is.
struct Printer<O, E> {
    json: bool,
    out: O,
    /// Where the person looks who started it; `None` where nobody does.
    terminal: Option<E>,
    counts: BTreeMap<Check, u64>,
    failed: Option<std::io::Error>,
}

impl<O: Write, E: Write> Printer<O, E> {
    fn new(json: bool, out: O, terminal: Option<E>) -> Self {
        Self { json, out, terminal, counts: BTreeMap::new(), failed: None }
    }

    /// Writes a line; what a closed pipe says is told at the end.
    fn line(&mut self, line: &str) {
        if let Err(error) = writeln!(self.out, "{line}") {
            self.failed.get_or_insert(error);
        }
    }

    fn status(&mut self, text: &str) {
        if let Some(terminal) = &mut self.terminal {
            // Progress that cannot be shown is no failure of the audit.
            let _ = write!(terminal, "\r\x1b[K{text}");
        }
    }

    fn summary(&mut self, tally: Tally) -> anyhow::Result<()> {
        self.status("");
        let Tally { rows, violations } = tally;
        if self.json {
            let checks: BTreeMap<&str, u64> =
                self.counts.iter().map(|(check, count)| (check.name(), *count)).collect();
            self.line(&json!({"rows": rows, "violations": violations, "checks": checks}).to_string());
        } else if violations == 0 {
            self.line(&format!("{rows} rows read: every promise is kept"));
        } else {
            let counts = self.counts.iter().map(|(check, count)| format!("{} {count}", check.name()));
            let counts = counts.collect::<Vec<_>>().join(", ");
            self.line(&format!("{rows} rows read: {violations} violations ({counts})"));
        }
        match self.failed.take() {
            Some(error) => Err(error).context("what was found could not be written"),
            None => Ok(()),
        }
    }
}

impl<O: Write, E: Write> Listener for Printer<O, E> {
    fn found(&mut self, violation: &Violation) {
        self.status("");
        let count = self.counts.entry(violation.check).or_default();
        *count = count.saturating_add(1);
        let line = if self.json { json!(violation).to_string() } else { violation.to_string() };
        self.line(&line);
    }

    fn progress(&mut self, part: &'static str, rows: u64) {
        if rows.checked_rem(PROGRESS_EVERY) == Some(0) {
            self.status(&format!("{part}: {rows} rows"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Check, Listener, Printer, Tally, Violation};

    /// What an audit of two parts and one violation shows to whom.
    fn printed(json: bool, has_terminal: bool) -> (String, String) {
        let (mut out, mut terminal) = (Vec::new(), Vec::new());
        let mut printer = Printer::new(json, &mut out, has_terminal.then_some(&mut terminal));
        for rows in [0, 1, 9_999, 10_000] {
            printer.progress("entries", rows);
        }
        printer.found(&Violation::new(Check::EntrySeq, "entry", "ada/4", "it is missing"));
        printer.progress("lots", 0);
        printer.summary(Tally { rows: 10_000, violations: 1 }).unwrap();
        (String::from_utf8(out).unwrap(), String::from_utf8(terminal).unwrap())
    }

    #[test]
    fn a_person_sees_how_far_it_is_and_what_is_found_at_once() {
        let (out, terminal) = printed(false, true);
        assert_eq!(
            out,
            "entry_seq: entry ada/4: it is missing\n10000 rows read: 1 violations (entry_seq 1)\n"
        );
        let shown: Vec<&str> = terminal.split("\r\x1b[K").filter(|text| !text.is_empty()).collect();
        assert_eq!(shown, ["entries: 0 rows", "entries: 10000 rows", "lots: 0 rows"]);
        assert!(terminal.ends_with("\r\x1b[K"), "the last sign is taken away");
    }

    #[test]
    fn a_program_reads_one_object_a_line_and_no_progress() {
        let (out, terminal) = printed(true, false);
        let lines: Vec<serde_json::Value> =
            out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((lines.len(), terminal.as_str()), (2, ""));
        assert_eq!(lines[0]["key"], "ada/4");
        assert_eq!(lines[1]["checks"]["entry_seq"], 1);
    }
}
