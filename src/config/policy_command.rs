//! The settings of `makegood policy`: what is done with a policy document at the terminal.

use super::{DatabaseSettings, DatabaseUrl};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What is done with a policy document.
#[derive(Clone, Debug, Subcommand)]
pub enum PolicyCommand {
    /// Print a document as the table that a person reads
    Show(ShowSettings),
    /// Print the JSON Schema of the document format, for editors
    Schema,
    /// Say what a document would have made of past decisions: what flips, and what it would have cost
    Backtest(BacktestSettings),
    /// Prove what can be proved of a document; exit 1 when it is broken, 2 when it cannot be read
    Check(CheckSettings),
}

/// Everything that `policy show` can be told.
#[derive(Clone, Debug, Args)]
pub struct ShowSettings {
    /// A file, or a published version; without it the policy that ships
    #[arg(value_name = "FILE|VERSION")]
    pub policy: Option<String>,
    /// As Markdown, for a help page
    #[arg(long)]
    pub markdown: bool,
    /// Where published versions are looked for
    #[arg(id = "database-url", long = "database-url", value_name = "URL")]
    #[arg(env = "DATABASE_URL", hide_env_values = true)]
    url: Option<DatabaseUrl>,
}

/// Everything that `policy check` can be told.
#[derive(Clone, Debug, Args)]
pub struct CheckSettings {
    /// The document
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// One JSON object, for programs
    #[arg(long)]
    pub json: bool,
}

impl ShowSettings {
    /// The server to look in, if one was named.
    #[must_use]
    pub fn url(&self) -> Option<&DatabaseUrl> {
        self.url.as_ref().filter(|url| !url.is_empty())
    }
}

/// Everything that `policy backtest` can be told.
#[derive(Clone, Debug, Args)]
pub struct BacktestSettings {
    /// A file, or a published version
    #[arg(value_name = "FILE|VERSION")]
    pub policy: String,
    /// Only decisions made then or later (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub from: Option<DateTime<Utc>>,
    /// Only decisions made before then (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub to: Option<DateTime<Utc>>,
    /// Only decisions made under this version
    #[arg(long, value_name = "VERSION")]
    pub decided_under: Option<String>,
    /// Where the decisions are; without a URL in the private database of `--data-dir`, on which no service may run.
    #[command(flatten)]
    pub database: DatabaseSettings,
}

impl PolicyCommand {
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Schema | Self::Check(_) => Ok(()),
            Self::Backtest(settings) => settings.database.check(),
            Self::Show(settings) => settings.url().map_or(Ok(()), DatabaseUrl::check),
        }
    }
}
