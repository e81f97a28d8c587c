//! RPCs whose behaviour is still to come: they say so, and name themselves.

use super::{Api, status};
use crate::proto::makegood::v1;
use crate::proto::makegood::v1::account_service_server::AccountService;
use tonic::{Request, Response, Status};

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
