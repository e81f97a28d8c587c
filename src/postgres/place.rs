//! Where a cluster lives: its data, and the folder of its socket for one run.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::sys::signal;
use nix::unistd::Pid;

use super::unprivileged::User;
use super::{Error, leftover};

/// Where run folders are made: short, because a socket's path may have no more than
/// about 100 bytes, and on every Unix.
const RUN_PARENT: &str = "/tmp";
const RUN_PREFIX: &str = "makegood-pg-";

/// The most bytes of a socket's path that every Unix takes (macOS: 104 with the NUL).
const SOCKET_PATH_BYTES: usize = 103;
const SOCKET_NAME: &str = ".s.PGSQL.5432";

/// Names tried for a run folder: more are taken only by leftovers of as many
/// processes with this process's id.
const RUN_NAMES: u32 = 10_000;

/// An error about a path, for `map_err`.
pub(super) fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Place { what, path, source }
}

/// The folder of one run: the socket, and all of a throw-away cluster. Its lock is
/// held as long as this process lives. The supervisor removes it after the server's
/// end; before there is a supervisor, dropping it does.
#[derive(Debug)]
pub(super) struct RunDir {
    path: PathBuf,
    is_supervised: bool,
    _lock: File,
}

impl RunDir {
    pub(super) fn create(user: User) -> Result<Self, Error> {
        let parent = fs::canonicalize(RUN_PARENT).map_err(failed("find", Path::new(RUN_PARENT)))?;
        let mut number = 0_u32;
        let path = loop {
            let path = parent.join(format!("{RUN_PREFIX}{}-{number}", std::process::id()));
            match user.create_dir(&path) {
                Ok(()) => break path,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < RUN_NAMES => {
                    number = number.saturating_add(1);
                }
                Err(error) => return Err(failed("make", &path)(error)),
            }
        };
        if path.join(SOCKET_NAME).as_os_str().len() > SOCKET_PATH_BYTES {
            return Err(Error::LongPath(parent));
        }
        let lock = path.join("lock");
        let file = File::create_new(&lock).map_err(failed("make", &lock))?;
        file.try_lock().map_err(|error| failed("lock", &lock)(error.into()))?;
        Ok(Self { path, is_supervised: false, _lock: file })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// From now on the supervisor removes the folder.
    pub(super) fn hand_over(&mut self) {
        self.is_supervised = true;
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        if !self.is_supervised {
            // What stays is swept by the next start.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Removes the run folders of dead processes, ending first what still runs in them.
/// Best effort: what cannot be removed is in nobody's way.
pub(super) async fn sweep(user: User) {
    let Ok(entries) = fs::read_dir(RUN_PARENT) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let ours = fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir() && found.uid() == user.uid());
        if ours && is_abandoned(&path) && leftover::stop(&path.join("data")).await.is_ok() {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// Whether a folder is a run folder of a process that is gone. The process id covers
/// the moment before the folder is locked, the lock covers a process id of another
/// machine or container that shares this folder.
fn is_abandoned(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let pid = name.strip_prefix(RUN_PREFIX).and_then(|rest| rest.split('-').next());
    let Some(pid) = pid.and_then(|pid| pid.parse().ok()) else { return false };
    let is_gone = signal::kill(Pid::from_raw(pid), None) == Err(nix::errno::Errno::ESRCH);
    // A folder without a lock was left between its making and its locking.
    is_gone && File::open(path.join("lock")).map_or(true, |lock| lock.try_lock().is_ok())
}

/// The cluster's folder in a kept data directory.
const CLUSTER: &str = "postgres";

/// Whether a kept data directory holds a whole cluster; its folder may be closed to this user, and is there then.
pub(super) fn made_in(root: &Path) -> bool {
    root.join(CLUSTER).is_dir()
}

/// The user for a cluster: the owner of a kept one that is already there.
pub(super) fn user(kept: Option<&Path>) -> Result<User, Error> {
    let user = User::choose()?;
    Ok(kept.map_or(user, |root| user.owner_of(&root.join(CLUSTER))))
}

/// Where the data of a cluster are.
#[derive(Debug)]
pub(super) struct Place {
    root: PathBuf,
    cluster: PathBuf,
    user: User,
    _lock: Option<File>,
}

impl Place {
    /// A throw-away place inside the run folder, or the kept one, locked.
    pub(super) fn open(kept: Option<&Path>, run: &RunDir, user: User) -> Result<Self, Error> {
        let Some(root) = kept else {
            let root = run.path().to_owned();
            return Ok(Self { cluster: root.join("data"), root, user, _lock: None });
        };
        // Root's folder is open so that the unprivileged user can pass; the cluster
        // inside is closed to everyone else.
        let mode = if user.uid() == nix::unistd::geteuid().as_raw() { 0o700 } else { 0o755 };
        let created = fs::DirBuilder::new().recursive(true).mode(mode).create(root);
        created.map_err(failed("make", root))?;
        let root = fs::canonicalize(root).map_err(failed("find", root))?;
        let lock = lock(&root)?;
        let cluster = root.join(CLUSTER);
        user.check_reach(&root)?;
        Ok(Self { cluster, root, user, _lock: Some(lock) })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn cluster_dir(&self) -> &Path {
        &self.cluster
    }

    pub(super) fn user(&self) -> User {
        self.user
    }

    pub(super) fn log(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    pub(super) fn is_made(&self) -> bool {
        self.made_by().is_some()
    }

    /// The major version that made the cluster, if there is one.
    pub(super) fn made_by(&self) -> Option<String> {
        let text = fs::read_to_string(self.cluster.join("PG_VERSION")).ok()?;
        Some(text.trim().to_owned())
    }

    /// An empty folder to make the cluster in, after those of interrupted attempts
    /// are removed.
    pub(super) fn draft(&self) -> Result<PathBuf, Error> {
        const PREFIX: &str = "postgres.new-";
        for entry in fs::read_dir(&self.root).map_err(failed("read", &self.root))?.flatten() {
            if entry.file_name().as_bytes().starts_with(PREFIX.as_bytes()) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let draft = self.root.join(format!("{PREFIX}{}", std::process::id()));
        self.user.create_dir(&draft).map_err(failed("make", &draft))?;
        Ok(draft)
    }

    /// Gives a whole cluster its name.
    pub(super) fn finish(&self, draft: &Path) -> Result<(), Error> {
        fs::rename(draft, &self.cluster).map_err(failed("rename", draft))
    }
}

/// Locks a data directory for this process, or names the process that holds it.
fn lock(root: &Path) -> Result<File, Error> {
    let path = root.join("lock");
    let options = || File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = options().map_err(failed("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(error)) => return Err(failed("lock", &path)(error)),
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let read = file.read_to_string(&mut text).is_ok();
            let pid = text.trim().parse::<u32>().ok().filter(|_| read);
            let holder = pid.map(|pid| format!(" (process {pid})")).unwrap_or_default();
            return Err(Error::InUse { data_dir: root.to_owned(), holder });
        }
    }
    let written = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    written.map_err(failed("write", &path))?;
    Ok(file)
}
