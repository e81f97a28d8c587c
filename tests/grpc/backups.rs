//! Backups: what is restored keeps every promise, and answers every request id as it was answered before.

use crate::audit::{day, found_in};
use crate::cluster::programs;
use crate::running::run;
use crate::service::{evaluate, is_replayed, when};
use makegood::command::Policies;
use makegood::config;
use makegood::policy::SHIPPED;
use makegood::postgres::{Cluster, Options};
use makegood::proto::makegood::v1;
use makegood::proto::makegood::v1::refund_service_client::RefundServiceClient;
use makegood::server::{Access, Running};
use makegood::store::{self, Limits, Store};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::process::Command;
use tonic::Response;
use tonic::transport::Channel;
use v1::Claim;

const EVENING: &str = "2025-03-03T18:00:00Z";

/// Long enough for a starved machine.
const PATIENCE: Duration = Duration::from_mins(1);

async fn succeeds(command: &mut Command) {
    let ended = command.output().await.unwrap();
    assert!(ended.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ended.stderr));
}

/// A folder that the database's unprivileged user can enter and write into.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    dir
}

async fn refunds(running: &Running) -> RefundServiceClient<Channel> {
    RefundServiceClient::connect(format!("http://{}", running.local_addr())).await.unwrap()
}

fn asked() -> v1::EvaluateRequestRequest {
    evaluate("ada", "pay-2", Claim::CreditsNotDelivered)
}

async fn ask(running: &Running, asked: &v1::EvaluateRequestRequest) -> Response<v1::EvaluateRequestResponse> {
    refunds(running).await.evaluate_request(when(EVENING, asked.clone())).await.unwrap()
}

#[tokio::test]
async fn a_dump_that_is_restored_keeps_every_promise_and_every_answer() {
    let service = day().await;
    let asked = asked();
    let answer = ask(&service.running, &asked).await.into_inner();
    let rows = service.rows().await;

    let (folder, programs) = (folder(), programs().await);
    let file = folder.path().join("makegood.dump");
    let mut dump = Command::new(programs.join("pg_dump"));
    succeeds(dump.args(["--format=custom", "--file"]).arg(&file).arg(&service.url)).await;
    let (server, name) = service.url.rsplit_once('/').unwrap();
    let restored = format!("{server}/{name}_restored");
    let mut superuser = service.database().await;
    superuser
        .execute(AssertSqlSafe(format!("CREATE DATABASE {name}_restored TEMPLATE template0")))
        .await
        .unwrap();
    let mut restore = Command::new(programs.join("pg_restore"));
    succeeds(restore.args(["--exit-on-error", "--dbname", &restored]).arg(&file)).await;

    assert_eq!(found_in(&restored, None, EVENING).await, []);
    let running = run(&restored, SHIPPED, Access::development()).await;
    let again = ask(&running, &asked).await;
    assert!(is_replayed(&again));
    assert_eq!(again.into_inner(), answer);
    running.stop(PATIENCE).await.unwrap();
    assert_eq!(service.rows().await, rows);
    service.stop().await;

    // What was dumped and is not there is found.
    let mut database = PgConnection::connect(&restored).await.unwrap();
    database.execute("SET session_replication_role = replica").await.unwrap();
    database.execute("DELETE FROM entry WHERE account_id = 'ada' AND seq = 2").await.unwrap();
    assert_ne!(found_in(&restored, None, EVENING).await, []);
}

/// A server of its own, whose data are kept in a folder.
async fn server(data_dir: &Path) -> Cluster {
    let (bin_dir, search_path) = (config::pg_bin_dir(), config::search_path());
    let options = Options { data_dir: Some(data_dir.to_owned()), durable: false, bin_dir, search_path };
    Cluster::start(options).await.unwrap()
}

/// A copy of a running server as its standby.
async fn standby(primary: &Cluster, data_dir: &Path) -> Cluster {
    let copy = data_dir.join("postgres");
    let owner = fs::metadata(primary.data_dir().join("postgres")).unwrap();
    let mut backup = Command::new(primary.bin_dir().join("pg_basebackup"));
    backup.arg("--pgdata").arg(&copy).arg("--host").arg(primary.socket_dir());
    backup.args(["--username=postgres", "--checkpoint=fast", "--write-recovery-conf"]);
    // The files belong to who runs the server.
    backup.uid(owner.uid()).gid(owner.gid()).current_dir("/");
    succeeds(&mut backup).await;
    server(data_dir).await
}

/// What a query says, as text.
async fn text(url: &str, query: &'static str) -> String {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let said = sqlx::query_scalar::<_, String>(query).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    said
}

/// Waits until a query says something.
async fn until(url: &str, query: &'static str, expected: &str) {
    let begun = Instant::now();
    while text(url, query).await != expected {
        assert!(begun.elapsed() < PATIENCE, "{query} never says {expected}");
    }
}

#[tokio::test]
async fn a_standby_is_audited_and_takes_over_with_every_answer() {
    const DECISIONS: &str = "SELECT count(*)::text FROM decision";
    let (first, second) = (folder(), folder());
    let primary = server(first.path()).await;
    primary.create_database("makegood").await.unwrap();
    let url = primary.url("makegood");
    store::migrate(&url).await.unwrap();
    let running = run(&url, SHIPPED, Access::development()).await;
    let channel =
        Channel::from_shared(format!("http://{}", running.local_addr())).unwrap().connect().await.unwrap();
    let mut credits = v1::credit_service_client::CreditServiceClient::new(channel);
    let bought = crate::service::purchase("ada", "pay-2", EVENING);
    credits.record_purchase(when(EVENING, bought)).await.unwrap();

    let standby = standby(&primary, second.path()).await;
    let copy = standby.url("makegood");
    let asked = asked();
    let answer = ask(&running, &asked).await.into_inner();
    until(&copy, DECISIONS, "1").await;

    // It is read as any database is, and nothing can be written, so nothing is served from it.
    assert_eq!(text(&copy, "SELECT pg_is_in_recovery()::text").await, "true");
    assert_eq!(found_in(&copy, None, EVENING).await, []);
    let reading = Store::connect(&copy, Limits::default()).await.unwrap();
    let policies = Policies::parse(SHIPPED).unwrap();
    assert!(policies.publish(&reading, makegood::clock::Clock::system()).await.is_err());
    reading.close().await;

    // The primary is lost; the standby takes over.
    drop(credits);
    running.stop(PATIENCE).await.unwrap();
    primary.stop().await.unwrap();
    assert_eq!(text(&copy, "SELECT pg_promote()::text").await, "true");
    let running = run(&copy, SHIPPED, Access::development()).await;
    let again = ask(&running, &asked).await;
    assert!(is_replayed(&again));
    assert_eq!(again.into_inner(), answer);
    running.stop(PATIENCE).await.unwrap();
    assert_eq!(found_in(&copy, None, EVENING).await, []);
    standby.stop().await.unwrap();
}
