//! The case file: everything in our records that may bear on one refund request, read at one instant.
//!
//! The store fills it, [`crate::policy`] turns it into facts. All lists are bounded by whoever fills them.

use super::credits::Credits;
use super::ids::PurchaseId;
use super::purchase::{DisputeState, Purchase};
use super::request::{Claim, Detail, Details, EvidenceKind};
use super::restriction::Standing;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Our records about one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseFile {
    /// When the request was received; the customer's time limits are measured here (§5.3).
    pub received_at: DateTime<Utc>,
    /// Since when the customer waits for an answer, when that is later: the reply to our last question, or the day on
    /// which a refund failed (§4.1).
    pub waiting_since: Option<DateTime<Utc>>,
    /// The instant of this decision; outages and late deliveries are measured here.
    pub decided_at: DateTime<Utc>,
    /// What is claimed.
    pub claim: Claim,
    /// Whether the request names a purchase, whether or not we know it.
    pub names_purchase: bool,
    /// What the customer told us.
    pub details: Details,
    /// What we have asked for in this case already.
    pub asked: BTreeSet<Detail>,
    /// Kinds of evidence given since we last asked, or since the start.
    pub evidence: BTreeSet<EvidenceKind>,
    /// Whether a piece of this evidence was used in another case before.
    pub evidence_reused: bool,
    /// The account.
    pub account: AccountFile,
    /// The purchase, when the request names one that is the account's.
    pub purchase: Option<PurchaseFile>,
    /// Other purchases of the account, same package, amount and currency.
    pub twins: Vec<TwinFile>,
    /// The account's recent attempts, oldest first.
    pub attempts: Vec<AttemptFile>,
    /// Captured credits of failed attempts whose fault is ours and that were not restored, whatever the lot.
    pub failed_credits: Credits,
    /// The attempt that the claim names, when it is the account's.
    pub attempt: Option<NamedAttemptFile>,
    /// Declared incidents that touch the account.
    pub incidents: Vec<IncidentFile>,
}

/// The account's side of a case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountFile {
    /// The restrictions in force.
    pub standing: Standing,
    /// When refunds of the account were approved, those that failed or were cancelled left out; newest first.
    pub refunds_at: Vec<DateTime<Utc>>,
    /// How many there were ever.
    pub refunds_ever: i64,
    /// Credits consumed from all lots.
    pub used_credits: Credits,
    /// Credits available in all lots.
    pub available_credits: Credits,
    /// When compensations were granted, newest first.
    pub compensated_at: Vec<DateTime<Utc>>,
}

/// The purchase's side of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurchaseFile {
    /// The purchase.
    pub purchase: Purchase,
    /// Whether no purchase of the account was paid earlier.
    pub first_purchase: bool,
    /// Credits of its paid lots that are available. Held credits are not yet unused.
    pub unused: Credits,
    /// Credits of its paid lots that are consumed.
    pub used: Credits,
    /// Credits of its paid lots that are held by running attempts.
    pub held: Credits,
    /// Of `used`: captured by attempts that failed through our fault, not restored.
    pub failed: Credits,
}

/// Another purchase that looks the same (§2.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TwinFile {
    /// Which one.
    pub purchase_id: PurchaseId,
    /// When it was paid.
    pub paid_at: DateTime<Utc>,
    /// Whether any of it was refunded or is about to be.
    pub refunded: bool,
    /// The bank's side.
    pub dispute: DisputeState,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptEnd {
    /// It delivered all or part of what was asked.
    Success,
    /// It failed through our fault (§2.2).
    PlatformFailure,
    /// It failed otherwise.
    OtherFailure,
}

/// One attempt of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptFile {
    /// When it ended.
    pub at: DateTime<Utc>,
    /// How it ended.
    pub end: AttemptEnd,
}

/// The attempt that a claim is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedAttemptFile {
    /// When it ended and how; `None` while it runs.
    pub ended: Option<AttemptFile>,
    /// Credits that it was charged and that were not given back.
    pub charged: Credits,
}

/// A declared incident as far as a case cares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentFile {
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended; `None` while it lasts.
    pub ended_at: Option<DateTime<Utc>>,
}
