//! The service in a process of its own.

use crate::machine;
use anyhow::{Context, bail};
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long it may take to serve, and to end.
const LIMIT: Duration = Duration::from_secs(30);

/// A running `makegood serve`.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pid: u32,
    endpoint: String,
    /// Reads on what it says, so that it never waits for a reader.
    listener: JoinHandle<()>,
}

impl Process {
    /// Starts it on a free loopback port. It runs as anybody would run it: its settings are the defaults or come
    /// from the environment; its log goes to a file.
    pub(crate) async fn start(url: &str, log: &Path) -> anyhow::Result<Self> {
        Self::start_with(url, log, &[]).await
    }

    /// Starts it with further arguments.
    pub(crate) async fn start_with(url: &str, log: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_makegood"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--database-url", url]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(log)?).kill_on_drop(true);
        let mut child = command.spawn().context("`makegood` cannot be started")?;
        let pid = child.id().context("`makegood` ended at once")?;
        let output = child.stdout.take().context("`makegood` has no output")?;
        let mut lines = BufReader::new(output).lines();
        let endpoint = async {
            while let Some(line) = lines.next_line().await? {
                if let Some(rest) = line.strip_prefix("serving") {
                    return Ok(rest.split_whitespace().next().unwrap_or_default().to_owned());
                }
            }
            bail!("`makegood` ended before it served; see {}", log.display())
        };
        let endpoint = timeout(LIMIT, endpoint).await.context("`makegood` did not serve in time")??;
        let listener = tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { child, pid, endpoint, listener })
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        machine::cpu_of(self.pid)
    }

    pub(crate) fn rss_kib(&self) -> anyhow::Result<u64> {
        machine::rss_kib(self.pid)
    }

    /// Ends it as an operator does.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        signal::kill(Pid::from_raw(i32::try_from(self.pid)?), Signal::SIGTERM)?;
        let status = timeout(LIMIT, self.child.wait()).await.context("`makegood` did not end in time")??;
        self.listener.abort();
        if status.success() { Ok(()) } else { bail!("`makegood` ended with {status}") }
    }
}
