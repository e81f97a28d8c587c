//! The refund service.

use super::context::Opened;
use super::decode::{ChargebackCall, DeterminationCall, Evaluation, ListCall, QueueCall};
use super::{Api, decode, encode, respond, status, within};
use crate::command::Context;
use crate::domain::redacted::FreeText;
use crate::domain::role::Role;
use crate::proto::makegood::v1;
use crate::proto::makegood::v1::refund_service_server::RefundService;
use crate::proto::makegood::v1::resolve_refund_request_request as resolve;
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl RefundService for Api {
    async fn evaluate_request(
        &self,
        request: Request<v1::EvaluateRequestRequest>,
    ) -> Result<Response<v1::EvaluateRequestResponse>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        match decode::evaluate_request(message, context.clock.now())? {
            Evaluation::Preview(account_id, input) => {
                let read = self.desk().preview_request(&context, account_id.clone(), input);
                let answer = within(timeout, status::deadline_exceeded, read).await?;
                Ok(respond(encode::evaluate_request(&account_id, &answer), false))
            }
            Evaluation::Call(call) => {
                let account_id = call.account_id.clone();
                let work = self.change(context, call);
                let answered = within(timeout, status::outcome_unknown, work).await?;
                Ok(respond(encode::evaluate_request(&account_id, &answered.answer), answered.replayed))
            }
        }
    }

    async fn get_refund_request(
        &self,
        request: Request<v1::GetRefundRequestRequest>,
    ) -> Result<Response<v1::GetRefundRequestResponse>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let query = decode::get_refund_request(message, context.clock.now())?;
        let account_id = query.account_id.clone();
        let read = self.desk().get_refund_request(query);
        let view = within(timeout, status::deadline_exceeded, read).await?;
        Ok(respond(encode::get_refund_request(&account_id, &view, is_desk(&context)), false))
    }

    async fn record_refund_result(
        &self,
        request: Request<v1::RecordRefundResultRequest>,
    ) -> Result<Response<v1::RecordRefundResultResponse>, Status> {
        self.mutate(request, decode::record_refund_result, encode::record_refund_result).await
    }

    async fn record_chargeback(
        &self,
        request: Request<v1::RecordChargebackRequest>,
    ) -> Result<Response<v1::RecordChargebackResponse>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let ChargebackCall { request_id, event } = decode::record_chargeback(message, context.clock.now())?;
        let work = self.desk().record_chargeback(context, request_id, event);
        let answered = within(timeout, status::outcome_unknown, work).await?;
        Ok(respond(encode::record_chargeback(&answered.answer), answered.replayed))
    }

    async fn provide_information(
        &self,
        request: Request<v1::ProvideInformationRequest>,
    ) -> Result<Response<v1::ProvideInformationResponse>, Status> {
        self.mutate(request, decode::provide_information, encode::provide_information).await
    }

    async fn withdraw_refund_request(
        &self,
        request: Request<v1::WithdrawRefundRequestRequest>,
    ) -> Result<Response<v1::WithdrawRefundRequestResponse>, Status> {
        self.mutate(request, decode::withdraw_refund_request, encode::withdraw_refund_request).await
    }

    async fn resolve_refund_request(
        &self,
        request: Request<v1::ResolveRefundRequestRequest>,
    ) -> Result<Response<v1::ResolveRefundRequestResponse>, Status> {
        // Kept answers do not hold what a person wrote to the customer; whoever asks again has just said it.
        let said = FreeText::new(said(request.get_ref()).to_owned());
        let encode = |id: &_, answer: &_| encode::resolve_refund_request(id, answer, &said);
        self.mutate(request, decode::resolve_refund_request, encode).await
    }

    async fn list_refund_requests(
        &self,
        request: Request<v1::ListRefundRequestsRequest>,
    ) -> Result<Response<v1::ListRefundRequestsResponse>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let now = context.clock.now();
        let QueueCall { query, after, size, arguments } =
            decode::list_refund_requests(message, now, is_desk(&context))?;
        let read = self.desk().list_refund_requests(query, after, size, now);
        let page = within(timeout, status::deadline_exceeded, read).await?;
        let next = page.next.map(|(respond_by, id)| arguments.write((respond_by, id.0))).unwrap_or_default();
        Ok(respond(encode::list_refund_requests(&page, is_desk(&context), next), false))
    }

    async fn get_refund(
        &self,
        request: Request<v1::GetRefundRequest>,
    ) -> Result<Response<v1::GetRefundResponse>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let query = decode::get_refund(message, context.clock.now())?;
        let account_id = query.account_id.clone();
        let read = self.desk().get_refund(query);
        let refund = within(timeout, status::deadline_exceeded, read).await?;
        Ok(respond(encode::get_refund(&account_id, &refund), false))
    }

    async fn list_refunds(
        &self,
        request: Request<v1::ListRefundsRequest>,
    ) -> Result<Response<v1::ListRefundsResponse>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let ListCall { query, after, size, arguments } =
            decode::list_refunds(message, context.clock.now(), is_desk(&context))?;
        let read = self.desk().list_refunds(query, after, size);
        let page = within(timeout, status::deadline_exceeded, read).await?;
        let next = page.next.map(|(created_at, id)| arguments.write((created_at, id.0))).unwrap_or_default();
        Ok(respond(encode::list_refunds(&page, next), false))
    }

    async fn determine_chargeback(
        &self,
        request: Request<v1::DetermineChargebackRequest>,
    ) -> Result<Response<v1::DetermineChargebackResponse>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let DeterminationCall { account_id, request_id, mutation } =
            decode::determine_chargeback(message, context.clock.now())?;
        let reason = mutation.reason.clone();
        let work = self.desk().determine_chargeback(context, account_id, request_id, mutation);
        let (account_id, answered) = within(timeout, status::outcome_unknown, work).await?;
        Ok(respond(encode::determine_chargeback(&account_id, &answered.answer, &reason), answered.replayed))
    }

    async fn compile_chargeback_evidence(
        &self,
        request: Request<v1::CompileChargebackEvidenceRequest>,
    ) -> Result<Response<v1::CompileChargebackEvidenceResponse>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let now = context.clock.now();
        let query = decode::compile_chargeback_evidence(message, now)?;
        let read = self.desk().compile_chargeback_evidence(query, now);
        let view = within(timeout, status::deadline_exceeded, read).await?;
        Ok(respond(encode::compile_chargeback_evidence(&view), false))
    }

    async fn get_chargeback(
        &self,
        request: Request<v1::GetChargebackRequest>,
    ) -> Result<Response<v1::GetChargebackResponse>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let query = decode::get_chargeback(message, context.clock.now())?;
        let read = self.desk().get_chargeback(query);
        let view = within(timeout, status::deadline_exceeded, read).await?;
        Ok(respond(encode::get_chargeback(&view), false))
    }

    async fn list_chargebacks(
        &self,
        request: Request<v1::ListChargebacksRequest>,
    ) -> Result<Response<v1::ListChargebacksResponse>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let ListCall { query, after, size, arguments } =
            decode::list_chargebacks(message, context.clock.now())?;
        let read = self.desk().list_chargebacks(query, after, size);
        let page = within(timeout, status::deadline_exceeded, read).await?;
        let next = page.next.map(|(last_event_at, id)| arguments.write((last_event_at, id.0)));
        Ok(respond(encode::list_chargebacks(&page, next.unwrap_or_default()), false))
    }
}

/// What a person writes to the customer; empty where the policy's own sentence is to be sent.
fn said(resolution: &v1::ResolveRefundRequestRequest) -> &str {
    match &resolution.resolution {
        Some(resolve::Resolution::Approve(approve)) => &approve.sentence,
        Some(resolve::Resolution::Deny(deny)) => &deny.sentence,
        Some(resolve::Resolution::Ask(ask)) => &ask.sentence,
        Some(resolve::Resolution::Keep(_)) | None => "",
    }
}

/// Whether the caller may read what support wrote: everybody but the customer's own frontend.
pub(super) fn is_desk(context: &Context) -> bool {
    context.caller.role() != Role::Frontend.name()
}
