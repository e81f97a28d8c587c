//! Traces from end to end: from a caller's span to the statements, as a collector receives them; and what becomes of
//! calls whose spans nobody takes.

use crate::collector::{Collector, attribute};
use crate::process::Process;
use crate::service::{delivery, evaluate, hold, purchase, restore, when};
use makegood::proto::makegood::v1;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use sqlx::{Connection, Executor, PgConnection};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::{Code, Request};
use v1::Claim;

const NOON: &str = "2025-03-03T12:00:00Z";
const FRONTEND: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const WORKER: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";
const EVALUATE: &str = "makegood.v1.RefundService/EvaluateRequest";
const RESTORE: &str = "makegood.v1.CreditService/RestoreCredits";

/// A call within a caller's span, which the caller records or not.
fn within<T>(trace_id: &str, flags: &str, message: T) -> Request<T> {
    let mut request = when(NOON, message);
    let parent = format!("00-{trace_id}-{PARENT}-{flags}");
    request.metadata_mut().insert("traceparent", parent.parse().unwrap());
    request.metadata_mut().insert("tracestate", "shop=7".parse().unwrap());
    request
}

/// A purchase with an attempt whose credits are held.
async fn used(process: &Process) {
    let mut credits = process.credits();
    credits.record_purchase(when(NOON, purchase("ada", "pay-1", NOON))).await.unwrap();
    credits.deliver_credits(when(NOON, delivery("ada", "pay-1", 100, NOON))).await.unwrap();
    credits.hold_credits(when(NOON, hold("ada", "job-1", 10))).await.unwrap();
}

fn of_trace<'a>(spans: &'a [Span], trace_id: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| hex::encode(&span.trace_id) == trace_id).collect()
}

#[tokio::test]
async fn a_callers_span_goes_on_through_the_call_to_its_statements() {
    let mut collector = Collector::start().await;
    let process = Process::start(&["--otlp-endpoint", &collector.endpoint, "--trace-ratio", "0"]).await;
    used(&process).await;
    let report = within(WORKER, "01", restore("ada", "job-1", "gpu_error", NOON));
    process.credits().restore_credits(report).await.unwrap();
    let request = within(FRONTEND, "01", evaluate("ada", "pay-1", Claim::TechnicalIssue));
    let answer = process.refunds().evaluate_request(request).await.unwrap().into_inner();
    let spans = collector.until(&[EVALUATE, RESTORE]).await;

    let frontend = of_trace(&spans, FRONTEND);
    let [rpc] = frontend.iter().filter(|span| span.name == EVALUATE).collect::<Vec<_>>()[..] else {
        panic!("{frontend:?}")
    };
    assert_eq!((rpc.kind(), hex::encode(&rpc.parent_span_id).as_str()), (SpanKind::Server, PARENT));
    let decision = answer.decision.unwrap();
    for (key, expected) in [
        ("rpc.system.name", "grpc"),
        ("rpc.method", EVALUATE),
        ("rpc.status_code", "OK"),
        ("makegood.caller.role", "development"),
        ("makegood.decision.outcome", decision.outcome().as_str_name().trim_start_matches("OUTCOME_")),
        ("makegood.decision.row", &decision.row),
        ("makegood.decision.clause", &decision.clauses.join(", ")),
        ("makegood.decision.policy_version", "2024-12-19"),
    ] {
        assert_eq!(attribute(rpc, key), Some(expected), "{key}");
    }
    let statements: Vec<&&Span> = frontend.iter().filter(|span| span.name != EVALUATE).collect();
    for name in ["BEGIN", "SELECT account", "INSERT refund_request", "INSERT decision", "COMMIT"] {
        assert!(statements.iter().any(|span| span.name == name), "no {name} in {statements:?}");
    }
    for span in &statements {
        assert_eq!((span.kind(), &span.parent_span_id), (SpanKind::Client, &rpc.span_id), "{span:?}");
        assert_eq!(attribute(span, "db.system.name"), Some("postgresql"));
        assert_eq!(attribute(span, "db.query.text"), None);
    }

    let worker = of_trace(&spans, WORKER);
    assert_eq!(worker.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), [RESTORE]);
    // What nobody traced was left out, and nothing tells whose credits, jobs or payments these were.
    assert_eq!(frontend.len() + worker.len(), spans.len());
    assert!(spans.iter().all(|span| span.trace_state == "shop=7"));
    let told = format!("{spans:?}");
    assert!(["ada", "job-1", "pay-1"].iter().all(|word| !told.contains(&format!("\"{word}\""))), "{told}");
    process.stop().await;
}

#[tokio::test]
async fn a_trace_that_begins_here_is_stored_with_the_decision_and_shown() {
    let mut collector = Collector::start().await;
    let process = Process::start(&["--otlp-endpoint", &collector.endpoint, "--trace-ratio", "1"]).await;
    used(&process).await;
    let request = when(NOON, evaluate("ada", "pay-1", Claim::TechnicalIssue));
    let answer = process.refunds().evaluate_request(request).await.unwrap().into_inner();
    let spans = collector.until(&[EVALUATE]).await;
    let rpc = spans.iter().find(|span| span.name == EVALUATE).unwrap();
    assert!(rpc.parent_span_id.is_empty());
    let query = v1::GetRefundRequestRequest {
        account_id: "ada".to_owned(),
        refund_request_id: answer.refund_request.unwrap().refund_request_id,
    };
    let read = process.refunds().get_refund_request(when(NOON, query)).await.unwrap().into_inner();
    let decisions = read.refund_request.unwrap().decisions;
    assert_eq!(decisions.first().unwrap().trace_id, hex::encode(&rpc.trace_id));
    process.stop().await;
}

#[tokio::test]
async fn a_refusal_is_told_as_one_and_is_no_fault_of_ours() {
    let mut collector = Collector::start().await;
    let process = Process::start(&["--otlp-endpoint", &collector.endpoint]).await;
    let request = within(WORKER, "01", restore("nobody", "job-1", "gpu_error", NOON));
    assert_eq!(process.credits().restore_credits(request).await.unwrap_err().code(), Code::NotFound);
    let spans = collector.until(&[RESTORE]).await;
    let rpc = spans.first().unwrap();
    assert_eq!(
        (attribute(rpc, "rpc.status_code"), attribute(rpc, "error.type")),
        (Some("NOT_FOUND"), Some("NOT_FOUND"))
    );
    assert_ne!(rpc.status.clone().unwrap_or_default().code(), StatusCode::Error);
    process.stop().await;
}

/// Many more calls than spans may wait, all of them traced, from several callers at once. A call that waited for the
/// collector once would take longer than all of them may. Gives the log.
async fn calls_are_answered_without(endpoint: &str) -> String {
    let process = Process::start(&["--otlp-endpoint", endpoint, "--trace-ratio", "1"]).await;
    used(&process).await;
    let mut callers = JoinSet::new();
    for _ in 0..16 {
        let mut credits = process.credits();
        callers.spawn(async move {
            for _ in 0..300 {
                let request = v1::GetBalanceRequest { account_id: "ada".to_owned() };
                credits.get_balance(when(NOON, request)).await.unwrap();
            }
        });
    }
    timeout(Duration::from_mins(1), callers.join_all()).await.unwrap();
    let claim = evaluate("ada", "pay-1", Claim::TechnicalIssue);
    let decided =
        timeout(Duration::from_secs(4), process.refunds().evaluate_request(when(NOON, claim))).await;
    decided.unwrap().unwrap();
    // It ends in time as well.
    process.stop().await
}

#[tokio::test]
async fn a_collector_that_never_answers_slows_no_call() {
    // The system accepts connections for it, and nobody ever reads one.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let log = calls_are_answered_without(&format!("http://{}", silent.local_addr().unwrap())).await;
    assert!(log.contains("the last traces could not be sent"), "{log}");
}

#[tokio::test]
async fn without_a_collector_no_call_is_slower() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let log = calls_are_answered_without(&format!("http://{closed}")).await;
    assert!(!log.contains("\"ERROR\""), "{log}");
}

#[tokio::test]
async fn an_error_is_logged_once_with_its_call_and_its_trace() {
    let process = Process::start(&[]).await;
    used(&process).await;
    let mut database = PgConnection::connect(&process.url).await.unwrap();
    database.execute("ALTER TABLE refund RENAME TO refund_elsewhere").await.unwrap();
    let request = within(FRONTEND, "00", evaluate("ada", "pay-1", Claim::TechnicalIssue));
    let refused = process.refunds().evaluate_request(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::Internal);
    let log = process.stop().await;
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &serde_json::Value| line["level"] == "ERROR")
        .collect();
    let [line] = lines.as_slice() else { panic!("{log}") };
    assert_eq!(
        (&line["span"]["rpc.method"], &line["span"]["trace_id"]),
        (&EVALUATE.into(), &FRONTEND.into())
    );
    assert!(!log.contains("pay-1"), "{log}");
}
