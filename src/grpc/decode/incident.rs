//! The messages of the incident service.

use super::fields::Fields;
use crate::command::{DeclareIncident, IncidentFilter, ResolveIncident, RestoreIncident};
use crate::domain::ids::{AccountId, IncidentId, RequestId, RestorationId};
use crate::domain::incident::{Incident, IncidentScope, IncidentStage};
use crate::grpc::keyset::Arguments;
use crate::proto::makegood::v1;
use chrono::{DateTime, Utc};
use tonic::Status;

/// Most stages in a filter: there are no more.
const MAX_STAGES: usize = 3;

/// A call about incidents: no account has it.
pub(in crate::grpc) struct IncidentCall<M> {
    pub(in crate::grpc) request_id: RequestId,
    pub(in crate::grpc) message: M,
}

/// A page of incidents to read, and what its successor's token is bound to.
pub(in crate::grpc) struct IncidentPage {
    /// With one incident more than the page has, to see whether there is another page.
    pub(in crate::grpc) filter: IncidentFilter,
    pub(in crate::grpc) size: usize,
    pub(in crate::grpc) arguments: Arguments,
}

fn call<M>(
    fields: Fields,
    request_id: Option<RequestId>,
    message: Option<M>,
) -> Result<IncidentCall<M>, Status> {
    let call = request_id.zip(message).map(|(request_id, message)| IncidentCall { request_id, message });
    fields.finish(call)
}

pub(in crate::grpc) fn declare_incident(
    request: v1::DeclareIncidentRequest,
    now: DateTime<Utc>,
) -> Result<IncidentCall<DeclareIncident>, Status> {
    let v1::DeclareIncidentRequest { request_id, title, start_time, end_time, scope, reason } = request;
    let mut fields = Fields::at(now);
    let request_id = fields.request_id(&request_id);
    let title = fields.required_prose("title", title, Incident::MAX_TITLE_BYTES);
    let started_at = fields.past("start_time", start_time);
    let ended_at = fields.optional_past("end_time", end_time);
    if let (Some(started_at), Some(Some(ended_at))) = (started_at, ended_at)
        && ended_at < started_at
    {
        fields.wrong::<()>("end_time", "must not be before `start_time`");
    }
    let scope = read_scope(&mut fields, scope.unwrap_or_default());
    let reason = fields.required_prose("reason", reason, Incident::MAX_REASON_BYTES);
    let parts = title.zip(started_at).zip(ended_at).zip(scope).zip(reason);
    let message = parts.map(|((((title, started_at), ended_at), scope), reason)| DeclareIncident {
        title,
        started_at,
        ended_at,
        scope,
        reason,
    });
    call(fields, request_id, message)
}

fn read_scope(fields: &mut Fields, scope: v1::IncidentScope) -> Option<IncidentScope> {
    let v1::IncidentScope { account_ids, causes } = scope;
    if account_ids.len() > IncidentScope::MAX_ACCOUNTS {
        let description = format!("must have at most {} entries", IncidentScope::MAX_ACCOUNTS);
        return fields.wrong("scope.account_ids", description);
    }
    if causes.len() > IncidentScope::MAX_CAUSES {
        let description = format!("must have at most {} entries", IncidentScope::MAX_CAUSES);
        return fields.wrong("scope.causes", description);
    }
    let accounts: Option<_> = account_ids.into_iter().map(|id| fields.id("scope.account_ids", id)).collect();
    let causes: Option<_> = causes.into_iter().map(|cause| fields.id("scope.causes", cause)).collect();
    Some(IncidentScope { accounts: accounts?, causes: causes? })
}

pub(in crate::grpc) fn resolve_incident(
    request: v1::ResolveIncidentRequest,
    now: DateTime<Utc>,
) -> Result<IncidentCall<ResolveIncident>, Status> {
    let v1::ResolveIncidentRequest { request_id, incident_id, end_time, reason } = request;
    let mut fields = Fields::at(now);
    let request_id = fields.request_id(&request_id);
    let incident_id = fields.own_id("incident_id", &incident_id, IncidentId::parse);
    let ended_at = fields.past("end_time", end_time);
    let reason = fields.required_prose("reason", reason, Incident::MAX_REASON_BYTES);
    let parts = incident_id.zip(ended_at).zip(reason);
    let message =
        parts.map(|((incident_id, ended_at), reason)| ResolveIncident { incident_id, ended_at, reason });
    call(fields, request_id, message)
}

pub(in crate::grpc) fn restore_incident(
    request: v1::RestoreIncidentRequest,
    now: DateTime<Utc>,
) -> Result<IncidentCall<RestoreIncident>, Status> {
    let v1::RestoreIncidentRequest { request_id, incident_id, resume_token } = request;
    let mut fields = Fields::at(now);
    let request_id = fields.request_id(&request_id);
    let incident_id = fields.own_id("incident_id", &incident_id, IncidentId::parse);
    // The token is the run's id; how far the run is lies with the run.
    let restoration_id = match resume_token.as_str() {
        "" => Some(None),
        token => match RestorationId::parse(token) {
            Ok(restoration_id) => Some(Some(restoration_id)),
            Err(_) => fields.wrong("resume_token", "is not one of ours"),
        },
    };
    let parts = incident_id.zip(restoration_id);
    let message = parts.map(|(incident_id, restoration_id)| RestoreIncident { incident_id, restoration_id });
    call(fields, request_id, message)
}

pub(in crate::grpc) fn list_incidents(
    request: v1::ListIncidentsRequest,
    now: DateTime<Utc>,
) -> Result<IncidentPage, Status> {
    let v1::ListIncidentsRequest { page_size, page_token, stages, window, account_id } = request;
    let mut fields = Fields::at(now);
    let size = fields.page_size(page_size);
    let stages = read_stages(&mut fields, &stages);
    let window = read_window(&mut fields, window.unwrap_or_default());
    let account_id = fields.optional_id::<AccountId>("account_id", account_id);
    let parts = size.zip(stages).zip(window).zip(account_id);
    let (((size, stages), (from, until)), account_id) = fields.finish(parts)?;
    let arguments = Arguments::of("ListIncidents", &(&stages, from, until, account_id.as_ref()));
    let after = arguments.after(&page_token)?.map(|(started_at, id)| (started_at, IncidentId(id)));
    let limit = i64::try_from(size).unwrap_or(0).saturating_add(1);
    let filter = IncidentFilter { stages, from, until, account_id, after, limit };
    Ok(IncidentPage { filter, size, arguments })
}

fn read_stages(fields: &mut Fields, stages: &[i32]) -> Option<Vec<IncidentStage>> {
    if stages.len() > MAX_STAGES {
        return fields.wrong("stages", format!("must have at most {MAX_STAGES} entries"));
    }
    stages.iter().map(|stage| fields.word("stages", *stage, incident_stage)).collect()
}

fn incident_stage(stage: v1::IncidentStage) -> Option<IncidentStage> {
    match stage {
        v1::IncidentStage::Unspecified => None,
        v1::IncidentStage::Open => Some(IncidentStage::Open),
        v1::IncidentStage::Resolved => Some(IncidentStage::Resolved),
        v1::IncidentStage::Restored => Some(IncidentStage::Restored),
    }
}

type Window = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// A span of time to look at; it may end in the future.
fn read_window(fields: &mut Fields, window: v1::TimeWindow) -> Option<Window> {
    let v1::TimeWindow { start_time, end_time } = window;
    let from = fields.expiry("window.start_time", start_time);
    let until = fields.expiry("window.end_time", end_time);
    if let (Some(Some(from)), Some(Some(until))) = (from, until)
        && until < from
    {
        return fields.wrong("window.end_time", "must not be earlier than `start_time`");
    }
    from.zip(until)
}
