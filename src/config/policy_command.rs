//! The settings of `makegood policy`: what is done with a policy document at the terminal.

use super::DatabaseUrl;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What is done with a policy document.
#[derive(Clone, Debug, Subcommand)]
pub enum PolicyCommand {
    /// Print a document as the table that a person reads
    Show(ShowSettings),
    /// Print the JSON Schema of the document format, for editors
    Schema,
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

impl PolicyCommand {
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Schema | Self::Check(_) => Ok(()),
            Self::Show(settings) => settings.url().map_or(Ok(()), DatabaseUrl::check),
        }
    }
}
