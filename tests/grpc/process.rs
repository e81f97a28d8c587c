//! The program itself, in a process of its own over a database of the tests' cluster: what it sends and writes is seen
//! from outside.

use crate::canary::is_free_of_words;
use crate::cluster::{Watch, database};
use makegood::proto::makegood::v1::credit_service_client::CreditServiceClient;
use makegood::proto::makegood::v1::refund_service_client::RefundServiceClient;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::transport::Channel;

/// Longest that the program may take to serve, and to end.
const LIMIT: Duration = Duration::from_secs(30);

/// A running `makegood serve`.
pub(crate) struct Process {
    child: Child,
    channel: Channel,
    pub(crate) url: String,
    log: JoinHandle<String>,
    output: JoinHandle<()>,
    _watch: Watch,
}

impl Process {
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let (url, watch) = database().await;
        let mut command = Command::new(env!("CARGO_BIN_EXE_makegood"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "json", "--database-url", &url]);
        command.args(arguments).env_remove("OTEL_EXPORTER_OTLP_ENDPOINT");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut errors = child.stderr.take().unwrap();
        let log = tokio::spawn(async move {
            let mut log = String::new();
            errors.read_to_string(&mut log).await.unwrap();
            log
        });
        let serving = async {
            loop {
                let line = lines.next_line().await.unwrap().unwrap();
                if let Some(rest) = line.strip_prefix("serving") {
                    break rest.split_whitespace().next().unwrap().to_owned();
                }
            }
        };
        let endpoint = timeout(LIMIT, serving).await.unwrap();
        let output = tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let channel = Channel::from_shared(endpoint).unwrap().connect().await.unwrap();
        Self { child, channel, url, log, output, _watch: watch }
    }

    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub(crate) fn credits(&self) -> CreditServiceClient<Channel> {
        CreditServiceClient::new(self.channel.clone())
    }

    pub(crate) fn refunds(&self) -> RefundServiceClient<Channel> {
        RefundServiceClient::new(self.channel.clone())
    }

    /// Ends it as an operator does; gives its log.
    pub(crate) async fn stop(mut self) -> String {
        drop(self.channel);
        let pid = Pid::from_raw(self.child.id().unwrap().try_into().unwrap());
        signal::kill(pid, Signal::SIGTERM).unwrap();
        let status = timeout(LIMIT, self.child.wait()).await.unwrap().unwrap();
        assert!(status.success(), "{status}");
        self.output.await.unwrap();
        let log = self.log.await.unwrap();
        is_free_of_words(&log);
        log
    }
}
