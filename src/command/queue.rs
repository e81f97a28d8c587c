//! The queue of the desk: which requests wait, the most urgent first.

use super::refund_request::StoredDecision;
use super::run::Reading;
use super::{Desk, Error, KeysetPage};
use crate::domain::ids::{AccountId, Actor, PurchaseId};
use crate::domain::request::{Claim, RefundRequest, RequestStage};
use crate::store::{QueueFilter, QueuePlace, Tx};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use std::collections::BTreeMap;

/// Asks for requests by `respond_by`, then by id. What is set must all hold.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ListRefundRequests {
    /// Only this account's.
    pub account_id: Option<AccountId>,
    /// Only in one of these stages; all when empty.
    pub stages: Vec<RequestStage>,
    /// Only where the customer waits for us although `respond_by` has passed (§4.1).
    pub overdue_only: bool,
    /// Only where the customer waits for us and `respond_by` is at most so many microseconds ahead.
    pub due_within_micros: Option<i64>,
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

/// A request in the queue, with its last decision.
#[derive(Debug, Clone)]
pub struct QueuedRequest {
    /// Whose it is.
    pub account_id: AccountId,
    /// The request.
    pub refund_request: RefundRequest,
    /// Its last decision.
    pub decision: Option<StoredDecision>,
}

/// A page of the queue.
pub type QueuePage = KeysetPage<QueuedRequest, QueuePlace>;

impl Desk {
    /// A page of the queue as it is at `now`. A place is that of one request, so what is written meanwhile shifts no
    /// other: who did not change is on exactly one page.
    ///
    /// # Errors
    /// [`Error::Store`] when it cannot be read.
    pub async fn list_refund_requests(
        &self,
        query: ListRefundRequests,
        after: Option<QueuePlace>,
        size: usize,
        now: DateTime<Utc>,
    ) -> Result<QueuePage, Error> {
        self.browse(Queue { filter: query.filter(now), after, size }).await
    }
}

impl ListRefundRequests {
    fn filter(self, now: DateTime<Utc>) -> QueueFilter {
        let soon = self.due_within_micros.and_then(|micros| {
            // One more, since what is due exactly then belongs to it.
            now.checked_add_signed(TimeDelta::microseconds(micros.saturating_add(1)))
        });
        QueueFilter {
            account_id: self.account_id,
            stages: self.stages,
            due_before: if self.overdue_only { Some(now) } else { soon },
            claim: self.claim,
            row: self.row,
            assignee: self.assignee,
            unassigned_only: self.unassigned_only,
            purchase_id: self.purchase_id,
            received_from: self.received_from,
            received_until: self.received_until,
        }
    }
}

struct Queue {
    filter: QueueFilter,
    after: Option<QueuePlace>,
    size: usize,
}

impl Reading for Queue {
    type Answer = QueuePage;

    async fn read(&self, tx: &mut Tx) -> Result<QueuePage, Error> {
        let limit = QueuePage::limit(self.size);
        let requests = tx.list_requests(&self.filter, self.after, limit).await?;
        let KeysetPage { items: requests, next } = KeysetPage::cut(requests, self.size, |(_, request)| {
            (request.clock.respond_by, request.refund_request_id)
        });
        let wanted: Vec<_> = requests
            .iter()
            .map(|(account_id, request)| (account_id.clone(), request.refund_request_id))
            .collect();
        let decisions = tx.list_last_decisions(&wanted).await?;
        let mut decisions: BTreeMap<_, _> = decisions.into_iter().collect();
        let items = requests.into_iter().map(|(account_id, refund_request)| {
            let decision = decisions.remove(&refund_request.refund_request_id);
            let decision = decision.map(StoredDecision::read).transpose()?;
            Ok(QueuedRequest { account_id, refund_request, decision })
        });
        Ok(QueuePage { items: items.collect::<Result<_, Error>>()?, next })
    }
}
