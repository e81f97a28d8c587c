//! The service in a process of its own.

use anyhow::{Context, bail, ensure};
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Duration, timeout};
use tonic::transport::Channel;

/// Longest that it may take to serve, and to end: a database that was killed recovers first.
const LIMIT: Duration = Duration::from_mins(1);

/// A running `makegood serve`.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pid: u32,
    address: String,
    /// The folder of its private database's socket, if it has one.
    pub(crate) socket_dir: Option<PathBuf>,
    log: PathBuf,
    _output: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
}

/// The program, to be given its arguments.
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_makegood"));
    command.env_remove("DATABASE_URL").env_remove("OTEL_EXPORTER_OTLP_ENDPOINT").stdin(Stdio::null());
    command
}

impl Process {
    /// Starts it on a free loopback port. Its log goes to the end of a file.
    pub(crate) async fn start<S: AsRef<OsStr>>(arguments: &[S], log: &Path) -> anyhow::Result<Self> {
        let errors = File::options().append(true).create(true).open(log)?;
        let mut command = program();
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments);
        command.stdout(Stdio::piped()).stderr(errors).kill_on_drop(true);
        let mut child = command.spawn().context("`makegood` cannot be started")?;
        let pid = child.id().context("`makegood` ended at once")?;
        let mut output = BufReader::new(child.stdout.take().context("`makegood` has no output")?).lines();
        let mut socket_dir = None;
        let greeting = async {
            while let Some(line) = output.next_line().await? {
                let mut words = line.split_whitespace();
                match words.next() {
                    Some("serving") => return Ok(words.next().unwrap_or_default().to_owned()),
                    Some("psql") => socket_dir = words.nth(1).map(PathBuf::from),
                    _ => {}
                }
            }
            bail!("`makegood` ended before it served; see {}", log.display())
        };
        let address = timeout(LIMIT, greeting).await.context("`makegood` did not serve in time")??;
        let log = log.to_owned();
        Ok(Self { child, pid, address, socket_dir, log, _output: output })
    }

    /// A channel to it; connected when it is first used, and again after each break.
    pub(crate) fn channel(&self) -> anyhow::Result<Channel> {
        Ok(Channel::from_shared(self.address.clone())?.tcp_nodelay(true).connect_lazy())
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> anyhow::Result<std::net::SocketAddr> {
        Ok(self.address.trim_start_matches("http://").parse()?)
    }

    /// The most memory that it ever had in use, in KiB.
    pub(crate) fn peak_kib(&self) -> anyhow::Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.and_then(|number| number.parse().ok()).context("`/proc/<pid>/status` names no VmHWM")
    }

    /// Ends it as nobody should, and waits until it is gone.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        signal::kill(Pid::from_raw(i32::try_from(self.pid)?), Signal::SIGKILL)?;
        timeout(LIMIT, self.child.wait()).await.context("a killed process did not end")??;
        Ok(())
    }

    /// Ends it as an operator does. It must end well, and have met nothing that it never expects.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        signal::kill(Pid::from_raw(i32::try_from(self.pid)?), Signal::SIGTERM)?;
        let status = timeout(LIMIT, self.child.wait()).await.context("`makegood` did not end in time")??;
        ensure!(status.success(), "`makegood` ended with {status}");
        let log = fs::read_to_string(&self.log)?;
        ensure!(!log.contains("panicked"), "`makegood` panicked; see {}", self.log.display());
        Ok(())
    }
}

/// Runs `makegood audit` over a database; fails unless every promise is kept.
pub(crate) async fn audit(url: &str) -> anyhow::Result<()> {
    let mut command = program();
    command.args(["audit", "--database-url", url]).kill_on_drop(true);
    let Output { status, stdout, stderr } =
        timeout(LIMIT, command.output()).await.context("an audit took too long")??;
    let said = [stdout, stderr].concat();
    ensure!(status.success(), "the audit failed: {}", String::from_utf8_lossy(&said));
    Ok(())
}
