//! Refunds across accounts, by when they were decided.

use super::read::Place;
use super::refund::select_refunds;
use super::{Error, Tx};
use crate::domain::ids::{AccountId, Provider, PurchaseId, RefundId, RefundRequestId};
use crate::domain::refund::{Refund, RefundStage};
use chrono::{DateTime, Utc};

/// A place in the list: that of one refund.
pub type RefundPlace = (DateTime<Utc>, RefundId);

/// Which refunds. What is set must all hold.
#[derive(Debug, Clone)]
pub struct RefundFilter {
    /// Only this account's.
    pub account_id: Option<AccountId>,
    /// Only in one of these stages; all when empty.
    pub stages: Vec<RefundStage>,
    /// Only of this processor.
    pub provider: Option<Provider>,
    /// Only of this purchase.
    pub purchase_id: Option<PurchaseId>,
    /// Only of this request.
    pub refund_request_id: Option<RefundRequestId>,
    /// Only decided from then on.
    pub created_from: Option<DateTime<Utc>>,
    /// Only decided before then.
    pub created_until: Option<DateTime<Utc>>,
}

/// Refunds under one further condition, so that each is planned for the index that serves it.
macro_rules! list_refunds {
    ($tx:expr, $filter:expr, $after:expr, $limit:expr, $condition:literal) => {{
        let filter: &RefundFilter = $filter;
        let stages: Vec<String> = filter.stages.iter().map(|stage| stage.name().to_owned()).collect();
        let after: Option<RefundPlace> = $after;
        select_refunds!(
            $condition
                + " AND ($1::text IS NULL OR account_id = $1)
                AND (cardinality($2::text[]) = 0 OR stage = ANY($2))
                AND ($3::text IS NULL OR provider = $3)
                AND ($4::uuid IS NULL OR purchase_id = $4)
                AND ($5::uuid IS NULL OR refund_request_id = $5)
                AND ($6::timestamptz IS NULL OR created_at >= $6)
                AND ($7::timestamptz IS NULL OR created_at < $7)
                AND ($8::timestamptz IS NULL OR (created_at, refund_id) > ($8, $9))
             ORDER BY created_at, refund_id LIMIT $10",
            filter.account_id.as_ref().map(AccountId::as_str),
            &stages,
            filter.provider.as_ref().map(Provider::as_str),
            filter.purchase_id.map(|id| id.0),
            filter.refund_request_id.map(|id| id.0),
            filter.created_from,
            filter.created_until,
            after.map(|(created_at, _)| created_at),
            after.map(|(_, id)| id.0),
            $limit,
        )
        .fetch_all($tx.connection())
        .await?
    }};
}

impl Tx {
    /// Refunds after a place of the list, by `created_at`, then by id.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_refunds(
        &mut self,
        filter: &RefundFilter,
        after: Option<RefundPlace>,
        limit: i64,
    ) -> Result<Vec<(AccountId, Refund)>, Error> {
        let only_on_their_way =
            !filter.stages.is_empty() && filter.stages.iter().all(|stage| stage.is_on_its_way());
        let rows = if only_on_their_way {
            list_refunds!(self, filter, after, limit, "stage IN ('pending', 'submitted', 'unknown')")
        } else {
            list_refunds!(self, filter, after, limit, "true")
        };
        rows.into_iter()
            .map(|mut row| {
                let place = Place { table: "refund", key: &row.refund_id };
                let account_id = place.id("account_id", std::mem::take(&mut row.account_id))?;
                Ok((account_id, row.refund()?))
            })
            .collect()
    }
}
