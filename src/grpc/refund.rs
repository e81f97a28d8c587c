//! The refund service.

use super::context::Opened;
use super::decode::{ChargebackCall, Evaluation};
use super::{Api, decode, encode, respond, status, within};
use crate::proto::makegood::v1;
use crate::proto::makegood::v1::refund_service_server::RefundService;
use tonic::{Request, Response, Status};
use tracing::Instrument;

#[tonic::async_trait]
impl RefundService for Api {
    async fn evaluate_request(
        &self,
        request: Request<v1::EvaluateRequestRequest>,
    ) -> Result<Response<v1::EvaluateRequestResponse>, Status> {
        let Opened { context, span, timeout, message } =
            self.open("makegood.v1.RefundService/EvaluateRequest", request)?;
        match decode::evaluate_request(message, context.clock.now())? {
            Evaluation::Preview(account_id, input) => {
                let read = self.desk().preview_request(&context, account_id.clone(), input).instrument(span);
                let answer = within(timeout, status::deadline_exceeded, read).await?;
                Ok(respond(encode::evaluate_request(&account_id, &answer), false))
            }
            Evaluation::Call(call) => {
                let account_id = call.account_id.clone();
                let work = self.desk().call(context, call).instrument(span);
                let answered = within(timeout, status::outcome_unknown, work).await?;
                Ok(respond(encode::evaluate_request(&account_id, &answered.answer), answered.replayed))
            }
        }
    }

    async fn get_refund_request(
        &self,
        request: Request<v1::GetRefundRequestRequest>,
    ) -> Result<Response<v1::GetRefundRequestResponse>, Status> {
        let Opened { context, span, timeout, message } =
            self.open("makegood.v1.RefundService/GetRefundRequest", request)?;
        let query = decode::get_refund_request(message, context.clock.now())?;
        let account_id = query.account_id.clone();
        let read = self.desk().get_refund_request(query).instrument(span);
        let view = within(timeout, status::deadline_exceeded, read).await?;
        Ok(respond(encode::get_refund_request(&account_id, &view), false))
    }

    async fn record_refund_result(
        &self,
        request: Request<v1::RecordRefundResultRequest>,
    ) -> Result<Response<v1::RecordRefundResultResponse>, Status> {
        let method = "makegood.v1.RefundService/RecordRefundResult";
        self.mutate(method, request, decode::record_refund_result, encode::record_refund_result).await
    }

    async fn record_chargeback(
        &self,
        request: Request<v1::RecordChargebackRequest>,
    ) -> Result<Response<v1::RecordChargebackResponse>, Status> {
        let Opened { context, span, timeout, message } =
            self.open("makegood.v1.RefundService/RecordChargeback", request)?;
        let ChargebackCall { request_id, event } = decode::record_chargeback(message, context.clock.now())?;
        let work = self.desk().record_chargeback(context, request_id, event).instrument(span);
        let answered = within(timeout, status::outcome_unknown, work).await?;
        Ok(respond(encode::record_chargeback(&answered.answer), answered.replayed))
    }

    async fn provide_information(
        &self,
        _: Request<v1::ProvideInformationRequest>,
    ) -> Result<Response<v1::ProvideInformationResponse>, Status> {
        Err(status::not_implemented("ProvideInformation"))
    }

    async fn withdraw_refund_request(
        &self,
        _: Request<v1::WithdrawRefundRequestRequest>,
    ) -> Result<Response<v1::WithdrawRefundRequestResponse>, Status> {
        Err(status::not_implemented("WithdrawRefundRequest"))
    }

    async fn resolve_refund_request(
        &self,
        _: Request<v1::ResolveRefundRequestRequest>,
    ) -> Result<Response<v1::ResolveRefundRequestResponse>, Status> {
        Err(status::not_implemented("ResolveRefundRequest"))
    }

    async fn list_refund_requests(
        &self,
        _: Request<v1::ListRefundRequestsRequest>,
    ) -> Result<Response<v1::ListRefundRequestsResponse>, Status> {
        Err(status::not_implemented("ListRefundRequests"))
    }

    async fn get_refund(
        &self,
        _: Request<v1::GetRefundRequest>,
    ) -> Result<Response<v1::GetRefundResponse>, Status> {
        Err(status::not_implemented("GetRefund"))
    }

    async fn list_refunds(
        &self,
        _: Request<v1::ListRefundsRequest>,
    ) -> Result<Response<v1::ListRefundsResponse>, Status> {
        Err(status::not_implemented("ListRefunds"))
    }

    async fn determine_chargeback(
        &self,
        _: Request<v1::DetermineChargebackRequest>,
    ) -> Result<Response<v1::DetermineChargebackResponse>, Status> {
        Err(status::not_implemented("DetermineChargeback"))
    }

    async fn compile_chargeback_evidence(
        &self,
        _: Request<v1::CompileChargebackEvidenceRequest>,
    ) -> Result<Response<v1::CompileChargebackEvidenceResponse>, Status> {
        Err(status::not_implemented("CompileChargebackEvidence"))
    }

    async fn get_chargeback(
        &self,
        _: Request<v1::GetChargebackRequest>,
    ) -> Result<Response<v1::GetChargebackResponse>, Status> {
        Err(status::not_implemented("GetChargeback"))
    }

    async fn list_chargebacks(
        &self,
        _: Request<v1::ListChargebacksRequest>,
    ) -> Result<Response<v1::ListChargebacksResponse>, Status> {
        Err(status::not_implemented("ListChargebacks"))
    }
}
