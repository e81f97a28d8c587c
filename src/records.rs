//! The records that a command of a person reads: of a database of theirs, or of the private one.

use crate::config::{self, DatabaseSettings};
use crate::postgres::{Cluster, Options, is_made};
use crate::store::{Schema, Store};
use anyhow::{Context, bail};

/// The database inside a private cluster.
const DATABASE: &str = "makegood";

/// Records, opened with the auditor's rights: nothing that a customer wrote, and nothing is changed.
pub(crate) struct Records {
    pub(crate) store: Store,
    /// The private server, started for the reading.
    cluster: Option<Cluster>,
}

impl Records {
    /// Opens the database of these settings.
    ///
    /// # Errors
    /// A sentence for the person who started it.
    pub(crate) async fn open(database: &DatabaseSettings) -> anyhow::Result<Self> {
        let (cluster, url) = match database.url() {
            Some(url) => (None, url.expose().to_owned()),
            None => {
                let cluster = start_private(database).await?;
                let url = cluster.url(DATABASE);
                (Some(cluster), url)
            }
        };
        match connect(&url).await {
            Ok(store) => Ok(Self { store, cluster }),
            Err(error) => {
                stop(cluster).await?;
                Err(error)
            }
        }
    }

    /// Ends what was opened.
    ///
    /// # Errors
    /// The private server did not stop.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        self.store.close().await;
        stop(self.cluster).await
    }
}

async fn stop(cluster: Option<Cluster>) -> anyhow::Result<()> {
    match cluster {
        Some(cluster) => Ok(cluster.stop().await?),
        None => Ok(()),
    }
}

async fn connect(url: &str) -> anyhow::Result<Store> {
    let store = Store::connect_to_audit(url).await.context("the database does not answer")?;
    match store.schema().await? {
        Schema::Same => Ok(store),
        Schema::Missing => {
            bail!("the database is not at this version's schema: run `makegood migrate` first")
        }
        // What was added since, this version cannot judge.
        Schema::Newer => bail!("a later version has migrated the database: read it with that one"),
    }
}

async fn start_private(database: &DatabaseSettings) -> anyhow::Result<Cluster> {
    let data_dir = database.data_dir().map_err(anyhow::Error::msg)?;
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
        bin_dir: database.pg_bin_dir().map(ToOwned::to_owned),
        search_path: config::search_path(),
    };
    Ok(Cluster::start(options).await?)
}
