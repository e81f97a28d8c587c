//! Who runs the server: this process's user, or, for root, one without privileges.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::{self, User as Account};

use super::Error;
use super::place::failed;

/// The users that root runs the server as, the preferred one first.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// Programs that the supervisor's shell needs, in the places POSIX systems keep them.
const SHELL_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/run/current-system/sw/bin";

/// The user whose processes and files the cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct User {
    uid: u32,
    gid: u32,
    is_other: bool,
}

impl User {
    pub(super) fn choose() -> Result<Self, Error> {
        let own = Self { uid: unistd::geteuid().as_raw(), gid: unistd::getegid().as_raw(), is_other: false };
        if own.uid != 0 {
            return Ok(own);
        }
        let account = CANDIDATES.iter().find_map(|name| Account::from_name(name).ok().flatten());
        let account = account.filter(|account| !account.uid.is_root()).ok_or(Error::NoUnprivilegedUser)?;
        Ok(Self { uid: account.uid.as_raw(), gid: account.gid.as_raw(), is_other: true })
    }

    /// The owner of a cluster that is already there: the server insists on it, and
    /// the machine's users may have changed since.
    pub(super) fn owner_of(self, dir: &Path) -> Self {
        match fs::metadata(dir) {
            Ok(found) if self.is_other && found.uid() != 0 => {
                Self { uid: found.uid(), gid: found.gid(), is_other: true }
            }
            _ => self,
        }
    }

    pub(super) fn uid(self) -> u32 {
        self.uid
    }

    /// Makes a folder that only this user may enter.
    pub(super) fn create_dir(self, dir: &Path) -> std::io::Result<()> {
        fs::DirBuilder::new().mode(0o700).create(dir)?;
        if self.is_other { chown(dir, Some(self.uid), Some(self.gid)) } else { Ok(()) }
    }

    /// A program to be run as this user: with nothing of our environment, and in a
    /// process group of its own, so that a Ctrl-C in the terminal reaches this
    /// process alone and the server outlives the last request.
    pub(super) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("LC_ALL", "C").env("PATH", SHELL_PATH).current_dir("/");
        command.stdin(Stdio::null()).process_group(0);
        if self.is_other {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Whether this user can reach a folder: root's own folders are often closed.
    pub(super) fn check_reach(self, dir: &Path) -> Result<(), Error> {
        if !self.is_other {
            return Ok(());
        }
        let mut reached = self.command(Path::new("/bin/sh"));
        reached.args(["-c", "cd -- \"$1\"", "sh"]).arg(dir);
        match reached.stderr(Stdio::null()).status() {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => Err(failed("enter, as the unprivileged user that runs PostgreSQL,", dir)(
                std::io::ErrorKind::PermissionDenied.into(),
            )),
            Err(error) => Err(failed("run the shell for", dir)(error)),
        }
    }
}
