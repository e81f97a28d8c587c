//! Disputes read: one with its events, and lists of them (§6).

use super::run::Reading;
use super::{Desk, Error, KeysetPage, Reason, Refusal, TimeWindow, Words};
use crate::domain::chargeback::{Chargeback, ChargebackStage, ReportedEvent};
use crate::domain::ids::{AccountId, ChargebackId, DisputeId, Provider, PurchaseId};
use crate::store::{ChargebackFilter, ChargebackPlace, ExternalKind, Tx};
use serde::Serialize;

/// How a dispute is named.
#[derive(Debug, Clone)]
pub enum ChargebackReference {
    /// By our id.
    Id(ChargebackId),
    /// By the processor's.
    Dispute(Provider, DisputeId),
}

/// Asks for one dispute.
#[derive(Debug, Clone)]
pub struct GetChargeback {
    /// Which.
    pub reference: ChargebackReference,
    /// Whose it must be, if that is told.
    pub account_id: Option<AccountId>,
}

/// A dispute with everything that was told of it.
#[derive(Debug, Clone)]
pub struct ChargebackView {
    /// The account that was charged; `None` while the payment is not recorded.
    pub account_id: Option<AccountId>,
    /// The dispute.
    pub chargeback: Chargeback,
    /// What was told, in the order in which it happened.
    pub events: Vec<ReportedEvent>,
    /// Why a person determined it, unless that was erased.
    pub words: Words,
}

/// Asks for disputes, the latest event first. What is set must all hold.
#[derive(Debug, Clone, Serialize)]
pub struct ListChargebacks {
    /// Only of this account.
    pub account_id: Option<AccountId>,
    /// Only in one of these stages; all when empty.
    pub stages: Vec<ChargebackStage>,
    /// Only about this purchase.
    pub purchase_id: Option<PurchaseId>,
    /// Only whose payment is not recorded yet.
    pub unmatched_only: bool,
    /// Only that nobody has determined.
    pub undetermined_only: bool,
    /// Only with their last event in this time.
    pub last_event: TimeWindow,
}

/// A page of disputes, each with its account once its payment is recorded.
pub type ChargebackPage = KeysetPage<(Option<AccountId>, Chargeback), ChargebackPlace>;

impl Desk {
    /// One dispute with its events, whether or not its payment is recorded.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is none, or it is not of the account that was named.
    pub async fn get_chargeback(&self, query: GetChargeback) -> Result<ChargebackView, Error> {
        self.read(query).await
    }

    /// A page of disputes behind a place, by their last event. One that is heard of again between two pages moves to
    /// the front; all others stay where they are.
    ///
    /// # Errors
    /// [`Error::Store`] when it cannot be read.
    pub async fn list_chargebacks(
        &self,
        query: ListChargebacks,
        after: Option<ChargebackPlace>,
        size: usize,
    ) -> Result<ChargebackPage, Error> {
        let ListChargebacks {
            account_id,
            stages,
            purchase_id,
            unmatched_only,
            undetermined_only,
            last_event,
        } = query;
        let filter = ChargebackFilter {
            account_id,
            stages,
            purchase_id,
            unmatched_only,
            undetermined_only,
            last_event_from: last_event.start,
            last_event_until: last_event.end,
        };
        self.read(Listing { filter, after, size }).await
    }
}

impl GetChargeback {
    /// The dispute, and where it is kept.
    async fn find(&self, tx: &mut Tx) -> Result<Option<(AccountId, Chargeback)>, Error> {
        match &self.reference {
            ChargebackReference::Id(chargeback_id) => Ok(tx.find_chargeback_by_id(*chargeback_id).await?),
            ChargebackReference::Dispute(provider, dispute_id) => {
                let (kind, named) = (ExternalKind::Dispute, dispute_id.as_str());
                let Some(owner) = tx.find_owner(kind, provider.as_str(), named).await? else {
                    return Ok(None);
                };
                let found = tx.find_chargeback(&owner, provider, dispute_id).await?;
                Ok(found.map(|chargeback| (owner, chargeback)))
            }
        }
    }

    /// The dispute with its account, if its payment is recorded.
    pub(super) async fn load(&self, tx: &mut Tx) -> Result<ChargebackView, Error> {
        let not_found = || Refusal::new(Reason::ChargebackNotFound, "there is no such dispute");
        let (kept_at, chargeback) = self.find(tx).await?.ok_or_else(not_found)?;
        let mut events = tx.list_chargeback_events(&kept_at, chargeback.chargeback_id).await?;
        // Those of one instant stay in the order in which they were heard.
        events.sort_by_key(|event| event.occurred_at);
        let notes: Vec<i32> = chargeback.determined.iter().map(|determined| determined.reason_note).collect();
        let words =
            if notes.is_empty() { Words::new() } else { tx.list_account_notes(&kept_at, &notes).await? };
        let account_id = charged(kept_at, &chargeback);
        if self.account_id.is_some() && self.account_id != account_id {
            return Err(not_found().into());
        }
        Ok(ChargebackView { account_id, chargeback, events, words })
    }
}

/// The account that was charged. Until the payment is recorded it is only somebody's word, and nothing of it is shown.
fn charged(kept_at: AccountId, chargeback: &Chargeback) -> Option<AccountId> {
    chargeback.purchase_id.map(|_| kept_at)
}

impl Reading for GetChargeback {
    type Answer = ChargebackView;

    async fn read(&self, tx: &mut Tx) -> Result<ChargebackView, Error> {
        self.load(tx).await
    }
}

struct Listing {
    filter: ChargebackFilter,
    after: Option<ChargebackPlace>,
    size: usize,
}

impl Reading for Listing {
    type Answer = ChargebackPage;

    async fn read(&self, tx: &mut Tx) -> Result<ChargebackPage, Error> {
        let limit = ChargebackPage::limit(self.size);
        let found = tx.list_chargebacks(&self.filter, self.after, limit).await?;
        let found = found
            .into_iter()
            .map(|(kept_at, chargeback)| (charged(kept_at, &chargeback), chargeback))
            .collect();
        let place = |(_, chargeback): &(_, Chargeback)| (chargeback.last_event_at, chargeback.chargeback_id);
        Ok(ChargebackPage::cut(found, self.size, place))
    }
}
