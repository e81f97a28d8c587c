//! A person decides a request: approves within what the ledger and the policy allow, denies, asks, or keeps it.
//!
//! Checked in this order: the request, its etag, its stage, the bounds, who approves, and what is approved.

use super::information::{check_room, told_by_now};
use super::judgement::{CaseAnswer, Decider, Judged};
use super::proposal::{AskedRemedy, Proposal, proposed};
use super::refund_request::StoredDecision;
use super::run::Mutation;
use super::session::Session;
use super::{Error, Reason, Refusal, lifecycle};
use crate::domain::ids::{Actor, RefundRequestId};
use crate::domain::note::RequestNote;
use crate::domain::redacted::FreeText;
use crate::domain::refund::RefundMethod;
use crate::domain::request::{Approval, Detail, Life, RefundRequest, Step, Verdict};
use crate::policy::resolution::{Ruling, approval_sentence, approvals_required, rule, sized};
use crate::policy::{Decision, Document, Outcome};
use serde::Serialize;
use std::collections::BTreeSet;

/// Most notes on one request: more would be read by nobody.
const MAX_NOTES: usize = 100;

/// A person decides a request.
#[derive(Debug, Serialize)]
pub struct ResolveRefundRequest {
    /// The request.
    pub refund_request_id: RefundRequestId,
    /// The revision that the person read.
    pub etag: String,
    /// Why, in the person's words.
    pub reason: FreeText,
    /// What to do.
    pub resolution: Resolution,
    /// For support; empty for none.
    pub note: FreeText,
    /// Who works on it from now on: as before, nobody, or somebody.
    pub assignee: Option<Option<Actor>>,
}

/// What a person does with a request.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// Yes.
    Approve {
        /// What to give; empty for what the policy recommends.
        remedies: Vec<AskedRemedy>,
        /// How money is paid.
        method: RefundMethod,
        /// For the customer; empty for the policy's own.
        sentence: FreeText,
    },
    /// No.
    Deny {
        /// The clauses that it rests on.
        clauses: Vec<String>,
        /// For the customer.
        sentence: FreeText,
    },
    /// Ask the customer.
    Ask {
        /// What for.
        details: BTreeSet<Detail>,
        /// For the customer.
        sentence: FreeText,
    },
    /// Leave it where it is.
    Keep,
}

/// An approval that is ready to be recorded.
struct Approved {
    judged: Judged,
    /// Everybody who approved the same by now, this person among them.
    approvals: Vec<Approval>,
    required: i32,
}

impl Mutation for ResolveRefundRequest {
    const METHOD: &'static str = "ResolveRefundRequest";
    type Answer = CaseAnswer;

    fn decision(answer: &CaseAnswer) -> Option<&StoredDecision> {
        answer.decision.as_ref()
    }

    async fn apply(&self, session: &mut Session<'_>) -> Result<CaseAnswer, Error> {
        let request = lifecycle::load(session, self.refund_request_id).await?;
        self.check_etag(&request)?;
        request.life.clone().after(self.trial(), session.now)?;
        check_room(&request, 0)?;
        check_notes(session, &request, &self.note).await?;
        match &self.resolution {
            Resolution::Approve { .. } => self.approve(session, request).await,
            Resolution::Deny { clauses, sentence: _ } => {
                let ruling = Ruling {
                    outcome: Outcome::Deny,
                    clauses: clauses.clone(),
                    remedies: Vec::new(),
                    requested_details: BTreeSet::new(),
                    sentence: String::new(),
                };
                let judged = self.judged(session, &request, |_| Ok(ruling)).await?;
                self.record(session, request, judged, RefundMethod::OriginalPayment, None).await
            }
            Resolution::Ask { details, sentence: _ } => {
                let last = last_decision(session, &request).await?;
                let ruling = Ruling {
                    outcome: Outcome::RequestInformation,
                    clauses: last.clauses,
                    remedies: Vec::new(),
                    requested_details: details.clone(),
                    sentence: String::new(),
                };
                let judged = self.judged(session, &request, |_| Ok(ruling)).await?;
                self.record(session, request, judged, RefundMethod::OriginalPayment, None).await
            }
            Resolution::Keep => self.keep(session, request).await,
        }
    }
}

impl ResolveRefundRequest {
    fn check_etag(&self, request: &RefundRequest) -> Result<(), Error> {
        if self.etag == request.revision.to_string() {
            return Ok(());
        }
        let message = "the refund request was changed since its etag was read; read it again";
        Err(Refusal::new(Reason::EtagMismatch, message).with("etag", &request.revision).into())
    }

    /// The step that this would be, to learn whether it can be taken at all.
    const fn trial(&self) -> Step {
        match self.resolution {
            Resolution::Keep => Step::Keep,
            _ => Step::Resolve(Verdict::Deny),
        }
    }

    /// The case as it is now, with a person's ruling in place of the policy's decision.
    async fn judged(
        &self,
        session: &mut Session<'_>,
        request: &RefundRequest,
        ruling: impl FnOnce(&Judged) -> Result<Ruling, Error>,
    ) -> Result<Judged, Error> {
        let policy = session.policy_at(request.received_at)?;
        session.tx.lock_incidents().await?;
        let told = told_by_now(session, request).await?;
        let mut judged = Judged::of(session.tx, session.account_id, &told, &policy, session.now).await?;
        judged.decision = rule(&policy, &judged.facts, ruling(&judged)?);
        Ok(judged)
    }

    async fn approve(&self, session: &mut Session<'_>, request: RefundRequest) -> Result<CaseAnswer, Error> {
        let Resolution::Approve { remedies, method, sentence } = &self.resolution else {
            return Err(Error::Broken("an approval that is none"));
        };
        let person = session.context.caller.clone();
        if request.opened_by == person {
            return Err(same_approver("who opened a refund request cannot approve it"));
        }
        let last = last_decision(session, &request).await?;
        let policy = session.policy_at(request.received_at)?;
        let row = policy.rows().iter().find(|row| row.id == last.row);
        let proposed = proposed(remedies, &last, row)?;
        let judged = self
            .judged(session, &request, |judged| {
                let remedies = sized(&policy, &judged.facts, &proposed)?;
                let said = (last.row.as_str(), last.clauses.as_slice());
                let own = || approval_sentence(&policy, &judged.facts, said, &remedies, *method);
                let sentence = if sentence.is_empty() { own() } else { String::new() };
                let clauses = last.clauses.clone();
                Ok(Ruling {
                    outcome: Outcome::Approve,
                    clauses,
                    remedies,
                    requested_details: BTreeSet::new(),
                    sentence,
                })
            })
            .await?;
        let approved = agreed(&policy, &request, judged, person, *method)?;
        if i32::try_from(approved.approvals.len()).unwrap_or(i32::MAX) < approved.required {
            return self.endorse(session, request, approved).await;
        }
        let Approved { judged, mut approvals, required: _ } = approved;
        let mine = approvals.pop().ok_or(Error::Broken("nobody approved"))?;
        self.record(session, request, judged, *method, Some(mine)).await
    }

    /// The first of two people approves; the request stays in review for the second.
    async fn endorse(
        &self,
        session: &mut Session<'_>,
        request: RefundRequest,
        approved: Approved,
    ) -> Result<CaseAnswer, Error> {
        let Approved { judged: _, approvals, required: approvals_required } = approved;
        let (account_id, id, decisions) = (session.account_id, request.refund_request_id, request.decisions);
        let mine = approvals.last().cloned().ok_or(Error::Broken("nobody approved"))?;
        let mut request = request.after(Step::Endorse { approvals_required, approvals }, session.now)?;
        self.assign(&mut request);
        session.writing().update_request(account_id, &request).await?;
        let reason_note = self.write_reason(session, id).await?;
        session.tx.insert_approval(account_id, id, decisions, &mine, reason_note).await?;
        self.answer(session, request).await
    }

    async fn keep(&self, session: &mut Session<'_>, request: RefundRequest) -> Result<CaseAnswer, Error> {
        let account_id = session.account_id;
        let mut request = request.after(Step::Keep, session.now)?;
        self.assign(&mut request);
        session.writing().update_request(account_id, &request).await?;
        self.write_reason(session, request.refund_request_id).await?;
        self.answer(session, request).await
    }

    async fn answer(&self, session: &mut Session<'_>, request: RefundRequest) -> Result<CaseAnswer, Error> {
        note(session, &request, &self.note).await?;
        let id = request.refund_request_id;
        let refunds = session.tx.list_refunds_of_request(session.account_id, id).await?;
        Ok(CaseAnswer { refund_request: request, decision: None, refunds })
    }

    /// The ruling takes effect.
    async fn record(
        &self,
        session: &mut Session<'_>,
        request: RefundRequest,
        judged: Judged,
        method: RefundMethod,
        approval: Option<Approval>,
    ) -> Result<CaseAnswer, Error> {
        let policy = session.policy_at(request.received_at)?;
        let (account_id, id, decisions) = (session.account_id, request.refund_request_id, request.decisions);
        let mut request = judged.step(request, Step::Resolve(judged.verdict(&policy)))?;
        self.assign(&mut request);
        session.writing().update_request(account_id, &request).await?;
        let reason_note = self.write_reason(session, id).await?;
        if let Some(approval) = approval {
            session.tx.insert_approval(account_id, id, decisions, &approval, reason_note).await?;
        }
        note(session, &request, &self.note).await?;
        let said = self.write_sentence(session, id).await?;
        let decider = Decider { person: session.context.caller.clone(), reason_note, said };
        judged.take_effect(session, request, Some(decider), method).await
    }

    fn assign(&self, request: &mut RefundRequest) {
        if let Some(assignee) = &self.assignee {
            request.assignee.clone_from(assignee);
        }
    }

    /// Keeps what the person wrote to the customer, where they did, apart from the decision, so that it can be erased.
    async fn write_sentence(
        &self,
        session: &mut Session<'_>,
        id: RefundRequestId,
    ) -> Result<Option<(i32, FreeText)>, Error> {
        let said = match &self.resolution {
            Resolution::Approve { sentence, .. }
            | Resolution::Deny { sentence, .. }
            | Resolution::Ask { sentence, .. } => sentence,
            Resolution::Keep => return Ok(None),
        };
        if said.is_empty() {
            return Ok(None);
        }
        let (account_id, kept) = (session.account_id, written(session, said));
        let note = session.writing().insert_request_note(account_id, id, &kept, true).await?;
        Ok(Some((note, said.clone())))
    }

    async fn write_reason(&self, session: &mut Session<'_>, id: RefundRequestId) -> Result<i32, Error> {
        let reason = written(session, &self.reason);
        let account_id = session.account_id;
        // Who only keeps a request gives no reason for a decision, but a note.
        let is_reason = !matches!(self.resolution, Resolution::Keep);
        Ok(session.writing().insert_request_note(account_id, id, &reason, is_reason).await?)
    }
}

/// Counts who approved the same, this person last.
fn agreed(
    policy: &Document,
    request: &RefundRequest,
    judged: Judged,
    person: Actor,
    method: RefundMethod,
) -> Result<Approved, Error> {
    let remedies = judged.decision.remedies.clone();
    let required = approvals_required(policy, &remedies);
    let proposal = serde_json::to_string(&Proposal { remedies, method })
        .map_err(|_| Error::Broken("an approval has no stored form"))?;
    let before = match &request.life {
        Life::InReview { approvals, .. } => approvals.as_slice(),
        _ => &[],
    };
    let mut approvals: Vec<Approval> = Vec::new();
    for approval in before.iter().filter(|approval| approval.proposal == proposal) {
        // Who proposed something else in between and came back is still one person.
        if approvals.iter().all(|known| known.approver != approval.approver) {
            approvals.push(approval.clone());
        }
    }
    if approvals.iter().any(|approval| approval.approver == person) {
        return Err(same_approver("who approved before cannot be the second who approves"));
    }
    approvals.push(Approval { approver: person, approved_at: judged.file.decided_at, proposal });
    Ok(Approved { judged, approvals, required })
}

fn same_approver(message: &str) -> Error {
    Refusal::new(Reason::SameApprover, message).into()
}

async fn last_decision(session: &mut Session<'_>, request: &RefundRequest) -> Result<Decision, Error> {
    let wanted = [(session.account_id.clone(), request.refund_request_id)];
    let last = session.tx.list_last_decisions(&wanted).await?;
    let (_, last) = last.into_iter().next().ok_or(Error::Broken("a refund request has no decision"))?;
    serde_json::from_str(&last.body).map_err(|_| Error::Broken("a stored decision cannot be read"))
}

fn written(session: &Session<'_>, text: &FreeText) -> RequestNote {
    RequestNote { author: session.context.caller.clone(), written_at: session.now, text: text.clone() }
}

/// Refuses a note more than a request may have.
pub(super) async fn check_notes(
    session: &mut Session<'_>,
    request: &RefundRequest,
    text: &FreeText,
) -> Result<(), Error> {
    if text.is_empty() {
        return Ok(());
    }
    let notes = session.tx.list_request_notes(session.account_id, request.refund_request_id).await?;
    if notes.len() < MAX_NOTES {
        return Ok(());
    }
    Err(Refusal::new(Reason::LimitExceeded, "the refund request can have no more notes")
        .with("limit", &"notes")
        .into())
}

/// Keeps a note, if there is one.
pub(super) async fn note(
    session: &mut Session<'_>,
    request: &RefundRequest,
    text: &FreeText,
) -> Result<(), Error> {
    if !text.is_empty() {
        let note = written(session, text);
        let account_id = session.account_id;
        session.writing().insert_request_note(account_id, request.refund_request_id, &note, false).await?;
    }
    Ok(())
}
