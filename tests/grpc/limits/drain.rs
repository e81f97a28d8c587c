//! The end of a server, and a fleet of which one is restarted while callers work.

use super::wire::{connect, greeted, until_closed};
use super::{Duration, Instant, NOON, provide};
use crate::service::{Service, delivery, hold, when};
use makegood::proto::makegood::v1;
use sqlx::Executor;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use v1::credit_service_client::CreditServiceClient;

/// A server that is told to end says so, finishes what runs, and takes nothing new.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_drains_says_so_and_finishes_what_it_began() {
    let service = Service::start().await;
    service.purchase("ada", "pay-1", NOON).await;
    let mut health = HealthClient::new(service.channel());
    let mut watched = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    let mut next = async || watched.message().await.map(|said| said.map(|said| said.status()));
    assert_eq!(next().await.unwrap(), Some(ServingStatus::Serving));
    let mut superuser = service.database().await;
    superuser.execute("BEGIN; SELECT FROM account WHERE account_id = 'ada' FOR UPDATE").await.unwrap();
    let mut client = service.credits();
    let running =
        tokio::spawn(
            async move { client.deliver_credits(when(NOON, delivery("ada", "pay-1", 100, NOON))).await },
        );
    let blocked = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(blocked).fetch_one(&mut superuser).await.unwrap() == 0 {}
    let address = service.running.local_addr();
    // The watcher never leaves, so the drain takes as long as it may.
    let stopping = tokio::spawn(service.running.stop(Duration::from_secs(3)));
    assert_eq!(next().await.unwrap(), Some(ServingStatus::NotServing));
    superuser.execute("COMMIT").await.unwrap();
    let answer = running.await.unwrap().unwrap().into_inner();
    assert_eq!(answer.purchase.unwrap().delivered_credits, 100);
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody new is taken");
    stopping.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_silent_connection_does_not_keep_a_server_from_ending() {
    let service = Service::start().await;
    let mut silent = connect(service.running.local_addr()).await;
    let mut greeted = greeted(service.running.local_addr()).await;
    let begun = Instant::now();
    drop(service.channel);
    service.running.stop(Duration::from_secs(1)).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    for socket in [&mut silent, &mut greeted] {
        assert!(until_closed(socket, Duration::from_secs(1)).await.is_some());
    }
}

/// Where the replicas are, as a name service tells it.
type Fleet = Arc<RwLock<[String; 2]>>;

/// What `docs/clients.md` asks of a client.
struct Retrying {
    fleet: Fleet,
    channels: [Option<(String, Channel)>; 2],
    retries: Arc<AtomicU64>,
}

impl Retrying {
    const ATTEMPTS: u32 = 5;
    /// The last two are tonic's own words for a connection that ended under a call.
    const RETRYABLE: [Code; 5] =
        [Code::Unavailable, Code::ResourceExhausted, Code::Aborted, Code::Cancelled, Code::Unknown];

    async fn channel(&mut self, number: usize) -> Result<Channel, Status> {
        let endpoint = self.fleet.read().unwrap()[number].clone();
        match &self.channels[number] {
            Some((known, channel)) if *known == endpoint => Ok(channel.clone()),
            _ => {
                let connected = Channel::from_shared(endpoint.clone()).unwrap().connect().await;
                let channel = connected.map_err(|error| Status::unavailable(error.to_string()))?;
                self.channels[number] = Some((endpoint, channel.clone()));
                Ok(channel)
            }
        }
    }

    /// Sends one request, the same each time, until it is answered; to one replica and the other by turns.
    async fn hold(
        &mut self,
        turn: usize,
        request: v1::HoldCreditsRequest,
    ) -> Result<Response<v1::HoldCreditsResponse>, Status> {
        let mut backoff = Duration::from_millis(100);
        let mut attempt = 1;
        loop {
            let number = (turn + usize::try_from(attempt).unwrap()) % 2;
            let answer = match self.channel(number).await {
                Ok(channel) => {
                    CreditServiceClient::new(channel).hold_credits(when(NOON, request.clone())).await
                }
                Err(status) => Err(status),
            };
            match answer {
                Err(status) if attempt < Self::ATTEMPTS && Self::RETRYABLE.contains(&status.code()) => {
                    self.retries.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep_until(tokio::time::Instant::now() + backoff).await;
                    backoff *= 2;
                    attempt += 1;
                }
                answer => return answer,
            }
        }
    }
}

/// Works until told to stop; gives how many calls it made, all of which were answered.
async fn work(mut client: Retrying, account_id: String, stop: Arc<AtomicBool>) -> i64 {
    let mut made = 0;
    while !stop.load(Ordering::Relaxed) {
        let request = hold(&account_id, &format!("job-{made}"), 1);
        let answer = client.hold(made, request).await;
        assert!(answer.is_ok(), "lost: {answer:?}");
        made += 1;
    }
    i64::try_from(made).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_loses_no_call_of_a_client_that_retries_as_documented() {
    let first = Service::start().await;
    let second = first.replica().await;
    let mut replicas = [first, second];
    let fleet: Fleet =
        Arc::new(RwLock::new([0, 1].map(|number: usize| replicas[number].endpoint().to_owned())));
    let (stop, retries) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let accounts: Vec<String> = (0..8).map(|number| format!("customer-{number}")).collect();
    for account_id in &accounts {
        provide(&replicas[0], account_id).await;
    }
    let mut workers = JoinSet::new();
    for (number, account_id) in accounts.iter().cloned().enumerate() {
        let client = Retrying { fleet: fleet.clone(), channels: [None, None], retries: retries.clone() };
        let stop = stop.clone();
        workers.spawn(async move { (number, work(client, account_id, stop).await) });
    }
    // Each replica in its turn, as a rollout does: the new one first, then the old one ends.
    for number in [1, 0, 1] {
        let new = replicas[1 - number].replica().await;
        let old = std::mem::replace(&mut replicas[number], new);
        let (endpoint, before) = (replicas[number].endpoint().to_owned(), retries.load(Ordering::Relaxed));
        let stopping = tokio::spawn(old.stop());
        // The name service hears of it only after calls have met the closed door.
        while retries.load(Ordering::Relaxed) < before + 5 {
            tokio::task::yield_now().await;
        }
        fleet.write().unwrap()[number] = endpoint;
        stopping.await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let made: Vec<(usize, i64)> = workers.join_all().await;
    for (number, calls) in made {
        assert!(calls > 2, "{calls}");
        let expected = (100_000 - calls, calls, 0);
        assert_eq!(replicas[0].balance(&accounts[number], NOON).await, expected);
    }
    let [first, second] = replicas;
    second.stop().await;
    first.audited().await;
}
