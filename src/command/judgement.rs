//! A decision and its consequences: what the policy or a person answers becomes a step of the request, a stored
//! decision, and the credits and the money that move.

use super::case::Told;
use super::refund_request::StoredDecision;
use super::session::Session;
use super::{Error, remedy};
use crate::domain::case_file::CaseFile;
use crate::domain::ids::{AccountId, Actor, DecisionId};
use crate::domain::purchase::Purchase;
use crate::domain::redacted::FreeText;
use crate::domain::refund::{Refund, RefundMethod};
use crate::domain::request::{RefundRequest, Step, Verdict};
use crate::policy::calendar::question_ends;
use crate::policy::facts::CATALOGUE;
use crate::policy::resolution::approvals_required;
use crate::policy::{Decision, Document, Facts, Outcome, Recommendation, decide};
use crate::store::{DecisionRow, Tx};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What was done with a case.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CaseAnswer {
    /// The case as it is now.
    pub refund_request: RefundRequest,
    /// The decision that was made, when one was.
    pub decision: Option<StoredDecision>,
    /// The case's refunds, oldest first.
    pub refunds: Vec<Refund>,
}

/// A case file with its facts and what was decided from them.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) file: CaseFile,
    pub(super) facts: Facts,
    pub(super) decision: Decision,
}

/// Who decided, when a person did, and the note that says why.
#[derive(Debug, Clone)]
pub(super) struct Decider {
    pub(super) person: Actor,
    pub(super) reason_note: i32,
    /// What they wrote to the customer, and the note that keeps it.
    pub(super) said: Option<(i32, FreeText)>,
}

impl Judged {
    /// Reads the case file and lets the policy decide.
    pub(super) async fn of(
        tx: &mut Tx,
        account_id: &AccountId,
        told: &Told,
        policy: &Document,
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let file = told.case_file(tx, account_id, now).await?;
        let facts = Facts::observe(&file, policy.parameters());
        let decision = decide(policy, &facts);
        Ok(Self { file, facts, decision })
    }

    /// The purchase that the case is about, when it is known.
    pub(super) fn purchase(&self) -> Option<&Purchase> {
        self.file.purchase.as_ref().map(|file| &file.purchase)
    }

    /// What the decision means for the life of its request.
    pub(super) fn verdict(&self, policy: &Document) -> Verdict {
        let decision = &self.decision;
        match decision.outcome {
            Outcome::Approve if decision.money().is_some() => Verdict::Pay,
            Outcome::Approve => Verdict::Give,
            Outcome::Deny => Verdict::Deny,
            Outcome::RequestInformation => {
                Verdict::Ask { expires_at: question_ends(self.file.decided_at, policy.parameters()) }
            }
            Outcome::Review => {
                let recommended = match &decision.recommendation {
                    Some(Recommendation::Approve(grants)) => grants.as_slice(),
                    Some(Recommendation::Deny) | None => &[],
                };
                Verdict::Refer { approvals_required: approvals_required(policy, recommended) }
            }
        }
    }

    /// The request after the step that this decision is.
    pub(super) fn step(&self, request: RefundRequest, step: Step) -> Result<RefundRequest, Error> {
        let mut request = request.after(step, self.file.decided_at)?;
        let decision = &self.decision;
        request.decisions = request.decisions.saturating_add(1);
        request.last_row.clone_from(&decision.row);
        request.asked.extend(&decision.requested_details);
        request.restored_credits = request.restored_credits.plus(decision.credits_given())?;
        Ok(request)
    }

    /// Stores the decision of a request that is written already, and gives what it gives.
    pub(super) async fn take_effect(
        self,
        session: &mut Session<'_>,
        refund_request: RefundRequest,
        decider: Option<Decider>,
        method: RefundMethod,
    ) -> Result<CaseAnswer, Error> {
        let purchase = self.purchase().cloned();
        let decision_id = DecisionId(session.new_id());
        let person = decider.as_ref().map(|decider| decider.person.clone());
        let mut decision = self.stored(Some(decision_id), session.context.trace_id.clone(), person);
        let row = to_row(&decision, decision_id, refund_request.decisions, decider.as_ref());
        decision.said = decider.and_then(|decider| decider.said).map(|(_, said)| said);
        let (account_id, id) = (session.account_id, refund_request.refund_request_id);
        session.writing().append_decision(account_id, id, &row).await?;
        let grants = &decision.decision.remedies;
        remedy::give(session, &refund_request, purchase, grants, method).await?;
        let refunds = session.tx.list_refunds_of_request(account_id, id).await?;
        Ok(CaseAnswer { refund_request, decision: Some(decision), refunds })
    }

    /// The decision in the form that is kept and told.
    pub(super) fn stored(
        self,
        decision_id: Option<DecisionId>,
        trace_id: Option<String>,
        decided_by: Option<Actor>,
    ) -> StoredDecision {
        StoredDecision {
            decision_id,
            canonical: String::from_utf8_lossy(&self.decision.canonical_bytes()).into_owned(),
            decision_sha256: self.decision.sha256(),
            decided_at: self.file.decided_at,
            decision: self.decision,
            facts: self.facts,
            trace_id,
            decided_by,
            reason: None,
            said: None,
        }
    }
}

fn to_row(
    stored: &StoredDecision,
    decision_id: DecisionId,
    ordinal: i32,
    decider: Option<&Decider>,
) -> DecisionRow {
    let decision = &stored.decision;
    DecisionRow {
        decision_id,
        ordinal,
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
        decided_by: stored.decided_by.clone(),
        reason_note: decider.map(|decider| decider.reason_note),
        reason: None,
        sentence_note: decider.and_then(|decider| decider.said.as_ref()).map(|(note, _)| *note),
        said: None,
    }
}
