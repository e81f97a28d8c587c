//! The account service.

use super::context::Opened;
use super::gate::Caller;
use super::refund::is_desk;
use super::{Api, decode, encode, respond, status, within};
use crate::command::Words;
use crate::domain::redacted::FreeText;
use crate::domain::role::Role;
use crate::proto::makegood::v1;
use crate::proto::makegood::v1::account_service_server::AccountService;
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl AccountService for Api {
    async fn get_account(
        &self,
        request: Request<v1::GetAccountRequest>,
    ) -> Result<Response<v1::GetAccountResponse>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let query = decode::get_account(message, context.clock.now())?;
        let account_id = query.account_id.clone();
        let read = self.desk().get_account(query);
        let (view, words) = within(timeout, status::deadline_exceeded, read).await?;
        let words = if is_desk(&context) { words } else { Words::new() };
        Ok(respond(encode::get_account(&account_id, &view, &words), false))
    }

    async fn impose_restriction(
        &self,
        request: Request<v1::ImposeRestrictionRequest>,
    ) -> Result<Response<v1::ImposeRestrictionResponse>, Status> {
        may_impose(&request)?;
        let reason = FreeText::new(request.get_ref().reason.clone());
        let encode = |id: &_, answer: &_| encode::impose_restriction(id, answer, reason);
        self.mutate(request, decode::impose_restriction, encode).await
    }

    async fn lift_restriction(
        &self,
        request: Request<v1::LiftRestrictionRequest>,
    ) -> Result<Response<v1::LiftRestrictionResponse>, Status> {
        let reason = FreeText::new(request.get_ref().reason.clone());
        let encode = |id: &_, answer: &_| encode::lift_restriction(id, answer, reason);
        self.mutate(request, decode::lift_restriction, encode).await
    }

    async fn erase_account(
        &self,
        request: Request<v1::EraseAccountRequest>,
    ) -> Result<Response<v1::EraseAccountResponse>, Status> {
        let reason = FreeText::new(request.get_ref().reason.clone());
        let encode = |id: &_, answer: &_| encode::erase_account(id, answer, reason);
        self.mutate(request, decode::erase_account, encode).await
    }
}

/// Whether the caller's role may impose this kind: what closes an account or ends its refunds takes the last word.
fn may_impose(request: &Request<v1::ImposeRestrictionRequest>) -> Result<(), Status> {
    let kind = request.get_ref().kind();
    let is_last_word =
        matches!(kind, v1::RestrictionKind::Terminated | v1::RestrictionKind::ViolationConfirmed);
    match request.extensions().get::<Caller>() {
        Some(caller) if is_last_word && caller.actor.role() == Role::Agent.name() => {
            Err(status::kind_for_admins(kind.as_str_name()))
        }
        _ => Ok(()),
    }
}
