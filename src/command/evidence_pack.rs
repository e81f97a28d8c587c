//! Evidence about a disputed payment, from our own records (§6).

use super::chargeback_list::{ChargebackReference, ChargebackView, GetChargeback};
use super::publish::{self, PolicyView};
use super::refund_request::StoredDecision;
use super::run::Reading;
use super::{Desk, Error, Reason, Refusal, Words};
use crate::domain::ids::{AccountId, Attempt, ChargebackId, LotId};
use crate::domain::purchase::Purchase;
use crate::domain::usage::Usage;
use crate::evidence::{Answer, Pack, Policy, Records, Request, Twin, compile};
use crate::policy::Document;
use crate::store::Tx;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

/// Most deliveries that a pack shows.
const MAX_DELIVERIES: i64 = 500;

/// Most attempts that a pack shows.
const MAX_ATTEMPTS: i64 = 10_000;

/// Attempts that one statement reads.
const ATTEMPTS_AT_ONCE: usize = 1_000;

/// Asks for the evidence about a dispute.
#[derive(Debug, Clone)]
pub struct CompileChargebackEvidence {
    /// The dispute.
    pub chargeback_id: ChargebackId,
    /// Whose it must be, if that is told.
    pub account_id: Option<AccountId>,
}

/// A pack with the records that it was compiled from.
#[derive(Debug, Clone)]
pub struct EvidenceView {
    /// The dispute.
    pub dispute: ChargebackView,
    /// The policy in force at the purchase, as it was published.
    pub policy: PolicyView,
    /// The decisions on each of the requests, first to last.
    pub decisions: Vec<Vec<StoredDecision>>,
    /// The records.
    pub records: Records,
    /// What was compiled from them.
    pub pack: Pack,
    /// When.
    pub compiled_at: DateTime<Utc>,
}

impl Desk {
    /// Compiles the evidence about a dispute, and writes nothing. The same records give the same page.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such dispute, it is not of the account that was named, or its payment is
    /// not recorded.
    pub async fn compile_chargeback_evidence(
        &self,
        query: CompileChargebackEvidence,
        now: DateTime<Utc>,
    ) -> Result<EvidenceView, Error> {
        let Found { dispute, policy, decisions, records } = self.browse(Search { query, now }).await?;
        let pack = compile(&records);
        Ok(EvidenceView { dispute, policy, decisions, records, pack, compiled_at: now })
    }
}

struct Search {
    query: CompileChargebackEvidence,
    now: DateTime<Utc>,
}

struct Found {
    dispute: ChargebackView,
    policy: PolicyView,
    decisions: Vec<Vec<StoredDecision>>,
    records: Records,
}

impl Reading for Search {
    type Answer = Found;

    async fn read(&self, tx: &mut Tx) -> Result<Found, Error> {
        let CompileChargebackEvidence { chargeback_id, account_id } = self.query.clone();
        let reference = ChargebackReference::Id(chargeback_id);
        let view = GetChargeback { reference, account_id }.load(tx).await?;
        // What persons write for each other is not for the bank.
        let dispute = ChargebackView { words: Words::new(), ..view };
        let (Some(account_id), Some(purchase_id)) = (&dispute.account_id, dispute.chargeback.purchase_id)
        else {
            return Err(
                Refusal::new(Reason::PurchaseNotFound, "the disputed payment is not recorded yet").into()
            );
        };
        let purchase = tx.find_purchase(account_id, purchase_id).await?;
        let purchase = purchase.ok_or(Error::Broken("a dispute is about no purchase"))?;
        let recorded_at = tx.find_purchase_recorded_at(account_id, purchase_id).await?;
        let (deliveries, deliveries_in_all) =
            tx.list_deliveries(account_id, purchase_id, MAX_DELIVERIES).await?;
        let lots = tx.list_lots_of_purchase(account_id, purchase_id).await?;
        let lots: Vec<_> = lots.into_iter().map(|(_, lot)| lot).collect();
        let (attempts, attempts_in_all) =
            tx.list_attempts_charged_to(account_id, purchase_id, MAX_ATTEMPTS).await?;
        let of_purchase = lots.iter().map(|lot| lot.lot_id).collect();
        let attempts = charged_to(tx, account_id, &attempts, &of_purchase).await?;
        let (requests, decisions) = requests(tx, account_id, &purchase).await?;
        let policy = policy_of(tx, &purchase).await?;
        let twin = twin(tx, account_id, &purchase, self.now).await?;
        let records = Records {
            account_id: account_id.clone(),
            chargeback: dispute.chargeback.clone(),
            events: dispute.events.clone(),
            recorded_at: recorded_at.ok_or(Error::Broken("a purchase was never recorded"))?,
            deliveries,
            deliveries_in_all: usize::try_from(deliveries_in_all).unwrap_or_default(),
            lots,
            attempts,
            attempts_in_all: usize::try_from(attempts_in_all).unwrap_or_default(),
            requests,
            refunds: tx.list_refunds_of_purchase(account_id, purchase_id).await?,
            policy: understood(&policy),
            twin,
            purchase,
        };
        Ok(Found { dispute, policy, decisions, records })
    }
}

/// Attempts with what they took from these lots only.
async fn charged_to(
    tx: &mut Tx,
    account_id: &AccountId,
    attempts: &[Attempt],
    lots: &BTreeSet<LotId>,
) -> Result<Vec<Usage>, Error> {
    let mut usages = Vec::with_capacity(attempts.len());
    for some in attempts.chunks(ATTEMPTS_AT_ONCE) {
        let asked: Vec<_> = some.iter().map(|attempt| (account_id, attempt)).collect();
        usages.extend(tx.list_usages(&asked).await?.into_iter().map(|(_, usage)| usage));
    }
    for usage in &mut usages {
        usage.allocations.retain(|allocation| lots.contains(&allocation.lot_id));
    }
    Ok(usages)
}

/// The requests about a purchase with their answers, and the decisions whole.
async fn requests(
    tx: &mut Tx,
    account_id: &AccountId,
    purchase: &Purchase,
) -> Result<(Vec<Request>, Vec<Vec<StoredDecision>>), Error> {
    let (mut requests, mut all_decisions) = (Vec::new(), Vec::new());
    for request in tx.list_requests_of_purchase(account_id, purchase.purchase_id).await? {
        let rows = tx.list_decisions(account_id, request.refund_request_id).await?;
        let decisions: Vec<_> = rows.into_iter().map(StoredDecision::read).collect::<Result<_, _>>()?;
        let answers = decisions.iter().map(|stored| Answer {
            at: stored.decided_at,
            outcome: stored.decision.outcome,
            clauses: stored.decision.clauses.clone(),
            sentence: stored.sentence().to_owned(),
        });
        requests.push(Request { request, answers: answers.collect() });
        all_decisions.push(decisions);
    }
    Ok((requests, all_decisions))
}

async fn policy_of(tx: &mut Tx, purchase: &Purchase) -> Result<PolicyView, Error> {
    let row = tx.find_policy_version(&purchase.policy_version).await?;
    publish::view(tx, row.ok_or(Error::Broken("a purchase names no policy version"))?).await
}

fn understood(policy: &PolicyView) -> Policy {
    Policy {
        version: policy.version.clone(),
        effective_from: policy.effective_from,
        effective_until: policy.effective_until,
        sha256: policy.document_sha256.clone(),
        text: policy.document.clone(),
        // One that was written for a later program is shown as it stands.
        document: Document::parse(&policy.document).ok(),
    }
}

/// The nearest other payment of the account for the same package and price.
async fn twin(
    tx: &mut Tx,
    account_id: &AccountId,
    purchase: &Purchase,
    now: DateTime<Utc>,
) -> Result<Option<Twin>, Error> {
    let Some(nearest) = tx.list_twins(account_id, purchase).await?.into_iter().next() else {
        return Ok(None);
    };
    let other = tx.find_purchase(account_id, nearest.purchase_id).await?;
    let other = other.ok_or(Error::Broken("a purchase that was listed is not there"))?;
    let credits = tx.load_purchase_credits(account_id, nearest.purchase_id, now).await?;
    Ok(Some(Twin {
        payment_id: other.payment_id,
        order_id: other.order_id,
        paid_at: other.paid_at,
        used: credits.used,
        refunded: other.refunded_minor > 0,
    }))
}
