//! A policy version: one TOML document, checked whole when it is loaded.

mod raw;
mod rows;

use super::calendar::Calendar;
use super::parameters::Parameters;
use super::sentence::{Scope, Template};
use super::table::Row;
use crate::domain::book::RestoreOutcome;
use crate::domain::fault::Fault;
use crate::domain::ids::Cause;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Longest accepted document, in bytes: ten times the first version.
pub const MAX_BYTES: usize = 512 * 1024;
/// Most rows of a table: a person must still be able to read it.
pub const MAX_ROWS: usize = 500;
/// Longest accepted version, in bytes.
pub const MAX_VERSION_BYTES: usize = 64;

/// Why a document was refused, and where to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct DocumentError {
    /// The row and field, such as "row `14`, `when`".
    pub place: String,
    /// What is wrong there.
    pub problem: String,
}

impl DocumentError {
    fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { place: place.into(), problem: problem.into() }
    }
}

/// Something that no decision under this document may ever do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guardrail {
    /// Pay for a change of mind (§3.2).
    PayForChangeOfMind,
    /// Pay for dissatisfaction with what was generated (§3.1).
    PayForDissatisfaction,
    /// Pay for used credits (§3.1, §7.1).
    PayForUsedCredits,
    /// Pay for undelivered credits that could still be delivered (§2.3).
    PayBeforeRestoring,
}

/// What is said about a reported failure, by what it came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportRule {
    /// The clause, such as `2.2`.
    pub clause: String,
    /// For the customer or the worker's log; without placeholders.
    pub sentence: String,
}

/// A checked policy version.
#[derive(Debug, Clone)]
pub struct Document {
    version: String,
    title: String,
    effective_from: DateTime<Utc>,
    sha256: String,
    parameters: Parameters,
    calendar: Calendar,
    causes: BTreeMap<Cause, Fault>,
    reports: BTreeMap<String, ReportRule>,
    referral: Template,
    never: BTreeSet<Guardrail>,
    rows: Vec<Row>,
}

impl Document {
    /// Reads and checks a document.
    ///
    /// # Errors
    /// [`DocumentError`] naming the first row and field that does not hold together.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        if text.len() > MAX_BYTES {
            return Err(DocumentError::new("the document", format!("is longer than {MAX_BYTES} bytes")));
        }
        let raw: raw::Document = toml::from_str(text).map_err(|error| raw::misread(&error, text))?;
        raw.check_head()?;
        let required = rows::required_details(&raw.required_details)?;
        let parameters = Parameters::new(raw.parameters, raw.discretionary, required, raw.limits)
            .map_err(|(field, problem)| DocumentError::new(format!("`{field}`"), problem))?;
        raw.calendar.check().map_err(|problem| DocumentError::new("`calendar`", problem))?;
        let scope = Scope { grants: false, requested: false };
        let referral = Template::parse(&raw.referral, scope, &parameters)
            .map_err(|problem| DocumentError::new("`referral`", problem))?;
        if referral.is_empty() {
            return Err(DocumentError::new("`referral`", "must not be empty"));
        }
        Ok(Self {
            version: raw.version,
            title: raw.title,
            effective_from: raw.effective_from,
            sha256: hex::encode(Sha256::digest(text)),
            rows: rows::rows(raw.rows, &parameters)?,
            parameters,
            calendar: raw.calendar,
            causes: raw.causes,
            reports: raw.reports,
            referral,
            never: raw.never,
        })
    }

    /// The version, such as `2024-12-19`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The title for people.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// From when on it decides requests that are received (§8).
    #[must_use]
    pub const fn effective_from(&self) -> DateTime<Utc> {
        self.effective_from
    }

    /// SHA-256 of the document's bytes as they were given, in hex.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Its windows, thresholds, limits and required details.
    #[must_use]
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Its business calendar (§4.1).
    #[must_use]
    pub const fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// The table, in order.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// What no decision under it may do.
    #[must_use]
    pub const fn never(&self) -> &BTreeSet<Guardrail> {
        &self.never
    }

    /// Whose fault a reported cause is (§2.2); undetermined when the document does not list it.
    #[must_use]
    pub fn fault_of(&self, cause: &Cause) -> Fault {
        self.causes.get(cause).copied().unwrap_or(Fault::Undetermined)
    }

    /// The clause and the sentence for what a reported failure came to.
    #[must_use]
    pub fn report_rule(&self, outcome: RestoreOutcome) -> Option<&ReportRule> {
        self.reports.get(outcome.name())
    }

    /// What a customer is told when a person takes over from the table.
    pub(super) const fn referral(&self) -> &Template {
        &self.referral
    }
}
