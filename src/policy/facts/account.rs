//! The account: its standing (§3.3, §6) and its history with refunds.

use super::value::word;
use super::{FactName, Facts, Value};
use crate::domain::case_file::CaseFile;
use crate::domain::restriction::RestrictionKind;
use crate::policy::parameters::Parameters;
use crate::policy::span::Span;
use chrono::{DateTime, Utc};

pub(super) fn observe(facts: &mut Facts, file: &CaseFile, parameters: &Parameters) {
    let account = &file.account;
    let standing = &account.standing;
    let violation = if standing.has(RestrictionKind::ViolationConfirmed) {
        "confirmed"
    } else if standing.has(RestrictionKind::ViolationSuspected) {
        "suspected"
    } else {
        "none"
    };
    let window = parameters.recent_refund_window();
    let recent = |times: &[DateTime<Utc>]| {
        let count = times.iter().filter(|at| Span::between(**at, file.received_at) <= window).count();
        Value::Number(i64::try_from(count).unwrap_or(i64::MAX))
    };

    facts.put(FactName::Standing, Value::Set(standing.0.iter().map(word).collect()));
    facts.put(FactName::Violation, Value::Text(violation.to_owned()));
    facts.put(FactName::RecentRefunds, recent(&account.refunds_at));
    facts.put(FactName::RefundsEver, Value::Number(account.refunds_ever.max(0)));
    facts.put(FactName::AccountUsedCredits, Value::Number(account.used_credits.get()));
    facts.put(FactName::AccountAvailable, Value::Number(account.available_credits.get()));
    facts.put(FactName::RecentCompensations, recent(&account.compensated_at));
}
