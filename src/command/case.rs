//! Fills the case file: everything our records say about a request (§5.2).

use super::{Error, Reason, Refusal};
use crate::domain::case_file::{CaseFile, PurchaseFile};
use crate::domain::ids::{AccountId, OrderId, PaymentId, Provider, PurchaseId};
use crate::domain::purchase::Purchase;
use crate::domain::request::{Claim, Detail, Details, Evidence, EvidenceKind};
use crate::domain::restriction::Standing;
use crate::store::Tx;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How a caller names a purchase.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PurchaseReference {
    /// By our id.
    Purchase(PurchaseId),
    /// By the platform's order; the latest payment of it is meant.
    Order(OrderId),
    /// By its payment.
    Payment(Provider, PaymentId),
}

impl PurchaseReference {
    /// The form in which it is kept with a request.
    pub(super) fn to_json(&self) -> serde_json::Value {
        // Cannot fail: ids are text.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Reads what was kept.
    pub(super) fn from_json(kept: serde_json::Value) -> Result<Self, Error> {
        serde_json::from_value(kept).map_err(|_| Error::Broken("a stored reference cannot be read"))
    }

    pub(super) async fn find(&self, tx: &mut Tx, account_id: &AccountId) -> Result<Option<Purchase>, Error> {
        Ok(match self {
            Self::Purchase(purchase_id) => tx.find_purchase(account_id, *purchase_id).await?,
            Self::Order(order_id) => tx.find_purchase_by_order(account_id, order_id).await?,
            Self::Payment(provider, payment_id) => {
                tx.find_purchase_by_payment(account_id, provider, payment_id).await?
            }
        })
    }

    pub(super) async fn load(&self, tx: &mut Tx, account_id: &AccountId) -> Result<Purchase, Error> {
        let purchase = self.find(tx, account_id).await?;
        purchase
            .ok_or_else(|| Refusal::new(Reason::PurchaseNotFound, "the account has no such purchase").into())
    }
}

/// What a customer sends with a refund request.
#[derive(Debug, Clone, Serialize)]
pub struct RequestInput {
    /// What is claimed.
    pub claim: Claim,
    /// The purchase, as the customer names it.
    pub purchase: Option<PurchaseReference>,
    /// What the customer tells.
    pub details: Details,
    /// Papers.
    pub evidence: Vec<Evidence>,
}

/// Everything that was told about a request by now, and what was made of it before.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) claim: Claim,
    pub(super) purchase: Option<PurchaseReference>,
    pub(super) names_purchase: bool,
    pub(super) details: Details,
    /// What the customer was asked for.
    pub(super) asked: BTreeSet<Detail>,
    /// The papers since we last asked, or since the start.
    pub(super) evidence: BTreeSet<EvidenceKind>,
    pub(super) evidence_reused: bool,
    pub(super) received_at: DateTime<Utc>,
    pub(super) waiting_since: Option<DateTime<Utc>>,
}

impl RequestInput {
    /// What is told by a request received at `now`.
    pub(super) async fn told(
        &self,
        tx: &mut Tx,
        account_id: &AccountId,
        now: DateTime<Utc>,
    ) -> Result<Told, Error> {
        let reused = tx.find_evidence_used_before(account_id, None, &self.evidence).await?;
        Ok(Told {
            claim: self.claim,
            purchase: self.purchase.clone(),
            names_purchase: self.purchase.is_some(),
            details: self.details.clone(),
            asked: BTreeSet::new(),
            evidence: self.evidence.iter().map(|evidence| evidence.kind).collect(),
            evidence_reused: reused.is_some(),
            received_at: now,
            waiting_since: None,
        })
    }
}

impl Told {
    /// Reads the case file of a decision made at `now`.
    pub(super) async fn case_file(
        &self,
        tx: &mut Tx,
        account_id: &AccountId,
        now: DateTime<Utc>,
    ) -> Result<CaseFile, Error> {
        let standing = Standing::of(&tx.list_restrictions(account_id).await?);
        let purchase = match &self.purchase {
            Some(reference) => reference.find(tx, account_id).await?,
            None => None,
        };
        let twins = match &purchase {
            Some(purchase) => tx.list_twins(account_id, purchase).await?,
            None => Vec::new(),
        };
        let attempt = match &self.details.attempt {
            Some(attempt) => tx.find_named_attempt(account_id, attempt).await?,
            None => None,
        };
        Ok(CaseFile {
            received_at: self.received_at,
            waiting_since: self.waiting_since,
            decided_at: now,
            claim: self.claim,
            names_purchase: self.names_purchase,
            details: self.details.clone(),
            asked: self.asked.clone(),
            evidence: self.evidence.clone(),
            evidence_reused: self.evidence_reused,
            account: tx.load_account_file(account_id, standing, now).await?,
            purchase: purchase_file(tx, account_id, purchase, now).await?,
            twins,
            attempts: tx.list_attempts(account_id).await?,
            failed_credits: tx.load_failed_credits(account_id).await?,
            attempt,
            incidents: tx.list_incident_files(account_id).await?,
        })
    }
}

async fn purchase_file(
    tx: &mut Tx,
    account_id: &AccountId,
    purchase: Option<Purchase>,
    now: DateTime<Utc>,
) -> Result<Option<PurchaseFile>, Error> {
    let Some(purchase) = purchase else { return Ok(None) };
    let credits = tx.load_purchase_credits(account_id, purchase.purchase_id, now).await?;
    let earlier = tx.find_earlier_purchase(account_id, &purchase).await?;
    Ok(Some(PurchaseFile {
        first_purchase: earlier.is_none(),
        unused: credits.unused,
        used: credits.used,
        held: credits.held,
        failed: credits.failed,
        purchase,
    }))
}
