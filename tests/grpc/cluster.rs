//! The tests' PostgreSQL, and the watch over its log.
//!
//! No test may make transactions wait for each other in a circle. That the service runs the victim again, and still
//! answers right, is no excuse: every circle costs a second, and shows locks that are not taken in one order. So:
//!
//! - PostgreSQL logs `deadlock detected` before it tells the victim, whoever that is and whatever becomes of it, and
//!   names the database in front of every line (`log_line_prefix` of the private cluster);
//! - every test has a database of its own, and keeps a [`Watch`] over it inside its `Service`;
//! - when the last holder lets go, at the end of the service or of the test, the watch reads the lines of its database
//!   and fails the test for each deadlock in it, whether the test looked for one or not.
//!
//! Nothing waits for anything: a line is in the file before a client can know of it.

use crate::canary;
use makegood::clock::{Clock, new_id};
use makegood::config;
use makegood::postgres::{Cluster, Options};
use makegood::store;
use sqlx::{Connection, Executor, PgConnection};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// A database at the present schema, from which every test's own is cloned.
const TEMPLATE: &str = "template_makegood";

/// One cluster for all tests of this process; it ends with the process.
static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();

async fn cluster() -> &'static Cluster {
    CLUSTER
        .get_or_init(|| async {
            let options = Options {
                data_dir: None,
                durable: false,
                bin_dir: config::pg_bin_dir(),
                search_path: config::search_path(),
            };
            let cluster = Cluster::start(options).await.unwrap();
            cluster.create_database(TEMPLATE).await.unwrap();
            store::migrate(&cluster.url(TEMPLATE)).await.unwrap();
            cluster
        })
        .await
}

/// A new database at the present schema, as its URL, and the watch over it.
pub(crate) async fn database() -> (String, Watch) {
    canary::listen();
    let cluster = cluster().await;
    let name = format!("test_{}", new_id(Clock::system().now()).simple());
    cluster.clone_database(&name, TEMPLATE).await.unwrap();
    (cluster.url(&name), Watch(Arc::new(Log { path: cluster.log_path(), database: name })))
}

/// Where the programs of PostgreSQL are that belong to the tests' server.
pub(crate) async fn programs() -> PathBuf {
    cluster().await.bin_dir().to_owned()
}

/// Watches over one database; clones share the watch.
#[derive(Clone)]
pub(crate) struct Watch(Arc<Log>);

struct Log {
    path: PathBuf,
    database: String,
}

impl Log {
    /// The lines about deadlocks in this database.
    fn deadlocks(&self) -> Vec<String> {
        let log = fs::read(&self.path).unwrap();
        let log = String::from_utf8_lossy(&log);
        let is_one = |line: &&str| line.contains(&self.database) && line.contains("deadlock detected");
        log.lines().filter(is_one).map(str::to_owned).collect()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // A test that fails already says why.
        if !std::thread::panicking() {
            assert_eq!(self.deadlocks(), [""; 0], "transactions of this test waited for each other");
            assert_eq!(canary::heard(), [""; 0], "words of persons were logged");
        }
    }
}

/// Has two transactions wait for each other.
async fn embrace(url: &str) {
    let mut both = [PgConnection::connect(url).await.unwrap(), PgConnection::connect(url).await.unwrap()];
    for connection in &mut both {
        // Whoever waits looks for a circle at once.
        connection.execute("SET deadlock_timeout = '1ms'; BEGIN").await.unwrap();
    }
    let [one, other] = &mut both;
    one.execute("LOCK TABLE lot").await.unwrap();
    other.execute("LOCK TABLE entry").await.unwrap();
    let (one, other) = tokio::join!(one.execute("LOCK TABLE entry"), other.execute("LOCK TABLE lot"));
    assert!(one.is_err() != other.is_err(), "{one:?} {other:?}");
}

#[tokio::test]
async fn a_test_whose_transactions_wait_for_each_other_fails() {
    let (url, watch) = database().await;
    let (url_of_another, watch_of_another) = database().await;
    embrace(&url).await;
    assert_eq!(watch.0.deadlocks().len(), 1);
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(watch)));
    assert!(failed.is_err(), "nobody said so");
    assert_ne!(url, url_of_another);
    drop(watch_of_another);
}
