//! The decision on a new refund request: load the case file, decide, record what was decided.

use super::case::{PurchaseReference, RequestInput};
use super::judgement::Judged;
use super::refund_request::StoredDecision;
use super::run::{Mutation, Reading, account_not_found};
use super::session::Session;
use super::{Context, Desk, Error, lifecycle};
use crate::domain::credits::Credits;
use crate::domain::ids::{AccountId, RefundRequestId};
use crate::domain::refund::{Refund, RefundMethod};
use crate::domain::request::{Details, Life, RefundRequest, ResponseClock, Step};
use crate::policy::Document;
use crate::store::{NamedPurchase, Tx};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A customer asks for a refund.
#[derive(Debug, Serialize)]
pub struct EvaluateRequest {
    /// What the customer sends.
    pub input: RequestInput,
}

/// The case, its decision, and the refunds it set going.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EvaluateAnswer {
    /// The case; `None` for a preview, which opens none.
    pub refund_request: Option<RefundRequest>,
    /// The decision.
    pub decision: StoredDecision,
    /// The refunds it set going.
    pub refunds: Vec<Refund>,
}

impl Mutation for EvaluateRequest {
    const METHOD: &'static str = "EvaluateRequest";
    type Answer = EvaluateAnswer;

    fn decision(answer: &EvaluateAnswer) -> Option<&StoredDecision> {
        Some(&answer.decision)
    }

    async fn apply(&self, session: &mut Session<'_>) -> Result<EvaluateAnswer, Error> {
        let policy = session.policy();
        // What the facts count as ours, the remedy must find again.
        session.tx.lock_incidents().await?;
        let told = self.input.told(session.tx, session.account_id, session.now).await?;
        let judged = Judged::of(session.tx, session.account_id, &told, &policy, session.now).await?;
        let request = judged.step(self.submitted(session, &judged), Step::Decide(judged.verdict(&policy)))?;
        lifecycle::make_room(session, &request).await?;
        self.insert(session, &request).await?;
        let answer = judged.take_effect(session, request, None, RefundMethod::OriginalPayment).await?;
        let decision = answer.decision.ok_or(Error::Broken("a decision was not recorded"))?;
        Ok(EvaluateAnswer { refund_request: Some(answer.refund_request), decision, refunds: answer.refunds })
    }
}

impl EvaluateRequest {
    /// The request as it was received, before anything was decided.
    fn submitted(&self, session: &Session<'_>, judged: &Judged) -> RefundRequest {
        let Details { account_email: _, purchased_at, amount_paid, explanation: _, attempted_at, attempt } =
            self.input.details.clone();
        RefundRequest {
            refund_request_id: RefundRequestId(session.new_id()),
            purchase_id: judged.purchase().map(|purchase| purchase.purchase_id),
            claim: self.input.claim,
            life: Life::Submitted,
            received_at: judged.file.received_at,
            clock: ResponseClock::started(judged.decision.respond_by),
            policy_version: judged.decision.policy_version.clone(),
            opened_by: session.context.caller.clone(),
            assignee: None,
            attempt,
            purchased_at,
            amount_paid,
            attempted_at,
            evidence: self.input.evidence.clone(),
            asked: BTreeSet::new(),
            decisions: 0,
            last_row: String::new(),
            restored_credits: Credits::ZERO,
            revision: 0,
        }
    }

    async fn insert(&self, session: &mut Session<'_>, request: &RefundRequest) -> Result<(), Error> {
        let (account_id, id) = (session.account_id, request.refund_request_id);
        let named = NamedPurchase {
            is_named: self.input.purchase.is_some(),
            reference: self.input.purchase.as_ref().map(PurchaseReference::to_json),
        };
        let tx = session.writing();
        tx.insert_request(account_id, request, &named).await?;
        tx.insert_request_text(account_id, id, &self.input.details).await?;
        Ok(tx.insert_evidence(account_id, id, request.decisions, &self.input.evidence).await?)
    }
}

impl Desk {
    /// What would be decided now; nothing is written.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such account, or the purchase has an open request.
    pub async fn preview_request(
        &self,
        context: &Context,
        account_id: AccountId,
        input: RequestInput,
    ) -> Result<EvaluateAnswer, Error> {
        let now = context.clock.now();
        let trace_id = context.trace_id.clone();
        let policy = self.policies.at(&self.store, now).await?;
        let decision = self.read(Preview { policy, account_id, input, now, trace_id }).await?;
        Ok(EvaluateAnswer { refund_request: None, decision, refunds: Vec::new() })
    }
}

struct Preview {
    policy: Arc<Document>,
    account_id: AccountId,
    input: RequestInput,
    now: DateTime<Utc>,
    trace_id: Option<String>,
}

impl Reading for Preview {
    type Answer = StoredDecision;

    async fn read(&self, tx: &mut Tx) -> Result<StoredDecision, Error> {
        let Self { policy, account_id, input, now, trace_id } = self;
        if tx.find_account(account_id).await?.is_none() {
            return Err(account_not_found());
        }
        let told = input.told(tx, account_id, *now).await?;
        let judged = Judged::of(tx, account_id, &told, policy, *now).await?;
        if let Some(purchase) = judged.purchase() {
            lifecycle::list_run_out(tx, account_id, purchase.purchase_id, None, *now).await?;
        }
        Ok(judged.stored(None, trace_id.clone(), None))
    }
}
