//! Policy versions: immutable documents (§8), and the horizon up to which all servers know them.

use super::{Error, Tx};
use crate::domain::redacted::FreeText;
use chrono::{DateTime, Utc};

/// A stored version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersionRow {
    /// Its name.
    pub version: String,
    /// Its title.
    pub title: String,
    /// From when it is in force.
    pub effective_from: DateTime<Utc>,
    /// The document as published; empty in lists.
    pub document: String,
    /// The document's digest, hex.
    pub document_sha256: String,
    /// When it was published.
    pub published_at: DateTime<Utc>,
    /// Who published it.
    pub published_by: String,
    /// Who approved it.
    pub approver: String,
    /// Why it was published.
    pub reason: FreeText,
}

/// A version, and when the next one begins, as far as that is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyReign {
    /// The version.
    pub row: PolicyVersionRow,
    /// When the next one takes over.
    pub effective_until: Option<DateTime<Utc>>,
}

/// Versions by one condition: the same columns each time.
macro_rules! select_versions {
    ($rest:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            PolicyVersionRow,
            "SELECT version, title, effective_from, document, document_sha256, published_at, published_by, approver,
                reason
             FROM policy_version " + $rest
            $(, $argument)*
        )
    };
}

impl Tx {
    /// A version by its name.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_policy_version(&mut self, version: &str) -> Result<Option<PolicyVersionRow>, Error> {
        Ok(select_versions!("WHERE version = $1", version).fetch_optional(self.connection()).await?)
    }

    /// The version that began last at an instant, if one had begun.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_policy_version_at(
        &mut self,
        at: DateTime<Utc>,
    ) -> Result<Option<PolicyVersionRow>, Error> {
        let version = select_versions!("WHERE effective_from <= $1 ORDER BY effective_from DESC LIMIT 1", at);
        Ok(version.fetch_optional(self.connection()).await?)
    }

    /// Versions other than those named, first to last. Their number is bounded where they are published.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_policy_versions_besides(
        &mut self,
        known: &[String],
    ) -> Result<Vec<PolicyVersionRow>, Error> {
        let versions = select_versions!("WHERE version <> ALL($1) ORDER BY effective_from", known);
        Ok(versions.fetch_all(self.connection()).await?)
    }

    /// When the next version after an instant begins, as far as that is published.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_next_policy_start(
        &mut self,
        after: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, Error> {
        let next = sqlx::query_scalar!(
            "SELECT min(effective_from) FROM policy_version WHERE effective_from > $1",
            after
        )
        .fetch_one(self.connection())
        .await?;
        Ok(next)
    }

    /// Versions that begin before an instant, the latest first, without their documents.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_policy_versions(
        &mut self,
        before: Option<DateTime<Utc>>,
        limit: i64,
    ) -> Result<Vec<PolicyReign>, Error> {
        let rows = sqlx::query!(
            "SELECT version, title, effective_from, document_sha256, published_at, published_by, approver, reason,
                (SELECT min(next.effective_from) FROM policy_version next
                 WHERE next.effective_from > v.effective_from) AS effective_until
             FROM policy_version v WHERE $1::timestamptz IS NULL OR effective_from < $1
             ORDER BY effective_from DESC LIMIT $2",
            before,
            limit,
        )
        .fetch_all(self.connection())
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| PolicyReign {
                row: PolicyVersionRow {
                    version: row.version,
                    title: row.title,
                    effective_from: row.effective_from,
                    document: String::new(),
                    document_sha256: row.document_sha256,
                    published_at: row.published_at,
                    published_by: row.published_by,
                    approver: row.approver,
                    reason: row.reason.into(),
                },
                effective_until: row.effective_until,
            })
            .collect())
    }

    /// How many versions there are.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn count_policy_versions(&mut self) -> Result<i64, Error> {
        let count = sqlx::query_scalar!("SELECT count(*) AS \"count!\" FROM policy_version");
        Ok(count.fetch_one(self.connection()).await?)
    }

    /// Stores a version. The horizon is locked by then.
    ///
    /// # Errors
    /// [`Error::Refused`] when its name or its beginning is taken; a failure of the database.
    pub async fn insert_policy_version(&mut self, row: &PolicyVersionRow) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO policy_version (version, title, effective_from, document, document_sha256, published_at,
                published_by, approver, reason)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            row.version,
            row.title,
            row.effective_from,
            row.document,
            row.document_sha256,
            row.published_at,
            row.published_by,
            row.approver,
            row.reason.expose(),
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// The horizon: no server decides for an instant behind it without asking again. Nobody moves it until this
    /// transaction ends.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn lock_policy_horizon(&mut self) -> Result<DateTime<Utc>, Error> {
        let until = sqlx::query_scalar!("SELECT until FROM policy_horizon FOR NO KEY UPDATE");
        Ok(until.fetch_one(self.connection()).await?)
    }

    /// Where the horizon is now.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn load_policy_horizon(&mut self) -> Result<DateTime<Utc>, Error> {
        let until = sqlx::query_scalar!("SELECT until FROM policy_horizon");
        Ok(until.fetch_one(self.connection()).await?)
    }

    /// Moves the horizon on, never back, and locks it; answers where it is now.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn advance_policy_horizon(&mut self, until: DateTime<Utc>) -> Result<DateTime<Utc>, Error> {
        let until = sqlx::query_scalar!(
            "UPDATE policy_horizon SET until = greatest(until, $1) RETURNING until AS \"until!\"",
            until,
        );
        Ok(until.fetch_one(self.connection()).await?)
    }
}
