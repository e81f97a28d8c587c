//! `makegood policy`: reads a policy document and prints what a person wants to know of it.

mod backtest;
mod check;

use crate::config::{PolicyCommand, ShowSettings};
use crate::policy::{Document, SHIPPED, schema, show};
use crate::store::{Error, Limits, Store, Tx, Work};
use anyhow::{Context, bail};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Does what was asked, and says how the process should end.
///
/// # Errors
/// A sentence for the person who asked.
pub async fn run(command: PolicyCommand) -> anyhow::Result<ExitCode> {
    match command {
        PolicyCommand::Show(settings) => show(&settings).await?,
        PolicyCommand::Schema => print(&schema::text())?,
        PolicyCommand::Backtest(settings) => backtest::run(settings).await?,
        PolicyCommand::Check(settings) => return check::run(&settings),
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(settings: &ShowSettings) -> anyhow::Result<()> {
    let (name, text) = read(settings).await?;
    let document = Document::parse(&text).with_context(|| format!("`{name}` is no policy"))?;
    let shown = if settings.markdown { show::markdown(&document) } else { show::terminal(&document) };
    print(&shown)
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("the answer could not be printed")
}

/// The name and the text of the document that was meant: a file wins over a version of the same name.
async fn read(settings: &ShowSettings) -> anyhow::Result<(String, String)> {
    let shipped = Document::parse(SHIPPED).context("the shipped policy cannot be read")?.version().to_owned();
    let Some(name) = &settings.policy else { return Ok((shipped, SHIPPED.to_owned())) };
    if Path::new(name).is_file() {
        let text = std::fs::read_to_string(name).with_context(|| format!("`{name}` cannot be read"))?;
        return Ok((name.clone(), text));
    }
    if let Some(url) = settings.url() {
        let store =
            Store::connect(url.expose(), Limits::default()).await.context("the database does not answer")?;
        let found = store.transact(Find { version: name.clone() }).await;
        store.close().await;
        if let Some(text) = found.context("the version could not be looked for")? {
            return Ok((name.clone(), text));
        }
    }
    if *name == shipped {
        return Ok((shipped, SHIPPED.to_owned()));
    }
    bail!(
        "there is no file `{name}`, and no version of this name that is known: `{shipped}` ships with the program, \
         published ones are looked for with --database-url"
    )
}

/// Looks a published version up.
struct Find {
    version: String,
}

impl Work for Find {
    type Output = Option<String>;
    type Error = Error;

    async fn run(&self, tx: &mut Tx) -> Result<Option<String>, Error> {
        Ok(tx.find_policy_version(&self.version).await?.map(|row| row.document))
    }
}
