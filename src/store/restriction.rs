//! Restrictions in force.

use super::read::Place;
use super::{Error, Tx};
use crate::domain::ids::{AccountId, Actor, ChargebackId, RestrictionId};
use crate::domain::restriction::{Restriction, RestrictionKind};
use chrono::{DateTime, Utc};

/// A restriction to impose.
#[derive(Debug, Clone)]
pub struct NewRestriction {
    /// The restriction.
    pub restriction: Restriction,
    /// Who imposes it.
    pub imposed_by: Actor,
}

impl Tx {
    /// The account's restrictions in force, oldest first.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_restrictions(&mut self, account_id: &AccountId) -> Result<Vec<Restriction>, Error> {
        let rows = sqlx::query!(
            "SELECT restriction_id, kind, clause, chargeback_id, since FROM restriction
             WHERE account_id = $1 AND lifted_at IS NULL ORDER BY since, restriction_id LIMIT 1000",
            account_id.as_str(),
        )
        .fetch_all(self.connection())
        .await?;
        let place = Place { table: "restriction", key: account_id };
        rows.into_iter()
            .map(|row| {
                Ok(Restriction {
                    restriction_id: RestrictionId(row.restriction_id),
                    kind: place.word("kind", &row.kind, RestrictionKind::parse)?,
                    chargeback_id: row.chargeback_id.map(ChargebackId),
                    clause: row.clause,
                    since: row.since,
                })
            })
            .collect()
    }

    /// Imposes a restriction.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn insert_restriction(
        &mut self,
        account_id: &AccountId,
        new: &NewRestriction,
    ) -> Result<(), Error> {
        let restriction = &new.restriction;
        sqlx::query!(
            "INSERT INTO restriction (account_id, restriction_id, kind, clause, chargeback_id, imposed_by, since)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            account_id.as_str(),
            restriction.restriction_id.0,
            restriction.kind.name(),
            restriction.clause,
            restriction.chargeback_id.map(|id| id.0),
            new.imposed_by.as_str(),
            restriction.since,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Lifts what a dispute imposed, and nothing else.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn update_restrictions_lifted(
        &mut self,
        account_id: &AccountId,
        chargeback_id: ChargebackId,
        lifted_by: &Actor,
        at: DateTime<Utc>,
    ) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE restriction SET lifted_at = $3, lifted_by = $4
             WHERE account_id = $1 AND chargeback_id = $2 AND lifted_at IS NULL",
            account_id.as_str(),
            chargeback_id.0,
            at,
            lifted_by.as_str(),
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
