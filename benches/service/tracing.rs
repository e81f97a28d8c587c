//! What traces cost: the same work by services that trace nothing, one call in a hundred, and every call.
//!
//! Each is a process of its own over a database of its own, and all send to a collector in this process that reads
//! spans and throws them away: taking them apart would cost the cores that are measured.

use crate::arguments::{Plan, Spread, Work};
use crate::caller::{Caller, callers_of};
use crate::figures::{Figures, over};
use crate::ground::{Ground, folder};
use crate::load::Load;
use crate::process::Process;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codegen::{Bytes, Service};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

/// In flight while it is measured: where targets are set.
const IN_FLIGHT: usize = 64;

/// What is compared, with the share of calls that is traced.
const MODES: [(&str, Option<&str>); 3] = [("off", None), ("1 %", Some("0.01")), ("100 %", Some("1"))];

/// A message without a byte in it: an export that was taken whole.
const TAKEN: &[u8] = &[0; 5];

/// Reads what it is sent, and counts its bytes.
#[derive(Debug, Clone, Default)]
struct Sink(Arc<AtomicU64>);

impl Service<Request<Body>> for Sink {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let sink = self.clone();
        Box::pin(async move {
            if let Ok(read) = request.into_body().collect().await {
                sink.0.fetch_add(u64::try_from(read.to_bytes().len()).unwrap_or(0), Relaxed);
            }
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            let taken = Full::new(Bytes::from_static(TAKEN));
            let body = taken.with_trailers(async move { Some(Ok(trailers)) });
            let mut response = Response::new(Body::new(body));
            response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
            Ok(response)
        })
    }
}

/// Measures all three in turn, and prints what each came to.
pub(crate) async fn measure(plan: &Plan, ground: &Ground) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    let sink = Sink::default();
    let collector = Server::builder().serve_with_incoming(sink.clone(), TcpIncoming::from(listener));
    let collector = tokio::spawn(collector);
    let mut processes = Vec::new();
    for (number, (_, share)) in MODES.into_iter().enumerate() {
        let url = ground.another_database(&format!("traced_{number}")).await?;
        let arguments = match share {
            Some(share) => vec!["--otlp-endpoint", endpoint.as_str(), "--trace-ratio", share],
            None => Vec::new(),
        };
        let log = folder()?.join(format!("traced-{number}.log"));
        processes.push(Process::start_with(&url, &log, &arguments).await?);
    }
    let figures = compare(plan, ground, &processes).await;
    for process in processes {
        process.stop().await?;
    }
    collector.abort();
    let figures = figures?;
    let off = figures.first().map_or(0.0, |figures| figures.ops_s);
    for ((name, _), Figures { ops_s, p50_ms, p99_ms, .. }) in MODES.iter().zip(&figures) {
        println!(
            "tracing {name:>5}: {ops_s:.0} ops/s ({:.3} of off), p50 {p50_ms:.2} ms, p99 {p99_ms:.2} ms",
            over(*ops_s, off)
        );
    }
    println!("spans sent: {} KiB", sink.0.load(Relaxed) / 1_024);
    Ok(())
}

/// One run of each in turn, beginning with another each time; the first round is not measured, since it uses each
/// service and its database for the first time.
async fn compare(plan: &Plan, ground: &Ground, processes: &[Process]) -> anyhow::Result<Vec<Figures>> {
    let mut callers = Vec::new();
    for process in processes {
        callers.push(callers_of(process.endpoint(), IN_FLIGHT).await?);
    }
    let mut runs: Vec<Vec<Figures>> = vec![Vec::new(); processes.len()];
    for round in 0..=usize::try_from(plan.runs)? {
        for turn in 0..processes.len() {
            let mode = (round + turn) % processes.len();
            let (Some(callers), Some(runs)) = (callers.get_mut(mode), runs.get_mut(mode)) else { continue };
            let load = Load::new(Work::HoldCapture, ground.accounts(Spread::Wide), Vec::new());
            let taken: Vec<Caller> = std::mem::take(callers);
            let (returned, figures) = load.run(plan, ground, taken).await?;
            *callers = returned;
            if round > 0 {
                runs.push(figures);
            }
        }
    }
    Ok(runs.iter().map(|runs| Figures::median(runs)).collect())
}
