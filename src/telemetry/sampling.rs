//! Which calls are traced: decided before anything is built for it.
//!
//! A call that is not traced still has a span, for the log alone, so that what is logged in it names its method and,
//! where the caller has one, its trace.

use super::trace_context::{parent_of, trace_id_from_traceparent};
use super::{CALL, TRACED_CALL};
use crate::clock::chance_below;
use http::HeaderMap;
use opentelemetry::trace::TraceContextExt;
use std::sync::OnceLock;
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Of so many traces that begin here, a share is kept.
const OF: u32 = 1_000_000;

/// How this process samples; unset, it traces nothing.
static SAMPLING: OnceLock<Sampling> = OnceLock::new();

/// Which calls are traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sampling {
    /// None.
    Off,
    /// Those whose callers say so, and so many of [`OF`] of those that belong to no trace.
    Kept(u32),
}

impl Sampling {
    /// The share, from 0 to 1, of traces that begin here.
    pub(super) fn of_share(share: f64) -> Self {
        #[expect(
            clippy::float_arithmetic,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share from 0 to 1, as millionths"
        )]
        let kept = (share.clamp(0.0, 1.0) * f64::from(OF)).round() as u32;
        Self::Kept(kept)
    }

    /// Makes it the process's. The first one stays.
    pub(super) fn install(self) {
        let _ = SAMPLING.set(self);
    }

    fn keeps(self, parent: Option<Parent<'_>>) -> bool {
        match (self, parent) {
            (Self::Off, _) | (Self::Kept(0), None) => false,
            (Self::Kept(_), Some(parent)) => parent.is_sampled,
            (Self::Kept(kept), None) => kept >= OF || chance_below(OF) < kept,
        }
    }

    /// The span of a call to a method, given as `package.Service/Method`, and the id of its trace.
    pub(super) fn begin(self, method: &str, headers: &HeaderMap) -> (Span, Option<String>) {
        let parent = Parent::read(headers);
        if !self.keeps(parent) {
            let trace_id = parent.map(|parent| parent.trace_id);
            return (span_for_the_log(method, trace_id), trace_id.map(ToOwned::to_owned));
        }
        let span = traced_span(method);
        // Fails only where no layer exports, and then there is nothing to link.
        let _ = span.set_parent(parent_of(headers));
        let context = span.context();
        let trace_id = context.span().span_context().trace_id().to_string();
        span.record("trace_id", trace_id.as_str());
        (span, Some(trace_id))
    }
}

/// The server's span of one call, and the id of its trace in 32 hexadecimal digits, where it belongs to one. A call is
/// traced if its caller traces it, and else by chance, as often as [`super::start`] was told.
#[must_use]
pub fn begin_call(method: &str, headers: &HeaderMap) -> (Span, Option<String>) {
    SAMPLING.get().copied().unwrap_or(Sampling::Off).begin(method, headers)
}

/// Whether a caller's trace is recorded, as its `traceparent` tells.
#[derive(Debug, Clone, Copy)]
struct Parent<'a> {
    trace_id: &'a str,
    is_sampled: bool,
}

impl<'a> Parent<'a> {
    fn read(headers: &'a HeaderMap) -> Option<Self> {
        let header = headers.get(super::trace_context::TRACEPARENT)?.to_str().ok()?;
        let (trace_id, flags) = trace_id_from_traceparent(header)?;
        Some(Self { trace_id, is_sampled: flags & 1 == 1 })
    }
}

/// The names are those of the semantic conventions for RPC, version 1.45.
fn traced_span(method: &str) -> Span {
    tracing::info_span!(
        target: TRACED_CALL,
        "rpc",
        otel.name = method,
        otel.kind = "server",
        otel.status_code = Empty,
        rpc.system.name = "grpc",
        rpc.method = method,
        rpc.status_code = Empty,
        "error.type" = Empty,
        makegood.caller.role = Empty,
        makegood.decision.outcome = Empty,
        makegood.decision.row = Empty,
        makegood.decision.clause = Empty,
        makegood.decision.policy_version = Empty,
        trace_id = Empty,
    )
}

fn span_for_the_log(method: &str, trace_id: Option<&str>) -> Span {
    tracing::info_span!(target: CALL, "rpc", rpc.method = method, trace_id)
}
