//! Restrictions, those in force and those lifted.

use super::read::Place;
use super::{Error, Tx};
use crate::domain::ids::{AccountId, Actor, ChargebackId, RestrictionId};
use crate::domain::restriction::{Lifting, Restriction, RestrictionCause, RestrictionKind};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A restriction to impose.
#[derive(Debug, Clone)]
pub struct NewRestriction {
    /// The restriction.
    pub restriction: Restriction,
    /// Who imposes it, or told of the dispute that does.
    pub imposed_by: Actor,
    /// The number of the determination that imposes it, among those of its dispute.
    pub determination: Option<i32>,
}

struct Row {
    restriction_id: Uuid,
    kind: String,
    cause: String,
    chargeback_id: Option<Uuid>,
    clause: String,
    imposed_by: String,
    since: DateTime<Utc>,
    lifted_at: Option<DateTime<Utc>>,
    lifted_by: Option<String>,
    reason_note: Option<i32>,
    lift_note: Option<i32>,
}

impl Row {
    /// A person gives a reason; what has none happened by itself, whoever told of the dispute behind it.
    fn restriction(self) -> Result<Restriction, Error> {
        let place = Place { table: "restriction", key: &self.restriction_id };
        let actor = |column, who: String, note: Option<i32>| match note {
            Some(_) => place.id(column, who),
            None => Ok(Actor::system()),
        };
        let lifting = match self.lifted_at.zip(self.lifted_by) {
            Some((at, by)) => {
                Some(Lifting { at, by: actor("lifted_by", by, self.lift_note)?, reason_note: self.lift_note })
            }
            None => None,
        };
        Ok(Restriction {
            restriction_id: RestrictionId(self.restriction_id),
            kind: place.word("kind", &self.kind, RestrictionKind::parse)?,
            cause: place.word("cause", &self.cause, RestrictionCause::parse)?,
            chargeback_id: self.chargeback_id.map(ChargebackId),
            clause: self.clause,
            imposed_by: actor("imposed_by", self.imposed_by, self.reason_note)?,
            since: self.since,
            reason_note: self.reason_note,
            lifting,
        })
    }
}

/// Restrictions by one condition: the same columns each time.
macro_rules! select_restrictions {
    ($condition:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Row,
            "SELECT restriction_id, kind, cause, chargeback_id, clause, imposed_by, since, lifted_at, lifted_by,
                reason_note, lift_note
             FROM restriction WHERE " + $condition,
            $($argument),+
        )
    };
}

impl Tx {
    /// The account's restrictions in force, oldest first.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_restrictions(&mut self, account_id: &AccountId) -> Result<Vec<Restriction>, Error> {
        let rows = select_restrictions!(
            "account_id = $1 AND lifted_at IS NULL ORDER BY since, restriction_id LIMIT 1000",
            account_id.as_str()
        );
        rows.fetch_all(self.connection()).await?.into_iter().map(Row::restriction).collect()
    }

    /// The account's restrictions that were lifted, the last one first.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_lifted_restrictions(
        &mut self,
        account_id: &AccountId,
        limit: i64,
    ) -> Result<Vec<Restriction>, Error> {
        let rows = select_restrictions!(
            "account_id = $1 AND lifted_at IS NOT NULL ORDER BY lifted_at DESC, restriction_id DESC LIMIT $2",
            account_id.as_str(),
            limit
        );
        rows.fetch_all(self.connection()).await?.into_iter().map(Row::restriction).collect()
    }

    /// One of the account's restrictions.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_restriction(
        &mut self,
        account_id: &AccountId,
        restriction_id: RestrictionId,
    ) -> Result<Option<Restriction>, Error> {
        let row = select_restrictions!(
            "account_id = $1 AND restriction_id = $2",
            account_id.as_str(),
            restriction_id.0
        );
        row.fetch_optional(self.connection()).await?.map(Row::restriction).transpose()
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
            "INSERT INTO restriction (account_id, restriction_id, kind, cause, clause, chargeback_id, determination,
                imposed_by, since, reason_note)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            account_id.as_str(),
            restriction.restriction_id.0,
            restriction.kind.name(),
            restriction.cause.name(),
            restriction.clause,
            restriction.chargeback_id.map(|id| id.0),
            new.determination,
            new.imposed_by.as_str(),
            restriction.since,
            restriction.reason_note,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Lifts one restriction that is in force.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn update_restriction_lifted(
        &mut self,
        account_id: &AccountId,
        restriction_id: RestrictionId,
        lifting: &Lifting,
    ) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE restriction SET lifted_at = $3, lifted_by = $4, lift_note = $5
             WHERE account_id = $1 AND restriction_id = $2 AND lifted_at IS NULL",
            account_id.as_str(),
            restriction_id.0,
            lifting.at,
            lifting.by.as_str(),
            lifting.reason_note,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Lifts what the investigation of a dispute imposed, and nothing else.
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
             WHERE account_id = $1 AND chargeback_id = $2 AND cause = 'chargeback' AND lifted_at IS NULL",
            account_id.as_str(),
            chargeback_id.0,
            at,
            lifted_by.as_str(),
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Lifts what determinations of a dispute imposed, and nothing else.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn update_determined_lifted(
        &mut self,
        account_id: &AccountId,
        chargeback_id: ChargebackId,
        lifting: &Lifting,
    ) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE restriction SET lifted_at = $3, lifted_by = $4, lift_note = $5
             WHERE account_id = $1 AND chargeback_id = $2 AND determination IS NOT NULL AND lifted_at IS NULL",
            account_id.as_str(),
            chargeback_id.0,
            lifting.at,
            lifting.by.as_str(),
            lifting.reason_note,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
