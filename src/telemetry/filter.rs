//! What is exported: the spans of calls that are traced, the statements below them, and what is logged in them. The
//! insides of libraries would outnumber these by far.

use super::{STATEMENT, TRACED_CALL};
use tracing::subscriber::Interest;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;

/// Lets through what belongs to a trace.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exported;

impl Exported {
    /// What can be said of a place in the source once and for all; `None` where it depends on the call.
    fn of_callsite(metadata: &Metadata<'_>) -> Option<bool> {
        let target = metadata.target();
        match (metadata.is_span(), target) {
            (true, TRACED_CALL) => Some(true),
            (true, STATEMENT) => None,
            (true, _) => Some(false),
            (false, _) => {
                let is_ours = target.split("::").next() == Some(env!("CARGO_CRATE_NAME"));
                Some(is_ours && *metadata.level() <= Level::INFO)
            }
        }
    }
}

impl<S> Filter<S> for Exported
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        match Self::of_callsite(metadata) {
            Some(true) => Interest::always(),
            Some(false) => Interest::never(),
            None => Interest::sometimes(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        // A statement belongs to a trace if the span around it does. Spans that this filter stopped are not seen here.
        Self::of_callsite(metadata).unwrap_or_else(|| context.lookup_current().is_some())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }
}
