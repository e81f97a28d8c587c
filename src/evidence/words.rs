//! How evidence says times, attempts and answers.

use super::records::Answer;
use crate::domain::credits::Credits;
use crate::domain::usage::Usage;
use crate::policy::Outcome;
use chrono::{DateTime, Utc};

/// `2025-03-03 12:00:00 UTC`.
pub(super) fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `2025-03-03`.
pub(super) fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d").to_string()
}

/// A name of ours as words.
pub(super) fn plain(name: &str) -> String {
    name.replace('_', " ")
}

/// A text on one line.
pub(super) fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `1 credit`, `2 credits`.
pub(super) fn credits(credits: Credits) -> String {
    counted(credits.get(), "credit")
}

/// `1 attempt`, `2 attempts`.
pub(super) fn counted(count: impl TryInto<i64>, thing: &str) -> String {
    match count.try_into().unwrap_or(i64::MAX) {
        1 => format!("1 {thing}"),
        count => format!("{count} {thing}s"),
    }
}

/// `§2.1, §7.1`.
pub(super) fn clauses(clauses: &[String]) -> String {
    clauses.iter().map(|clause| format!("§{clause}")).collect::<Vec<_>>().join(", ")
}

/// What an answer came to.
pub(super) const fn outcome(answer: &Answer) -> &'static str {
    match answer.outcome {
        Outcome::Approve => "approved",
        Outcome::Deny => "denied",
        Outcome::RequestInformation => "asked for information",
        Outcome::Review => "referred to a person",
    }
}

/// When an attempt was charged: the end of its work.
pub(super) fn charged_at(attempt: &Usage) -> DateTime<Utc> {
    attempt.ended_at.unwrap_or(attempt.held_at)
}

/// What an attempt was charged of these credits, and what of that was given back.
pub(super) fn charge(attempt: &Usage) -> (Credits, Credits) {
    // INVARIANT: an attempt's credits are bounded, far below where their sum overflows.
    (attempt.captured().unwrap_or_default(), attempt.restored().unwrap_or_default())
}

/// `3 of 4 outputs`.
pub(super) fn outputs(attempt: &Usage) -> String {
    let delivered = attempt.delivered_outputs.unwrap_or_default();
    format!("{delivered} of {}", counted(attempt.outputs, "output"))
}
