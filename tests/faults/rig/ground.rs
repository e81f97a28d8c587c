//! What a fault happens to: a database, the service over it, and callers.

use super::calls::{Call, PATIENCE, Told};
use super::effects::Effects;
use super::journal::{self, Count, Line};
use super::load::{Clocks, Load, Work};
use super::process::{self, Process};
use super::proxy::Proxy;
use super::tally::Tally;
use anyhow::{Context, ensure};
use makegood::config;
use makegood::postgres::{Cluster, Options};
use makegood::store;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use sqlx::{Connection, Executor, PgConnection};
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::{OnceCell, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep_until, timeout};

const DATABASE: &str = "makegood";

/// Answers of each kind before a fault, and after it, so that it comes in the middle of work: more than there are callers.
const BUSY: u64 = 15;

/// Longest that anything is waited for that must happen.
const LIMIT: Duration = Duration::from_mins(2);

/// Calls that are sent again at once.
const AT_ONCE: usize = 16;

/// How often, and how many times, a call is sent again until it is answered.
const AGAIN: Duration = Duration::from_millis(250);
const ATTEMPTS: u32 = 120;

/// A cluster that survives the service, behind a proxy.
#[derive(Debug)]
struct Apart {
    /// None while it is started anew.
    cluster: Option<Cluster>,
    proxy: Proxy,
}

/// How a ground is prepared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Further arguments of the service.
    pub(crate) arguments: &'static [&'static str],
    pub(crate) clocks: Clocks,
    /// Whether the service keeps the database itself.
    pub(crate) private: bool,
}

impl Plan {
    /// A service as anybody would run it, over a database that survives it.
    pub(crate) const ORDINARY: Self = Self { arguments: &[], clocks: Clocks::Machine, private: false };
}

#[derive(Debug)]
pub(crate) struct Ground {
    plan: Plan,
    /// Where the database lies.
    folder: PathBuf,
    /// The folder of everything else.
    own: TempDir,
    /// None where the database is the service's own, and ends with it.
    apart: Option<Apart>,
    pub(crate) process: Process,
    pub(crate) work: Arc<Work>,
    /// What every call that was done must have left.
    expected: Effects,
    pub(crate) tally: Tally,
}

/// The address of a database in the cluster whose socket lies in a folder.
pub(crate) fn url_in(socket_dir: &Path, database: &str) -> String {
    let host = socket_dir.as_os_str().to_string_lossy().bytes().fold(String::new(), |mut host, byte| {
        if byte.is_ascii_alphanumeric() {
            host.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(host, "%{byte:02X}");
        }
        host
    });
    format!("postgres://postgres@{host}/{database}")
}

fn options(data_dir: Option<PathBuf>) -> Options {
    let durable = data_dir.is_some();
    Options { data_dir, durable, bin_dir: config::pg_bin_dir(), search_path: config::search_path() }
}

/// A migrated cluster in which nothing happens, of which every ground has a copy; it ends with this process.
static TEMPLATE: OnceCell<Cluster> = OnceCell::const_new();

/// Copies the template into a data directory: the server that is started there reads its log, as after a crash.
async fn copy_template(data_dir: &Path) -> anyhow::Result<()> {
    let make = async || {
        let cluster = Cluster::start(options(None)).await?;
        cluster.create_database(DATABASE).await?;
        store::migrate(&cluster.url(DATABASE)).await?;
        PgConnection::connect(&cluster.url("postgres")).await?.execute("CHECKPOINT").await?;
        anyhow::Ok(cluster)
    };
    let template = TEMPLATE.get_or_try_init(make).await?;
    fs::create_dir(data_dir)?;
    let mut copy = Command::new("cp");
    copy.arg("-a").arg(template.data_dir().join("data")).arg(data_dir.join("postgres"));
    ensure!(copy.status().await?.success(), "the template cannot be copied");
    Ok(fs::remove_file(data_dir.join("postgres/postmaster.pid"))?)
}

impl Ground {
    /// A ground in a folder of its own.
    pub(crate) async fn prepare(plan: Plan) -> anyhow::Result<Self> {
        let own = TempDir::new()?;
        let folder = own.path().to_owned();
        Self::prepare_in(plan, folder, own).await
    }

    /// A ground whose database lies somewhere else.
    pub(crate) async fn prepare_in(plan: Plan, folder: PathBuf, own: TempDir) -> anyhow::Result<Self> {
        // The database's unprivileged user must be able to enter.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777))?;
        let data_dir = folder.join("data");
        copy_template(&data_dir).await?;
        let apart = if plan.private {
            None
        } else {
            let cluster = Cluster::start(options(Some(data_dir))).await?;
            let proxy = Proxy::start(cluster.socket_dir()).await?;
            Some(Apart { cluster: Some(cluster), proxy })
        };
        let process = start(plan, &folder, own.path(), apart.as_ref()).await?;
        let work = Work::new(plan.clocks);
        work.go_to(process.channel()?);
        work.prepare().await?;
        let (expected, tally) = (Effects::default(), Tally::default());
        Ok(Self { plan, folder, own, apart, process, work, expected, tally })
    }

    pub(crate) fn proxy(&self) -> anyhow::Result<&Proxy> {
        self.apart.as_ref().map(|apart| &apart.proxy).context("a private database has no proxy")
    }

    /// The database's address behind the service's back.
    fn url(&self) -> anyhow::Result<String> {
        let socket_dir = match &self.apart {
            Some(apart) => apart.cluster.as_ref().map(|cluster| cluster.socket_dir().to_owned()),
            None => self.process.socket_dir.clone(),
        };
        Ok(url_in(&socket_dir.context("there is no database now")?, DATABASE))
    }

    /// A connection behind the service's back, as a superuser has one.
    pub(crate) async fn superuser(&self) -> anyhow::Result<PgConnection> {
        Ok(PgConnection::connect(&self.url()?).await?)
    }

    /// Kills the service and starts another one in its place.
    pub(crate) async fn kill_service(&mut self) -> anyhow::Result<()> {
        self.tally.peak_kib = self.tally.peak_kib.max(self.process.peak_kib()?);
        self.process.kill().await?;
        self.process = start(self.plan, &self.folder, self.own.path(), self.apart.as_ref()).await?;
        self.work.go_to(self.process.channel()?);
        Ok(())
    }

    /// Stops the database's server at once, without anything that a server does at its end.
    pub(crate) fn stop_database(&self) -> anyhow::Result<()> {
        let note = fs::read_to_string(self.folder.join("data/postgres/postmaster.pid"))?;
        let pid =
            note.lines().next().and_then(|pid| pid.parse().ok()).context("the server has no process id")?;
        Ok(signal::kill(Pid::from_raw(pid), Signal::SIGQUIT)?)
    }

    /// Starts a server on the data of one that has stopped, however it did.
    pub(crate) async fn start_database(&mut self) -> anyhow::Result<()> {
        if let Some(Apart { cluster, proxy }) = &mut self.apart {
            if let Some(ended) = cluster.take() {
                ended.stop().await?;
            }
            let started = Cluster::start(options(Some(self.folder.join("data")))).await?;
            proxy.go_to(started.socket_dir());
            *cluster = Some(started);
        }
        Ok(())
    }

    /// Waits for so many more answers, of lanes and of transactions.
    pub(crate) async fn answers(&self, more: u64) -> anyhow::Result<()> {
        let before = self.work.journal.count();
        let are_enough = |count: Count| count.hot >= before.hot + more && count.plain >= before.plain + more;
        self.until(are_enough, "the service did not answer any more").await
    }

    /// Waits until so much was told, or says what it means that it was not.
    pub(crate) async fn until(
        &self,
        enough: impl Fn(Count) -> bool,
        else_say: &'static str,
    ) -> anyhow::Result<()> {
        let done = timeout(LIMIT, self.work.journal.until(enough)).await;
        done.with_context(|| format!("{else_say}; {:?}", self.work.journal.count()))
    }

    /// Waits until so many traps of the proxy have closed.
    pub(crate) async fn until_trapped(&self, traps: u32) -> anyhow::Result<()> {
        timeout(LIMIT, self.proxy()?.until_closed(traps)).await.context("a trap waits for what never comes")
    }

    /// Lets callers work until they are well under way; `chance` says how long that is.
    pub(crate) async fn load(&self, chance: u64) -> anyhow::Result<Load> {
        let load = Load::start(&self.work);
        self.answers(BUSY + super::load::mixed(chance) % BUSY).await?;
        Ok(load)
    }

    /// Ends a round: callers have good answers again, and stop; then everything that was told is held against the
    /// database. `fault` is when something was broken.
    pub(crate) async fn settle(&mut self, load: Load, fault: Instant) -> anyhow::Result<()> {
        self.answers(BUSY).await?;
        load.stop().await?;
        let lines = self.work.journal.take();
        let recovery = journal::recovery(&lines, fault).context("nobody had an answer after the fault")?;
        self.tally.worst_recovery = self.tally.worst_recovery.max(recovery);
        self.check(lines).await
    }

    /// Holds what was told against the database.
    pub(crate) async fn check(&mut self, lines: Vec<Line>) -> anyhow::Result<()> {
        self.tally.times += 1;
        self.tally.hear(&lines);
        self.check_refused(&lines).await?;
        let calls = lines.into_iter().filter(|line| !matches!(line.told, Told::Nothing(_)));
        for (line, again) in self.send_again(calls.collect()).await? {
            self.expected.add("key", line.call.ask.request_id(), 1);
            if self.tally.compare(&line.told, &again, &line.call)? {
                line.call.ask.leaves(&mut self.expected);
            }
        }
        let found = Effects::found(&mut self.superuser().await?).await?;
        self.tally.differ(&found.against(&self.expected));
        process::audit(&self.url()?).await
    }

    /// A refusal that said that nothing was changed must be true: the call was not kept then, and is not kept later.
    async fn check_refused(&mut self, lines: &[Line]) -> anyhow::Result<()> {
        let refused = lines.iter().filter(|line| matches!(line.told, Told::Nothing(_)));
        let ids: Vec<&str> = refused.map(|line| line.call.ask.request_id()).collect();
        let kept: Vec<String> = sqlx::query_scalar(
            "SELECT request_id::text FROM idempotency_key WHERE request_id = ANY($1::text[]::uuid[])",
        )
        .bind(&ids)
        .fetch_all(&mut self.superuser().await?)
        .await?;
        self.tally.broken.extend(kept.iter().map(|id| format!("{id} was done, and told that it was not")));
        Ok(())
    }

    /// Sends every call again, with the same request id, until it is answered.
    async fn send_again(&self, lines: Vec<Line>) -> anyhow::Result<Vec<(Line, Told)>> {
        let channel = self.process.channel()?;
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut sending = JoinSet::new();
        for line in lines {
            let (channel, places) = (channel.clone(), Arc::clone(&places));
            sending.spawn(async move {
                let _place = places.acquire_owned().await?;
                let told = answered(&line.call, &channel).await?;
                anyhow::Ok((line, told))
            });
        }
        let mut sent = Vec::new();
        while let Some(done) = sending.join_next().await {
            sent.push(done??);
        }
        Ok(sent)
    }

    /// Ends everything that was started, and gives what came of it.
    pub(crate) async fn end(self) -> anyhow::Result<Tally> {
        let mut tally = self.tally;
        tally.peak_kib = tally.peak_kib.max(self.process.peak_kib()?);
        self.process.stop().await?;
        if let Some(Apart { cluster: Some(cluster), proxy }) = self.apart {
            drop(proxy);
            cluster.stop().await?;
        }
        Ok(tally)
    }
}

async fn start(plan: Plan, folder: &Path, own: &Path, apart: Option<&Apart>) -> anyhow::Result<Process> {
    let mut arguments: Vec<String> = plan.arguments.iter().map(|&argument| argument.to_owned()).collect();
    match apart {
        Some(Apart { proxy, .. }) => arguments.extend(["--database-url".to_owned(), proxy.url(DATABASE)]),
        None => {
            let data = folder.join("data");
            arguments.extend(["--data-dir".to_owned(), data.to_string_lossy().into_owned()]);
        }
    }
    Process::start(&arguments, &own.join("service.log")).await
}

/// Makes a call until it is answered.
async fn answered(call: &Call, channel: &tonic::transport::Channel) -> anyhow::Result<Told> {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let told = timeout(PATIENCE, call.make(channel.clone()))
            .await
            .context("a call that was sent again hangs")?;
        if matches!(told, Told::Answer { .. }) {
            return Ok(told);
        }
        last = Some(told);
        sleep_until(Instant::now() + AGAIN).await;
    }
    ensure!(false, "a call that was sent again is never answered: {last:?} to {call:?}");
    unreachable!("the line before ends this")
}
