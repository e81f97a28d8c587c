//! The server's parent: a few lines of shell that end it with this process.
//!
//! The shell holds one end of a pipe and this process the other. However this
//! process ends, `kill -9` included, the system closes its end; the shell reads the
//! end of the pipe, asks the server to stop, and removes the run folder. Stopping on
//! purpose is the same thing: closing the pipe, and waiting for the shell.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use tokio::time::Instant;

use super::binaries::Binaries;
use super::place::{Place, RunDir, failed};
use super::{Error, READY_LIMIT, tail};

/// Arguments: the run folder, then the server's command line.
///
/// The shell ignores the signals that are sent to a whole session, since its own
/// end must come after the server's. The inner loop asks for a fast shutdown, then
/// an immediate one, then the system's.
const SCRIPT: &str = r#"
trap '' HUP INT TERM QUIT
run=$1
shift
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
(
    while read -r _; do :; done <&3
    ask() {
        kill "-$1" "$server" || exit 0
        looks=0
        while [ "$looks" -lt 100 ]; do
            kill -0 "$server" || exit 0
            looks=$((looks + 1))
            sleep 0.1
        done
    }
    ask INT
    ask QUIT
    ask KILL
) >/dev/null 2>&1 &
listener=$!
exec 3<&- </dev/null
wait "$server"
status=$?
kill -KILL "$listener"
rm -rf -- "$run"
exit "$status"
"#;

/// How long the shell may take in all: its three requests of ten seconds, and a little.
const STOP_LIMIT: Duration = Duration::from_secs(35);

/// How often a start or a stop is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(super) struct Supervisor {
    // Not the runtime's own child type: a cluster that tests share outlives the
    // runtime of the test that started it.
    shell: Child,
}

impl Supervisor {
    /// Starts the server and waits until it accepts connections.
    pub(super) async fn start(
        binaries: &Binaries,
        place: &Place,
        run: &mut RunDir,
        settings: &[OsString],
    ) -> Result<Self, Error> {
        let log_path = place.log();
        let mut log = new_log(&log_path).map_err(failed("write", &log_path))?;
        let (out, err) = (log.try_clone(), log.try_clone());
        let mut command = place.user().command(Path::new("/bin/sh"));
        command.args(["-c", SCRIPT, "makegood-postgres"]).arg(run.path());
        command.arg(binaries.postgres()).arg("-D").arg(place.cluster_dir());
        for setting in settings {
            command.arg("-c").arg(setting);
        }
        command.stdin(Stdio::piped());
        command.stdout(out.map_err(failed("write", &log_path))?);
        command.stderr(err.map_err(failed("write", &log_path))?);
        let stale = note(place.cluster_dir());
        let mut shell = command.spawn().map_err(failed("run", Path::new("/bin/sh")))?;
        run.hand_over();
        match ready(&mut shell, place.cluster_dir(), &stale).await {
            Ready::Yes => Ok(Self { shell }),
            Ready::Ended => Err(Error::Program { program: "postgres", output: end_of(&mut log) }),
            Ready::Slow => {
                let _ = Self { shell }.stop().await;
                Err(Error::Slow { program: "postgres", limit: READY_LIMIT, output: end_of(&mut log) })
            }
        }
    }

    pub(super) async fn stop(mut self) -> Result<(), Error> {
        drop(self.shell.stdin.take());
        match ended(&mut self.shell, Instant::now().checked_add(STOP_LIMIT)).await {
            Some(_) => Ok(()),
            None => Err(Error::Slow { program: "postgres", limit: STOP_LIMIT, output: String::new() }),
        }
    }
}

enum Ready {
    Yes,
    Ended,
    Slow,
}

async fn ready(shell: &mut Child, cluster: &Path, stale: &str) -> Ready {
    let deadline = Instant::now().checked_add(READY_LIMIT);
    loop {
        if !matches!(shell.try_wait(), Ok(None)) {
            return Ready::Ended;
        }
        let note = note(cluster);
        // A crashed server leaves its note, which says that it was ready.
        if note != stale && says_ready(&note) {
            return Ready::Yes;
        }
        if deadline.is_none_or(|deadline| Instant::now() >= deadline) {
            return Ready::Slow;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The server's note about itself, or nothing.
fn note(cluster: &Path) -> String {
    fs::read_to_string(cluster.join("postmaster.pid")).unwrap_or_default()
}

/// Whether the note says that connections are accepted: its eighth line does.
fn says_ready(note: &str) -> bool {
    const STATUS_LINE: usize = 7;
    note.lines().nth(STATUS_LINE).is_some_and(|status| status.trim() == "ready")
}

async fn ended(shell: &mut Child, deadline: Option<Instant>) -> Option<ExitStatus> {
    loop {
        if let Ok(Some(status)) = shell.try_wait() {
            return Some(status);
        }
        if deadline.is_none_or(|deadline| Instant::now() >= deadline) {
            return None;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A log for this run alone, so that it cannot grow from run to run. It is appended
/// to, because the server and this process share its position.
fn new_log(path: &Path) -> std::io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    File::options().read(true).append(true).create_new(true).open(path)
}

fn end_of(log: &mut File) -> String {
    let mut bytes = Vec::new();
    let _ = log.rewind().and_then(|()| log.read_to_end(&mut bytes));
    tail(&bytes)
}
