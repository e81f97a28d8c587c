//! The document as it is written, before anything in it is understood.

use super::{DocumentError, Guardrail, MAX_VERSION_BYTES, ReportRule};
use crate::domain::book::RestoreOutcome;
use crate::domain::fault::Fault;
use crate::domain::ids::{Cause, check_text};
use crate::policy::calendar::Calendar;
use crate::policy::parameters::{Limits, Parameter};
use crate::policy::table::{Outcome, Remedy};
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
    pub(super) remedies: Vec<Remedy>,
    pub(super) recommend: Option<Recommend>,
    #[serde(default)]
    pub(super) request: Vec<String>,
    pub(super) sentence: String,
    #[serde(default)]
    pub(super) advice: String,
    pub(super) why: String,
}

/// `"deny"`, or a list of remedies.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Recommend {
    Word(String),
    Remedies(Vec<Remedy>),
}

impl Document {
    pub(super) fn check_head(&self) -> Result<(), DocumentError> {
        check_text(&self.version, MAX_VERSION_BYTES)
            .map_err(|error| DocumentError::new("`version`", error.to_string()))?;
        if self.title.trim().is_empty() {
            return Err(DocumentError::new("`title`", "must not be empty"));
        }
        let names = RestoreOutcome::ALL.map(RestoreOutcome::name);
        for name in names {
            let told = self
                .reports
                .get(name)
                .is_some_and(|rule| super::rows::is_clause(&rule.clause) && !rule.sentence.trim().is_empty());
            if !told {
                let problem = format!("needs a clause and a sentence for `{name}`");
                return Err(DocumentError::new("`reports`", problem));
            }
        }
        if let Some(unknown) = self.reports.keys().find(|name| !names.contains(&name.as_str())) {
            return Err(DocumentError::new("`reports`", format!("there is no outcome `{unknown}`")));
        }
        Ok(())
    }
}

/// What the TOML reader says, with the row it was in and the line.
pub(super) fn misread(error: &toml::de::Error, text: &str) -> DocumentError {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count().saturating_add(1);
    let row = before.rsplit("[[rows]]").next().filter(|_| before.contains("[[rows]]"));
    let id = row.and_then(|row| row.lines().find_map(|line| line.trim().strip_prefix("row = ")));
    let place = match id {
        Some(id) => format!("line {line}, row `{}`", id.trim().trim_matches('"')),
        None => format!("line {line}"),
    };
    DocumentError::new(place, error.message().to_owned())
}
