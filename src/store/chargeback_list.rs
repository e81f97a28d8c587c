//! Disputes by our id, and across accounts by their last event.

use super::chargeback::select_chargebacks;
use super::{Error, Tx};
use crate::domain::chargeback::{Chargeback, ChargebackStage};
use crate::domain::ids::{AccountId, ChargebackId, PurchaseId};
use chrono::{DateTime, Utc};

/// A place in the list: that of one dispute.
pub type ChargebackPlace = (DateTime<Utc>, ChargebackId);

/// Which disputes. What is set must all hold.
#[derive(Debug, Clone)]
pub struct ChargebackFilter {
    /// Only of this account, with its purchase recorded.
    pub account_id: Option<AccountId>,
    /// Only in one of these stages; all when empty.
    pub stages: Vec<ChargebackStage>,
    /// Only about this purchase.
    pub purchase_id: Option<PurchaseId>,
    /// Only whose purchase is not recorded.
    pub unmatched_only: bool,
    /// Only that nobody has determined.
    pub undetermined_only: bool,
    /// Only with their last event from then on.
    pub last_event_from: Option<DateTime<Utc>>,
    /// Only with their last event before then.
    pub last_event_until: Option<DateTime<Utc>>,
}

/// Disputes under one further condition, so that each is planned for the index that serves it.
macro_rules! list_chargebacks {
    ($tx:expr, $filter:expr, $after:expr, $limit:expr, $condition:literal) => {{
        let filter: &ChargebackFilter = $filter;
        let stages: Vec<String> = filter.stages.iter().map(|stage| stage.name().to_owned()).collect();
        let after: Option<ChargebackPlace> = $after;
        select_chargebacks!(
            $condition
                + " AND ($1::text IS NULL OR (account_id = $1 AND purchase_id IS NOT NULL))
                AND (cardinality($2::text[]) = 0 OR stage = ANY($2))
                AND ($3::uuid IS NULL OR purchase_id = $3)
                AND (NOT $4::boolean OR purchase_id IS NULL)
                AND (NOT $10::boolean OR found.determination IS NULL)
                AND ($5::timestamptz IS NULL OR last_event_at >= $5)
                AND ($6::timestamptz IS NULL OR last_event_at < $6)
                AND ($7::timestamptz IS NULL OR last_event_at <= $7)
                AND ($7::timestamptz IS NULL OR last_event_at < $7 OR chargeback_id > $8)
             ORDER BY last_event_at DESC, chargeback_id LIMIT $9",
            filter.account_id.as_ref().map(AccountId::as_str),
            &stages,
            filter.purchase_id.map(|id| id.0),
            filter.unmatched_only,
            filter.last_event_from,
            filter.last_event_until,
            after.map(|(last_event_at, _)| last_event_at),
            after.map(|(_, id)| id.0),
            $limit,
            filter.undetermined_only,
        )
        .fetch_all($tx.connection())
        .await?
    }};
}

impl Tx {
    /// A dispute by our id, with where it is kept: its account, or [`AccountId::unmatched`].
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_chargeback_by_id(
        &mut self,
        chargeback_id: ChargebackId,
    ) -> Result<Option<(AccountId, Chargeback)>, Error> {
        select_chargebacks!("chargeback_id = $1", chargeback_id.0)
            .fetch_optional(self.connection())
            .await?
            .map(|row| Ok((row.kept_at()?, row.chargeback()?)))
            .transpose()
    }

    /// Disputes after a place of the list, by `last_event_at` downwards, then by id, each with where it is kept.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_chargebacks(
        &mut self,
        filter: &ChargebackFilter,
        after: Option<ChargebackPlace>,
        limit: i64,
    ) -> Result<Vec<(AccountId, Chargeback)>, Error> {
        let rows = if filter.stages == [ChargebackStage::Open] {
            list_chargebacks!(self, filter, after, limit, "stage = 'open'")
        } else {
            list_chargebacks!(self, filter, after, limit, "true")
        };
        rows.into_iter().map(|row| Ok((row.kept_at()?, row.chargeback()?))).collect()
    }
}
