//! Entries: the immutable rows of the ledger, chained by hash per account.

use super::credits::Credits;
use super::ids::{
    AccountId, Actor, Attempt, ChargebackId, IncidentId, JobId, LotId, PurchaseId, Reference, RefundId,
    RefundRequestId,
};
use super::lot::Bucket;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// What a movement was made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryCause {
    /// An attempt at a job.
    Usage(Attempt),
    /// A delivery of a purchase's credits.
    Purchase(PurchaseId),
    /// A refund request's remedy in credits.
    RefundRequest(RefundRequestId),
    /// A refund of money, or its failure.
    Refund(RefundId),
    /// A bank's dispute.
    Chargeback(ChargebackId),
    /// A declared incident.
    Incident(IncidentId),
    /// Time: credits ran out.
    Expiry,
    /// A grant or a revocation by a person, with the reference that they gave for it.
    Person(Option<Reference>),
}

impl EntryCause {
    /// The kind's stored name.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Purchase(_) => "purchase",
            Self::RefundRequest(_) => "refund_request",
            Self::Refund(_) => "refund",
            Self::Chargeback(_) => "chargeback",
            Self::Incident(_) => "incident",
            Self::Expiry => "expiry",
            Self::Person(_) => "person",
        }
    }

    /// The id within its kind; empty for kinds without one.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::Usage(attempt) => attempt.to_string(),
            Self::Purchase(id) => id.to_string(),
            Self::RefundRequest(id) => id.to_string(),
            Self::Refund(id) => id.to_string(),
            Self::Chargeback(id) => id.to_string(),
            Self::Incident(id) => id.to_string(),
            Self::Person(reference) => reference.as_ref().map(ToString::to_string).unwrap_or_default(),
            Self::Expiry => String::new(),
        }
    }

    /// The cause of a stored kind and id; `None` when no cause has them.
    #[must_use]
    pub fn parse(kind: &str, id: &str) -> Option<Self> {
        match kind {
            "usage" => {
                // The number comes last, since a job's id may hold any character.
                let (job_id, number) = id.rsplit_once('#')?;
                let attempt = Attempt { job_id: JobId::parse(job_id).ok()?, number: number.parse().ok()? };
                Some(Self::Usage(attempt))
            }
            "purchase" => PurchaseId::parse(id).ok().map(Self::Purchase),
            "refund_request" => RefundRequestId::parse(id).ok().map(Self::RefundRequest),
            "refund" => RefundId::parse(id).ok().map(Self::Refund),
            "chargeback" => ChargebackId::parse(id).ok().map(Self::Chargeback),
            "incident" => IncidentId::parse(id).ok().map(Self::Incident),
            "expiry" if id.is_empty() => Some(Self::Expiry),
            "person" if id.is_empty() => Some(Self::Person(None)),
            "person" => Reference::parse(id).ok().map(|reference| Self::Person(Some(reference))),
            _ => None,
        }
    }
}

/// Credits that left one bucket of a lot for another: an entry before it has its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// The lot.
    pub lot_id: LotId,
    /// Where they were.
    pub from: Bucket,
    /// Where they are.
    pub to: Bucket,
    /// How many, more than zero.
    pub credits: Credits,
    /// What for.
    pub cause: EntryCause,
}

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// The end of an account's chain: what the next entry builds on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainHead {
    /// The last entry's place; 0 before the first.
    pub seq: i64,
    /// The last entry's hash; zeros before the first.
    pub hash: Hash,
}

impl ChainHead {
    /// Before the first entry.
    pub const START: Self = Self { seq: 0, hash: [0; 32] };
}

/// One immutable ledger row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the account's chain: dense, from 1.
    pub seq: i64,
    /// What moved.
    pub movement: Movement,
    /// Who caused it.
    pub actor: Actor,
    /// The trace that it happened in.
    pub trace_id: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
    /// The hash of the entry before.
    pub prev_hash: Hash,
    /// Its own hash.
    pub hash: Hash,
}

/// What is hashed of an entry, in this order, as JSON after the previous hash. Plain, so that a stored row can be
/// hashed as it is, whatever it says. A change here breaks every chain: add a version field instead.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct HashedEntry<'a> {
    /// The account.
    pub account_id: &'a str,
    /// Its place in the account's chain.
    pub seq: i64,
    /// The lot.
    pub lot_id: Uuid,
    /// The name of the bucket that the credits left.
    pub from: &'a str,
    /// The name of the bucket that they went to.
    pub to: &'a str,
    /// How many.
    pub credits: i64,
    /// The kind of the cause.
    pub cause_kind: &'a str,
    /// The cause's id within its kind.
    pub cause_id: &'a str,
    /// Who caused it.
    pub actor: &'a str,
    /// The trace that it happened in.
    pub trace_id: Option<&'a str>,
    /// When, in microseconds since 1970.
    pub at_micros: i64,
}

impl HashedEntry<'_> {
    /// The entry's hash behind the hash of the entry before.
    #[must_use]
    pub fn hash(&self, prev_hash: &Hash) -> Hash {
        // Plain strings and integers always have a JSON form, so the default is never reached.
        let body = serde_json::to_vec(self).unwrap_or_default();
        Sha256::new().chain_update(prev_hash).chain_update(body).finalize().into()
    }
}

/// Gives movements their places in the chain of `account_id` behind `head`, and returns the new end.
#[must_use]
pub fn chain(
    account_id: &AccountId,
    head: ChainHead,
    movements: Vec<Movement>,
    actor: &Actor,
    trace_id: Option<&str>,
    at: DateTime<Utc>,
) -> (Vec<Entry>, ChainHead) {
    let mut head = head;
    let entries = movements
        .into_iter()
        .map(|movement| {
            let seq = head.seq.saturating_add(1);
            let cause_id = movement.cause.id();
            let hashed = HashedEntry {
                account_id: account_id.as_str(),
                seq,
                lot_id: movement.lot_id.0,
                from: movement.from.name(),
                to: movement.to.name(),
                credits: movement.credits.get(),
                cause_kind: movement.cause.kind(),
                cause_id: &cause_id,
                actor: actor.as_str(),
                trace_id,
                at_micros: at.timestamp_micros(),
            };
            let hash = hashed.hash(&head.hash);
            let trace_id = trace_id.map(str::to_owned);
            let entry =
                Entry { seq, movement, actor: actor.clone(), trace_id, at, prev_hash: head.hash, hash };
            head = ChainHead { seq, hash };
            entry
        })
        .collect();
    (entries, head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_cause_is_read_back_as_it_was_written() {
        let id = Uuid::from_u128(7);
        let attempt = |job: &str| Attempt { job_id: JobId::parse(job).unwrap(), number: 12 };
        let reference = Reference::parse("spring").unwrap();
        for cause in [
            EntryCause::Usage(attempt("job-1")),
            EntryCause::Usage(attempt("a#3#")),
            EntryCause::Purchase(PurchaseId(id)),
            EntryCause::RefundRequest(RefundRequestId(id)),
            EntryCause::Refund(RefundId(id)),
            EntryCause::Chargeback(ChargebackId(id)),
            EntryCause::Incident(IncidentId(id)),
            EntryCause::Expiry,
            EntryCause::Person(None),
            EntryCause::Person(Some(reference)),
        ] {
            assert_eq!(EntryCause::parse(cause.kind(), &cause.id()), Some(cause));
        }
    }

    #[test]
    fn what_no_cause_writes_is_not_read() {
        for (kind, id) in
            [("usage", "job-1"), ("usage", "#1"), ("purchase", "7"), ("expiry", "x"), ("gift", "")]
        {
            assert_eq!(EntryCause::parse(kind, id), None, "{kind} {id}");
        }
    }
}
