//! The document as it is written, before anything in it is understood.

use super::{Guardrail, MAX_VERSION_BYTES, ReportRule, Wrong};
use crate::domain::book::RestoreOutcome;
use crate::domain::fault::Fault;
use crate::domain::ids::{Cause, check_text};
use crate::policy::calendar::Calendar;
use crate::policy::parameters::{Chargebacks, Limits, Parameter};
use crate::policy::spelling::hint;
use crate::policy::table::Outcome;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) version: String,
    pub(super) title: String,
    pub(super) effective_from: DateTime<Utc>,
    pub(super) discretionary: Vec<String>,
    pub(super) never: BTreeSet<Guardrail>,
    pub(super) referral: String,
    pub(super) parameters: BTreeMap<String, Parameter>,
    pub(super) limits: Limits,
    #[serde(default)]
    pub(super) chargebacks: Chargebacks,
    pub(super) calendar: Calendar,
    pub(super) required_details: BTreeMap<String, Vec<String>>,
    pub(super) causes: BTreeMap<Cause, Fault>,
    pub(super) reports: BTreeMap<String, ReportRule>,
    pub(super) rows: Vec<Line>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub(super) row: String,
    pub(super) clauses: Vec<String>,
    pub(super) claims: Option<Vec<String>>,
    #[serde(default)]
    pub(super) when: Vec<toml::Table>,
    pub(super) outcome: Outcome,
    #[serde(default)]
    pub(super) remedies: Vec<toml::Value>,
    /// `"deny"`, or a list of remedies.
    pub(super) recommend: Option<toml::Value>,
    #[serde(default)]
    pub(super) request: Vec<String>,
    pub(super) sentence: String,
    #[serde(default)]
    pub(super) advice: String,
    pub(super) why: String,
}

impl Document {
    pub(super) fn check_head(&self) -> Result<(), Wrong> {
        check_text(&self.version, MAX_VERSION_BYTES)
            .map_err(|error| Wrong::new(error.to_string()).below("version"))?;
        if self.title.trim().is_empty() {
            return Err(Wrong::new("must not be empty").below("title"));
        }
        let names = RestoreOutcome::ALL.map(RestoreOutcome::name);
        if let Some(unknown) = self.reports.keys().find(|name| !names.contains(&name.as_str())) {
            let problem = format!("there is no outcome `{unknown}`{}", hint(unknown, names));
            return Err(Wrong::new(problem).below(unknown.as_str()).below("reports"));
        }
        for name in names {
            let told = self
                .reports
                .get(name)
                .is_some_and(|rule| super::rows::is_clause(&rule.clause) && !rule.sentence.trim().is_empty());
            if !told {
                return Err(Wrong::new("needs a clause and a sentence").below(name).below("reports"));
            }
        }
        Ok(())
    }
}
