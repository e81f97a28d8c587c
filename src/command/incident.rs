//! Declared errors of ours: told of, ended, listed (§2.2). They are no account's.

use super::change::Change;
use super::run::{Answered, Reading};
use super::{Context, Desk, Error, Reason, Refusal};
use crate::clock::new_id;
use crate::domain::credits::Credits;
use crate::domain::ids::{IncidentId, RequestId};
use crate::domain::incident::{CannotResolve, Ending, Incident, IncidentLife, IncidentScope};
use crate::domain::redacted::FreeText;
use crate::store::Tx;
use chrono::{DateTime, Utc};
use serde::Serialize;

pub use crate::store::IncidentFilter;

/// Says that something was, or is, broken on our side.
#[derive(Debug, Clone, Serialize)]
pub struct DeclareIncident {
    /// What it is, in a few words.
    pub title: FreeText,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it was over, when it is.
    pub ended_at: Option<DateTime<Utc>>,
    /// Whom and what it concerns.
    pub scope: IncidentScope,
    /// How it was verified.
    pub reason: FreeText,
}

/// Says when an incident was over.
#[derive(Debug, Clone, Serialize)]
pub struct ResolveIncident {
    /// The incident.
    pub incident_id: IncidentId,
    /// When it was over.
    pub ended_at: DateTime<Utc>,
    /// What ended it.
    pub reason: FreeText,
}

impl Change for DeclareIncident {
    const METHOD: &'static str = "DeclareIncident";
    type Answer = Incident;

    async fn apply(&self, tx: &mut Tx, context: &Context) -> Result<Incident, Error> {
        let now = context.clock.now();
        let Self { title, started_at, ended_at, scope, reason } = self.clone();
        let life = match ended_at {
            None => IncidentLife::Open,
            // Whoever declares an incident that is over says in the same breath that it is.
            Some(ended_at) => IncidentLife::Resolved(Ending {
                ended_at,
                resolved_by: context.caller.clone(),
                resolution: reason.clone(),
            }),
        };
        let incident = Incident {
            incident_id: IncidentId(new_id(now)),
            title,
            started_at,
            scope,
            reason,
            declared_by: context.caller.clone(),
            declared_at: now,
            life,
            restored_attempts: 0,
            restored_credits: Credits::ZERO,
        };
        tx.insert_incident(&incident).await?;
        Ok(incident)
    }
}

impl Change for ResolveIncident {
    const METHOD: &'static str = "ResolveIncident";
    type Answer = Incident;

    async fn apply(&self, tx: &mut Tx, context: &Context) -> Result<Incident, Error> {
        let known = tx.lock_incident(self.incident_id).await?.ok_or_else(incident_not_found)?;
        let ending = Ending {
            ended_at: self.ended_at,
            resolved_by: context.caller.clone(),
            resolution: self.reason.clone(),
        };
        let resolved = known.clone().resolve(ending)?;
        if resolved != known {
            tx.update_incident(&resolved).await?;
        }
        Ok(resolved)
    }
}

impl From<CannotResolve> for Error {
    fn from(error: CannotResolve) -> Self {
        let message = error.to_string();
        match error {
            CannotResolve::EndsBeforeItsStart => {
                Refusal::new(Reason::InvalidField, message).with("field", &"end_time").into()
            }
            CannotResolve::OverAlready(stage) => {
                Refusal::new(Reason::IncidentStageConflict, message).with("stage", &stage).into()
            }
        }
    }
}

/// The same error wherever an incident is not there.
pub(super) fn incident_not_found() -> Error {
    Refusal::new(Reason::IncidentNotFound, "there is no such incident").into()
}

impl Desk {
    /// Declares an incident, once for each request id.
    ///
    /// # Errors
    /// [`Error::Refused`] when the request id was used for something else.
    pub async fn declare_incident(
        &self,
        context: Context,
        request_id: RequestId,
        change: DeclareIncident,
    ) -> Result<Answered<Incident>, Error> {
        self.change(context, request_id, change).await
    }

    /// Ends an incident.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such incident, when it would end before it began, or when it is over with
    /// another end.
    pub async fn resolve_incident(
        &self,
        context: Context,
        request_id: RequestId,
        change: ResolveIncident,
    ) -> Result<Answered<Incident>, Error> {
        self.change(context, request_id, change).await
    }

    /// Lists incidents, the latest start first, then by id.
    ///
    /// # Errors
    /// A failure of the store.
    pub async fn list_incidents(&self, filter: IncidentFilter) -> Result<Vec<Incident>, Error> {
        self.browse(filter).await
    }
}

impl Reading for IncidentFilter {
    type Answer = Vec<Incident>;

    async fn read(&self, tx: &mut Tx) -> Result<Vec<Incident>, Error> {
        Ok(tx.list_incidents(self).await?)
    }
}
