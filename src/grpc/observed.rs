//! What every call is seen as from outside: its span, its place among the figures, and how it ended. Around everything
//! else, so that a call that was refused, broke off, or asked for what does not exist is seen as well.

use super::access::METHODS;
use crate::command::StoredDecision;
use crate::telemetry::{Calls, MethodIndex, RoleIndex, begin_call, code_name};
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;
use tonic::body::Body;
use tonic::codegen::{Bytes, Service};
use tonic::{Code, Status};
use tracing::{Instrument, Span};

/// Codes that say that something is wrong on our side, by the semantic conventions: the span of such a call is an error.
const OURS: [Code; 6] = [
    Code::Unknown,
    Code::DeadlineExceeded,
    Code::Unimplemented,
    Code::Internal,
    Code::Unavailable,
    Code::DataLoss,
];

/// Every method of the API, as `package.Service/Method`.
pub fn method_names() -> impl Iterator<Item = String> {
    METHODS.iter().map(|(method, _)| format!("makegood.v1.{method}"))
}

/// A call as it is seen: goes with the request, to be told who calls.
#[derive(Debug, Clone)]
pub(super) struct Seen(Arc<Known>);

#[derive(Debug)]
struct Known {
    trace_id: Option<String>,
    role: AtomicUsize,
}

impl Seen {
    /// The id of the trace that the call belongs to.
    pub(super) fn trace_id(&self) -> Option<String> {
        self.0.trace_id.clone()
    }

    /// The caller was recognised, in this role.
    pub(super) fn called_by(&self, role: &str) {
        self.0.role.store(RoleIndex::of(role).get(), Ordering::Relaxed);
        Span::current().record("makegood.caller.role", role);
    }
}

/// Writes a decision on the span of the call that made it.
pub(super) fn tell_decision(stored: &StoredDecision) {
    let (span, decision) = (Span::current(), &stored.decision);
    if span.has_field("makegood.decision.outcome") {
        span.record("makegood.decision.outcome", decision.outcome.name());
        span.record("makegood.decision.row", decision.row.as_str());
        span.record("makegood.decision.clause", decision.clauses.join(", ").as_str());
        span.record("makegood.decision.policy_version", decision.policy_version.as_str());
    }
}

/// Services that are seen from outside.
#[derive(Debug, Clone)]
pub struct Observed<S> {
    services: S,
    calls: Arc<Calls>,
}

impl<S> Observed<S> {
    /// These services, counted here.
    pub const fn new(services: S, calls: Arc<Calls>) -> Self {
        Self { services, calls }
    }
}

impl<S> Service<Request<Body>> for Observed<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.services.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let method = self.calls.method(request.uri().path());
        // What is no method of ours, such as a probe of health, begins no trace.
        let (span, trace_id) = match self.calls.full_name(method) {
            Some(name) => begin_call(name, request.headers()),
            None => (Span::none(), None),
        };
        let seen = Seen(Arc::new(Known { trace_id, role: AtomicUsize::new(0) }));
        request.extensions_mut().insert(seen.clone());
        self.calls.began();
        let ending = Ending {
            calls: Arc::clone(&self.calls),
            method,
            seen,
            begun: Instant::now(),
            span: span.clone(),
            code: Code::Cancelled,
        };
        let work = span.in_scope(|| self.services.call(request));
        let watched = async move {
            let response = work.await?;
            Ok(ending.follow(response))
        };
        Box::pin(watched.instrument(span))
    }
}

/// Notes how a call ended, when this is dropped. One that its caller gave up was cancelled.
#[derive(Debug)]
struct Ending {
    calls: Arc<Calls>,
    method: MethodIndex,
    seen: Seen,
    begun: Instant,
    span: Span,
    code: Code,
}

impl Ending {
    /// A refusal has its status in the headers, any other answer behind its last message.
    fn follow(mut self, response: Response<Body>) -> Response<Body> {
        if let Some(code) = code_of(response.headers()) {
            self.code = code;
            return response;
        }
        response.map(|body| Body::new(Answer { body, ending: Some(self) }))
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let role = RoleIndex::from_number(self.seen.0.role.load(Ordering::Relaxed));
        let number = usize::try_from(i32::from(self.code)).unwrap_or_default();
        self.calls.ended(self.method, role, number, self.begun.elapsed());
        let name = code_name(number);
        self.span.record("rpc.status_code", name);
        if self.code != Code::Ok {
            self.span.record("error.type", name);
        }
        if OURS.contains(&self.code) {
            self.span.record("otel.status_code", "ERROR");
        }
    }
}

fn code_of(headers: &HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|code| Code::from_bytes(code.as_bytes()))
}

/// An answer that is read until its status.
#[derive(Debug)]
struct Answer {
    body: Body,
    ending: Option<Ending>,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let (Poll::Ready(frame), Some(ending)) = (&polled, &mut self.ending) {
            let trailers = match frame {
                Some(Ok(frame)) => frame.trailers_ref(),
                Some(Err(status)) => {
                    ending.code = status.code();
                    None
                }
                None => None,
            };
            if let Some(trailers) = trailers {
                ending.code = code_of(trailers).unwrap_or(Code::Unknown);
                self.ending = None;
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
