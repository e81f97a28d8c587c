//! What became of a refund at the processor (§4.2).

use super::refund_request::StoredDecision;
use super::run::Mutation;
use super::session::Session;
use super::{BalanceAt, Error, Reason, Refusal, dispute, lifecycle, refund_list};
use crate::domain::ids::{ProviderRefundId, RefundId};
use crate::domain::purchase::Purchase;
use crate::domain::redacted::FreeText;
use crate::domain::refund::{News, Refund, RefundLife, RefundResult, RefundStage};
use crate::domain::request::RefundRequest;
use crate::policy::calendar::money_expected;
use crate::store::DecisionRow;
use crate::store::ExternalKind;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The payments backend tells what became of a refund.
#[derive(Debug, Serialize)]
pub struct RecordRefundResult {
    /// The refund.
    pub refund_id: RefundId,
    /// What became of it.
    pub result: RefundResult,
    /// The processor's id of it, when known.
    pub provider_refund_id: Option<ProviderRefundId>,
    /// Why it failed, as the processor says.
    pub failure_reason: FreeText,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
}

/// What a result came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RefundResultAnswer {
    /// The refund.
    pub refund: Refund,
    /// The request that it answers.
    pub refund_request: RefundRequest,
    /// Its decisions, first to last.
    pub decisions: Vec<StoredDecision>,
    /// Its refunds, oldest first.
    pub refunds: Vec<Refund>,
    /// What the account has after it.
    pub balance: BalanceAt,
}

impl Mutation for RecordRefundResult {
    const METHOD: &'static str = "RecordRefundResult";
    type Answer = RefundResultAnswer;

    async fn apply(&self, session: &mut Session<'_>) -> Result<RefundResultAnswer, Error> {
        let refund = session.tx.find_refund(session.account_id, self.refund_id).await?;
        let refund = refund.ok_or_else(refund_list::not_found)?;
        self.claim_provider_id(session, &refund).await?;
        let policy = session.policy_for(refund.refund_request_id).await?;
        let after = refund.life.clone().after(News {
            result: self.result,
            occurred_at: self.occurred_at,
            failure_reason: self.failure_reason.clone(),
            expected: money_expected(self.occurred_at, &policy),
        })?;
        let tells_id = refund.provider_refund_id.is_none() && self.provider_refund_id.is_some();
        let refund =
            if after != refund.life || tells_id { self.enter(session, refund, after).await? } else { refund };
        let refund_request = session.tx.find_request(session.account_id, refund.refund_request_id).await?;
        let refund_request = refund_request.ok_or(Error::Broken("a refund answers no request"))?;
        let (account_id, id) = (session.account_id, refund_request.refund_request_id);
        let decisions = session.tx.list_decisions(account_id, id).await?;
        Ok(RefundResultAnswer {
            refund,
            refund_request,
            decisions: decisions.into_iter().map(without_words).collect::<Result<_, _>>()?,
            refunds: session.tx.list_refunds_of_request(account_id, id).await?,
            balance: session.balance().await?,
        })
    }
}

impl RecordRefundResult {
    /// A processor's refund id belongs to one refund for ever.
    async fn claim_provider_id(&self, session: &mut Session<'_>, refund: &Refund) -> Result<(), Error> {
        let Some(told) = &self.provider_refund_id else { return Ok(()) };
        let conflict = |message: &str| {
            Error::from(Refusal::new(Reason::InvalidField, message).with("field", &"provider_refund_id"))
        };
        match &refund.provider_refund_id {
            Some(known) if known == told => return Ok(()),
            Some(_) => return Err(conflict("this refund is known to the processor under another id")),
            None => {}
        }
        let provider = refund.provider.as_str();
        if session.tx.find_owner(ExternalKind::Refund, provider, told.as_str()).await?.is_some() {
            return Err(conflict("this id belongs to another refund"));
        }
        Ok(())
    }

    async fn enter(
        &self,
        session: &mut Session<'_>,
        mut refund: Refund,
        after: RefundLife,
    ) -> Result<Refund, Error> {
        let account_id = session.account_id;
        if after.stage() != refund.stage() {
            move_money(session, &refund, after.stage()).await?;
        }
        refund.life = after;
        let tx = session.writing();
        if let (None, Some(told)) = (&refund.provider_refund_id, &self.provider_refund_id) {
            let provider = refund.provider.as_str();
            tx.insert_owner(ExternalKind::Refund, provider, told.as_str(), account_id).await?;
            refund.provider_refund_id = Some(told.clone());
        }
        tx.update_refund(account_id, &refund).await?;
        Ok(refund)
    }
}

/// A decision as it is told to who pays.
fn without_words(row: DecisionRow) -> Result<StoredDecision, Error> {
    StoredDecision::read(row).map(StoredDecision::without_words)
}

/// What a change of stage means to the purchase, the credits and the request.
async fn move_money(session: &mut Session<'_>, refund: &Refund, after: RefundStage) -> Result<(), Error> {
    let purchase = session.tx.find_purchase(session.account_id, refund.purchase_id).await?;
    let mut purchase = purchase.ok_or(Error::Broken("a refund has no purchase"))?;
    match after {
        RefundStage::Succeeded => settle(session, &mut purchase, refund).await,
        RefundStage::Failed => fail(session, &mut purchase, refund).await,
        RefundStage::Pending | RefundStage::Submitted | RefundStage::Canceled | RefundStage::Unknown => {
            Ok(())
        }
    }
}

/// The money is back with the customer.
async fn settle(session: &mut Session<'_>, purchase: &mut Purchase, refund: &Refund) -> Result<(), Error> {
    let account_id = session.account_id;
    let minor = refund.amount.minor_units;
    let broken = Error::Broken("a purchase counts less pending money than one of its refunds");
    purchase.pending_minor = purchase.pending_minor.checked_sub(minor).ok_or(broken)?;
    purchase.refunded_minor =
        purchase.refunded_minor.checked_add(minor).ok_or(crate::domain::credits::OutOfRange)?;
    let id = refund.refund_request_id;
    let others = session.tx.list_refunds_of_request(account_id, id).await?;
    session.writing().update_purchase(account_id, purchase).await?;
    if others.iter().any(|other| other.refund_id != refund.refund_id && other.stage().is_on_its_way()) {
        return Ok(());
    }
    lifecycle::settle(session, id).await
}

/// The processor could not send it: the credits come back, and a person finds another way (§4.2).
async fn fail(session: &mut Session<'_>, purchase: &mut Purchase, refund: &Refund) -> Result<(), Error> {
    let account_id = session.account_id;
    let mut book = dispute::book_of(session, purchase.purchase_id).await?;
    dispute::give_up_refund(session, &mut book, purchase, refund).await?;
    session.record(book.close()).await?;
    session.writing().update_purchase(account_id, purchase).await?;
    lifecycle::reopen(session, refund.refund_request_id).await
}
