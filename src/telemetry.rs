//! What the process tells about itself: logs, figures, and traces where they are wanted.
//!
//! A caller's trace is followed by the W3C `traceparent` and `tracestate` headers. Whether a call is traced is decided
//! before a span is built for it ([`begin_call`]), and only calls and the statements below them are exported.

mod calls;
mod decisions;
mod filter;
mod page;
mod sampling;
mod trace_context;

use std::io::{self, IsTerminal};
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, TracerProviderBuilder,
};
use sampling::Sampling;
use tracing::Subscriber;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::config::{LogFormat, TelemetrySettings};

pub use calls::{CallFigures, Calls, MethodIndex, RoleIndex, code_name};
pub use decisions::Decisions;
pub use page::{Scale, encode_gauge, encode_gauges, encode_spread};
pub use sampling::begin_call;

/// The target of the spans of calls that are traced.
const TRACED_CALL: &str = "makegood::call::traced";

/// The target of the spans of all other calls, which are for the log alone.
const CALL: &str = "makegood::call";

/// The target of the spans of statements, below the level of an ordinary log.
const STATEMENT: &str = "makegood::statement";

/// The name under which traces are found.
const SERVICE_NAME: &str = env!("CARGO_PKG_NAME");

/// How long the last spans may take to leave when the process ends: a collector
/// that is gone must not hold the process.
const FLUSH_LIMIT: Duration = Duration::from_secs(3);

/// Most spans that wait for a collector, some megabytes of them; further ones are dropped, and no call waits.
const MAX_QUEUED_SPANS: usize = 4_096;

/// Most spans in one export.
const MAX_EXPORTED_SPANS: usize = 512;

/// How long spans wait for others to be exported with.
const EXPORT_INTERVAL: Duration = Duration::from_secs(1);

/// How long a collector may take for one export.
const EXPORT_LIMIT: Duration = Duration::from_secs(5);

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
    let provider = settings.otlp_endpoint().map(exporting).transpose()?;
    let is_terminal = io::stderr().is_terminal();
    let format = settings.log.unwrap_or(if is_terminal { LogFormat::Human } else { LogFormat::Json });
    let logs = match format {
        LogFormat::Human => fmt::layer()
            .compact()
            .with_target(false)
            .with_ansi(is_terminal)
            .with_writer(io::stderr)
            .with_filter(log_filter(&settings.log_filter)?)
            .boxed(),
        LogFormat::Json => fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_writer(io::stderr)
            .with_filter(log_filter(&settings.log_filter)?)
            .boxed(),
    };
    tracing_subscriber::registry().with(logs).with(provider.as_ref().map(export)).try_init()?;
    if provider.is_some() {
        Sampling::of_share(settings.trace_ratio).install();
    }
    Ok(Guard(provider))
}

/// By module and level alone, so that nothing is looked up each time that a call is taken up again.
fn log_filter(text: &str) -> Result<Targets, Error> {
    text.parse().map_err(|source| Error::Filter { filter: text.to_owned(), source })
}

/// Exports from a thread of its own, out of a queue that has an end: a collector that is slow or gone costs spans, and
/// never a call its time.
fn exporting(endpoint: &str) -> Result<SdkTracerProvider, Error> {
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).with_timeout(EXPORT_LIMIT);
    let exporter =
        exporter.build().map_err(|source| Error::Exporter { endpoint: endpoint.to_owned(), source })?;
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(MAX_QUEUED_SPANS)
        .with_max_export_batch_size(MAX_EXPORTED_SPANS)
        .with_scheduled_delay(EXPORT_INTERVAL)
        .build();
    let batches = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
    Ok(provider(SdkTracerProvider::builder().with_span_processor(batches)))
}

/// Whatever becomes a span here was chosen before: see [`begin_call`].
fn provider(builder: TracerProviderBuilder) -> SdkTracerProvider {
    let resource = Resource::builder()
        .with_service_name(SERVICE_NAME)
        .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let sampler = Sampler::ParentBased(Box::new(Sampler::AlwaysOn));
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
        .with_target(false)
        .with_filter(filter::Exported)
}

#[cfg(test)]
mod tests;
