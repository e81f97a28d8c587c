//! What a check found.

use crate::domain::names::names;
use crate::policy::decision::Decision;
use crate::policy::facts::{FactName, Facts};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

/// What kind of fault or oddity was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FindingKind {
    /// Some case that can occur is answered by no row.
    NotTotal,
    /// No case that can occur fits the row's conditions.
    UnreachableRow,
    /// Rows before it take every case that fits its conditions.
    ShadowedRow,
    /// A guardrail that holds for every document is broken.
    EngineGuardrail,
    /// A guardrail that the document declares is broken.
    DeclaredGuardrail,
    /// The document is too intricate to be proved within bounds.
    TooIntricate,
    /// Two rows with different answers fit the same case, so that their order decides.
    OrderDecides,
}

names!(FindingKind {
    NotTotal => "NOT_TOTAL", UnreachableRow => "UNREACHABLE_ROW", ShadowedRow => "SHADOWED_ROW",
    EngineGuardrail => "ENGINE_GUARDRAIL", DeclaredGuardrail => "DECLARED_GUARDRAIL",
    TooIntricate => "TOO_INTRICATE", OrderDecides => "ORDER_DECIDES",
});

impl FindingKind {
    /// Whether the document may not be published for it.
    #[must_use]
    pub const fn is_error(self) -> bool {
        !matches!(self, Self::OrderDecides)
    }
}

/// Facts that show a finding: a whole case, and what is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// All facts of the case, so that it can be decided again.
    #[serde(skip)]
    pub facts: Facts,
    /// The facts worth telling, least first that differ from an ordinary case: the claim, and what is unusual.
    #[serde(rename = "facts", serialize_with = "told")]
    pub telling: Vec<(FactName, String)>,
    /// What the document answers.
    #[serde(skip)]
    pub decision: Decision,
}

impl fmt::Display for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, value)) in self.telling.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{} = {value}", name.name())?;
        }
        Ok(())
    }
}

fn told<S: Serializer>(telling: &[(FactName, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(telling.iter().map(|(name, value)| (name.name(), value)))
}

/// One thing that a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// What is wrong and what to do, in a sentence.
    pub message: String,
    /// The rows that it is about.
    pub rows: Vec<String>,
    /// The guardrail that is broken, such as `pay_for_used_credits`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guardrail: Option<String>,
    /// A smallest case that shows it; `None` when none can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<Example>,
}

/// What is true of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What was found, errors first, then in the order of the rows.
    pub findings: Vec<Finding>,
    /// Whether all warnings are among the findings; false when there were too many to look for or to list.
    pub all_warnings: bool,
    /// How many cells of the partitioned fact space can occur; all of them were decided. At most `u64::MAX`.
    pub cells: u64,
    /// How many nodes the diagrams took that stand for all these cells.
    pub nodes: usize,
}

impl Report {
    /// Whether the document can be published: no errors.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.errors().next().is_none()
    }

    /// What keeps the document from being published.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.kind.is_error())
    }

    /// What somebody should look at.
    pub fn warnings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| !finding.kind.is_error())
    }
}

/// How far a check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done, such as `rows`.
    pub doing: &'static str,
    /// Steps done.
    pub done: usize,
    /// Steps in all.
    pub of: usize,
}
