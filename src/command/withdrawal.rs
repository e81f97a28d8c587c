//! A customer takes a request back.

use super::judgement::CaseAnswer;
use super::run::Mutation;
use super::session::Session;
use super::{Error, lifecycle, ruling};
use crate::domain::ids::RefundRequestId;
use crate::domain::redacted::FreeText;
use crate::domain::request::Step;
use serde::Serialize;

/// A customer takes a request back.
#[derive(Debug, Serialize)]
pub struct WithdrawRefundRequest {
    /// The request.
    pub refund_request_id: RefundRequestId,
    /// Why, if the customer said; else empty.
    pub reason: FreeText,
}

impl Mutation for WithdrawRefundRequest {
    const METHOD: &'static str = "WithdrawRefundRequest";
    type Answer = CaseAnswer;

    async fn apply(&self, session: &mut Session<'_>) -> Result<CaseAnswer, Error> {
        let request = lifecycle::load(session, self.refund_request_id).await?;
        let request = request.after(Step::Withdraw, session.now)?;
        ruling::check_notes(session, &request, &self.reason).await?;
        let account_id = session.account_id;
        session.writing().update_request(account_id, &request).await?;
        ruling::note(session, &request, &self.reason).await?;
        let refunds = session.tx.list_refunds_of_request(account_id, request.refund_request_id).await?;
        Ok(CaseAnswer { refund_request: request, decision: None, refunds })
    }
}
