//! An account's history, page by page: its entries, and its lots by the entries that made them.

use super::read::Place;
use super::{Error, Tx};
use crate::domain::entry::{Entry, EntryCause, Movement};
use crate::domain::ids::{AccountId, LotId, PurchaseId};
use crate::domain::lot::Bucket;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Places in an account's chain of entries, and how many of them to read.
#[derive(Debug, Clone, Copy)]
pub struct SeqSpan {
    /// Those after this one.
    pub after: i64,
    /// Up to and with this one.
    pub last: i64,
    /// Most that are read.
    pub limit: i64,
}

/// Which lots.
#[derive(Debug, Clone, Copy)]
pub struct LotFilter {
    /// Only this purchase's.
    pub purchase_id: Option<PurchaseId>,
    /// Only those with credits available, held or frozen.
    pub open_only: bool,
}

/// Which entries. What is set must all hold.
#[derive(Debug, Clone, Copy)]
pub struct EntryFilter<'a> {
    /// Only this lot's.
    pub lot_id: Option<LotId>,
    /// Only those with this cause.
    pub cause: Option<&'a EntryCause>,
}

struct Row {
    seq: i64,
    lot_id: Uuid,
    from_bucket: String,
    to_bucket: String,
    credits: i64,
    cause_kind: String,
    cause_id: String,
    actor: String,
    trace_id: Option<String>,
    at: DateTime<Utc>,
    prev_hash: Vec<u8>,
    hash: Vec<u8>,
}

impl Row {
    fn entry(self, account_id: &AccountId) -> Result<Entry, Error> {
        let key = format!("{account_id} {}", self.seq);
        let place = Place { table: "entry", key: &key };
        let cause = EntryCause::parse(&self.cause_kind, &self.cause_id);
        Ok(Entry {
            seq: self.seq,
            movement: Movement {
                lot_id: LotId(self.lot_id),
                from: place.word("from_bucket", &self.from_bucket, Bucket::parse)?,
                to: place.word("to_bucket", &self.to_bucket, Bucket::parse)?,
                credits: place.credits("credits", self.credits)?,
                cause: cause.ok_or_else(|| place.corrupt("cause_id"))?,
            },
            actor: place.id("actor", self.actor)?,
            trace_id: self.trace_id,
            at: self.at,
            prev_hash: place.hash("prev_hash", self.prev_hash)?,
            hash: place.hash("hash", self.hash)?,
        })
    }
}

/// Entries by one condition: the same columns and order each time. Each condition is a statement of its own, so
/// that each is planned for the index that serves it.
macro_rules! list_entries {
    ($tx:expr, $account_id:expr, $span:expr, $condition:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            "SELECT seq, lot_id, from_bucket, to_bucket, credits, cause_kind, cause_id, actor, trace_id, at,
                prev_hash, hash
             FROM entry WHERE account_id = $1 AND seq > $2 AND seq <= $3 " + $condition
                + " ORDER BY seq LIMIT $4",
            $account_id.as_str(),
            $span.after,
            $span.last,
            $span.limit
            $(, $argument)*
        )
        .fetch_all($tx.connection())
        .await?
        .into_iter()
        .map(|row| row.entry($account_id))
        .collect()
    };
}

impl Tx {
    /// Entries of a span, by `seq`.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_entries(
        &mut self,
        account_id: &AccountId,
        span: SeqSpan,
        filter: EntryFilter<'_>,
    ) -> Result<Vec<Entry>, Error> {
        let lot_id = filter.lot_id.map(|lot_id| lot_id.0);
        match (filter.cause, lot_id) {
            (Some(cause), lot_id) => list_entries!(
                self,
                account_id,
                span,
                "AND cause_kind = $5 AND cause_id = $6 AND ($7::uuid IS NULL OR lot_id = $7)",
                cause.kind(),
                cause.id(),
                lot_id
            ),
            (None, Some(lot_id)) => list_entries!(self, account_id, span, "AND lot_id = $5", lot_id),
            (None, None) => list_entries!(self, account_id, span, ""),
        }
    }

    /// When an entry was made.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_entry_time(
        &mut self,
        account_id: &AccountId,
        seq: i64,
    ) -> Result<Option<DateTime<Utc>>, Error> {
        let at = sqlx::query_scalar!(
            "SELECT at FROM entry WHERE account_id = $1 AND seq = $2",
            account_id.as_str(),
            seq,
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(at)
    }

    /// Lots with the places of the entries that made them, in that order.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_grants(
        &mut self,
        account_id: &AccountId,
        span: SeqSpan,
        filter: LotFilter,
    ) -> Result<Vec<(i64, LotId)>, Error> {
        let rows = sqlx::query!(
            "SELECT entry.seq, entry.lot_id FROM entry
             JOIN lot ON lot.account_id = entry.account_id AND lot.lot_id = entry.lot_id
             WHERE entry.account_id = $1 AND entry.from_bucket = 'granted' AND entry.seq > $2 AND entry.seq <= $3
                AND ($5::uuid IS NULL OR lot.purchase_id = $5)
                AND (NOT $6::boolean OR lot.available + lot.held + lot.frozen > 0)
             ORDER BY entry.seq LIMIT $4",
            account_id.as_str(),
            span.after,
            span.last,
            span.limit,
            filter.purchase_id.map(|id| id.0),
            filter.open_only,
        )
        .fetch_all(self.connection())
        .await?;
        Ok(rows.into_iter().map(|row| (row.seq, LotId(row.lot_id))).collect())
    }
}
