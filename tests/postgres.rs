//! The private cluster, with real servers: starting, keeping, refusing, cleaning up.
#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use makegood::config;
use makegood::postgres::{Cluster, Error, Options};
use nix::sys::signal::{self, Signal};
use nix::unistd::{self, Pid};
use sqlx::{Connection, Executor, PgConnection, Row};

/// Tells the test [`a_process_that_holds_a_cluster`] what to hold.
const HOLD: &str = "MAKEGOOD_TEST_HOLD";
const THROW_AWAY: &str = "throw-away";

/// Long enough for a starved machine; a test that passes never waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

fn throw_away() -> Options {
    Options { bin_dir: config::pg_bin_dir(), search_path: config::search_path(), ..Options::default() }
}

fn kept_in(dir: &Path) -> Options {
    Options { data_dir: Some(dir.to_owned()), ..throw_away() }
}

/// A folder that an unprivileged user can enter too.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    dir
}

async fn run(url: &str, statement: &'static str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    connection.execute(statement).await.unwrap();
    connection.close().await.unwrap();
}

async fn text(url: &str, query: &'static str) -> String {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let row = connection.fetch_one(query).await.unwrap();
    connection.close().await.unwrap();
    row.get(0)
}

/// Looks again and again, without a pause that a slow machine could outlast.
fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what} did not happen");
        std::thread::yield_now();
    }
}

fn server_pid(cluster_dir: &Path) -> Pid {
    let note = fs::read_to_string(cluster_dir.join("postmaster.pid")).unwrap();
    Pid::from_raw(note.lines().next().unwrap().trim().parse().unwrap())
}

/// Whether a process runs; one that has ended and was not yet buried does not.
fn runs(pid: Pid) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => !stat.rsplit(") ").next().unwrap().starts_with('Z'),
        Err(_) if Path::new("/proc/self").exists() => false,
        Err(_) => signal::kill(pid, None).is_ok(),
    }
}

/// A process of its own that holds a cluster until its input ends.
struct Holder {
    process: Child,
    socket_dir: PathBuf,
    // Kept open, so that the process can write its last words.
    output: BufReader<ChildStdout>,
}

impl Holder {
    fn start(hold: &Path, as_user: Option<u32>) -> Self {
        let own = std::env::current_exe().unwrap();
        // Copied, because another user may not reach the folder of the build.
        let copy = folder();
        let program = copy.path().join("holder");
        let program =
            if as_user.is_some() { fs::copy(&own, &program).map(|_| program).unwrap() } else { own };
        let mut command = Command::new(program);
        command.args(["--exact", "a_process_that_holds_a_cluster", "--nocapture"]);
        command.env(HOLD, hold).current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(user) = as_user {
            command.uid(user).gid(user);
        }
        let mut process = command.spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        let socket_dir = loop {
            line.clear();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "the holder ended");
            if let Some((_, dir)) = line.trim().split_once("holding ") {
                break PathBuf::from(dir);
            }
        };
        Self { process, socket_dir, output }
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn finish(mut self) {
        drop(self.process.stdin.take());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        assert!(self.process.wait().unwrap().success(), "{rest}");
    }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test tells its own child process what to do")]
async fn a_process_that_holds_a_cluster() {
    let Ok(hold) = std::env::var(HOLD) else { return };
    let options = if hold == THROW_AWAY { throw_away() } else { kept_in(Path::new(&hold)) };
    let cluster = Cluster::start(options).await.unwrap();
    println!("\nholding {}", cluster.socket_dir().display());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_kept_cluster_keeps_its_data() {
    let dir = folder();
    let first = Cluster::start(kept_in(dir.path())).await.unwrap();
    assert!(first.is_new());
    assert!(first.create_database("desk").await.unwrap());
    run(&first.url("desk"), "CREATE TABLE kept (word text); INSERT INTO kept VALUES ('still here')").await;
    first.stop().await.unwrap();

    let second = Cluster::start(kept_in(dir.path())).await.unwrap();
    assert!(!second.is_new());
    assert!(!second.create_database("desk").await.unwrap(), "a database that is there is left alone");
    assert_eq!(text(&second.url("desk"), "SELECT word FROM kept").await, "still here");
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_cluster_on_one_folder_is_refused_and_the_first_goes_on() {
    let dir = folder();
    let first = Cluster::start(kept_in(dir.path())).await.unwrap();
    let refused = Cluster::start(kept_in(dir.path())).await.unwrap_err();
    assert!(matches!(refused, Error::InUse { .. }), "{refused}");
    let sentence = refused.to_string();
    for words in [&format!("(process {})", std::process::id()), "--data-dir", "--database-url"] {
        assert!(sentence.contains(words), "{sentence}");
    }
    assert_eq!(text(&first.url("postgres"), "SELECT 'yes'").await, "yes");
    first.stop().await.unwrap();
}

#[tokio::test]
async fn a_throw_away_cluster_leaves_nothing_behind() {
    let cluster = Cluster::start(throw_away()).await.unwrap();
    let (dir, server) = (cluster.data_dir().to_owned(), server_pid(&cluster.data_dir().join("data")));
    assert!(dir.exists() && runs(server));
    cluster.stop().await.unwrap();
    assert!(!dir.exists() && !runs(server));
}

#[tokio::test]
async fn a_cluster_is_utf8_checked_durable_when_told_and_on_no_network() {
    let dir = folder();
    let kept = Cluster::start(Options { durable: true, ..kept_in(dir.path()) }).await.unwrap();
    let url = kept.url("postgres");
    assert_eq!(text(&url, "SHOW server_encoding").await, "UTF8");
    assert_eq!(text(&url, "SHOW data_checksums").await, "on");
    assert_eq!(text(&url, "SHOW fsync").await, "on");
    assert_eq!(text(&url, "SHOW listen_addresses").await, "");
    assert_eq!(text(&url, "SHOW timezone").await, "UTC");
    let mode = fs::metadata(kept.socket_dir()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o700, "the socket trusts whoever can reach it");
    kept.stop().await.unwrap();
}

#[tokio::test]
async fn the_terminals_signals_do_not_reach_the_server() {
    let cluster = Cluster::start(throw_away()).await.unwrap();
    let server = server_pid(&cluster.data_dir().join("data"));
    assert_ne!(unistd::getpgid(Some(server)).unwrap(), unistd::getpgrp());
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn databases_are_made_copied_and_removed() {
    let cluster = Cluster::start(throw_away()).await.unwrap();
    assert!(cluster.create_database("model").await.unwrap());
    run(&cluster.url("model"), "CREATE TABLE kept (word text); INSERT INTO kept VALUES ('copied')").await;
    cluster.clone_database("copy", "model").await.unwrap();
    assert_eq!(text(&cluster.url("copy"), "SELECT word FROM kept").await, "copied");
    assert!(matches!(cluster.clone_database("copy", "model").await, Err(Error::Database { .. })));
    cluster.drop_database("copy").await.unwrap();
    cluster.drop_database("copy").await.unwrap();
    assert!(PgConnection::connect(&cluster.url("copy")).await.is_err());
    for name in ["", "Desk", "9desk", "desk; drop", "desk\"", &"d".repeat(64)] {
        assert!(matches!(cluster.create_database(name).await, Err(Error::BadDatabaseName)), "{name}");
    }
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_dropped_cluster_ends_by_itself() {
    let cluster = Cluster::start(throw_away()).await.unwrap();
    let dir = cluster.data_dir().to_owned();
    drop(cluster);
    until("the end of the server", || !dir.exists());
}

#[test]
fn a_killed_process_leaves_no_server_and_no_folder() {
    let mut holder = Holder::start(Path::new(THROW_AWAY), None);
    let server = server_pid(&holder.socket_dir.join("data"));
    holder.kill();
    until("the end of the server", || !runs(server));
    until("the end of its folder", || !holder.socket_dir.exists());
}

#[tokio::test]
async fn a_kept_cluster_starts_again_right_after_a_kill() {
    let dir = folder();
    let mut holder = Holder::start(dir.path(), None);
    let server = server_pid(&dir.path().join("postgres"));
    holder.kill();
    let cluster = Cluster::start(kept_in(dir.path())).await.unwrap();
    assert!(!cluster.is_new() && !runs(server));
    assert_eq!(text(&cluster.url("postgres"), "SELECT 'yes'").await, "yes");
    cluster.stop().await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_whose_supervisor_was_killed_too_is_ended_at_the_next_start() {
    let dir = folder();
    let mut holder = Holder::start(dir.path(), None);
    let server = server_pid(&dir.path().join("postgres"));
    let stat = fs::read_to_string(format!("/proc/{server}/stat")).unwrap();
    let parent = stat.rsplit(") ").next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    signal::kill(Pid::from_raw(parent), Signal::SIGKILL).unwrap();
    holder.kill();
    assert!(runs(server), "nobody is left to end it");
    let cluster = Cluster::start(kept_in(dir.path())).await.unwrap();
    assert!(!runs(server));
    assert!(!holder.socket_dir.exists(), "its folder is swept");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_crashed_server_is_recovered() {
    let dir = folder();
    let first = Cluster::start(kept_in(dir.path())).await.unwrap();
    run(&first.url("postgres"), "CREATE TABLE kept (word text); INSERT INTO kept VALUES ('still here')")
        .await;
    signal::kill(server_pid(&dir.path().join("postgres")), Signal::SIGKILL).unwrap();
    first.stop().await.unwrap();
    let second = Cluster::start(kept_in(dir.path())).await.unwrap();
    assert_eq!(text(&second.url("postgres"), "SELECT word FROM kept").await, "still here");
    second.stop().await.unwrap();
}

#[tokio::test]
async fn an_interrupted_making_is_made_again() {
    let dir = folder();
    let draft = dir.path().join("postgres.new-1");
    fs::create_dir(&draft).unwrap();
    fs::write(draft.join("PG_VERSION"), "15\n").unwrap();
    let cluster = Cluster::start(kept_in(dir.path())).await.unwrap();
    assert!(cluster.is_new() && !draft.exists());
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_cluster_of_another_version_is_left_alone() {
    let dir = folder();
    fs::create_dir(dir.path().join("postgres")).unwrap();
    fs::write(dir.path().join("postgres/PG_VERSION"), "9.6\n").unwrap();
    let refused = Cluster::start(kept_in(dir.path())).await.unwrap_err();
    assert!(matches!(&refused, Error::OtherVersion { made_by, .. } if made_by == "9.6"), "{refused}");
}

#[tokio::test]
async fn a_folder_that_the_servers_user_cannot_enter_is_named() {
    if !unistd::geteuid().is_root() {
        return; // only root runs the server as another user
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let refused = Cluster::start(kept_in(dir.path())).await.unwrap_err();
    assert!(refused.to_string().contains("unprivileged user"), "{refused}");
}

#[test]
fn a_user_without_privileges_can_keep_a_cluster() {
    // Whoever is not root has shown it by every other test here.
    let nobody = unistd::User::from_name("nobody").unwrap().filter(|_| unistd::geteuid().is_root());
    let Some(nobody) = nobody else { return };
    let dir = folder();
    let holder = Holder::start(dir.path(), Some(nobody.uid.as_raw()));
    assert!(holder.socket_dir.exists());
    holder.finish();
    assert!(dir.path().join("postgres/PG_VERSION").exists());
}
