//! W3C Trace Context: whose trace a request belongs to
//! (<https://www.w3.org/TR/trace-context/>).

use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// The name of the header that says which trace and span a request comes from.
const TRACEPARENT: &str = "traceparent";

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

/// The caller's span, to be the parent of a request's; an empty context where the
/// headers name none, or name it wrongly.
#[must_use]
pub fn parent_of(headers: &HeaderMap) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers))
}

/// The id of the trace that a request belongs to, in 32 hexadecimal digits: the
/// current span's, or, where traces are not exported, the caller's.
#[must_use]
pub fn trace_id_of(headers: &HeaderMap) -> Option<String> {
    super::current_trace_id().or_else(|| {
        let header = headers.get(TRACEPARENT)?.to_str().ok()?;
        trace_id_from_traceparent(header)
    })
}

/// The trace id in a `traceparent` header, `None` where the header is malformed.
///
/// By the standard's section 3.2: four fields, lower-case hexadecimal digits, no
/// field of zeros, version `ff` forbidden; a higher version may have more fields.
#[must_use]
pub fn trace_id_from_traceparent(header: &str) -> Option<String> {
    let mut fields = header.trim().split('-');
    let (version, trace, span, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let has_more = fields.next().is_some();
    let is_hex = |field: &str, digits: usize| {
        field.len() == digits && field.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = |field: &str, digits| is_hex(field, digits) && field.bytes().any(|byte| byte != b'0');
    let is_version = is_hex(version, 2) && version != "ff" && (version != "00" || !has_more);
    let holds = is_version && is_id(trace, 32) && is_id(span, 16) && is_hex(flags, 2);
    holds.then(|| trace.to_owned())
}
