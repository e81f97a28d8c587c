//! More about an open request: the customer replies, and the policy decides again (§4.1, §5.2).

use super::case::{PurchaseReference, Told};
use super::judgement::{CaseAnswer, Judged};
use super::refund_request::StoredDecision;
use super::run::Mutation;
use super::session::Session;
use super::{Error, Reason, Refusal, lifecycle};
use crate::domain::ids::RefundRequestId;
use crate::domain::refund::RefundMethod;
use crate::domain::request::{Details, Evidence, RefundRequest, Step, Verdict};
use crate::policy::{FactName, Facts};
use crate::store::NamedPurchase;
use serde::Serialize;

/// Most papers that a request may have: nobody reads more.
pub const MAX_EVIDENCE: usize = 20;

/// Most decisions on one request: a conversation that needs more is none.
const MAX_DECISIONS: i32 = 50;

/// A customer tells more.
#[derive(Debug, Serialize)]
pub struct ProvideInformation {
    /// The request.
    pub refund_request_id: RefundRequestId,
    /// The purchase, as the customer names it now; a request that knows its purchase keeps it.
    pub purchase: Option<PurchaseReference>,
    /// What replaces what was told before.
    pub details: Details,
    /// More papers.
    pub evidence: Vec<Evidence>,
}

impl Mutation for ProvideInformation {
    const METHOD: &'static str = "ProvideInformation";
    type Answer = CaseAnswer;

    fn decision(answer: &CaseAnswer) -> Option<&StoredDecision> {
        answer.decision.as_ref()
    }

    async fn apply(&self, session: &mut Session<'_>) -> Result<CaseAnswer, Error> {
        let request = lifecycle::load(session, self.refund_request_id).await?;
        // Whatever the decision: where nothing can be told any more, that is the answer.
        request.life.clone().after(Step::Inform(Verdict::Deny), session.now)?;
        check_room(&request, self.evidence.len())?;
        let policy = session.policy_at(request.received_at)?;
        session.tx.lock_incidents().await?;
        let (told, named) = self.told(session, &request).await?;
        let judged = Judged::of(session.tx, session.account_id, &told, &policy, session.now).await?;
        let knew_purchase = request.purchase_id.is_some();
        let request =
            judged.step(self.informed(request, &told, &judged), Step::Inform(judged.verdict(&policy)))?;
        if !knew_purchase {
            lifecycle::make_room(session, &request).await?;
        }
        let (account_id, id) = (session.account_id, request.refund_request_id);
        let tx = session.writing();
        tx.update_request(account_id, &request).await?;
        tx.update_named_purchase(account_id, id, &named).await?;
        tx.insert_request_text(account_id, id, &self.details).await?;
        tx.insert_evidence(account_id, id, request.decisions, &self.evidence).await?;
        judged.take_effect(session, request, None, RefundMethod::OriginalPayment).await
    }
}

/// A request takes so many papers and so many decisions, and no more.
pub(super) fn check_room(request: &RefundRequest, papers: usize) -> Result<(), Error> {
    let limit = if request.evidence.len().saturating_add(papers) > MAX_EVIDENCE {
        "evidence"
    } else if request.decisions >= MAX_DECISIONS {
        "decisions"
    } else {
        return Ok(());
    };
    Err(Refusal::new(Reason::LimitExceeded, format!("the refund request can have no more {limit}"))
        .with("limit", &limit)
        .into())
}

impl ProvideInformation {
    /// What is told by now, and how the purchase is named by now.
    async fn told(
        &self,
        session: &mut Session<'_>,
        request: &RefundRequest,
    ) -> Result<(Told, NamedPurchase), Error> {
        let (account_id, id) = (session.account_id, request.refund_request_id);
        let mut told = told_by_now(session, request).await?;
        let mut named = session.tx.load_named_purchase(account_id, id).await?;
        if let Some(reference) = &self.purchase {
            told.names_purchase = true;
            named = NamedPurchase { is_named: true, reference: Some(reference.to_json()) };
            if request.purchase_id.is_none() {
                told.purchase = Some(reference.clone());
            }
        }
        // A paper that this request had first is no other's, whoever sent it again meanwhile.
        let had = |paper: &Evidence| request.evidence.iter().any(|known| known.sha256 == paper.sha256);
        let new: Vec<Evidence> = self.evidence.iter().filter(|paper| !had(paper)).cloned().collect();
        let reused = session.tx.find_evidence_used_before(account_id, Some(id), &new).await?;
        told.evidence_reused |= reused.is_some();
        told.evidence.extend(self.evidence.iter().map(|paper| paper.kind));
        told.waiting_since = request.waiting_after_reply(session.now);
        replace(&mut told.details, &self.details);
        Ok((told, named))
    }

    /// The request with what is told by now, before it is decided anew.
    fn informed(&self, mut request: RefundRequest, told: &Told, judged: &Judged) -> RefundRequest {
        request.purchase_id = judged.purchase().map(|purchase| purchase.purchase_id);
        let Details { account_email: _, purchased_at, amount_paid, explanation: _, attempted_at, attempt } =
            told.details.clone();
        (request.purchased_at, request.amount_paid) = (purchased_at, amount_paid);
        (request.attempted_at, request.attempt) = (attempted_at, attempt);
        request.evidence.extend(self.evidence.iter().cloned());
        if let Some(since) = told.waiting_since.filter(|since| request.clock.waiting_since != Some(*since)) {
            request.clock = request.clock.restarted(since, judged.decision.respond_by);
        }
        request
    }
}

/// What was told about a request up to its last decision.
pub(super) async fn told_by_now(session: &mut Session<'_>, request: &RefundRequest) -> Result<Told, Error> {
    let (account_id, id) = (session.account_id, request.refund_request_id);
    let named = session.tx.load_named_purchase(account_id, id).await?;
    let purchase = match (request.purchase_id, named.reference) {
        (Some(purchase_id), _) => Some(PurchaseReference::Purchase(purchase_id)),
        (None, Some(reference)) => Some(PurchaseReference::from_json(reference)?),
        (None, None) => None,
    };
    let (account_email, explanation) = session.tx.load_request_text(account_id, id).await?;
    let papers = session.tx.list_evidence_since_asked(account_id, id).await?;
    Ok(Told {
        claim: request.claim,
        purchase,
        names_purchase: named.is_named,
        details: Details {
            account_email,
            purchased_at: request.purchased_at,
            amount_paid: request.amount_paid,
            explanation,
            attempted_at: request.attempted_at,
            attempt: request.attempt.clone(),
        },
        asked: request.asked.clone(),
        evidence: papers.into_iter().collect(),
        // A paper that was found used before stays so, and one that was not does not become so by a later case.
        evidence_reused: last_facts(session, request).await?.is_true(FactName::EvidenceReused),
        received_at: request.received_at,
        waiting_since: request.clock.waiting_since,
    })
}

async fn last_facts(session: &mut Session<'_>, request: &RefundRequest) -> Result<Facts, Error> {
    let wanted = [(session.account_id.clone(), request.refund_request_id)];
    let last = session.tx.list_last_decisions(&wanted).await?;
    let (_, last) = last.into_iter().next().ok_or(Error::Broken("a refund request has no decision"))?;
    serde_json::from_str(&last.facts).map_err(|_| Error::Broken("stored facts cannot be read"))
}

/// Fields that are set replace what was given before.
fn replace(before: &mut Details, given: &Details) {
    let Details { account_email, purchased_at, amount_paid, explanation, attempted_at, attempt } =
        given.clone();
    before.account_email = account_email.or(before.account_email.take());
    before.purchased_at = purchased_at.or(before.purchased_at);
    before.amount_paid = amount_paid.or(before.amount_paid);
    before.explanation = explanation.or(before.explanation.take());
    before.attempted_at = attempted_at.or(before.attempted_at);
    before.attempt = attempt.or(before.attempt.take());
}
