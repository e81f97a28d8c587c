//! The settings of the commands that talk to a running service.

use clap::Args;
use std::path::{Path, PathBuf};

/// Everything that `demo` can be told.
#[derive(Clone, Debug, Args)]
pub struct DemoSettings {
    /// The service to talk to
    #[arg(long, value_name = "URL", env = "MAKEGOOD_ENDPOINT", default_value = "http://127.0.0.1:50051")]
    pub endpoint: String,
    /// Print without colours
    #[arg(long, env = "NO_COLOR", value_parser = is_set, action = clap::ArgAction::SetTrue)]
    pub no_color: bool,
}

/// Which service is asked, and who vouches for it.
#[derive(Clone, Debug, Args)]
pub struct ServiceSettings {
    /// The service to ask
    #[arg(long, value_name = "URL", env = "MAKEGOOD_ENDPOINT", default_value = "http://127.0.0.1:50051")]
    pub endpoint: String,
    /// The authorities that vouch for an https:// service, in PEM
    #[arg(long, value_name = "FILE", env = "MAKEGOOD_ENDPOINT_CA")]
    ca: Option<PathBuf>,
}

/// Everything that `health` can be told.
#[derive(Clone, Debug, Args)]
pub struct HealthSettings {
    /// Who is asked.
    #[command(flatten)]
    pub service: ServiceSettings,
}

/// Everything that `try` can be told.
#[derive(Clone, Debug, Args)]
pub struct TrySettings {
    /// Who is asked.
    #[command(flatten)]
    pub service: ServiceSettings,
    /// A file with the token to call with; without it none is sent
    #[arg(long, value_name = "FILE", env = "MAKEGOOD_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// The account that is decided for; where it does not exist it is made, with one purchase of no value
    #[arg(long, value_name = "ID", env = "MAKEGOOD_TRY_ACCOUNT", default_value = "makegood-try")]
    pub account: String,
}

impl TrySettings {
    /// Where the token is, if one is sent.
    #[must_use]
    pub fn token_file(&self) -> Option<&Path> {
        super::set(self.token_file.as_deref())
    }
}

impl ServiceSettings {
    /// Who vouches for the service.
    #[must_use]
    pub fn ca(&self) -> Option<&Path> {
        super::set(self.ca.as_deref())
    }

    pub(super) fn check(&self) -> Result<(), String> {
        check_endpoint(&self.endpoint)?;
        if self.endpoint.starts_with("https:") != self.ca().is_some() {
            return Err("--ca and an endpoint that begins with https:// go together".to_owned());
        }
        Ok(())
    }
}

pub(super) fn check_endpoint(url: &str) -> Result<(), String> {
    let begins = |scheme| url.strip_prefix(scheme).is_some_and(|rest: &str| !rest.is_empty());
    if begins("http://") || begins("https://") {
        return Ok(());
    }
    Err("the endpoint must begin with http:// or https://".to_owned())
}

/// Reads a flag whose environment variable means yes whatever it holds, as `NO_COLOR` does.
#[expect(clippy::unnecessary_wraps, reason = "the form of a parser of settings")]
pub(super) fn is_set(text: &str) -> Result<bool, String> {
    Ok(text != "false")
}
