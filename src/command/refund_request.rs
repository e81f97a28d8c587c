//! One case with all its reasons.

use super::run::{Reading, account_not_found};
use super::{Desk, Error, Reason, Refusal};
use crate::domain::credits::{Credits, OutOfRange};
use crate::domain::ids::{AccountId, DecisionId, RefundRequestId};
use crate::domain::refund::Refund;
use crate::domain::request::RefundRequest;
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
}

/// One case with everything known of it.
#[derive(Debug, Clone)]
pub struct CaseView {
    /// The case.
    pub refund_request: RefundRequest,
    /// The email address that the customer gave.
    pub account_email: Option<String>,
    /// The customer's explanation.
    pub explanation: Option<String>,
    /// Its decisions, first to last.
    pub decisions: Vec<StoredDecision>,
    /// Its refunds, oldest first.
    pub refunds: Vec<Refund>,
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
            let message = "the account has no such refund request";
            return Err(Refusal::new(Reason::RefundRequestNotFound, message).into());
        };
        let (account_email, explanation) = tx.find_request_text(account_id, id).await?.unwrap_or_default();
        let decisions = tx.list_decisions(account_id, id).await?;
        Ok(CaseView {
            refund_request,
            account_email,
            explanation,
            decisions: decisions.into_iter().map(StoredDecision::read).collect::<Result<_, _>>()?,
            refunds: tx.list_refunds_of_request(account_id, id).await?,
        })
    }
}

impl StoredDecision {
    /// Credits that decisions on one request gave the customer, restored or as a compensation.
    ///
    /// # Errors
    /// [`OutOfRange`] on overflow.
    pub fn credits_given(decisions: &[Self]) -> Result<Credits, OutOfRange> {
        Credits::sum(decisions.iter().map(|stored| stored.decision.credits_given()))
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
        })
    }
}
