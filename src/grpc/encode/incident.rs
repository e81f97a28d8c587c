//! Incidents, and how far making them good is.

use super::timestamp;
use crate::domain::incident::{Ending, Incident, IncidentLife, IncidentScope, IncidentStage, Restoration};
use crate::proto::makegood::v1;

pub(in crate::grpc) fn declare_incident(declared: &Incident) -> v1::DeclareIncidentResponse {
    v1::DeclareIncidentResponse { incident: Some(incident(declared)) }
}

pub(in crate::grpc) fn resolve_incident(resolved: &Incident) -> v1::ResolveIncidentResponse {
    v1::ResolveIncidentResponse { incident: Some(incident(resolved)) }
}

/// A page; `for_desk` with the accounts that each concerned, which are nothing to another customer.
pub(in crate::grpc) fn list_incidents(
    incidents: &[Incident],
    for_desk: bool,
    next_page_token: String,
) -> v1::ListIncidentsResponse {
    let mut incidents: Vec<v1::Incident> = incidents.iter().map(incident).collect();
    if !for_desk {
        for scope in incidents.iter_mut().filter_map(|incident| incident.scope.as_mut()) {
            scope.account_ids.clear();
        }
    }
    v1::ListIncidentsResponse { incidents, next_page_token }
}

/// How far a run is; the incident only where it is worth its size, at both ends of the stream.
pub(in crate::grpc) fn restore_incident(
    restoration: &Restoration,
    concerned: Option<&Incident>,
) -> v1::RestoreIncidentResponse {
    let Restoration {
        restoration_id,
        incident_id: _,
        attempts_total,
        after: _,
        accounts_seen,
        attempts_restored,
        attempts_skipped,
        credits_restored,
        done_at,
    } = restoration;
    v1::RestoreIncidentResponse {
        done: done_at.is_some(),
        attempts_seen: restoration.attempts_seen(),
        attempts_total: *attempts_total,
        attempts_restored: *attempts_restored,
        attempts_skipped: *attempts_skipped,
        credits_restored: credits_restored.get(),
        accounts_seen: *accounts_seen,
        resume_token: restoration_id.to_string(),
        incident: concerned.map(incident),
    }
}

fn incident(incident: &Incident) -> v1::Incident {
    let Incident {
        incident_id,
        title,
        started_at,
        scope: IncidentScope { accounts, causes },
        reason,
        declared_by,
        declared_at,
        life,
        restored_attempts,
        restored_credits,
    } = incident;
    let restored_at = match life {
        IncidentLife::Restored(_, at) => Some(*at),
        IncidentLife::Open | IncidentLife::Resolved(_) => None,
    };
    let (end_time, resolved_by, resolution) = match incident.ending() {
        None => (None, String::new(), String::new()),
        Some(Ending { ended_at, resolved_by, resolution }) => {
            (Some(timestamp(*ended_at)), resolved_by.to_string(), resolution.expose().clone())
        }
    };
    v1::Incident {
        incident_id: incident_id.to_string(),
        title: title.expose().clone(),
        stage: stage(incident.stage()).into(),
        start_time: Some(timestamp(*started_at)),
        end_time,
        scope: Some(v1::IncidentScope {
            account_ids: accounts.iter().map(ToString::to_string).collect(),
            causes: causes.iter().map(ToString::to_string).collect(),
        }),
        reason: reason.expose().clone(),
        declared_by: declared_by.to_string(),
        declared_at: Some(timestamp(*declared_at)),
        resolved_by,
        resolution,
        restored_at: restored_at.map(timestamp),
        restored_attempts: *restored_attempts,
        restored_credits: restored_credits.get(),
    }
}

const fn stage(stage: IncidentStage) -> v1::IncidentStage {
    match stage {
        IncidentStage::Open => v1::IncidentStage::Open,
        IncidentStage::Resolved => v1::IncidentStage::Resolved,
        IncidentStage::Restored => v1::IncidentStage::Restored,
    }
}
