//! What an audit reads: whole tables of one moment, row by row, with the sums that a row must agree with beside it.
//!
//! Rows are handed out as they are stored, unread and unjudged: a value that cannot be is the audit's finding, not
//! an error of the store. Sums are cut to what a column can hold, so that a forged amount cannot end the audit.

mod desk;
mod erasure;
mod ledger;
mod payments;
mod schema;
mod witness;

use super::{Error, Store};
use sqlx::Postgres;

pub use desk::{AuditDecision, AuditHeld, AuditKey, AuditPolicyVersion, AuditRequest};
pub use erasure::{AuditEmptied, AuditErasure};
pub use ledger::{AuditAccount, AuditEntry, AuditLot, AuditUsage};
pub use payments::{AuditChargeback, AuditDangling, AuditPurchase, AuditRefund};
pub use schema::ServerSetting;
pub use witness::{AuditTold, AuditUnwitnessed};

/// One moment of the database, read by one connection that cannot write.
#[derive(Debug)]
pub struct Snapshot {
    inner: sqlx::Transaction<'static, Postgres>,
}

impl Store {
    /// Opens a snapshot: everything read from it is of one moment, however long that takes.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        Ok(Snapshot { inner: self.calls().connections().begin_with(begin).await? })
    }
}

/// Hands every row of a statement to a visitor as it arrives; the whole is never in memory.
macro_rules! visit_rows {
    ($snapshot:expr, $query:expr, $visit:expr) => {{
        let mut rows = $query.fetch(&mut *$snapshot.inner);
        while let Some(row) = tokio_stream::StreamExt::next(&mut rows).await {
            $visit(row?);
        }
        Ok(())
    }};
}

use visit_rows;
