//! RPCs whose behaviour is still to come: they say so, and name themselves.

use super::context::Opened;
use super::{Api, decode, encode, respond, status, within};
use crate::proto::makegood::v1;
use crate::proto::makegood::v1::account_service_server::AccountService;
use crate::proto::makegood::v1::policy_service_server::PolicyService;
use tonic::{Request, Response, Status};
use tracing::Instrument;

#[tonic::async_trait]
impl AccountService for Api {
    async fn get_account(
        &self,
        _: Request<v1::GetAccountRequest>,
    ) -> Result<Response<v1::GetAccountResponse>, Status> {
        Err(status::not_implemented("GetAccount"))
    }

    async fn impose_restriction(
        &self,
        _: Request<v1::ImposeRestrictionRequest>,
    ) -> Result<Response<v1::ImposeRestrictionResponse>, Status> {
        Err(status::not_implemented("ImposeRestriction"))
    }

    async fn lift_restriction(
        &self,
        _: Request<v1::LiftRestrictionRequest>,
    ) -> Result<Response<v1::LiftRestrictionResponse>, Status> {
        Err(status::not_implemented("LiftRestriction"))
    }
}

#[tonic::async_trait]
impl PolicyService for Api {
    async fn get_policy(
        &self,
        _: Request<v1::GetPolicyRequest>,
    ) -> Result<Response<v1::GetPolicyResponse>, Status> {
        Err(status::not_implemented("GetPolicy"))
    }

    async fn list_policies(
        &self,
        _: Request<v1::ListPoliciesRequest>,
    ) -> Result<Response<v1::ListPoliciesResponse>, Status> {
        Err(status::not_implemented("ListPolicies"))
    }

    async fn check_policy(
        &self,
        request: Request<v1::CheckPolicyRequest>,
    ) -> Result<Response<v1::CheckPolicyResponse>, Status> {
        let Opened { context, span, timeout, message } =
            self.open("makegood.v1.PolicyService/CheckPolicy", request)?;
        let document = decode::check_policy(message, context.clock.now())?;
        let read = self.desk().check_policy(document).instrument(span);
        let checked = within(timeout, status::deadline_exceeded, read).await?;
        Ok(respond(encode::check_policy(&checked), false))
    }

    async fn publish_policy(
        &self,
        _: Request<v1::PublishPolicyRequest>,
    ) -> Result<Response<v1::PublishPolicyResponse>, Status> {
        Err(status::not_implemented("PublishPolicy"))
    }

    type BacktestPolicyStream = tokio_stream::Empty<Result<v1::BacktestPolicyResponse, Status>>;

    async fn backtest_policy(
        &self,
        _: Request<v1::BacktestPolicyRequest>,
    ) -> Result<Response<Self::BacktestPolicyStream>, Status> {
        Err(status::not_implemented("BacktestPolicy"))
    }

    async fn replay_decision(
        &self,
        _: Request<v1::ReplayDecisionRequest>,
    ) -> Result<Response<v1::ReplayDecisionResponse>, Status> {
        Err(status::not_implemented("ReplayDecision"))
    }
}
