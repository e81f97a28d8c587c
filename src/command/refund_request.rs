//! One case with all its reasons.

use super::run::{Reading, account_not_found};
use super::{Desk, Error, lifecycle};
use crate::domain::ids::{AccountId, Actor, DecisionId, RefundRequestId};
use crate::domain::note::RequestNote;
use crate::domain::redacted::FreeText;
use crate::domain::refund::Refund;
use crate::domain::request::{Approval, RefundRequest};
use crate::policy::{Decision, Facts};
use crate::store::{DecisionRow, Tx};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Asks for one case.
#[derive(Debug, Clone)]
pub struct GetRefundRequest {
    /// The account.
    pub account_id: AccountId,
    /// The case.
    pub refund_request_id: RefundRequestId,
}

/// A decision as it is stored: what was decided, from which facts, under which bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredDecision {
    /// Its id; `None` for a preview.
    pub decision_id: Option<DecisionId>,
    /// The decision.
    pub decision: Decision,
    /// The facts that it was made from.
    pub facts: Facts,
    /// Its canonical bytes as they were made, which are JSON.
    pub canonical: String,
    /// Their digest, hex.
    pub decision_sha256: String,
    /// When it was made.
    pub decided_at: DateTime<Utc>,
    /// The trace that it was made in.
    pub trace_id: Option<String>,
    /// Who made it, when a person did.
    #[serde(default)]
    pub decided_by: Option<Actor>,
    /// Why, in that person's words. They can be erased, so answers that are kept do not hold them.
    #[serde(skip)]
    pub reason: Option<FreeText>,
    /// What that person wrote to the customer, in place of a sentence of the policy. It can be erased, too.
    #[serde(skip)]
    pub said: Option<FreeText>,
}

/// One case with everything known of it.
#[derive(Debug, Clone)]
pub struct CaseView {
    /// The case.
    pub refund_request: RefundRequest,
    /// The email address that the customer gave.
    pub account_email: Option<FreeText>,
    /// The customer's explanation.
    pub explanation: Option<FreeText>,
    /// Its decisions, first to last.
    pub decisions: Vec<StoredDecision>,
    /// Its refunds, oldest first.
    pub refunds: Vec<Refund>,
    /// What support wrote, oldest first.
    pub notes: Vec<RequestNote>,
    /// Who approved what, oldest first.
    pub approvals: Vec<ApprovalView>,
    /// When its words were last erased, if they were.
    pub erased_at: Option<DateTime<Utc>>,
}

/// One person's yes.
#[derive(Debug, Clone)]
pub struct ApprovalView {
    /// Who, when, and to what.
    pub approval: Approval,
    /// Why, unless the words were erased.
    pub reason: Option<FreeText>,
}

impl Desk {
    /// One case with all its reasons.
    ///
    /// # Errors
    /// [`Error::Refused`] when the account has no such case.
    pub async fn get_refund_request(&self, query: GetRefundRequest) -> Result<CaseView, Error> {
        self.read(query).await
    }
}

impl Reading for GetRefundRequest {
    type Answer = CaseView;

    async fn read(&self, tx: &mut Tx) -> Result<CaseView, Error> {
        let (account_id, id) = (&self.account_id, self.refund_request_id);
        let Some(refund_request) = tx.find_request(account_id, id).await? else {
            if tx.find_account(account_id).await?.is_none() {
                return Err(account_not_found());
            }
            return Err(lifecycle::not_found());
        };
        let (account_email, explanation) = tx.load_request_text(account_id, id).await?;
        let decisions = tx.list_decisions(account_id, id).await?;
        let approvals = tx.list_approvals(account_id, id).await?;
        // An erasure takes whatever its account had by then.
        let erasure = tx.find_last_erasure(account_id).await?.map(|erasure| erasure.erased_at);
        Ok(CaseView {
            erased_at: erasure.filter(|erased_at| *erased_at >= refund_request.received_at),
            refund_request,
            account_email,
            explanation,
            decisions: decisions.into_iter().map(StoredDecision::read).collect::<Result<_, _>>()?,
            refunds: tx.list_refunds_of_request(account_id, id).await?,
            notes: tx.list_request_notes(account_id, id).await?,
            approvals: approvals
                .into_iter()
                .map(|(approval, reason)| ApprovalView { approval, reason })
                .collect(),
        })
    }
}

impl StoredDecision {
    /// The sentence for the customer, the policy's or a person's; empty once erased.
    #[must_use]
    pub fn sentence(&self) -> &str {
        self.said.as_ref().map_or(self.decision.sentence.as_str(), |said| said.expose())
    }

    /// The same without what a person wrote, as in answers that are kept.
    pub(super) fn without_words(self) -> Self {
        Self { reason: None, said: None, ..self }
    }

    /// Reads a stored row.
    pub(super) fn read(row: DecisionRow) -> Result<Self, Error> {
        let unreadable = |_| Error::Broken("a stored decision cannot be read");
        Ok(Self {
            decision_id: Some(row.decision_id),
            decision: serde_json::from_str(&row.body).map_err(unreadable)?,
            facts: serde_json::from_str(&row.facts).map_err(unreadable)?,
            canonical: row.body,
            decision_sha256: row.decision_sha256,
            decided_at: row.decided_at,
            trace_id: row.trace_id,
            decided_by: row.decided_by,
            reason: row.reason,
            said: row.said,
        })
    }
}
