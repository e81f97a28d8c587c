//! What was written and what callers were told, against what lies in the tables now.

use super::finding::{Check, Row, Violation, attempt_key};
use crate::domain::fault::Fault;
use crate::domain::usage::{Failure, Usage, UsageStage};
use crate::store::{AuditTold, AuditUnwitnessed};
use serde_json::Value;

/// A row that its witness does not know as it is.
pub(super) fn unwitnessed(row: AuditUnwitnessed) -> Violation {
    let message = match (row.is_there, row.is_witnessed) {
        (true, false) => "it was added past its witness, or the witness removed",
        (false, true) => "it is missing; a witness saw it written",
        _ => "it is not what its witness saw written",
    };
    Violation::new(Check::Witness, &row.of_table, row.of_key, message)
}

/// Walks answers about attempts, those of one attempt after each other.
#[derive(Debug, Default)]
pub(super) struct Told {
    current: Option<Attempt>,
}

/// What the answers about one attempt told so far.
#[derive(Debug)]
struct Attempt {
    now: AuditTold,
    /// Whether its beginning is told, and with it everything that came later.
    has_begin: bool,
    /// Whether a failure is told, and whether one is just as it is now.
    has_failure: bool,
    has_this_failure: bool,
}

impl Told {
    /// Takes the next answer.
    pub(super) fn next(&mut self, told: &AuditTold, found: &mut Vec<Violation>) {
        let is_next = self
            .current
            .as_ref()
            .is_some_and(|it| (&it.now.account_id, &it.now.attempt) == (&told.account_id, &told.attempt));
        if !is_next {
            self.end(found);
        }
        // An answer that cannot be read is named as such, where all of them are read.
        let usage = serde_json::from_str::<Value>(&told.answer).ok();
        let usage =
            usage.and_then(|answer| serde_json::from_value::<Usage>(answer.get("usage")?.clone()).ok());
        let current = self.current.get_or_insert_with(|| Attempt {
            now: told.clone(),
            has_begin: false,
            has_failure: false,
            has_this_failure: false,
        });
        if let Some(usage) = usage {
            current.has_begin |= told.method == "HoldCredits";
            current.hear(&usage, told, found);
        }
    }

    /// The last answer about an attempt was taken.
    pub(super) fn end(&mut self, found: &mut Vec<Violation>) {
        let Some(Attempt { now, has_begin, has_failure, has_this_failure }) = self.current.take() else {
            return;
        };
        if now.reported_at.is_none() && now.failure_trace_id.is_some() {
            row(&now, found).broken(Check::UsageRecord, "it has the trace of a failure and no failure");
        }
        if now.reported_at.is_some() && (has_begin || has_failure) && !has_this_failure {
            row(&now, found).broken(Check::UsageRecord, "no call reported the failure that it has");
        }
        if now.reported_at.is_none() && has_failure {
            row(&now, found).broken(Check::UsageRecord, "it has not the failure that a call reported");
        }
    }
}

fn row<'a>(now: &AuditTold, found: &'a mut Vec<Violation>) -> Row<'a> {
    Row::new("usage", attempt_key(&now.account_id, &now.attempt), found)
}

impl Attempt {
    fn hear(&mut self, usage: &Usage, told: &AuditTold, found: &mut Vec<Violation>) {
        let now = &self.now;
        let has_ended = usage.stage != UsageStage::Held;
        let mut wrong: Vec<&str> = [
            ("cost", now.cost == usage.cost.get()),
            ("outputs", now.outputs == usage.outputs),
            ("held_at", now.held_at == usage.held_at),
            ("hold_expires_at", now.hold_expires_at == usage.hold_expires_at),
            ("trace_id", now.trace_id == usage.trace_id),
            ("delivered_outputs", !has_ended || now.delivered_outputs == usage.delivered_outputs),
            ("ended_at", !has_ended || now.ended_at == usage.ended_at),
        ]
        .into_iter()
        .filter_map(|(column, is_same)| (!is_same).then_some(column))
        .collect();
        if let Some(failure) = &usage.failure {
            self.has_failure = true;
            let differing: Vec<&str> = differing(now, failure).collect();
            self.has_this_failure |= differing.is_empty();
            // One whose fault was undetermined may have been settled by a later report.
            if failure.fault != Fault::Undetermined {
                wrong.extend(differing);
            }
        }
        for column in wrong {
            let message = format!("{column} is not what {} {} was answered", told.method, told.request_id);
            row(now, found).broken(Check::UsageRecord, message);
        }
    }
}

/// The columns of a failure that are not as reported.
fn differing<'a>(now: &AuditTold, failure: &Failure) -> impl Iterator<Item = &'a str> {
    [
        ("cause", now.cause.as_deref() == Some(failure.cause.as_str())),
        ("fault", now.fault.as_deref() == Some(failure.fault.name())),
        ("failed_at", now.failed_at == Some(failure.failed_at)),
        ("reported_at", now.reported_at == Some(failure.reported_at)),
        ("failure_trace_id", now.failure_trace_id == failure.trace_id),
    ]
    .into_iter()
    .filter_map(|(column, is_same)| (!is_same).then_some(column))
}
