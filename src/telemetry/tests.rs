use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tracing_subscriber::layer::SubscriberExt;

use super::sampling::Sampling;
use super::trace_context::trace_id_from_traceparent;
use super::{Error, STATEMENT, export, log_filter, provider};

const METHOD: &str = "makegood.v1.CreditService/HoldCredits";
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

fn exported(work: impl FnOnce()) -> Vec<SpanData> {
    let kept = Kept::default();
    let provider = provider(SdkTracerProvider::builder().with_simple_exporter(kept.clone()));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(export(&provider)), work);
    provider.shutdown().unwrap();
    let spans = kept.0.lock().unwrap();
    spans.clone()
}

fn headers(traceparent: &'static str) -> HeaderMap {
    HeaderMap::from_iter([
        (HeaderName::from_static("traceparent"), HeaderValue::from_static(traceparent)),
        (HeaderName::from_static("tracestate"), HeaderValue::from_static("shop=7")),
    ])
}

/// A call with one statement.
fn call(share: f64, headers: &HeaderMap) -> Option<String> {
    let (span, trace_id) = Sampling::of_share(share).begin(METHOD, headers);
    span.in_scope(|| drop(tracing::debug_span!(target: STATEMENT, "SELECT").entered()));
    trace_id
}

#[test]
fn a_callers_trace_goes_on_with_its_state_down_to_the_statements() {
    let spans = exported(|| assert_eq!(call(0.0, &headers(SAMPLED)).as_deref(), Some(TRACE)));
    let [statement, rpc] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!((rpc.name.as_ref(), statement.name.as_ref()), (METHOD, "SELECT"));
    assert_eq!(rpc.parent_span_id.to_string(), "00f067aa0ba902b7");
    assert_eq!(statement.parent_span_id, rpc.span_context.span_id());
    for span in [rpc, statement] {
        assert_eq!(span.span_context.trace_id().to_string(), TRACE);
        assert_eq!(span.span_context.trace_state().header(), "shop=7");
    }
}

#[test]
fn a_callers_choice_is_followed_whatever_the_share() {
    assert_eq!(exported(|| assert!(call(0.0, &headers(SAMPLED)).is_some())).len(), 2);
    // Its trace is known all the same.
    assert_eq!(exported(|| assert_eq!(call(1.0, &headers(NOT_SAMPLED)).as_deref(), Some(TRACE))).len(), 0);
}

#[test]
fn a_trace_that_begins_here_is_kept_by_its_share() {
    let of = |share: f64| {
        exported(|| {
            for _ in 0..200 {
                call(share, &HeaderMap::new());
            }
        })
        .len()
            / 2
    };
    assert_eq!((of(1.0), of(0.0)), (200, 0));
    // Two hundred throws of a coin, ten times the usual distance from half of them.
    assert!((30..170).contains(&of(0.5)));
}

#[test]
fn a_call_that_belongs_to_no_trace_says_so() {
    assert_eq!(call(0.0, &HeaderMap::new()), None);
    assert_eq!(Sampling::Off.begin(METHOD, &headers("nonsense")).1, None);
    assert_eq!(Sampling::Off.begin(METHOD, &headers(SAMPLED)).1.as_deref(), Some(TRACE));
}

#[test]
fn the_insides_of_libraries_and_what_is_outside_calls_are_not_exported() {
    let spans = exported(|| {
        drop(tracing::info_span!(target: "h2::codec", "frame").entered());
        drop(tracing::info_span!("detail").entered());
        drop(tracing::debug_span!(target: STATEMENT, "SELECT").entered());
    });
    assert!(spans.is_empty(), "{spans:?}");
}

#[test]
fn a_traceparent_gives_its_trace() {
    assert_eq!(trace_id_from_traceparent(SAMPLED), Some((TRACE, 1)));
    assert_eq!(trace_id_from_traceparent(NOT_SAMPLED), Some((TRACE, 0)));
    let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
    assert_eq!(trace_id_from_traceparent(later), Some((TRACE, 1)));
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
    let refused = log_filter("makegood=loudly").unwrap_err();
    assert!(matches!(&refused, Error::Filter { filter, .. } if filter == "makegood=loudly"));
    assert!(log_filter("warn,makegood=debug").is_ok());
}
