//! What an audit finds: a broken promise, and the row that breaks it.

use serde::Serialize;
use std::fmt;

/// A promise that an audit checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// An account's entries are dense from 1.
    EntrySeq,
    /// An entry continues the one before it.
    EntryPrevHash,
    /// An entry's hash is that of what it says.
    EntryHash,
    /// Time in an account never runs backwards.
    EntryTime,
    /// What an entry names as its cause is there.
    EntryCause,
    /// An account's row knows its last entry.
    AccountHead,
    /// A lot's buckets are what its entries made them.
    LotBuckets,
    /// A lot's buckets sum up to what was granted.
    LotSum,
    /// A lot holds and has consumed what attempts took from it.
    LotAllocations,
    /// A lot is marked, frozen and indebted as its purchase's disputes say.
    LotDispute,
    /// A lot was granted by what it says it came from.
    LotOrigin,
    /// An attempt's allocations are what its entries moved.
    UsageEntries,
    /// An attempt's allocations fit its stage and cost.
    UsageStage,
    /// No attempt reserved credits while its account was suspended.
    UsageSuspended,
    /// A purchase counts the refunds that it has, and never more than its price.
    RefundCap,
    /// A purchase was delivered what its deliveries and lots say.
    PurchaseDelivery,
    /// A purchase stands as its disputes do.
    PurchaseDispute,
    /// A purchase is what its recording was answered.
    PurchaseRecord,
    /// A refund is what was decided, and took the credits that it was paid for.
    RefundRecord,
    /// A dispute has its events, while it is open its restriction, and those of its last determination alone.
    Dispute,
    /// A processor's id belongs to what it names.
    ExternalKey,
    /// A decision is its own digests, and those of its version.
    DecisionDigest,
    /// A request has its decisions, from the first to the last.
    RequestDecisions,
    /// A request was answered in time (§4.1).
    RequestOverdue,
    /// A policy version is the document that was published (§8).
    PolicyDigest,
    /// A stored answer can be given again.
    StoredAnswer,
    /// A row is what its witness saw written.
    Witness,
    /// Words are gone by an erasure that is on record, and no others.
    Erasure,
    /// An attempt is what its calls were answered.
    UsageRecord,
    /// No row points to a row that is not there.
    ForeignKey,
    /// The database enforces what this version relies on.
    Constraint,
    /// The server keeps what it acknowledged.
    ServerSetting,
}

impl Check {
    /// The name as printed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EntrySeq => "entry_seq",
            Self::EntryPrevHash => "entry_prev_hash",
            Self::EntryHash => "entry_hash",
            Self::EntryTime => "entry_time",
            Self::EntryCause => "entry_cause",
            Self::AccountHead => "account_head",
            Self::LotBuckets => "lot_buckets",
            Self::LotSum => "lot_sum",
            Self::LotAllocations => "lot_allocations",
            Self::LotDispute => "lot_dispute",
            Self::LotOrigin => "lot_origin",
            Self::UsageEntries => "usage_entries",
            Self::UsageStage => "usage_stage",
            Self::UsageSuspended => "usage_suspended",
            Self::RefundCap => "refund_cap",
            Self::PurchaseDelivery => "purchase_delivery",
            Self::PurchaseDispute => "purchase_dispute",
            Self::PurchaseRecord => "purchase_record",
            Self::RefundRecord => "refund_record",
            Self::Dispute => "dispute",
            Self::ExternalKey => "external_key",
            Self::DecisionDigest => "decision_digest",
            Self::RequestDecisions => "request_decisions",
            Self::RequestOverdue => "request_overdue",
            Self::PolicyDigest => "policy_digest",
            Self::StoredAnswer => "stored_answer",
            Self::Witness => "witness",
            Self::Erasure => "erasure",
            Self::UsageRecord => "usage_record",
            Self::ForeignKey => "foreign_key",
            Self::Constraint => "constraint",
            Self::ServerSetting => "server_setting",
        }
    }
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The promise.
    pub check: Check,
    /// The table of the row that breaks it.
    pub table: String,
    /// The row's key, its parts joined by `/`.
    pub key: String,
    /// What is wrong.
    pub message: String,
}

impl Violation {
    /// Names a row that breaks a promise.
    #[must_use]
    pub fn new(check: Check, table: &str, key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { check, table: table.to_owned(), key: key.into(), message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}: {}", self.check.name(), self.table, self.key, self.message)
    }
}

/// Violations of one row, as its checks find them.
#[derive(Debug)]
pub(super) struct Row<'a> {
    table: &'static str,
    key: String,
    found: &'a mut Vec<Violation>,
}

impl<'a> Row<'a> {
    pub(super) fn new(table: &'static str, key: String, found: &'a mut Vec<Violation>) -> Self {
        Self { table, key, found }
    }

    pub(super) fn broken(&mut self, check: Check, message: impl Into<String>) {
        self.found.push(Violation::new(check, self.table, self.key.clone(), message));
    }

    /// Finds a column that is not what it must be.
    pub(super) fn compare<T: Copy + PartialEq + fmt::Display>(
        &mut self,
        check: Check,
        column: &str,
        stored: T,
        computed: T,
        by: &str,
    ) {
        if stored != computed {
            self.broken(check, format!("{column} is {stored}, {by} {computed}"));
        }
    }
}

/// The key of an attempt, whose stored name is `job#number`; a job's own name may hold a `#`.
pub(super) fn attempt_key(account_id: &str, attempt: &str) -> String {
    let (job_id, number) = attempt.rsplit_once('#').unwrap_or((attempt, "?"));
    format!("{account_id}/{job_id}/{number}")
}
