//! The wire: recognise, decode, call, encode. The only room with a [`tonic::Status`].

pub mod access;
mod account;
mod addressed;
mod context;
mod credit;
mod deadline;
mod decode;
mod encode;
mod gate;
mod incident;
mod keyset;
mod observed;
mod pace;
mod page;
mod policy;
mod refund;
mod status;
mod web;

use crate::command::{self, Answered, Call, Context, Desk, Error, Hot, Mutation};
use crate::domain::ids::AccountId;
use crate::proto::makegood::v1;
use crate::telemetry::Decisions;
use addressed::Addressed;
use chrono::{DateTime, Utc};
use context::Opened;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status};

pub use gate::{Gate, Guarded, Quota};
pub use observed::{Observed, method_names};
pub use web::{Served, Web};

/// Tells a caller that an answer had been given before.
pub const REPLAYED_KEY: &str = "idempotency-replayed";

/// Largest request, in bytes: a full evidence list with its texts is a tenth of it.
pub const MAX_REQUEST_BYTES: usize = 256 * 1024;

/// Largest request about a policy, in bytes: its document may be as long as any other request, and has company.
pub const MAX_POLICY_REQUEST_BYTES: usize = 260 * 1024;

/// The services of `makegood.v1` over one desk.
#[derive(Debug, Clone)]
pub struct Api {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    desk: Desk,
    development: bool,
    decisions: Decisions,
}

impl Api {
    /// An API over a desk, to be served behind a [`Gate`]: without one it answers nobody. In `development` callers may
    /// bring a test clock.
    #[must_use]
    pub fn new(desk: Desk, development: bool) -> Self {
        Self { shared: Arc::new(Shared { desk, development, decisions: Decisions::default() }) }
    }

    /// What is counted of the decisions made here.
    #[must_use]
    pub fn decisions(&self) -> &Decisions {
        &self.shared.decisions
    }

    /// Every service, ready to be served.
    #[must_use]
    pub fn routes(&self) -> tonic::service::Routes {
        use v1::account_service_server::AccountServiceServer;
        use v1::credit_service_server::CreditServiceServer;
        use v1::incident_service_server::IncidentServiceServer;
        use v1::policy_service_server::PolicyServiceServer;
        use v1::refund_service_server::RefundServiceServer;
        let max = MAX_REQUEST_BYTES;
        tonic::service::Routes::new(RefundServiceServer::new(self.clone()).max_decoding_message_size(max))
            .add_service(CreditServiceServer::new(self.clone()).max_decoding_message_size(max))
            .add_service(AccountServiceServer::new(self.clone()).max_decoding_message_size(max))
            .add_service(IncidentServiceServer::new(self.clone()).max_decoding_message_size(max))
            .add_service(
                PolicyServiceServer::new(self.clone()).max_decoding_message_size(MAX_POLICY_REQUEST_BYTES),
            )
    }

    fn desk(&self) -> &Desk {
        &self.shared.desk
    }

    /// The whole of a call that a lane does.
    async fn hot<Q: Addressed, H: Hot, R>(
        &self,
        request: Request<Q>,
        decode: impl FnOnce(Q, DateTime<Utc>) -> Result<Call<H>, Status>,
        encode: impl FnOnce(&AccountId, &H::Answer) -> R,
    ) -> Result<Response<R>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let call = decode(message, context.clock.now())?;
        let account_id = call.account_id.clone();
        let answered = within(timeout, status::outcome_unknown, self.desk().hot(context, call)).await?;
        Ok(respond(encode(&account_id, &answered.answer), answered.replayed))
    }

    /// The whole of a call that changes one account.
    async fn mutate<Q: Addressed, M: Mutation, R>(
        &self,
        request: Request<Q>,
        decode: impl FnOnce(Q, DateTime<Utc>) -> Result<Call<M>, Status>,
        encode: impl FnOnce(&AccountId, &M::Answer) -> R,
    ) -> Result<Response<R>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let call = decode(message, context.clock.now())?;
        let account_id = call.account_id.clone();
        let answered = within(timeout, status::outcome_unknown, self.change(context, call)).await?;
        Ok(respond(encode(&account_id, &answered.answer), answered.replayed))
    }

    /// Runs a mutation, and tells of the decision that it made.
    async fn change<M: Mutation>(
        &self,
        context: Context,
        call: Call<M>,
    ) -> Result<Answered<M::Answer>, Error> {
        let answered = self.desk().call(context, call).await?;
        if let (false, Some(stored)) = (answered.replayed, M::decision(&answered.answer)) {
            let row = if stored.decided_by.is_some() { "" } else { stored.decision.row.as_str() };
            self.shared.decisions.note(stored.decision.outcome.name(), row);
            observed::tell_decision(stored);
        }
        Ok(answered)
    }
}

/// Runs work until the caller's deadline, and tells its error as a status; past the deadline, `late` says what that
/// means. The database is given less time, so that what it gave up is told as that and not as unknown.
async fn within<T>(
    timeout: Duration,
    late: fn() -> Status,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Status> {
    match tokio::time::timeout(timeout, command::within(timeout, work)).await {
        Ok(done) => done.map_err(status::from),
        Err(_) => Err(late()),
    }
}

fn respond<R>(message: R, replayed: bool) -> Response<R> {
    let mut response = Response::new(message);
    if replayed {
        response.metadata_mut().insert(REPLAYED_KEY, MetadataValue::from_static("true"));
    }
    response
}
