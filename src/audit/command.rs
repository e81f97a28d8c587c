//! The command: which database, and what a person or a program reads of it.

use super::{Check, Listener, Scope, Tally, Violation};
use crate::clock::Clock;
use crate::config::{self, AuditSettings};
use crate::postgres::{Cluster, Options, is_made};
use crate::store::Store;
use anyhow::{Context, bail};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};

/// The database inside a private cluster.
const DATABASE: &str = "makegood";

/// Rows between two signs of progress: often enough to see that it lives, seldom enough to cost nothing.
const PROGRESS_EVERY: u64 = 10_000;

/// Audits a database and says whether every promise is kept.
///
/// # Errors
/// A sentence for the person who started it, when the audit could not be made or finished.
pub async fn audit(settings: AuditSettings) -> anyhow::Result<bool> {
    let (cluster, url) = match settings.database.url() {
        Some(url) => (None, url.expose().to_owned()),
        None => {
            let cluster = start_private(&settings).await?;
            let url = cluster.url(DATABASE);
            (Some(cluster), url)
        }
    };
    let audited = audit_database(&url, &settings).await;
    if let Some(cluster) = cluster {
        cluster.stop().await?;
    }
    Ok(audited?.violations == 0)
}

async fn start_private(settings: &AuditSettings) -> anyhow::Result<Cluster> {
    let data_dir = settings.database.data_dir().map_err(anyhow::Error::msg)?;
    if !is_made(&data_dir) {
        bail!(
            "there is no private database in `{}`: name another folder with --data-dir, or a server of yours with \
             --database-url",
            data_dir.display()
        );
    }
    let options = Options {
        data_dir: Some(data_dir),
        durable: true,
        bin_dir: settings.database.pg_bin_dir().map(ToOwned::to_owned),
        search_path: config::search_path(),
    };
    Ok(Cluster::start(options).await?)
}

async fn audit_database(url: &str, settings: &AuditSettings) -> anyhow::Result<Tally> {
    let store = Store::connect_to_audit(url).await.context("the database does not answer")?;
    if !store.check_migrations().await? {
        bail!("the database is not at this version's schema: run `makegood migrate` first");
    }
    let scope = Scope { since: settings.since, now: Clock::system().now() };
    let mut printer = Printer::new(settings.json);
    let tally = super::run(&store, scope, &mut printer).await.context("the audit could not be finished")?;
    printer.summary(tally)?;
    store.close().await;
    Ok(tally)
}

/// Prints violations as they come, and on a terminal how far it is.
struct Printer {
    json: bool,
    shows_progress: bool,
    counts: BTreeMap<Check, u64>,
    failed: Option<std::io::Error>,
}

impl Printer {
    fn new(json: bool) -> Self {
        let shows_progress = std::io::stderr().is_terminal();
        Self { json, shows_progress, counts: BTreeMap::new(), failed: None }
    }

    /// Writes a line; what a closed pipe says is told at the end.
    fn line(&mut self, line: &str) {
        if let Err(error) = writeln!(std::io::stdout(), "{line}") {
            self.failed.get_or_insert(error);
        }
    }

    fn status(&self, text: &str) {
        if self.shows_progress {
            // Progress that cannot be shown is no failure of the audit.
            let _ = write!(std::io::stderr(), "\r\x1b[K{text}");
        }
    }

    fn summary(&mut self, tally: Tally) -> anyhow::Result<()> {
        self.status("");
        let Tally { rows, violations } = tally;
        if self.json {
            let checks: BTreeMap<&str, u64> =
                self.counts.iter().map(|(check, count)| (check.name(), *count)).collect();
            self.line(&json!({"rows": rows, "violations": violations, "checks": checks}).to_string());
        } else if violations == 0 {
            self.line(&format!("{rows} rows read: every promise is kept"));
        } else {
            let counts = self.counts.iter().map(|(check, count)| format!("{} {count}", check.name()));
            let counts = counts.collect::<Vec<_>>().join(", ");
            self.line(&format!("{rows} rows read: {violations} violations ({counts})"));
        }
        match self.failed.take() {
            Some(error) => Err(error).context("what was found could not be written"),
            None => Ok(()),
        }
    }
}

impl Listener for Printer {
    fn found(&mut self, violation: &Violation) {
        self.status("");
        let count = self.counts.entry(violation.check).or_default();
        *count = count.saturating_add(1);
        let line = if self.json { json!(violation).to_string() } else { violation.to_string() };
        self.line(&line);
    }

    fn progress(&mut self, part: &'static str, rows: u64) {
        if rows.checked_rem(PROGRESS_EVERY) == Some(0) {
            self.status(&format!("{part}: {rows} rows"));
        }
    }
}
