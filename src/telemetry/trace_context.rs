//! W3C Trace Context: whose trace a request belongs to
//! (<https://www.w3.org/TR/trace-context/>).

use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// The name of the header that says which trace and span a request comes from.
pub(super) const TRACEPARENT: &str = "traceparent";

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
pub(super) fn parent_of(headers: &HeaderMap) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers))
}

/// The trace id and the flags in a `traceparent` header, `None` where the header is malformed.
///
/// By the standard's section 3.2: four fields, lower-case hexadecimal digits, no
/// field of zeros, version `ff` forbidden; a higher version may have more fields.
pub(super) fn trace_id_from_traceparent(header: &str) -> Option<(&str, u8)> {
    let mut fields = header.trim().split('-');
    let (version, trace, span, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let has_more = fields.next().is_some();
    let is_hex = |field: &str, digits: usize| {
        field.len() == digits && field.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = |field: &str, digits| is_hex(field, digits) && field.bytes().any(|byte| byte != b'0');
    let is_version = is_hex(version, 2) && version != "ff" && (version != "00" || !has_more);
    if !(is_version && is_id(trace, 32) && is_id(span, 16) && is_hex(flags, 2)) {
        return None;
    }
    Some((trace, u8::from_str_radix(flags, 16).ok()?))
}
