//! What everything is measured on: one durable cluster, two equal databases, one service.

use crate::arguments::{Plan, Spread};
use crate::machine;
use crate::process::Process;
use crate::seed;
use anyhow::{Context, bail};
use makegood::config;
use makegood::domain::ids::AccountId;
use makegood::postgres::{Cluster, Options};
use makegood::store;
use sqlx::{Connection, Executor, PgConnection};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

const SEED: &str = "seed";
const HAND: &str = "hand";
const SERVICE: &str = "service";

/// Looks at what is still connected, and the time between two: together ten seconds.
const SETTLE_LOOKS: u32 = 200;
const SETTLE_PAUSE: Duration = Duration::from_millis(50);

/// Where everything that stays is written, below the project's folder.
pub(crate) fn folder() -> anyhow::Result<PathBuf> {
    let folder = PathBuf::from("target/makegood-bench");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// One of the two things that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Hand,
    Service,
}

#[derive(Debug)]
pub(crate) struct Ground {
    cluster: Cluster,
    postmaster: u32,
    /// Looks at the cluster and takes no part.
    watcher: Mutex<PgConnection>,
    pub(crate) process: Process,
    wide: Arc<[AccountId]>,
    hot: Arc<[AccountId]>,
}

/// Counters at one instant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) at: Instant,
    pub(crate) service_cpu: Duration,
    pub(crate) postgres_cpu: Duration,
    pub(crate) client_cpu: Duration,
    /// Transactions that wrote, ever.
    pub(crate) commits: i64,
}

impl Ground {
    pub(crate) async fn prepare(plan: &Plan) -> anyhow::Result<Self> {
        let options = Options {
            data_dir: None,
            durable: true,
            bin_dir: config::pg_bin_dir(),
            search_path: config::search_path(),
        };
        let cluster = Cluster::start(options).await?;
        cluster.create_database(SEED).await?;
        store::migrate(&cluster.url(SEED)).await?;
        let mut connection = PgConnection::connect(&cluster.url(SEED)).await?;
        // Checkpoints come in their own time, not in the middle of one side's run.
        connection.execute("ALTER SYSTEM SET max_wal_size = '8GB'").await?;
        connection.execute("ALTER SYSTEM SET checkpoint_timeout = '1h'").await?;
        connection.execute("SELECT pg_reload_conf()").await?;
        let wide = seed::plant(&mut connection, "account", seed::ACCOUNTS).await?;
        let hot = seed::plant(&mut connection, "hot", 1).await?;
        if plan.history {
            seed::plant(&mut connection, "history", 2).await?;
        }
        // Not the empty tables: one that is known to be empty is read whole by every plan made before it has grown.
        connection.execute("VACUUM ANALYZE account, external_key, purchase, delivery, lot, entry").await?;
        connection.execute("CHECKPOINT").await?;
        connection.close().await?;
        cluster.clone_database(HAND, SEED).await?;
        cluster.clone_database(SERVICE, SEED).await?;
        let mut watcher = PgConnection::connect(&cluster.url("postgres")).await?;
        let note: String =
            sqlx::query_scalar("SELECT pg_read_file('postmaster.pid')").fetch_one(&mut watcher).await?;
        let postmaster = note.lines().next().and_then(|pid| pid.parse().ok());
        let postmaster = postmaster.context("the cluster does not say its process id")?;
        let process = Process::start(&cluster.url(SERVICE), &folder()?.join("service.log")).await?;
        Ok(Self { cluster, postmaster, watcher: Mutex::new(watcher), process, wide, hot })
    }

    /// The machine and the settings that matter, after a check that a commit is on disk when it is acknowledged.
    pub(crate) async fn describe(&self) -> anyhow::Result<String> {
        let mut said = format!(
            "PostgreSQL {}, {} cores shared by database, service and client;",
            self.cluster.version(),
            std::thread::available_parallelism()?
        );
        for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
            let value = self.setting(setting).await?;
            if value != "on" {
                bail!("`{setting}` is `{value}`: this would measure a database that forgets");
            }
            write!(said, " {setting}={value}")?;
        }
        for setting in ["shared_buffers", "wal_sync_method", "max_wal_size"] {
            write!(said, " {setting}={}", self.setting(setting).await?)?;
        }
        Ok(said)
    }

    async fn setting(&self, name: &str) -> anyhow::Result<String> {
        let mut watcher = self.watcher.lock().await;
        Ok(sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(&mut *watcher).await?)
    }

    /// One more database like the others, as its URL.
    pub(crate) async fn another_database(&self, name: &str) -> anyhow::Result<String> {
        self.cluster.clone_database(name, SEED).await?;
        Ok(self.cluster.url(name))
    }

    pub(crate) fn accounts(&self, spread: Spread) -> Arc<[AccountId]> {
        match spread {
            Spread::Wide => Arc::clone(&self.wide),
            Spread::Hot => Arc::clone(&self.hot),
        }
    }

    pub(crate) async fn connect(&self, side: Side) -> anyhow::Result<PgConnection> {
        let database = match side {
            Side::Hand => HAND,
            Side::Service => SERVICE,
        };
        Ok(PgConnection::connect(&self.cluster.url(database)).await?)
    }

    pub(crate) async fn sample(&self) -> anyhow::Result<Sample> {
        let mut watcher = self.watcher.lock().await;
        let commits = sqlx::query_scalar("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
            .fetch_one(&mut *watcher)
            .await?;
        Ok(Sample {
            at: Instant::now(),
            service_cpu: self.process.cpu()?,
            postgres_cpu: machine::cpu_of_family(self.postmaster)?,
            client_cpu: machine::cpu_of(std::process::id())?,
            commits,
        })
    }

    /// Waits until the other side's connections are gone, so that their end is not counted as somebody's work.
    pub(crate) async fn settle(&self) -> anyhow::Result<()> {
        let mut watcher = self.watcher.lock().await;
        for _ in 0..SETTLE_LOOKS {
            let left: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE datname = $1")
                .bind(HAND)
                .fetch_one(&mut *watcher)
                .await?;
            if left == 0 {
                return Ok(());
            }
            sleep(SETTLE_PAUSE).await;
        }
        bail!("connections to the database did not end")
    }

    /// Ends what was started: the service first, then its database.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        let stopped = self.process.stop().await;
        drop(self.watcher);
        self.cluster.stop().await?;
        stopped
    }
}
