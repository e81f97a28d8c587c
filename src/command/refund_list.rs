//! Refunds as a resource of their own: one, and lists of them, the work of who pays them out (§4.2).

use super::run::{Reading, account_not_found};
use super::{Desk, Error, KeysetPage, Reason, Refusal, TimeWindow};
use crate::domain::ids::{AccountId, Provider, PurchaseId, RefundId, RefundRequestId};
use crate::domain::refund::{Refund, RefundStage};
use crate::store::{RefundFilter, RefundPlace, Tx};
use serde::Serialize;

/// Asks for one refund.
#[derive(Debug, Clone)]
pub struct GetRefund {
    /// The account.
    pub account_id: AccountId,
    /// The refund.
    pub refund_id: RefundId,
}

/// Asks for refunds, oldest first. What is set must all hold.
#[derive(Debug, Clone, Serialize)]
pub struct ListRefunds {
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
    /// Only decided in this time.
    pub created: TimeWindow,
}

/// A page of refunds, each with its account.
pub type RefundPage = KeysetPage<(AccountId, Refund), RefundPlace>;

impl Desk {
    /// One refund.
    ///
    /// # Errors
    /// [`Error::Refused`] when the account has no such refund.
    pub async fn get_refund(&self, query: GetRefund) -> Result<Refund, Error> {
        self.read(query).await
    }

    /// A page of refunds behind a place, by when they were decided. That never changes, so what is written meanwhile
    /// shifts none; where a filter asks for stages, who changes its stage between two pages may come on none.
    ///
    /// # Errors
    /// [`Error::Store`] when it cannot be read.
    pub async fn list_refunds(
        &self,
        query: ListRefunds,
        after: Option<RefundPlace>,
        size: usize,
    ) -> Result<RefundPage, Error> {
        let ListRefunds { account_id, stages, provider, purchase_id, refund_request_id, created } = query;
        let filter = RefundFilter {
            account_id,
            stages,
            provider,
            purchase_id,
            refund_request_id,
            created_from: created.start,
            created_until: created.end,
        };
        self.browse(Listing { filter, after, size }).await
    }
}

impl Reading for GetRefund {
    type Answer = Refund;

    async fn read(&self, tx: &mut Tx) -> Result<Refund, Error> {
        if let Some(refund) = tx.find_refund(&self.account_id, self.refund_id).await? {
            return Ok(refund);
        }
        tx.find_account(&self.account_id).await?.ok_or_else(account_not_found)?;
        Err(not_found())
    }
}

/// The same error for every refund that the account has not.
pub(super) fn not_found() -> Error {
    Refusal::new(Reason::RefundNotFound, "the account has no such refund").into()
}

struct Listing {
    filter: RefundFilter,
    after: Option<RefundPlace>,
    size: usize,
}

impl Reading for Listing {
    type Answer = RefundPage;

    async fn read(&self, tx: &mut Tx) -> Result<RefundPage, Error> {
        let limit = RefundPage::limit(self.size);
        let refunds = tx.list_refunds(&self.filter, self.after, limit).await?;
        Ok(RefundPage::cut(refunds, self.size, |(_, refund)| (refund.created_at, refund.refund_id)))
    }
}
