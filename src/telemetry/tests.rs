use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;

use super::{Error, current_trace_id, export, filter, parent_of, provider};
use super::{trace_id_from_traceparent, trace_id_of};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const NOT_SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// Keeps what would have been sent.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

fn exported(ratio: f64, work: impl FnOnce()) -> Vec<SpanData> {
    let kept = Kept::default();
    let provider = provider(SdkTracerProvider::builder().with_simple_exporter(kept.clone()), ratio);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(export(&provider)), work);
    provider.shutdown().unwrap();
    let spans = kept.0.lock().unwrap();
    spans.clone()
}

fn headers(traceparent: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(
        http::HeaderName::from_static("traceparent"),
        HeaderValue::from_static(traceparent),
    )])
}

fn request(traceparent: &'static str) {
    let span = tracing::info_span!("request");
    span.set_parent(parent_of(&headers(traceparent))).unwrap();
    span.in_scope(|| assert_eq!(current_trace_id().as_deref(), Some(TRACE)));
}

#[test]
fn a_callers_trace_goes_on() {
    let spans = exported(1.0, || request(SAMPLED));
    let span = spans.first().unwrap();
    assert_eq!(span.span_context.trace_id().to_string(), TRACE);
    assert_eq!(span.parent_span_id.to_string(), "00f067aa0ba902b7");
}

#[test]
fn a_callers_choice_is_followed_whatever_the_share() {
    assert_eq!(exported(0.0, || request(SAMPLED)).len(), 1);
    assert_eq!(exported(1.0, || request(NOT_SAMPLED)).len(), 0);
}

#[test]
fn a_trace_that_begins_here_is_kept_by_its_share() {
    let begin = || drop(tracing::info_span!("request").entered());
    assert_eq!(exported(1.0, begin).len(), 1);
    assert_eq!(exported(0.0, begin).len(), 0);
}

#[test]
fn the_insides_of_libraries_and_details_are_not_exported() {
    let spans = exported(1.0, || {
        drop(tracing::info_span!(target: "h2::codec", "frame").entered());
        drop(tracing::debug_span!("detail").entered());
    });
    assert!(spans.is_empty(), "{spans:?}");
}

#[test]
fn without_an_exporter_the_trace_is_the_callers() {
    assert_eq!(current_trace_id(), None);
    assert_eq!(trace_id_of(&headers(SAMPLED)).as_deref(), Some(TRACE));
    assert_eq!(trace_id_of(&headers("nonsense")), None);
    assert_eq!(trace_id_of(&HeaderMap::new()), None);
}

#[test]
fn a_traceparent_gives_its_trace() {
    assert_eq!(trace_id_from_traceparent(SAMPLED).as_deref(), Some(TRACE));
    let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
    assert_eq!(trace_id_from_traceparent(later).as_deref(), Some(TRACE));
}

#[test]
fn a_malformed_traceparent_gives_none() {
    for header in [
        "",
        "00",
        TRACE,
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
    ] {
        assert_eq!(trace_id_from_traceparent(header), None, "{header}");
    }
}

#[test]
fn a_wrong_filter_is_named() {
    let refused = filter("makegood=loudly").unwrap_err();
    assert!(matches!(&refused, Error::Filter { filter, .. } if filter == "makegood=loudly"));
    assert!(filter("warn,makegood=debug").is_ok());
}
