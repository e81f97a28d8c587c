//! gRPC-Web: calls from browsers, which read no trailers. A call is translated before it is seen or let through, so that
//! everything else holds for it as for any other.
//!
//! A browser says on its own which page asks, and pages that were not named are refused, whatever they ask: a page that
//! got its name to point to this machine is no stranger to its browser, and would be answered otherwise.

use super::{Guarded, Observed};
use http::header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{Bytes, Service};
use tonic_web::{GrpcWebLayer, GrpcWebService};
use tower_http::cors::{AllowOrigin, Cors, CorsLayer};
use tower_layer::Layer;

/// How long a browser may rely on what it was told about its requests.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_mins(10);

/// How much later than its call a request is given up: the call's own deadline says more.
const MARGIN: Duration = Duration::from_secs(1);

/// What a page may send besides what every request has.
const REQUEST_HEADERS: [&str; 8] = [
    "grpc-timeout",
    "makegood-account",
    "makegood-test-caller",
    "makegood-test-clock",
    "traceparent",
    "tracestate",
    "x-grpc-web",
    "x-user-agent",
];

/// What a page may read: a refusal has its status among the headers.
const RESPONSE_HEADERS: [&str; 4] =
    ["grpc-message", "grpc-status", "grpc-status-details-bin", super::REPLAYED_KEY];

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// The services as connections are given them.
#[derive(Debug, Clone)]
pub enum Served {
    /// To gRPC clients.
    Grpc(Observed<Guarded>),
    /// To gRPC clients, and to the pages of some origins.
    GrpcAndWeb(Box<Web>),
}

impl Service<Request<Body>> for Served {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        match self {
            Self::Grpc(services) => services.poll_ready(cx),
            Self::GrpcAndWeb(web) => Service::<Request<Body>>::poll_ready(&mut web.services, cx),
        }
    }

    fn call(&mut self, request: Request<Body>) -> Answering {
        match self {
            Self::Grpc(services) => services.call(request),
            Self::GrpcAndWeb(web) => web.call(request),
        }
    }
}

/// Services that browsers may call.
#[derive(Debug, Clone)]
pub struct Web {
    services: Cors<GrpcWebService<Observed<Guarded>>>,
    origins: Arc<[HeaderValue]>,
    longest: Duration,
}

impl Web {
    /// These services for pages of these origins, which have `longest` to send a request.
    #[must_use]
    pub fn new(services: Observed<Guarded>, origins: Vec<HeaderValue>, longest: Duration) -> Self {
        let named = |names: &[&'static str]| names.iter().map(|name| HeaderName::from_static(name)).collect();
        let mut headers: Vec<HeaderName> = named(&REQUEST_HEADERS);
        headers.extend([AUTHORIZATION, CONTENT_TYPE]);
        let exposed: Vec<HeaderName> = named(&RESPONSE_HEADERS);
        let cors = CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins.iter().cloned()))
            .allow_methods([Method::POST])
            .allow_headers(headers)
            .expose_headers(exposed)
            .max_age(PREFLIGHT_MAX_AGE);
        let services = cors.layer(GrpcWebLayer::new().layer(services));
        Self { services, origins: origins.into(), longest }
    }

    fn call(&mut self, request: Request<Body>) -> Answering {
        let mut origins = request.headers().get_all(ORIGIN).iter().peekable();
        let is_from_a_page = origins.peek().is_some();
        if !origins.all(|origin| self.origins.contains(origin)) {
            tracing::debug!("a page of an origin that was not named was refused");
            return Box::pin(async { Ok(refused()) });
        }
        let request = if is_web(request.headers()) {
            let late = self.longest.saturating_add(MARGIN);
            request.map(|body| Body::new(Hurried { body, late: Box::pin(sleep(late)) }))
        } else {
            request
        };
        if is_from_a_page {
            Box::pin(self.services.call(request))
        } else {
            Box::pin(self.services.get_mut().call(request))
        }
    }
}

fn refused() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}

fn is_web(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
    content_type.starts_with(b"application/grpc-web")
}

/// A request that must be there in time. HTTP/1 has no ping by which a client that is gone, or means ill, is noticed; a
/// request of gRPC-Web is one message, so that it is over soon.
struct Hurried {
    body: Body,
    late: Pin<Box<Sleep>>,
}

impl HttpBody for Hurried {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_pending() && self.late.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(super::status::deadline_exceeded())));
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
