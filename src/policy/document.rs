//! A policy version: one TOML document, checked whole when it is loaded.

mod judgement;
mod place;
mod raw;
mod rows;

pub(super) use place::Wrong;
pub(super) use rows::is_clause;

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
use std::fmt;

/// Longest accepted document, in bytes: ten times the first version.
pub const MAX_BYTES: usize = 512 * 1024;
/// Most rows of a table: a person must still be able to read it.
pub const MAX_ROWS: usize = 500;
/// Longest accepted version, in bytes.
pub const MAX_VERSION_BYTES: usize = 64;

/// Why a document was refused, and where to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentError {
    /// The line, from 1; `None` when what is wrong is nowhere in the text.
    pub line: Option<usize>,
    /// The row, such as `14`, when it is in one.
    pub row: Option<String>,
    /// The field, such as `rows[3].when[0].unused`; empty for the whole document.
    pub field: String,
    /// What is wrong there.
    pub problem: String,
}

impl std::error::Error for DocumentError {}

impl fmt::Display for DocumentError {
    /// Line, row and field, as far as they are known, and what is wrong there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line.map(|line| format!("line {line}"));
        let row = self.row.as_ref().map(|row| format!("row `{row}`"));
        let within_row = self.row.as_ref().and_then(|_| self.field.split_once("].")).map(|(_, field)| field);
        let field = if self.row.is_some() { within_row } else { Some(self.field.as_str()) };
        let field = field.filter(|field| !field.is_empty()).map(|field| format!("`{field}`"));
        let place: Vec<String> = [line, row, field].into_iter().flatten().collect();
        if place.is_empty() {
            write!(f, "the document: {}", self.problem)
        } else {
            write!(f, "{}: {}", place.join(", "), self.problem)
        }
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

impl Guardrail {
    /// Every guardrail that a document can declare.
    pub const ALL: [Self; 4] = [
        Self::PayForChangeOfMind,
        Self::PayForDissatisfaction,
        Self::PayForUsedCredits,
        Self::PayBeforeRestoring,
    ];
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
            return Err(Wrong::new(format!("is longer than {MAX_BYTES} bytes")).locate(""));
        }
        let raw: raw::Document = toml::from_str(text).map_err(|error| place::misread(&error, text))?;
        Self::understand(raw, text).map_err(|wrong| wrong.locate(text))
    }

    fn understand(raw: raw::Document, text: &str) -> Result<Self, Wrong> {
        raw.check_head()?;
        let required = rows::required_details(&raw.required_details)?;
        let parameters =
            Parameters::new(raw.parameters, raw.discretionary, required, raw.limits, raw.chargebacks)?;
        raw.calendar.check().map_err(|problem| Wrong::new(problem).below("calendar"))?;
        let scope = Scope { grants: false, requested: false };
        let referral = Template::parse(&raw.referral, scope, &parameters)
            .map_err(|problem| Wrong::new(problem).below("referral"))?;
        if referral.is_empty() {
            return Err(Wrong::new("must not be empty").below("referral"));
        }
        let rows = rows::rows(raw.rows, &parameters)?;
        judgement::check(&rows, &parameters)?;
        Ok(Self {
            version: raw.version,
            title: raw.title,
            effective_from: raw.effective_from,
            sha256: hex::encode(Sha256::digest(text)),
            rows,
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

    /// The causes that are listed, with whose fault they are.
    #[must_use]
    pub const fn causes(&self) -> &BTreeMap<Cause, Fault> {
        &self.causes
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
