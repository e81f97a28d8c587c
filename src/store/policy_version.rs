//! Policy versions: immutable documents (§8).

use super::{Error, Tx};
use chrono::{DateTime, Utc};

/// A stored version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersionRow {
    /// Its name.
    pub version: String,
    /// From when it is in force.
    pub effective_from: DateTime<Utc>,
    /// The document as published.
    pub document: String,
    /// The document's digest, hex.
    pub document_sha256: String,
}

impl Tx {
    /// A version by its name.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_policy_version(&mut self, version: &str) -> Result<Option<PolicyVersionRow>, Error> {
        let row = sqlx::query_as!(
            PolicyVersionRow,
            "SELECT version, effective_from, document, document_sha256 FROM policy_version WHERE version = $1",
            version,
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row)
    }

    /// Stores a version unless its name is taken.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn insert_policy_version(
        &mut self,
        row: &PolicyVersionRow,
        at: DateTime<Utc>,
    ) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO policy_version (version, effective_from, document, document_sha256, published_at)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            row.version,
            row.effective_from,
            row.document,
            row.document_sha256,
            at,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
