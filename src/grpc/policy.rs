//! The policy service.

use super::context::Opened;
use super::decode::Publication;
use super::{Api, decode, encode, respond, status, within};
use crate::command::{Answered, Backtest, Error};
use crate::proto::makegood::v1;
use crate::proto::makegood::v1::policy_service_server::PolicyService;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tracing::Instrument;

/// Messages that wait for a slow reader; past it the backtest waits, between two pages.
const PROGRESS_AHEAD: usize = 4;

type Update = Result<v1::BacktestPolicyResponse, Status>;

#[tonic::async_trait]
impl PolicyService for Api {
    async fn get_policy(
        &self,
        request: Request<v1::GetPolicyRequest>,
    ) -> Result<Response<v1::GetPolicyResponse>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let query = decode::get_policy(message, context.clock.now())?;
        let read = self.desk().get_policy(query);
        let policy = within(timeout, status::deadline_exceeded, read).await?;
        Ok(respond(encode::get_policy(&policy), false))
    }

    async fn list_policies(
        &self,
        request: Request<v1::ListPoliciesRequest>,
    ) -> Result<Response<v1::ListPoliciesResponse>, Status> {
        let Opened { context: _, timeout, message } = self.open(request)?;
        let (query, page) = decode::list_policies(message)?;
        let read = self.desk().list_policies(page);
        let page = within(timeout, status::deadline_exceeded, read).await?;
        Ok(respond(encode::list_policies(&query, &page), false))
    }

    async fn check_policy(
        &self,
        request: Request<v1::CheckPolicyRequest>,
    ) -> Result<Response<v1::CheckPolicyResponse>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let document = decode::check_policy(message, context.clock.now())?;
        let read = self.desk().check_policy(document);
        let checked = within(timeout, status::deadline_exceeded, read).await?;
        Ok(respond(encode::check_policy(&checked), false))
    }

    async fn publish_policy(
        &self,
        request: Request<v1::PublishPolicyRequest>,
    ) -> Result<Response<v1::PublishPolicyResponse>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let Answered { answer, replayed } = match decode::publish_policy(message, context.clock.now())? {
            Publication::Call(request_id, order) => {
                let work = self.desk().publish_policy(context, request_id, order);
                within(timeout, status::outcome_unknown, work).await?
            }
            Publication::Preview(order) => {
                let read = self.desk().preview_policy(context, order);
                let answer = within(timeout, status::deadline_exceeded, read).await?;
                Answered { answer, replayed: false }
            }
        };
        Ok(respond(encode::publish_policy(&answer), replayed))
    }

    type BacktestPolicyStream = ReceiverStream<Update>;

    async fn backtest_policy(
        &self,
        request: Request<v1::BacktestPolicyRequest>,
    ) -> Result<Response<Self::BacktestPolicyStream>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let query = decode::backtest_policy(message, context.clock.now())?;
        let begin = self.desk().begin_backtest(query);
        let backtest = within(timeout, status::deadline_exceeded, begin).await?;
        let (updates, messages) = mpsc::channel(PROGRESS_AHEAD);
        tokio::spawn(finish(backtest, updates).in_current_span());
        Ok(respond(ReceiverStream::new(messages), false))
    }

    async fn replay_decision(
        &self,
        request: Request<v1::ReplayDecisionRequest>,
    ) -> Result<Response<v1::ReplayDecisionResponse>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let query = decode::replay_decision(message, context.clock.now())?;
        let read = self.desk().replay_decision(query);
        let answer = within(timeout, status::deadline_exceeded, read).await?;
        Ok(respond(encode::replay_decision(&answer), false))
    }
}

/// Runs a backtest to its end, or until nobody listens.
async fn finish(backtest: Backtest, updates: mpsc::Sender<Update>) {
    if let Err(error) = steps(backtest, &updates).await {
        // Nobody may be listening any more, and then nobody needs to know.
        let _ = updates.send(Err(status::from(error))).await;
    }
}

async fn steps(mut backtest: Backtest, updates: &mpsc::Sender<Update>) -> Result<(), Error> {
    loop {
        if updates.send(Ok(encode::backtest_progress(backtest.progress()))).await.is_err() {
            return Ok(());
        }
        if !backtest.step().await? {
            break;
        }
    }
    let _ = updates.send(Ok(encode::backtest_progress(backtest.progress()))).await;
    let _ = updates.send(Ok(encode::backtest_report(&backtest.report()))).await;
    Ok(())
}
