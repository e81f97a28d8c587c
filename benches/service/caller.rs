//! Somebody who asks for one operation at a time: of the service, or of the database itself.

use crate::ground::{Ground, Side};
use crate::hand::{self, COST, Move};
use crate::load::Job;
use makegood::clock::{Clock, new_id};
use makegood::domain::ids::AccountId;
use makegood::proto::makegood::v1;
use makegood::proto::makegood::v1::credit_service_client::CreditServiceClient;
use prost_types::Timestamp;
use sqlx::{Connection, PgConnection};
use tonic::transport::Channel;
use tonic::{Code, Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// Connections to the service: a fleet of workers has several, and each is a lock of its own in the client.
const CHANNELS: usize = 4;

/// What came of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// The service had too much to do and said so.
    Busy,
}

#[derive(Debug)]
pub(crate) enum Caller {
    Hand(Box<PgConnection>),
    Service(CreditServiceClient<Channel>),
    /// Asks the service whether it is there: a round trip and nothing else.
    Health(HealthClient<Channel>),
}

/// As many channels as so many callers share.
async fn channels(endpoint: &str, callers: usize) -> anyhow::Result<Vec<Channel>> {
    let endpoint = Channel::from_shared(endpoint.to_owned())?;
    let mut channels = Vec::new();
    for _ in 0..callers.min(CHANNELS) {
        channels.push(endpoint.clone().tcp_nodelay(true).connect().await?);
    }
    Ok(channels)
}

/// Callers of one side.
pub(crate) async fn callers(ground: &Ground, side: Side, count: usize) -> anyhow::Result<Vec<Caller>> {
    if side == Side::Service {
        return callers_of(ground.process.endpoint(), count).await;
    }
    let mut callers = Vec::new();
    for _ in 0..count {
        callers.push(Caller::Hand(Box::new(ground.connect(Side::Hand).await?)));
    }
    Ok(callers)
}

/// Callers of the service at an address.
pub(crate) async fn callers_of(endpoint: &str, count: usize) -> anyhow::Result<Vec<Caller>> {
    let clients = channels(endpoint, count).await?.into_iter().cycle().map(CreditServiceClient::new);
    Ok(clients.take(count).map(Caller::Service).collect())
}

/// Callers that only knock.
pub(crate) async fn knockers(ground: &Ground, count: usize) -> anyhow::Result<Vec<Caller>> {
    let channels = channels(ground.process.endpoint(), count).await?;
    Ok(channels.into_iter().cycle().map(HealthClient::new).take(count).map(Caller::Health).collect())
}

fn request_id() -> String {
    new_id(Clock::system().now()).to_string()
}

fn outcome<T>(answer: Result<Response<T>, Status>) -> anyhow::Result<Outcome> {
    match answer {
        Ok(_) => Ok(Outcome::Done),
        Err(status) if status.code() == Code::ResourceExhausted => Ok(Outcome::Busy),
        Err(status) => Err(status.into()),
    }
}

impl Caller {
    pub(crate) async fn hold(&mut self, job: &Job) -> anyhow::Result<Outcome> {
        match self {
            Self::Hand(connection) => hand::shift(connection, job, Move::Hold).await?,
            Self::Service(client) => {
                let request = v1::HoldCreditsRequest {
                    request_id: request_id(),
                    account_id: job.account_id.as_str().to_owned(),
                    job_id: job.job_id.clone(),
                    attempt: 1,
                    credits: COST,
                    ..Default::default()
                };
                return outcome(client.hold_credits(request).await);
            }
            Self::Health(_) => {}
        }
        Ok(Outcome::Done)
    }

    pub(crate) async fn capture(&mut self, job: &Job) -> anyhow::Result<Outcome> {
        match self {
            Self::Hand(connection) => hand::shift(connection, job, Move::Capture).await?,
            Self::Service(client) => {
                let request = v1::CaptureCreditsRequest {
                    request_id: request_id(),
                    account_id: job.account_id.as_str().to_owned(),
                    job_id: job.job_id.clone(),
                    attempt: 1,
                    delivered_outputs: None,
                };
                return outcome(client.capture_credits(request).await);
            }
            Self::Health(_) => {}
        }
        Ok(Outcome::Done)
    }

    pub(crate) async fn restore(&mut self, job: &Job) -> anyhow::Result<Outcome> {
        match self {
            Self::Hand(connection) => hand::shift(connection, job, Move::Restore).await?,
            Self::Service(client) => {
                let now = Clock::system().now();
                let failed_at = Timestamp { seconds: now.timestamp(), nanos: 0 };
                let request = v1::RestoreCreditsRequest {
                    request_id: request_id(),
                    account_id: job.account_id.as_str().to_owned(),
                    job_id: job.job_id.clone(),
                    attempt: 1,
                    cause: "worker_crash".to_owned(),
                    error_message: String::new(),
                    failed_at: Some(failed_at),
                };
                let answer = client.restore_credits(request).await;
                if let Ok(answer) = &answer {
                    let restored = answer.get_ref().credits_restored;
                    anyhow::ensure!(restored == COST, "`{}` restored {restored} credits", job.job_id);
                }
                return outcome(answer);
            }
            Self::Health(_) => {}
        }
        Ok(Outcome::Done)
    }

    pub(crate) async fn balance(&mut self, account_id: &AccountId) -> anyhow::Result<Outcome> {
        match self {
            Self::Hand(connection) => hand::balance(connection, account_id).await?,
            Self::Service(client) => {
                let request = v1::GetBalanceRequest { account_id: account_id.as_str().to_owned() };
                return outcome(client.get_balance(request).await);
            }
            Self::Health(client) => return outcome(client.check(HealthCheckRequest::default()).await),
        }
        Ok(Outcome::Done)
    }

    /// Says goodbye, so that the database need not find out.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        if let Self::Hand(connection) = self {
            connection.close().await?;
        }
        Ok(())
    }
}
