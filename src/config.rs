//! The settings: the only reader of the environment and of the command line.
//!
//! Every setting is a flag and an environment variable; the flag wins. An empty
//! environment variable counts as unset. What a setting cannot mean is refused
//! here, in a sentence, before anything is started.

mod access;
mod client;
mod database_url;
mod policy_command;
mod web;

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

pub use access::{AccessSettings, KeysAt, TlsPaths, TokenSettings};
pub use client::{DemoSettings, HealthSettings, ServiceSettings, TrySettings};
pub use database_url::DatabaseUrl;
pub use policy_command::{BacktestSettings, CheckSettings, PolicyCommand, ShowSettings};
pub use web::WebSettings;

/// The most database connections one process may keep: PostgreSQL itself allows
/// 100 unless told otherwise, and other processes want some of them.
const MAX_POOL: u16 = 200;

/// The longest a timeout setting may be: beyond an hour it protects from nothing.
const MAX_TIMEOUT: Duration = Duration::from_hours(1);

const EXAMPLES: &str = "\
Examples:
  makegood                                        a private database, served on loopback
  makegood --listen 127.0.0.1:6000 --log json     another port, logs for machines
  makegood migrate --database-url postgres://…    bring a real database up to date
  makegood audit --database-url postgres://…      prove that nothing was lost, changed or paid twice
  makegood policy show                            the refund policy as a table
  makegood policy check FILE                      prove that a policy document has no gap and breaks no guardrail
  makegood policy backtest new.toml               what another policy would have decided and cost
  makegood demo                                   play one day at the desk against a running service";

/// The refund desk for platforms that sell generation credits: keeps the credit
/// ledger and decides every refund by a published policy, over gRPC.
///
/// Without a command it serves. Without a database URL it finds the PostgreSQL
/// programs of this machine and keeps a private database of its own.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, after_long_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Settings,
}

/// What the process was asked to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API (the default)
    Serve(Box<Settings>),
    /// Bring the database's schema up to date, and end
    Migrate(MigrateSettings),
    /// Prove from the tables that nothing was lost, changed or paid twice; exit 1 and name what was
    Audit(AuditSettings),
    /// Read a policy document
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Play one day at the desk against a running service, and print every decision
    Demo(DemoSettings),
    /// Ask a running service whether it works; exit 1 if it does not say so
    Health(HealthSettings),
    /// Have a running service decide a refund request and record none; exit 1 if it does not
    Try(TrySettings),
}

/// Everything that `serve` can be told.
#[derive(Clone, Debug, Args)]
pub struct Settings {
    /// Where the records are kept.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// How the API is served.
    #[command(flatten)]
    pub server: ServerSettings,
    /// Whether browsers may call.
    #[command(flatten)]
    pub web: WebSettings,
    /// Who may call.
    #[command(flatten)]
    pub access: AccessSettings,
    /// What the process tells about itself.
    #[command(flatten)]
    pub telemetry: TelemetrySettings,
}

/// Everything that `migrate` can be told.
#[derive(Clone, Debug, Args)]
pub struct MigrateSettings {
    /// Which database is migrated.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// What the process tells about itself.
    #[command(flatten)]
    pub telemetry: TelemetrySettings,
}

/// Everything that `audit` can be told.
#[derive(Clone, Debug, Args)]
pub struct AuditSettings {
    /// Which database is audited; without a URL the private one of `--data-dir`, on which no service may run.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// Only accounts that changed since then, each from its first entry on (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub since: Option<DateTime<Utc>>,
    /// One JSON object a line, for programs
    #[arg(long)]
    pub json: bool,
}

/// Where the records are kept: a server of yours, or a private cluster.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseSettings {
    /// A PostgreSQL server of yours, 14 or newer; without it a private one is started
    #[arg(id = "database-url", long = "database-url", value_name = "URL")]
    #[arg(env = "DATABASE_URL", hide_env_values = true)]
    url: Option<DatabaseUrl>,
    /// Where the private database lives [default: a `makegood` folder among the user's data]
    #[arg(long, value_name = "DIR", env = "MAKEGOOD_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Where `initdb` and `postgres` are, if they are not found by themselves
    #[arg(long, value_name = "DIR", env = "MAKEGOOD_PG_BIN_DIR")]
    pg_bin_dir: Option<PathBuf>,
    /// Connections kept to the database at most
    #[arg(long, value_name = "N", env = "MAKEGOOD_MAX_CONNECTIONS", default_value_t = 16)]
    #[arg(value_parser = clap::value_parser!(u16).range(2..=i64::from(MAX_POOL)))]
    pub max_connections: u16,
}

impl DatabaseSettings {
    /// The server to use, or `None` for a private one.
    #[must_use]
    pub fn url(&self) -> Option<&DatabaseUrl> {
        self.url.as_ref().filter(|url| !url.is_empty())
    }

    /// Where the private database lives.
    ///
    /// # Errors
    /// A sentence when no folder was named and the user has no home.
    pub fn data_dir(&self) -> Result<PathBuf, String> {
        match set(self.data_dir.as_deref()) {
            Some(dir) => Ok(dir.to_owned()),
            None => default_data_dir(),
        }
    }

    /// Where the PostgreSQL programs were said to be.
    #[must_use]
    pub fn pg_bin_dir(&self) -> Option<&Path> {
        set(self.pg_bin_dir.as_deref())
    }

    fn check(&self) -> Result<(), String> {
        self.url().map_or(Ok(()), DatabaseUrl::check)
    }
}

/// How the API is served.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server")]
pub struct ServerSettings {
    /// The address and port to listen on
    #[arg(long, value_name = "ADDRESS", env = "MAKEGOOD_LISTEN", default_value = "127.0.0.1:50051")]
    pub listen: SocketAddr,
    /// How long one request may take
    #[arg(long, value_name = "TIME", env = "MAKEGOOD_REQUEST_TIMEOUT", default_value = "15s")]
    #[arg(value_parser = duration)]
    pub request_timeout: Duration,
    /// Connections served at once
    #[arg(long, value_name = "N", env = "MAKEGOOD_CONNECTION_LIMIT", default_value_t = 512)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub connection_limit: u16,
    /// Calls that one caller may make in a second; without it as many as it likes
    #[arg(long, value_name = "CALLS", env = "MAKEGOOD_RATE_LIMIT")]
    pub rate_limit: Option<NonZeroU32>,
    /// How long running requests may take to finish when the process is told to end
    #[arg(long, value_name = "TIME", env = "MAKEGOOD_DRAIN_TIMEOUT", default_value = "10s")]
    #[arg(value_parser = duration)]
    pub drain_timeout: Duration,
    /// How often holds and credits whose time is over are looked for
    #[arg(long, value_name = "TIME", env = "MAKEGOOD_SWEEP_INTERVAL", default_value = "10s")]
    #[arg(value_parser = duration)]
    pub sweep_interval: Duration,
    /// Where Prometheus reads /metrics over plain HTTP, such as 127.0.0.1:9464; without it nobody does
    #[arg(long, value_name = "ADDRESS", env = "MAKEGOOD_METRICS_LISTEN")]
    pub metrics_listen: Option<SocketAddr>,
    /// Where health is told in plain text, and nothing else, such as 0.0.0.0:50052; probes speak no TLS
    #[arg(long, value_name = "ADDRESS", env = "MAKEGOOD_HEALTH_LISTEN")]
    pub health_listen: Option<SocketAddr>,
    /// How often the database is asked for the figures that only it knows
    #[arg(long, value_name = "TIME", env = "MAKEGOOD_METRICS_INTERVAL", default_value = "15s")]
    #[arg(value_parser = duration)]
    pub metrics_interval: Duration,
}

/// What the process tells about itself.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Logs and traces")]
pub struct TelemetrySettings {
    /// How logs are written [default: human on a terminal, json elsewhere]
    #[arg(long, value_name = "FORMAT", env = "MAKEGOOD_LOG")]
    pub log: Option<LogFormat>,
    /// Which logs are written, as `level` or `target=level,…`
    #[arg(long, value_name = "FILTER", env = "MAKEGOOD_LOG_FILTER", default_value = "info")]
    pub log_filter: String,
    /// Where traces are sent by OTLP over gRPC; without it none are
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    otlp_endpoint: Option<String>,
    /// The share of new traces kept, 0 to 1; a caller's own choice is followed
    #[arg(long, value_name = "SHARE", env = "MAKEGOOD_TRACE_RATIO", default_value = "1")]
    #[arg(value_parser = ratio)]
    pub trace_ratio: f64,
}

impl TelemetrySettings {
    /// Where traces are sent, or `None` when they are not.
    #[must_use]
    pub fn otlp_endpoint(&self) -> Option<&str> {
        self.otlp_endpoint.as_deref().filter(|endpoint| !endpoint.is_empty())
    }

    fn check(&self) -> Result<(), String> {
        match self.otlp_endpoint() {
            Some(endpoint) if !endpoint.starts_with("http://") => {
                Err("the OTLP endpoint must begin with http://: run a collector beside the service where \
                     traces must be encrypted"
                    .to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Short lines with colours, for a person
    Human,
    /// One JSON object a line, for machines
    Json,
}

/// Reads the command line and the environment. Prints the help, the version or
/// what is wrong with a setting and ends the process where that is the answer.
#[must_use]
pub fn load() -> Command {
    read(std::env::args_os()).unwrap_or_else(|error| error.exit())
}

/// Reads the environment and a command line, whose first word is the program's name.
///
/// # Errors
/// What is wrong with a setting, or the help or version where they were asked for.
pub fn read(args: impl IntoIterator<Item = OsString>) -> Result<Command, clap::Error> {
    let matches = without_empty_variables(Cli::command()).try_get_matches_from(args)?;
    let cli = Cli::from_arg_matches(&matches)?;
    let command = cli.command.unwrap_or_else(|| Command::Serve(Box::new(cli.serve)));
    // Checked here and not by the parser where its message would repeat a secret.
    command.check().map_err(|sentence| Cli::command().error(ErrorKind::ValueValidation, sentence))?;
    Ok(command)
}

/// Forgets every environment variable that is set to nothing.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let forget = |arg: clap::Arg| {
        let is_empty = arg.get_env().is_some_and(|name| variable(name).is_some_and(|value| value.is_empty()));
        if is_empty { arg.env(None) } else { arg }
    };
    command.mut_args(forget).mut_subcommands(without_empty_variables)
}

impl Command {
    fn check(&self) -> Result<(), String> {
        match self {
            Self::Serve(settings) => {
                settings.database.check()?;
                settings.access.check()?;
                settings.web.check()?;
                settings.telemetry.check()
            }
            Self::Migrate(settings) => settings.database.check().and_then(|()| settings.telemetry.check()),
            Self::Audit(settings) => settings.database.check(),
            Self::Policy(command) => command.check(),
            Self::Demo(settings) => client::check_endpoint(&settings.endpoint),
            Self::Health(settings) => settings.service.check(),
            Self::Try(settings) => settings.service.check(),
        }
    }
}

/// The `PATH` of the environment: where programs are looked for.
#[must_use]
pub fn search_path() -> Option<OsString> {
    variable("PATH".as_ref())
}

/// Where the PostgreSQL programs were said to be, for tests, which have no
/// command line of their own.
#[must_use]
pub fn pg_bin_dir() -> Option<PathBuf> {
    variable("MAKEGOOD_PG_BIN_DIR".as_ref()).filter(|dir| !dir.is_empty()).map(PathBuf::from)
}

/// The user's data folder by the XDG base directories; root keeps its data where
/// an unprivileged database user can reach it.
fn default_data_dir() -> Result<PathBuf, String> {
    if nix::unistd::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/makegood"));
    }
    let absolute = |name: &str| variable(name.as_ref()).map(PathBuf::from).filter(|dir| dir.is_absolute());
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .map(|base| base.join("makegood"))
        .ok_or_else(|| {
            "the user has no home directory: name one with --data-dir, or use a server of yours with \
             --database-url"
                .to_owned()
        })
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn variable(name: &OsStr) -> Option<OsString> {
    std::env::var_os(name)
}

fn set(dir: Option<&Path>) -> Option<&Path> {
    dir.filter(|dir| !dir.as_os_str().is_empty())
}

/// `250ms`, `15s` or `2m`: more than nothing, at most [`MAX_TIMEOUT`].
fn duration(text: &str) -> Result<Duration, String> {
    const FORM: &str = "write a time as `250ms`, `15s` or `2m`";
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).ok_or(FORM)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| FORM)?;
    let millis_per_unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return Err(FORM.to_owned()),
    };
    let time = number.checked_mul(millis_per_unit).map(Duration::from_millis).ok_or("too long")?;
    if time.is_zero() || time > MAX_TIMEOUT {
        return Err("must be more than nothing and at most 60m".to_owned());
    }
    Ok(time)
}

fn ratio(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "write a share from 0 to 1".to_owned())
}

#[cfg(test)]
mod tests;
