//! The policy documents that decisions are made by.

use super::{Error, Reason, Refusal};
use crate::clock::Clock;
use crate::policy::{Document, DocumentError};
use crate::store::{self, PolicyVersionRow, Store, Tx, Work};
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// Every published version that this server knows, in order of their beginning.
#[derive(Debug, Clone)]
pub struct Policies {
    first: Arc<Document>,
    text: Arc<str>,
}

impl Policies {
    /// Decides by one document, written as this text.
    ///
    /// # Errors
    /// [`DocumentError`] naming the row and field that does not hold together.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        Ok(Self { first: Arc::new(Document::parse(text)?), text: Arc::from(text) })
    }

    /// The version that is decided by.
    #[must_use]
    pub fn version(&self) -> &str {
        self.first.version()
    }

    /// The document in force at an instant. There is one so far, and it holds for all time.
    pub(super) fn in_force(&self, _at: DateTime<Utc>) -> &Document {
        &self.first
    }

    /// Makes sure that the database holds this document under its version.
    ///
    /// # Errors
    /// [`Error::Refused`] when the version is stored with another text: published versions never change (§8).
    pub async fn publish(&self, store: &Store, clock: Clock) -> Result<(), Error> {
        let document = &self.first;
        let row = PolicyVersionRow {
            version: document.version().to_owned(),
            effective_from: document.effective_from(),
            document: self.text.as_ref().to_owned(),
            document_sha256: document.sha256().to_owned(),
        };
        store.transact(Publish { row, clock }).await
    }
}

struct Publish {
    row: PolicyVersionRow,
    clock: Clock,
}

impl Work for Publish {
    type Output = ();
    type Error = Error;

    async fn run(&self, tx: &mut Tx) -> Result<(), Error> {
        tx.insert_policy_version(&self.row, self.clock.now()).await?;
        let stored = tx.find_policy_version(&self.row.version).await?;
        match stored {
            Some(stored) if stored.document_sha256 == self.row.document_sha256 => Ok(()),
            Some(stored) => Err(Refusal::new(
                Reason::InvalidField,
                format!("policy version `{}` is published with another text", stored.version),
            )
            .into()),
            None => Err(store::Error::TaskLost.into()),
        }
    }
}
