//! Failures of ours, and outages (§2.2).

use super::value::word;
use super::{FactName, Facts, Value};
use crate::domain::case_file::{AttemptEnd, AttemptFile, CaseFile};
use crate::policy::parameters::Parameters;
use crate::policy::span::Span;
use chrono::{DateTime, Utc};

pub(super) fn observe(facts: &mut Facts, file: &CaseFile, parameters: &Parameters) {
    let paid_at = file.purchase.as_ref().map(|known| known.purchase.paid_at);
    let concerns = |ended: DateTime<Utc>| paid_at.is_none_or(|paid_at| ended >= paid_at);
    let attempts: Vec<_> = file.attempts.iter().filter(|attempt| concerns(attempt.at)).collect();
    let failures = attempts.iter().filter(|attempt| attempt.end == AttemptEnd::PlatformFailure).count();

    facts.put(FactName::FailedCredits, Value::Number(file.failed_credits.get()));
    facts.put(FactName::PlatformFailures, Value::Number(i64::try_from(failures).unwrap_or(i64::MAX)));
    named_attempt(facts, file);

    let declared = file.incidents.iter().filter(|incident| incident.started_at <= file.decided_at);
    let declared = declared.filter(|incident| incident.ended_at.is_none_or(concerns)).map(|incident| {
        // An end that is still to come is an announcement: the incident lasts until then.
        Outage { began: incident.started_at, ended: incident.ended_at.filter(|end| *end <= file.decided_at) }
    });
    let gravest = declared
        .chain(outage_seen(&attempts, parameters.outage_failures()))
        .max_by_key(|outage| outage.gravity(file.decided_at));
    state(facts, gravest, file.decided_at);
    if let Some(outage) = gravest {
        let compensated = file.account.compensated_at.iter().any(|at| *at >= outage.began);
        facts.put(FactName::OutageCompensated, Value::Bool(compensated));
    }
}

fn named_attempt(facts: &mut Facts, file: &CaseFile) {
    facts.put(FactName::AttemptKnown, Value::Bool(file.attempt.is_some()));
    let Some(attempt) = &file.attempt else { return };
    let result = attempt.ended.as_ref().map_or_else(|| "running".to_owned(), |ended| word(&ended.end));
    facts.put(FactName::AttemptResult, Value::Text(result));
    facts.put(FactName::AttemptCredits, Value::Number(attempt.charged.get()));
    if let Some(ended) = &attempt.ended {
        facts.put(FactName::AttemptAge, Value::Duration(Span::between(ended.at, file.received_at)));
    }
}

fn state(facts: &mut Facts, outage: Option<Outage>, now: DateTime<Utc>) {
    let word = match outage {
        None => "none",
        Some(Outage { ended: None, .. }) => "open",
        Some(_) => "over",
    };
    facts.put(FactName::Outage, Value::Text(word.to_owned()));
    if let Some(outage) = outage {
        facts.put(FactName::OutageLasted, Value::Duration(outage.lasted(now)));
        if let Some(ended) = outage.ended {
            facts.put(FactName::OutageEndedAgo, Value::Duration(Span::between(ended, now)));
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Outage {
    began: DateTime<Utc>,
    ended: Option<DateTime<Utc>>,
}

impl Outage {
    fn lasted(self, now: DateTime<Utc>) -> Span {
        Span::between(self.began, self.ended.unwrap_or(now))
    }

    /// Open weighs more than over, then the longer one, then the one that ended last.
    fn gravity(self, now: DateTime<Utc>) -> (bool, Span, Option<DateTime<Utc>>) {
        (self.ended.is_none(), self.lasted(now), self.ended)
    }
}

/// The last run of at least `failures_needed` failures of ours with no success between them. Failures that were not
/// ours prove nothing either way and are left out. A success ends the run.
fn outage_seen(attempts: &[&AttemptFile], failures_needed: i64) -> Option<Outage> {
    let mut last = None;
    let mut run: Option<(DateTime<Utc>, i64)> = None;
    for attempt in attempts {
        match attempt.end {
            AttemptEnd::OtherFailure => {}
            AttemptEnd::PlatformFailure => {
                let (began, count) = run.unwrap_or((attempt.at, 0));
                run = Some((began, count.saturating_add(1)));
            }
            AttemptEnd::Success => {
                if let Some((began, count)) = run.take()
                    && count >= failures_needed
                {
                    last = Some(Outage { began, ended: Some(attempt.at) });
                }
            }
        }
    }
    match run {
        Some((began, count)) if count >= failures_needed => Some(Outage { began, ended: None }),
        _ => last,
    }
}
