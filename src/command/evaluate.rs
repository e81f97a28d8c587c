//! The decision on a refund request: load the case file, decide, record what was decided.

use super::case::RequestInput;
use super::refund_request::StoredDecision;
use super::remedy;
use super::run::{Mutation, Reading, account_not_found};
use super::session::Session;
use super::{Context, Desk, Error};
use crate::domain::case_file::CaseFile;
use crate::domain::ids::{AccountId, DecisionId, RefundRequestId};
use crate::domain::refund::Refund;
use crate::domain::request::{Details, RefundRequest, RequestStage};
use crate::policy::facts::CATALOGUE;
use crate::policy::{Decision, Document, Facts, Outcome, decide};
use crate::store::{DecisionRow, RequestOpening, Tx};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
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

/// A case file judged.
struct Judged {
    file: CaseFile,
    facts: Facts,
    decision: Decision,
}

impl Judged {
    async fn of(
        tx: &mut Tx,
        account_id: &AccountId,
        input: &RequestInput,
        policy: &Document,
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let file = input.case_file(tx, account_id, now).await?;
        let facts = Facts::observe(&file, policy.parameters());
        let decision = decide(policy, &facts);
        Ok(Self { file, facts, decision })
    }

    fn stored(self, decision_id: Option<DecisionId>, trace_id: Option<String>) -> StoredDecision {
        StoredDecision {
            decision_id,
            canonical: String::from_utf8_lossy(&self.decision.canonical_bytes()).into_owned(),
            decision_sha256: self.decision.sha256(),
            decided_at: self.file.decided_at,
            decision: self.decision,
            facts: self.facts,
            trace_id,
        }
    }
}

impl Mutation for EvaluateRequest {
    const METHOD: &'static str = "EvaluateRequest";
    type Answer = EvaluateAnswer;

    async fn apply(&self, session: &mut Session<'_>) -> Result<EvaluateAnswer, Error> {
        let policy = session.policy();
        // What the facts count as ours, the remedy must find again.
        session.tx.lock_incidents().await?;
        let judged = Judged::of(session.tx, session.account_id, &self.input, &policy, session.now).await?;
        let purchase = judged.file.purchase.as_ref().map(|file| file.purchase.clone());
        let refund_request = self.open(session, &judged).await?;
        let decision = judged.stored(Some(DecisionId(session.new_id())), session.context.trace_id.clone());
        let account_id = session.account_id;
        let row = to_row(&decision);
        session.writing().append_decision(account_id, refund_request.refund_request_id, &row).await?;
        let grants = &decision.decision.remedies;
        let refunds = remedy::give(session, &refund_request, purchase, grants).await?;
        Ok(EvaluateAnswer { refund_request: Some(refund_request), decision, refunds })
    }
}

impl EvaluateRequest {
    async fn open(&self, session: &mut Session<'_>, judged: &Judged) -> Result<RefundRequest, Error> {
        let account_id = session.account_id;
        let Details { account_email: _, purchased_at, amount_paid, explanation: _, attempted_at, attempt } =
            self.input.details.clone();
        let stage = stage_after(&judged.decision);
        let refund_request = RefundRequest {
            refund_request_id: RefundRequestId(session.new_id()),
            purchase_id: judged.file.purchase.as_ref().map(|file| file.purchase.purchase_id),
            claim: self.input.claim,
            stage,
            received_at: judged.file.received_at,
            respond_by: judged.decision.respond_by,
            // A case that goes to a person has not been answered; every other outcome is an answer (§4.1).
            first_responded_at: (stage != RequestStage::InReview).then_some(session.now),
            policy_version: judged.decision.policy_version.clone(),
            attempt,
            purchased_at,
            amount_paid,
            attempted_at,
            evidence: self.input.evidence.clone(),
            revision: 1,
        };
        let opening = RequestOpening {
            names_purchase: self.input.purchase.is_some(),
            opened_by: session.context.caller.clone(),
        };
        let tx = session.writing();
        tx.insert_request(account_id, &refund_request, &opening).await?;
        let refund_request_id = refund_request.refund_request_id;
        tx.insert_request_text(account_id, refund_request_id, &self.input.details).await?;
        tx.insert_evidence(account_id, refund_request_id, &self.input.evidence).await?;
        Ok(refund_request)
    }
}

/// An approval that pays is settled when the money has arrived; one that only restores is settled at once.
fn stage_after(decision: &Decision) -> RequestStage {
    match decision.outcome {
        Outcome::Approve if decision.money().is_some() => RequestStage::Approved,
        Outcome::Approve => RequestStage::Settled,
        Outcome::Deny => RequestStage::Denied,
        Outcome::RequestInformation => RequestStage::AwaitingInformation,
        Outcome::Review => RequestStage::InReview,
    }
}

fn to_row(stored: &StoredDecision) -> DecisionRow {
    let decision = &stored.decision;
    DecisionRow {
        decision_id: stored.decision_id.unwrap_or(DecisionId(uuid::Uuid::nil())),
        ordinal: 1,
        outcome: decision.outcome.name().to_owned(),
        row: decision.row.clone(),
        policy_version: decision.policy_version.clone(),
        document_sha256: decision.document_sha256.clone(),
        facts_sha256: decision.facts_sha256.clone(),
        decision_sha256: stored.decision_sha256.clone(),
        facts: stored.facts.canonical_json(),
        body: stored.canonical.clone(),
        decided_at: stored.decided_at,
        trace_id: stored.trace_id.clone(),
        catalogue: CATALOGUE,
    }
}

impl Desk {
    /// What would be decided now; nothing is written.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such account.
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
        if tx.find_account(&self.account_id).await?.is_none() {
            return Err(account_not_found());
        }
        let judged = Judged::of(tx, &self.account_id, &self.input, &self.policy, self.now).await?;
        Ok(judged.stored(None, self.trace_id.clone()))
    }
}
