//! Fills the case file: everything our records say about a request (§5.2).

use super::{Error, Reason, Refusal};
use crate::domain::case_file::{CaseFile, PurchaseFile};
use crate::domain::ids::{AccountId, OrderId, PaymentId, Provider, PurchaseId};
use crate::domain::purchase::Purchase;
use crate::domain::request::{Claim, Details, Evidence};
use crate::domain::restriction::Standing;
use crate::store::Tx;
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::BTreeSet;

/// How a caller names a purchase.
#[derive(Debug, Clone, Serialize)]
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

impl RequestInput {
    /// Reads the case file of a request received and decided at `now`.
    pub(super) async fn case_file(
        &self,
        tx: &mut Tx,
        account_id: &AccountId,
        now: DateTime<Utc>,
    ) -> Result<CaseFile, Error> {
        let restrictions = tx.list_restrictions(account_id).await?;
        let standing = Standing(restrictions.into_iter().map(|restriction| restriction.kind).collect());
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
            received_at: now,
            waiting_since: None,
            decided_at: now,
            claim: self.claim,
            names_purchase: self.purchase.is_some(),
            details: self.details.clone(),
            asked: BTreeSet::new(),
            evidence: self.evidence.iter().map(|evidence| evidence.kind).collect(),
            evidence_reused: tx.find_evidence_used_before(account_id, &self.evidence).await?.is_some(),
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
