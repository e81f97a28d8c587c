//! What the bank's dispute desk tells, through the processor (§6). A fact is never refused.

use super::attempt::Moved;
use super::dispute::{self, Consequences};
use super::run::{Answered, Call, Mutation, Reading};
use super::session::Session;
use super::{BalanceAt, Context, Desk, Error, Reason, Refusal};
use crate::domain::chargeback::{
    Chargeback, ChargebackEvent, ChargebackPhase, ChargebackStage, ReportedEvent,
};
use crate::domain::credits::Credits;
use crate::domain::ids::{
    AccountId, ChargebackId, DisputeId, PaymentId, Provider, ProviderEventId, RefundId, RequestId,
};
use crate::domain::money::Money;
use crate::domain::restriction::Restriction;
use crate::store::{ExternalKind, Tx};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Most times an event looks for its account: it can move once, when its purchase is recorded meanwhile.
const MAX_LOOKUPS: usize = 3;

/// An event of a dispute.
#[derive(Debug, Clone, Serialize)]
pub struct RecordChargeback {
    /// The processor.
    pub provider: Provider,
    /// The processor's id of the dispute.
    pub dispute_id: DisputeId,
    /// The processor's id of the payment.
    pub payment_id: PaymentId,
    /// What happened.
    pub event: ChargebackEvent,
    /// How far the dispute has gone; as before when not told.
    pub phase: Option<ChargebackPhase>,
    /// The processor's own word, verbatim.
    pub provider_status: String,
    /// The network's reason code, verbatim.
    pub reason_code: String,
    /// What is disputed.
    pub amount: Money,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// The processor's id of the event, when it has one.
    pub provider_event_id: Option<ProviderEventId>,
}

/// What an event came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChargebackAnswer {
    /// The account that it was found to concern; empty while its purchase is unknown.
    pub account_id: Option<AccountId>,
    /// The dispute.
    pub chargeback: Chargeback,
    /// Credits that moved.
    pub moved: Vec<Moved>,
    /// Refunds that were stopped before they left.
    pub canceled_refunds: Vec<RefundId>,
    /// The account's restrictions in force after it.
    pub restrictions: Vec<Restriction>,
    /// What the account has after it.
    pub balance: BalanceAt,
}

impl Desk {
    /// Records an event of a dispute. Its account is the payment's; while the payment is unknown, the dispute waits
    /// where no account is.
    ///
    /// # Errors
    /// [`Error::Refused`] when the dispute is known for another payment or another currency.
    pub async fn record_chargeback(
        &self,
        context: Context,
        request_id: RequestId,
        event: RecordChargeback,
    ) -> Result<Answered<ChargebackAnswer>, Error> {
        let mut lookups = 0;
        loop {
            let owner = self.read(Owner(event.clone())).await?;
            let account_id = owner.unwrap_or_else(AccountId::unmatched);
            let call = Call { account_id, request_id, mutation: event.clone() };
            lookups = usize::saturating_add(lookups, 1);
            match self.call(context.clone(), call).await {
                Err(Error::Refused { refusal, .. })
                    if refusal.reason == Reason::PurchaseNotFound && lookups < MAX_LOOKUPS => {}
                answer => return answer,
            }
        }
    }
}

struct Owner(RecordChargeback);

impl Reading for Owner {
    type Answer = Option<AccountId>;

    async fn read(&self, tx: &mut Tx) -> Result<Option<AccountId>, Error> {
        self.0.find_owner(tx).await
    }
}

impl Mutation for RecordChargeback {
    const METHOD: &'static str = "RecordChargeback";
    const OPENS_ACCOUNT: bool = true;
    type Answer = ChargebackAnswer;

    /// Heard before its purchase was, it was answered where no account is.
    fn answered_before_at(&self) -> Option<AccountId> {
        Some(AccountId::unmatched())
    }

    async fn apply(&self, session: &mut Session<'_>) -> Result<ChargebackAnswer, Error> {
        let account_id = session.account_id;
        let owner = self.find_owner(session.tx).await?;
        if owner.as_ref().is_some_and(|owner| owner != account_id) {
            // Its purchase was recorded between the look-up and the lock. What is not found is not kept.
            return Err(Refusal::new(Reason::PurchaseNotFound, "the payment is another account's").into());
        }
        let known = session.tx.find_chargeback(account_id, &self.provider, &self.dispute_id).await?;
        let purchase =
            session.tx.find_purchase_by_payment(account_id, &self.provider, &self.payment_id).await?;
        let currency = purchase.as_ref().map(|purchase| purchase.price.currency);
        let currency = currency.or(known.as_ref().map(|known| known.amount.currency));
        if currency.is_some_and(|currency| currency != self.amount.currency) {
            return Err(Refusal::new(Reason::InvalidField, "the dispute and its payment differ in currency")
                .with("field", &"amount.currency_code")
                .into());
        }
        let (mut chargeback, before) = match known {
            Some(known) if self.was_heard(session, &known).await? => {
                return answer(session, known, Consequences::default()).await;
            }
            Some(known) => {
                let before = known.stage;
                (self.update(known)?, Some(before))
            }
            None => (self.open(session, owner.is_none()).await?, None),
        };
        let after = chargeback.stage;
        let consequences = match purchase {
            Some(mut purchase) => {
                dispute::enter(session, &mut chargeback, &mut purchase, before, after).await?
            }
            None => {
                session.writing().upsert_chargeback(account_id, &chargeback).await?;
                Consequences::default()
            }
        };
        let row = self.row(chargeback.phase, session.now);
        session.writing().append_chargeback_event(account_id, chargeback.chargeback_id, &row).await?;
        answer(session, chargeback, consequences).await
    }
}

async fn answer(
    session: &mut Session<'_>,
    chargeback: Chargeback,
    consequences: Consequences,
) -> Result<ChargebackAnswer, Error> {
    let account_id = session.account_id;
    let balance = session.balance().await?;
    let restrictions = session.tx.list_restrictions(account_id).await?;
    Ok(ChargebackAnswer {
        account_id: (!account_id.is_unmatched()).then(|| account_id.clone()),
        chargeback,
        moved: consequences.moved,
        canceled_refunds: consequences.canceled_refunds,
        restrictions,
        balance,
    })
}

impl RecordChargeback {
    /// The account of the payment, once anything was told of it.
    async fn find_owner(&self, tx: &mut Tx) -> Result<Option<AccountId>, Error> {
        let payment_id = self.payment_id.as_str();
        Ok(tx.find_owner(ExternalKind::Payment, self.provider.as_str(), payment_id).await?)
    }

    /// Whether this very event was recorded before, under another request id: by the processor's id of it, or by
    /// everything it says when it has none. It then changes nothing, even if other news of its instant came since.
    async fn was_heard(&self, session: &mut Session<'_>, known: &Chargeback) -> Result<bool, Error> {
        if known.payment_id != self.payment_id {
            return Ok(false);
        }
        let events = session.tx.list_chargeback_events(session.account_id, known.chargeback_id).await?;
        Ok(events.iter().any(|heard| match (&heard.provider_event_id, &self.provider_event_id) {
            (Some(heard), Some(told)) => heard == told,
            (None, None) => {
                heard.event == self.event
                    && heard.occurred_at == self.occurred_at
                    && heard.amount == self.amount
                    && heard.provider_status == self.provider_status
                    && self.phase.is_none_or(|phase| phase == heard.phase)
            }
            _ => false,
        }))
    }

    /// A dispute that was not known: its ids are claimed, and its first event may be its end.
    async fn open(&self, session: &mut Session<'_>, payment_is_new: bool) -> Result<Chargeback, Error> {
        let (account_id, provider) = (session.account_id, self.provider.as_str());
        let owner = session.tx.find_owner(ExternalKind::Dispute, provider, self.dispute_id.as_str()).await?;
        if owner.is_some() {
            return Err(Refusal::new(
                Reason::ChargebackMismatch,
                "this dispute is known for another payment",
            )
            .into());
        }
        let chargeback_id = ChargebackId(session.new_id());
        let tx = session.writing();
        tx.insert_owner(ExternalKind::Dispute, provider, self.dispute_id.as_str(), account_id).await?;
        if payment_is_new {
            tx.insert_owner(ExternalKind::Payment, provider, self.payment_id.as_str(), account_id).await?;
        }
        let end = self.event.end();
        Ok(Chargeback {
            chargeback_id,
            purchase_id: None,
            provider: self.provider.clone(),
            dispute_id: self.dispute_id.clone(),
            payment_id: self.payment_id.clone(),
            stage: self.event.first_stage(),
            phase: self.phase.unwrap_or(ChargebackPhase::Chargeback),
            provider_status: self.provider_status.clone(),
            reason_code: self.reason_code.clone(),
            amount: self.amount,
            losses: Vec::new(),
            frozen_credits: Credits::ZERO,
            opened_at: self.occurred_at,
            closed_at: end.map(|_| self.occurred_at),
            last_event_at: self.occurred_at,
            determined: None,
        })
    }

    /// What the event changes in a known dispute. Late news never overwrites later news, and the amount of a
    /// lost dispute is what the loss told that the bank returned, however late it is heard.
    fn update(&self, mut known: Chargeback) -> Result<Chargeback, Error> {
        if known.payment_id != self.payment_id {
            let message = "this dispute is known for another payment";
            return Err(Refusal::new(Reason::ChargebackMismatch, message)
                .with("payment_id", &known.payment_id)
                .into());
        }
        let before = known.stage;
        known.stage = known.stage_after(self.event, self.occurred_at);
        if self.event.end() == Some(known.stage) {
            known.closed_at = known.closed_at.max(Some(self.occurred_at));
        }
        known.opened_at = known.opened_at.min(self.occurred_at);
        if self.occurred_at >= known.last_event_at {
            known.last_event_at = self.occurred_at;
            known.phase = self.phase.unwrap_or(known.phase);
            known.provider_status.clone_from(&self.provider_status);
            known.reason_code.clone_from(&self.reason_code);
            if before != ChargebackStage::Lost {
                known.amount = self.amount;
            }
        } else if known.stage == ChargebackStage::Lost && before != ChargebackStage::Lost {
            known.amount = self.amount;
        }
        Ok(known)
    }

    fn row(&self, phase: ChargebackPhase, recorded_at: DateTime<Utc>) -> ReportedEvent {
        ReportedEvent {
            event: self.event,
            phase: self.phase.unwrap_or(phase),
            provider_status: self.provider_status.clone(),
            provider_event_id: self.provider_event_id.clone(),
            amount: self.amount,
            occurred_at: self.occurred_at,
            recorded_at,
        }
    }
}
