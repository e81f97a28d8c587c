//! Declared incidents. They are no account's; both ends of their window are inside.

use super::read::Place;
use super::{Error, Tx};
use crate::domain::case_file::IncidentFile;
use crate::domain::ids::{AccountId, Actor, Cause, IncidentId};
use crate::domain::incident::{Ending, Incident, IncidentLife, IncidentScope, IncidentStage};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Which incidents are listed: all conditions that are told must hold.
#[derive(Debug, Clone)]
pub struct IncidentFilter {
    /// In one of these stages; empty for any.
    pub stages: Vec<IncidentStage>,
    /// Still going on at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Begun before this instant.
    pub until: Option<DateTime<Utc>>,
    /// Concerning this account.
    pub account_id: Option<AccountId>,
    /// Behind this one in the order of the list.
    pub after: Option<(DateTime<Utc>, IncidentId)>,
    /// At most so many.
    pub limit: i64,
}

struct Row {
    incident_id: Uuid,
    title: String,
    stage: String,
    started_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    accounts: Vec<String>,
    causes: Vec<String>,
    reason: String,
    declared_by: String,
    declared_at: DateTime<Utc>,
    resolved_by: Option<String>,
    resolution: Option<String>,
    restored_at: Option<DateTime<Utc>>,
    restored_attempts: i64,
    restored_credits: i64,
}

impl Row {
    fn incident(self) -> Result<Incident, Error> {
        let place = Place { table: "incident", key: &self.incident_id };
        let stage = place.word("stage", &self.stage, IncidentStage::parse)?;
        let ending = match (self.ended_at, self.resolved_by, self.resolution) {
            (Some(ended_at), Some(resolved_by), Some(resolution)) => Some(Ending {
                ended_at,
                resolved_by: place.id("resolved_by", resolved_by)?,
                resolution: resolution.into(),
            }),
            _ => None,
        };
        let life = match (stage, ending, self.restored_at) {
            (IncidentStage::Open, None, None) => IncidentLife::Open,
            (IncidentStage::Resolved, Some(ending), None) => IncidentLife::Resolved(ending),
            (IncidentStage::Restored, Some(ending), Some(at)) => IncidentLife::Restored(ending, at),
            _ => return Err(place.corrupt("stage")),
        };
        let accounts =
            self.accounts.into_iter().map(|id| place.id("accounts", id)).collect::<Result<_, _>>()?;
        let causes = self.causes.into_iter().map(|id| place.id("causes", id)).collect::<Result<_, _>>()?;
        Ok(Incident {
            incident_id: IncidentId(self.incident_id),
            title: self.title.into(),
            started_at: self.started_at,
            scope: IncidentScope { accounts, causes },
            reason: self.reason.into(),
            declared_by: place.id::<Actor>("declared_by", self.declared_by)?,
            declared_at: self.declared_at,
            life,
            restored_attempts: self.restored_attempts,
            restored_credits: place.credits("restored_credits", self.restored_credits)?,
        })
    }
}

/// Incidents by one condition: the same columns each time. What was restored is the sum over the restorations.
macro_rules! select_incidents {
    ($condition:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Row,
            "SELECT i.incident_id, title, stage, i.started_at, ended_at, accounts, causes, reason, declared_by,
                declared_at, resolved_by, resolution, restored_at,
                (SELECT coalesce(sum(r.attempts_restored), 0)::bigint FROM restoration r
                 WHERE r.incident_id = i.incident_id) AS \"restored_attempts!\",
                (SELECT coalesce(sum(r.credits_restored), 0)::bigint FROM restoration r
                 WHERE r.incident_id = i.incident_id) AS \"restored_credits!\"
             FROM incident i WHERE " + $condition,
            $($argument),+
        )
    };
}

impl Tx {
    /// An incident.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_incident(&mut self, incident_id: IncidentId) -> Result<Option<Incident>, Error> {
        let row = select_incidents!("incident_id = $1", incident_id.0);
        row.fetch_optional(self.connection()).await?.map(Row::incident).transpose()
    }

    /// An incident, locked until the transaction ends.
    ///
    /// # Errors
    /// [`Error::TooSlow`] when another transaction keeps it locked; a failure of the database.
    pub async fn lock_incident(&mut self, incident_id: IncidentId) -> Result<Option<Incident>, Error> {
        let row = select_incidents!("incident_id = $1 FOR NO KEY UPDATE OF i", incident_id.0);
        row.fetch_optional(self.connection()).await?.map(Row::incident).transpose()
    }

    /// Keeps everybody from declaring or resolving incidents until the transaction ends, so that a decision and its
    /// remedy see the same ones. Many may keep it at once.
    ///
    /// # Errors
    /// [`Error::TooSlow`] when an incident is being declared for too long; a failure of the database.
    pub async fn lock_incidents(&mut self) -> Result<(), Error> {
        sqlx::query!("LOCK TABLE incident IN SHARE MODE").execute(self.connection()).await?;
        Ok(())
    }

    /// Incidents, the latest start first, then by id.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_incidents(&mut self, filter: &IncidentFilter) -> Result<Vec<Incident>, Error> {
        let stages: Vec<String> = filter.stages.iter().map(|stage| stage.name().to_owned()).collect();
        let rows = select_incidents!(
            "(cardinality($1::text[]) = 0 OR stage = ANY ($1))
                AND ($2::timestamptz IS NULL OR ended_at IS NULL OR ended_at >= $2)
                AND ($3::timestamptz IS NULL OR i.started_at < $3)
                AND ($4::text IS NULL OR incident_concerns(i.started_at, ended_at, accounts, causes, $4))
                AND ($5::timestamptz IS NULL OR i.started_at < $5
                    OR (i.started_at = $5 AND i.incident_id > $6::uuid))
             ORDER BY i.started_at DESC, i.incident_id LIMIT $7",
            &stages,
            filter.from,
            filter.until,
            filter.account_id.as_ref().map(AccountId::as_str),
            filter.after.map(|(started_at, _)| started_at),
            filter.after.map(|(_, incident_id)| incident_id.0),
            filter.limit
        );
        rows.fetch_all(self.connection()).await?.into_iter().map(Row::incident).collect()
    }

    /// The windows of incidents that concern an account, the latest end first, those going on before all.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_incident_files(&mut self, account_id: &AccountId) -> Result<Vec<IncidentFile>, Error> {
        let files = sqlx::query_as!(
            IncidentFile,
            "SELECT started_at, ended_at FROM incident
             WHERE incident_concerns(started_at, ended_at, accounts, causes, $1)
             ORDER BY ended_at DESC NULLS FIRST, incident_id LIMIT 100",
            account_id.as_str(),
        )
        .fetch_all(self.connection())
        .await?;
        Ok(files)
    }

    /// Writes a new incident.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn insert_incident(&mut self, incident: &Incident) -> Result<(), Error> {
        let accounts: Vec<String> = incident.scope.accounts.iter().map(AccountId::to_string).collect();
        let causes: Vec<String> = incident.scope.causes.iter().map(Cause::to_string).collect();
        let ending = incident.ending();
        sqlx::query!(
            "INSERT INTO incident (incident_id, title, stage, started_at, ended_at, accounts, causes, reason,
                declared_by, declared_at, resolved_by, resolution)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            incident.incident_id.0,
            incident.title.expose(),
            incident.stage().name(),
            incident.started_at,
            ending.map(|ending| ending.ended_at),
            &accounts,
            &causes,
            incident.reason.expose(),
            incident.declared_by.as_str(),
            incident.declared_at,
            ending.map(|ending| ending.resolved_by.as_str()),
            ending.map(|ending| ending.resolution.expose().as_str()),
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Writes back how far an incident's life has gone.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn update_incident(&mut self, incident: &Incident) -> Result<(), Error> {
        let ending = incident.ending();
        let restored_at = match incident.life {
            IncidentLife::Restored(_, at) => Some(at),
            IncidentLife::Open | IncidentLife::Resolved(_) => None,
        };
        sqlx::query!(
            "UPDATE incident SET stage = $2, ended_at = $3, resolved_by = $4, resolution = $5, restored_at = $6
             WHERE incident_id = $1",
            incident.incident_id.0,
            incident.stage().name(),
            ending.map(|ending| ending.ended_at),
            ending.map(|ending| ending.resolved_by.as_str()),
            ending.map(|ending| ending.resolution.expose().as_str()),
            restored_at,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
