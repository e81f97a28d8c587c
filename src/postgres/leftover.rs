//! The server of an earlier run that was killed: found by its own note, and ended.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use super::Error;

/// How often a leftover is looked at, and how many times before it is asked harder.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOKS: u32 = 200;

/// Ends the server that still runs on a cluster whose owner is gone, if there is one.
/// The caller holds the cluster's lock.
pub(super) async fn stop(cluster: &Path) -> Result<(), Error> {
    let Some(pid) = running(cluster) else { return Ok(()) };
    // Fast shutdown, then immediate: the next start recovers from its log.
    for request in [Signal::SIGINT, Signal::SIGQUIT] {
        let _ = signal::kill(Pid::from_raw(pid), request);
        for _ in 0..LOOKS {
            if running(cluster) != Some(pid) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    Err(Error::Leftover { pid })
}

/// The process id in the cluster's `postmaster.pid`, when that process is a server
/// on this very folder: after a restart of the machine the number may be anyone's.
pub(super) fn running(cluster: &Path) -> Option<i32> {
    let note = fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
    let pid: i32 = note.lines().next()?.trim().parse().ok().filter(|pid| *pid > 1)?;
    command_line(pid)?.contains(cluster.to_str()?).then_some(pid)
}

fn command_line(pid: i32) -> Option<String> {
    if Path::new("/proc/self").exists() {
        let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        return Some(String::from_utf8_lossy(&bytes).into_owned());
    }
    let listed = Command::new("/bin/ps").args(["-o", "args=", "-p", &pid.to_string()]).output().ok()?;
    Some(String::from_utf8_lossy(&listed.stdout).into_owned())
}
