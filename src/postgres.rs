//! The embedded default: a private PostgreSQL cluster out of the machine's own
//! programs, for `cargo run` without a database and for every test.
//!
//! It listens on nothing but a Unix socket in a folder that only its user may
//! enter, which is why it needs no password. As root it runs as an unprivileged
//! user, since PostgreSQL refuses to run as root. It ends with this process,
//! however this process ends, `kill -9` included.

mod binaries;
mod databases;
mod leftover;
mod place;
mod supervisor;
mod unprivileged;

use std::ffi::OsString;
use std::fmt::Write;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use binaries::OLDEST_MAJOR;

use binaries::Binaries;
use place::{Place, RunDir};
use supervisor::Supervisor;

/// The name of the cluster's superuser, whoever runs it.
const SUPERUSER: &str = "postgres";

/// How long `initdb` may take: seconds on a laptop, a minute on a starved machine.
const INIT_LIMIT: Duration = Duration::from_mins(3);

/// How long the server may take to accept connections: recovery after a crash is
/// the slow case, and a development database has little to recover.
const READY_LIMIT: Duration = Duration::from_mins(2);

/// How a cluster is made and kept.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where its data stays; `None` for a throw-away cluster, removed at its end.
    pub data_dir: Option<PathBuf>,
    /// Whether a commit survives a power cut. A throw-away cluster needs no more
    /// than surviving the death of its processes, and is faster.
    pub durable: bool,
    /// The folder of `initdb` and `postgres`, if it was named; no other is tried then.
    pub bin_dir: Option<PathBuf>,
    /// The search path of programs, as in `PATH`.
    pub search_path: Option<OsString>,
}

/// Why there is no private cluster: each is a sentence for the person who must act.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No PostgreSQL on this machine, or only one that is too old.
    #[error(
        "no PostgreSQL {OLDEST_MAJOR} or newer was found on this machine; install its server (Debian, Ubuntu: \
         apt install postgresql; Fedora, RHEL: dnf install postgresql-server; Arch: pacman -S postgresql; \
         Alpine: apk add postgresql; macOS: brew install postgresql), or name the folder of `initdb` and \
         `postgres` with MAKEGOOD_PG_BIN_DIR, or use a server of yours with \
         DATABASE_URL=postgres://user:password@host/name{seen}"
    )]
    NoServer {
        /// What was found and could not be used, as a clause, or nothing.
        seen: String,
    },
    /// The named folder does not hold what is needed.
    #[error("`{}` does not hold an `initdb` and a `postgres` of one version, {OLDEST_MAJOR} or newer", .0.display())]
    BadBinDir(PathBuf),
    /// The data were made by a version that is not here.
    #[error(
        "the private database in `{}` was made by PostgreSQL {made_by}, and this machine has {here}: install \
         PostgreSQL {made_by}, or choose another folder with --data-dir", data_dir.display()
    )]
    OtherVersion {
        /// Where the data are.
        data_dir: PathBuf,
        /// The major version that made them.
        made_by: String,
        /// The major versions found.
        here: String,
    },
    /// Another process holds the data directory.
    #[error(
        "another makegood{holder} is using the private database in `{}`: stop it, choose another folder with \
         --data-dir, or use a server of yours with --database-url", data_dir.display()
    )]
    InUse {
        /// The directory both want.
        data_dir: PathBuf,
        /// ` (process 123)`, where it is known.
        holder: String,
    },
    /// As root, and no unprivileged user to run the server as.
    #[error(
        "PostgreSQL does not run as root, and this machine has no user `postgres` or `nobody` to run it as"
    )]
    NoUnprivilegedUser,
    /// A folder could not be made or used.
    #[error("cannot {what} `{}`: {source}", path.display())]
    Place {
        /// What was tried, as a verb.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The socket's path would not fit.
    #[error("the path of the database's socket would be too long under `{}`", .0.display())]
    LongPath(PathBuf),
    /// A program of PostgreSQL failed.
    #[error("{program} failed{}", said(output))]
    Program {
        /// Which.
        program: &'static str,
        /// The end of what it wrote.
        output: String,
    },
    /// A program of PostgreSQL took too long.
    #[error("{program} was not done after {} s{}", limit.as_secs(), said(output))]
    Slow {
        /// Which.
        program: &'static str,
        /// The time it had.
        limit: Duration,
        /// The end of what it wrote.
        output: String,
    },
    /// A leftover server of an earlier run does not end.
    #[error("the PostgreSQL server (process {pid}) of an earlier run does not end: stop it and try again")]
    Leftover {
        /// Its process id.
        pid: i32,
    },
    /// A database's name is not one that can be written without quoting.
    #[error("a database's name is 1 to 63 of a-z, 0-9 and `_`, and begins with a letter")]
    BadDatabaseName,
    /// The server refused to make or remove a database.
    #[error("cannot {what} the database `{name}`")]
    Database {
        /// What was tried, as a verb.
        what: &'static str,
        /// Which database.
        name: String,
        /// The server's answer, for the log and not for the sentence.
        source: sqlx::Error,
    },
}

fn said(output: &str) -> String {
    if output.is_empty() { String::new() } else { format!("; it said:\n{output}") }
}

/// Whether a data directory holds a private cluster.
#[must_use]
pub fn is_made(data_dir: &Path) -> bool {
    place::made_in(data_dir)
}

/// A running private cluster.
///
/// [`Cluster::stop`] ends it cleanly and says so; dropping it, or the death of
/// this process by any signal, ends it as cleanly in the background.
#[derive(Debug)]
pub struct Cluster {
    supervisor: Supervisor,
    run: RunDir,
    place: Place,
    binaries: Binaries,
    created: bool,
}

impl Cluster {
    /// Starts a cluster, making it first where there is none, and comes back when
    /// it accepts connections. What an earlier run left behind is ended and swept.
    ///
    /// # Errors
    /// Every [`Error`] is a sentence that says what to do.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let found = binaries::find(options.bin_dir.as_deref(), options.search_path.as_deref()).await?;
        let user = place::user(options.data_dir.as_deref())?;
        place::sweep(user).await;
        let mut run = RunDir::create(user)?;
        let place = Place::open(options.data_dir.as_deref(), &run, user)?;
        leftover::stop(place.cluster_dir()).await?;
        let binaries = binaries::matching(found, &place)?;
        let created = !place.is_made();
        if created {
            init(&binaries, &place, options.durable).await?;
        }
        let settings = settings(&run, options.durable);
        let supervisor = Supervisor::start(&binaries, &place, &mut run, &settings).await?;
        Ok(Self { supervisor, run, place, binaries, created })
    }

    /// The URL of one database of this cluster. It holds no secret.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}@{}/{database}", percent_encoded(self.run.path()))
    }

    /// The folder of the socket, as `psql --host` takes it.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        self.run.path()
    }

    /// Where the data are.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        self.place.root()
    }

    /// Where its programs are: the server's, and where they are installed `psql`, `pg_dump` and `pg_basebackup`.
    #[must_use]
    pub fn bin_dir(&self) -> &Path {
        self.binaries.dir()
    }

    /// The server's log of this run; each line names its database.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.place.log()
    }

    /// The server's version, as `15.4`.
    #[must_use]
    pub fn version(&self) -> &str {
        self.binaries.version()
    }

    /// Whether this start made the cluster.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.created
    }

    /// Ends the server: running transactions are rolled back, what was
    /// acknowledged is on disk. A throw-away cluster is removed.
    ///
    /// # Errors
    /// [`Error::Slow`] when it does not end in bounded time, even when asked harshly.
    pub async fn stop(self) -> Result<(), Error> {
        self.supervisor.stop().await
    }
}

/// Makes the cluster under another name and renames it when it is whole, so that
/// a kill in the middle leaves nothing that looks like a cluster.
async fn init(binaries: &Binaries, place: &Place, durable: bool) -> Result<(), Error> {
    let draft = place.draft()?;
    let mut command = place.user().command(&binaries.initdb());
    command.arg("--pgdata").arg(&draft).arg("--username").arg(SUPERUSER);
    command.args(["--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--locale=C"]);
    command.args(["--data-checksums", "--no-instructions"]);
    if !durable {
        command.arg("--no-sync");
    }
    let mut command = tokio::process::Command::from(command);
    command.kill_on_drop(true);
    let ended = tokio::time::timeout(INIT_LIMIT, command.output()).await;
    let slow = |_| Error::Slow { program: "initdb", limit: INIT_LIMIT, output: String::new() };
    let output = ended.map_err(slow)?.map_err(place::failed("run", &binaries.initdb()))?;
    if !output.status.success() {
        let said = tail(&[output.stdout, output.stderr].concat());
        return Err(Error::Program { program: "initdb", output: said });
    }
    place.finish(&draft)
}

/// What the server is told on its command line, where it wins over its files.
fn settings(run: &RunDir, durable: bool) -> Vec<OsString> {
    let mut socket = OsString::from("unix_socket_directories=");
    // The list is read as quoted names, so that no folder's name can be two.
    socket.push(format!("\"{}\"", run.path().display()));
    let mut settings: Vec<OsString> = vec![socket];
    settings.extend(["listen_addresses=", "port=5432", "unix_socket_permissions=0700"].map(OsString::from));
    settings.extend(["max_connections=300", "log_timezone=UTC", "timezone=UTC"].map(OsString::from));
    settings.push(OsString::from("log_line_prefix=%m [%p] %d "));
    if !durable {
        settings.extend(["fsync=off", "full_page_writes=off", "autovacuum=off"].map(OsString::from));
    }
    settings
}

/// A path as the host part of a URL.
fn percent_encoded(path: &Path) -> String {
    path.as_os_str().as_bytes().iter().fold(String::new(), |mut out, &byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// The last lines of what a program wrote: enough to see why it failed.
fn tail(bytes: &[u8]) -> String {
    const LINES: usize = 8;
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n")
}
