//! What the process tells about itself: logs, and traces where they are wanted.
//!
//! A caller's trace is followed by the W3C `traceparent` header. Only this crate's
//! own spans are exported: the libraries' would outnumber them by far.

mod trace_context;

use std::io::{self, IsTerminal};
use std::time::Duration;

use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, TracerProviderBuilder};
use tracing::{Level, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::config::{LogFormat, TelemetrySettings};

pub use trace_context::{parent_of, trace_id_from_traceparent, trace_id_of};

/// The name under which traces are found.
const SERVICE_NAME: &str = env!("CARGO_PKG_NAME");

/// How long the last spans may take to leave when the process ends: a collector
/// that is gone must not hold the process.
const FLUSH_LIMIT: Duration = Duration::from_secs(3);

/// Why logs or traces cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The log filter cannot be read.
    #[error("the log filter `{filter}` cannot be read: write `info`, or `warn,makegood=debug`")]
    Filter {
        /// What was given.
        filter: String,
        /// What the parser says.
        source: tracing_subscriber::filter::ParseError,
    },
    /// The exporter does not take its endpoint.
    #[error("traces cannot be sent to `{endpoint}`")]
    Exporter {
        /// Where they should have gone.
        endpoint: String,
        /// Why not.
        source: opentelemetry_otlp::ExporterBuildError,
    },
    /// Logs were started before.
    #[error("logs were already started in this process")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Keeps the export of traces alive; the last spans leave at [`Guard::shutdown`].
#[derive(Debug)]
#[must_use = "the last spans are lost without `shutdown`"]
pub struct Guard(Option<SdkTracerProvider>);

impl Guard {
    /// Sends what was not sent yet, within three seconds. To be called last.
    pub async fn shutdown(self) {
        let Some(provider) = self.0 else { return };
        // It blocks, and the exporter needs this thread's runtime meanwhile.
        let flushed = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH_LIMIT)).await;
        if !matches!(flushed, Ok(Ok(()))) {
            tracing::warn!("the last traces could not be sent");
        }
    }
}

/// Starts logs, to standard error, and the export of traces where an endpoint is set.
/// Must be called inside the runtime, once.
///
/// # Errors
/// Each [`Error`] is a sentence that names the setting.
pub fn start(settings: &TelemetrySettings) -> Result<Guard, Error> {
    let provider =
        settings.otlp_endpoint().map(|endpoint| exporting(endpoint, settings.trace_ratio)).transpose()?;
    let is_terminal = io::stderr().is_terminal();
    let format = settings.log.unwrap_or(if is_terminal { LogFormat::Human } else { LogFormat::Json });
    let logs = match format {
        LogFormat::Human => fmt::layer()
            .compact()
            .with_target(false)
            .with_ansi(is_terminal)
            .with_writer(io::stderr)
            .with_filter(filter(&settings.log_filter)?)
            .boxed(),
        LogFormat::Json => fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_writer(io::stderr)
            .with_filter(filter(&settings.log_filter)?)
            .boxed(),
    };
    tracing_subscriber::registry().with(logs).with(provider.as_ref().map(export)).try_init()?;
    Ok(Guard(provider))
}

/// The id of the trace that the current span belongs to, in 32 hexadecimal digits;
/// `None` where traces are not exported. See [`trace_id_of`] for a request's.
#[must_use]
pub fn current_trace_id() -> Option<String> {
    let context = Span::current().context();
    let span = context.span().span_context().clone();
    span.is_valid().then(|| span.trace_id().to_string())
}

fn filter(text: &str) -> Result<EnvFilter, Error> {
    EnvFilter::builder().parse(text).map_err(|source| Error::Filter { filter: text.to_owned(), source })
}

fn exporting(endpoint: &str, ratio: f64) -> Result<SdkTracerProvider, Error> {
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build();
    let exporter = exporter.map_err(|source| Error::Exporter { endpoint: endpoint.to_owned(), source })?;
    Ok(provider(SdkTracerProvider::builder().with_batch_exporter(exporter), ratio))
}

/// A caller's choice to trace is followed; of traces that begin here, a share is kept.
fn provider(builder: TracerProviderBuilder, ratio: f64) -> SdkTracerProvider {
    let resource = Resource::builder()
        .with_service_name(SERVICE_NAME)
        .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio)));
    builder.with_resource(resource).with_sampler(sampler).build()
}

fn export<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(SERVICE_NAME))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(Targets::new().with_target(env!("CARGO_CRATE_NAME"), Level::INFO))
}

#[cfg(test)]
mod tests;
