//! The incident service.

use super::context::Opened;
use super::decode::{IncidentCall, IncidentPage};
use super::refund::is_desk;
use super::{Api, decode, encode, respond, status, within};
use crate::command::{Context, Desk, Error, RestorationView};
use crate::domain::incident::{Incident, Restoration};
use crate::proto::makegood::v1;
use crate::proto::makegood::v1::incident_service_server::IncidentService;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tracing::Instrument;

/// Messages that wait for a slow reader; past it the work waits, between two transactions.
const PROGRESS_AHEAD: usize = 4;

type Progress = Result<v1::RestoreIncidentResponse, Status>;

#[tonic::async_trait]
impl IncidentService for Api {
    async fn declare_incident(
        &self,
        request: Request<v1::DeclareIncidentRequest>,
    ) -> Result<Response<v1::DeclareIncidentResponse>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let IncidentCall { request_id, message } = decode::declare_incident(message, context.clock.now())?;
        let work = self.desk().declare_incident(context, request_id, message);
        let answered = within(timeout, status::outcome_unknown, work).await?;
        Ok(respond(encode::declare_incident(&answered.answer), answered.replayed))
    }

    async fn resolve_incident(
        &self,
        request: Request<v1::ResolveIncidentRequest>,
    ) -> Result<Response<v1::ResolveIncidentResponse>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let IncidentCall { request_id, message } = decode::resolve_incident(message, context.clock.now())?;
        let work = self.desk().resolve_incident(context, request_id, message);
        let answered = within(timeout, status::outcome_unknown, work).await?;
        Ok(respond(encode::resolve_incident(&answered.answer), answered.replayed))
    }

    async fn list_incidents(
        &self,
        request: Request<v1::ListIncidentsRequest>,
    ) -> Result<Response<v1::ListIncidentsResponse>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let IncidentPage { filter, size, arguments } = decode::list_incidents(message, context.clock.now())?;
        let read = self.desk().list_incidents(filter);
        let mut incidents = within(timeout, status::deadline_exceeded, read).await?;
        let more = incidents.len() > size;
        incidents.truncate(size);
        let last = incidents.last().filter(|_| more);
        let next_page_token =
            last.map(|last| arguments.write((last.started_at, last.incident_id.0))).unwrap_or_default();
        Ok(respond(encode::list_incidents(&incidents, is_desk(&context), next_page_token), false))
    }

    type RestoreIncidentStream = ReceiverStream<Progress>;

    async fn restore_incident(
        &self,
        request: Request<v1::RestoreIncidentRequest>,
    ) -> Result<Response<Self::RestoreIncidentStream>, Status> {
        let Opened { context, timeout, message } = self.open(request)?;
        let IncidentCall { request_id, message } = decode::restore_incident(message, context.clock.now())?;
        let begin = self.desk().begin_restoration(context.clone(), request_id, message);
        let answered = within(timeout, status::outcome_unknown, begin).await?;
        let (progress, messages) = mpsc::channel(PROGRESS_AHEAD);
        let run = Run { desk: self.desk().clone(), context, progress };
        tokio::spawn(run.finish(answered.answer).in_current_span());
        Ok(respond(ReceiverStream::new(messages), answered.replayed))
    }
}

/// A restoration while somebody listens. Who goes away stops it after the transaction under way; it can be gone on with.
struct Run {
    desk: Desk,
    context: Context,
    progress: mpsc::Sender<Progress>,
}

impl Run {
    async fn finish(self, from: RestorationView) {
        if let Err(error) = self.steps(from).await {
            // Nobody may be listening any more, and then nobody needs to know.
            let _ = self.progress.send(Err(status::from(error))).await;
        }
    }

    async fn steps(&self, from: RestorationView) -> Result<(), Error> {
        let RestorationView { mut restoration, incident } = from;
        let mut listened_to = self.tell(&restoration, Some(&incident)).await;
        while listened_to && restoration.done_at.is_none() {
            restoration = self.desk.continue_restoration(&self.context, &restoration).await?;
            let incident = match restoration.done_at {
                Some(_) => Some(self.desk.get_incident(restoration.incident_id).await?),
                None => None,
            };
            listened_to = self.tell(&restoration, incident.as_ref()).await;
        }
        Ok(())
    }

    /// Whether anybody listened.
    async fn tell(&self, restoration: &Restoration, incident: Option<&Incident>) -> bool {
        self.progress.send(Ok(encode::restore_incident(restoration, incident))).await.is_ok()
    }
}
