//! The credit service.

use super::context::Opened;
use super::{Api, decode, encode, respond, status, within};
use crate::proto::makegood::v1;
use crate::proto::makegood::v1::credit_service_server::CreditService;
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl CreditService for Api {
    async fn record_purchase(
        &self,
        request: Request<v1::RecordPurchaseRequest>,
    ) -> Result<Response<v1::RecordPurchaseResponse>, Status> {
        self.mutate(request, decode::record_purchase, encode::record_purchase).await
    }

    async fn deliver_credits(
        &self,
        request: Request<v1::DeliverCreditsRequest>,
    ) -> Result<Response<v1::DeliverCreditsResponse>, Status> {
        self.mutate(request, decode::deliver_credits, encode::deliver_credits).await
    }

    async fn hold_credits(
        &self,
        request: Request<v1::HoldCreditsRequest>,
    ) -> Result<Response<v1::HoldCreditsResponse>, Status> {
        self.hot(request, decode::hold_credits, encode::hold_credits).await
    }

    async fn capture_credits(
        &self,
        request: Request<v1::CaptureCreditsRequest>,
    ) -> Result<Response<v1::CaptureCreditsResponse>, Status> {
        self.hot(request, decode::capture_credits, encode::capture_credits).await
    }

    async fn release_credits(
        &self,
        request: Request<v1::ReleaseCreditsRequest>,
    ) -> Result<Response<v1::ReleaseCreditsResponse>, Status> {
        self.hot(request, decode::release_credits, encode::release_credits).await
    }

    async fn restore_credits(
        &self,
        request: Request<v1::RestoreCreditsRequest>,
    ) -> Result<Response<v1::RestoreCreditsResponse>, Status> {
        self.hot(request, decode::restore_credits, encode::restore_credits).await
    }

    async fn get_balance(
        &self,
        request: Request<v1::GetBalanceRequest>,
    ) -> Result<Response<v1::GetBalanceResponse>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let query = decode::get_balance(message, context.clock.now())?;
        let account_id = query.account_id.clone();
        let read = self.desk().get_balance(&context, query);
        let view = within(timeout, status::deadline_exceeded, read).await?;
        Ok(respond(encode::get_balance(&account_id, &view), false))
    }

    async fn grant_credits(
        &self,
        request: Request<v1::GrantCreditsRequest>,
    ) -> Result<Response<v1::GrantCreditsResponse>, Status> {
        self.hot(request, decode::grant_credits, encode::grant_credits).await
    }

    async fn revoke_credits(
        &self,
        request: Request<v1::RevokeCreditsRequest>,
    ) -> Result<Response<v1::RevokeCreditsResponse>, Status> {
        self.mutate(request, decode::revoke_credits, encode::revoke_credits).await
    }

    async fn get_usage(
        &self,
        request: Request<v1::GetUsageRequest>,
    ) -> Result<Response<v1::GetUsageResponse>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let query = decode::get_usage(message, context.clock.now())?;
        let read = self.desk().get_usage(query);
        let usage = within(timeout, status::deadline_exceeded, read).await?;
        Ok(respond(encode::get_usage(&usage), false))
    }

    async fn list_lots(
        &self,
        request: Request<v1::ListLotsRequest>,
    ) -> Result<Response<v1::ListLotsResponse>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let (query, page) = decode::list_lots(message, context.clock.now())?;
        let read = self.desk().list_lots(query.clone(), page);
        let page = within(timeout, status::deadline_exceeded, read).await?;
        Ok(respond(encode::list_lots(&query, &page), false))
    }

    async fn list_entries(
        &self,
        request: Request<v1::ListEntriesRequest>,
    ) -> Result<Response<v1::ListEntriesResponse>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let (query, page) = decode::list_entries(message, context.clock.now())?;
        let read = self.desk().list_entries(query.clone(), page);
        let page = within(timeout, status::deadline_exceeded, read).await?;
        Ok(respond(encode::list_entries(&query, &page), false))
    }
}
