//! A receiver of OTLP over gRPC, as a collector is one.

use crate::canary::overhear;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// Longest wait for a span: far more than spans wait for each other.
const LIMIT: Duration = Duration::from_secs(20);

/// Receives spans on a loopback port.
pub(crate) struct Collector {
    pub(crate) endpoint: String,
    received: mpsc::UnboundedReceiver<Span>,
}

struct Receiver(mpsc::UnboundedSender<Span>);

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        overhear(request.get_ref());
        for resource in request.into_inner().resource_spans {
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                // A test that has seen enough listens no more.
                let _ = self.0.send(span);
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (sender, received) = mpsc::unbounded_channel();
        let service = TraceServiceServer::new(Receiver(sender));
        let server = Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        Self { endpoint, received }
    }

    /// Everything received until each of these spans was; whatever is below a span comes before it.
    pub(crate) async fn until(&mut self, names: &[&str]) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        while !names.iter().all(|name| spans.iter().any(|span| span.name == *name)) {
            spans.push(timeout(LIMIT, self.received.recv()).await.unwrap().unwrap());
        }
        spans
    }
}

/// A text among a span's attributes.
pub(crate) fn attribute<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}
