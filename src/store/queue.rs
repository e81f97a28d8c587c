//! The queue of the desk: requests by urgency, across accounts.

use super::request::select_requests;
use super::{Error, Tx};
use crate::domain::ids::{AccountId, Actor, PurchaseId, RefundRequestId};
use crate::domain::request::{Claim, RefundRequest, RequestStage};
use chrono::{DateTime, Utc};

/// A place in the queue: that of one request.
pub type QueuePlace = (DateTime<Utc>, RefundRequestId);

/// Which requests. What is set must all hold.
#[derive(Debug, Clone)]
pub struct QueueFilter {
    /// Only this account's.
    pub account_id: Option<AccountId>,
    /// Only in one of these stages; all when empty.
    pub stages: Vec<RequestStage>,
    /// Only where the customer waits for us, and was to be answered before this instant.
    pub due_before: Option<DateTime<Utc>>,
    /// Only with this claim.
    pub claim: Option<Claim>,
    /// Only last decided by this row.
    pub row: Option<String>,
    /// Only of this assignee.
    pub assignee: Option<Actor>,
    /// Only that nobody works on.
    pub unassigned_only: bool,
    /// Only about this purchase.
    pub purchase_id: Option<PurchaseId>,
    /// Only received from then on.
    pub received_from: Option<DateTime<Utc>>,
    /// Only received before then.
    pub received_until: Option<DateTime<Utc>>,
}

/// The queue under one further condition, so that each is planned for the index that serves it.
macro_rules! list_queue {
    ($tx:expr, $filter:expr, $after:expr, $limit:expr, $condition:literal) => {{
        let filter: &QueueFilter = $filter;
        let stages: Vec<String> = filter.stages.iter().map(|stage| stage.name().to_owned()).collect();
        let after: Option<QueuePlace> = $after;
        select_requests!(
            $condition
                + " AND ($1::text IS NULL OR account_id = $1)
                AND (cardinality($2::text[]) = 0 OR stage = ANY($2))
                AND ($3::timestamptz IS NULL OR (stage = 'in_review' AND respond_by < $3))
                AND ($4::text IS NULL OR claim = $4)
                AND ($5::text IS NULL OR last_row = $5)
                AND ($6::text IS NULL OR assignee = $6)
                AND (NOT $7::boolean OR assignee IS NULL)
                AND ($8::uuid IS NULL OR purchase_id = $8)
                AND ($9::timestamptz IS NULL OR received_at >= $9)
                AND ($10::timestamptz IS NULL OR received_at < $10)
                AND ($11::timestamptz IS NULL OR (respond_by, refund_request_id) > ($11, $12))
             ORDER BY respond_by, refund_request_id LIMIT $13",
            filter.account_id.as_ref().map(AccountId::as_str),
            &stages,
            filter.due_before,
            filter.claim.map(Claim::name),
            filter.row,
            filter.assignee.as_ref().map(Actor::as_str),
            filter.unassigned_only,
            filter.purchase_id.map(|id| id.0),
            filter.received_from,
            filter.received_until,
            after.map(|(respond_by, _)| respond_by),
            after.map(|(_, id)| id.0),
            $limit,
        )
        .fetch_all($tx.connection())
        .await?
    }};
}

impl Tx {
    /// Requests after a place of the queue, by `respond_by`, then by id.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_requests(
        &mut self,
        filter: &QueueFilter,
        after: Option<QueuePlace>,
        limit: i64,
    ) -> Result<Vec<(AccountId, RefundRequest)>, Error> {
        let only_open = filter.due_before.is_some()
            || (!filter.stages.is_empty() && filter.stages.iter().all(|stage| stage.is_open()));
        let rows = if only_open {
            list_queue!(self, filter, after, limit, "stage IN ('awaiting_information', 'in_review')")
        } else {
            list_queue!(self, filter, after, limit, "true")
        };
        self.complete_requests(rows).await
    }
}
