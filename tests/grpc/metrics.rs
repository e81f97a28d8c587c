//! The figures that Prometheus reads, and that dashboard and alerts know no others.

use crate::canary::is_free_of_words;
use crate::service::{Service, capture, evaluate, hold, restore, when};
use makegood::proto::makegood::v1;
use sqlx::{Connection, Executor};
use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::Request;
use v1::Claim;

const NOON: &str = "2025-03-03T12:00:00Z";
const DASHBOARD: &str = "helm/makegood/dashboards/makegood.json";
const RULES: &str = "helm/makegood/rules/makegood.yaml";
const RUNBOOKS: &str = "docs/operations.md";

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// A request as a scraper makes it: the status line, and the page.
async fn fetch(address: SocketAddr, method: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: figures\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    is_free_of_words(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

pub(crate) async fn scrape(service: &Service) -> String {
    let (status, page) = fetch(service.running.metrics_addr().unwrap(), "GET", "/metrics").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    page
}

/// The value of a sample; a test asks only for samples that are there.
#[track_caller]
fn value(page: &str, sample: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    assert!(line.is_some(), "`{sample}` is not in\n{page}");
    line.unwrap().parse().unwrap()
}

/// A call in a role.
fn by<T>(caller: &str, message: T) -> Request<T> {
    let mut request = when(NOON, message);
    request.metadata_mut().insert("makegood-test-caller", caller.parse().unwrap());
    request
}

/// A desk with something of everything: an attempt that failed, a refund that waits, a request in review, a dispute.
async fn busy() -> (Service, v1::RefundRequest) {
    let service = Service::start().await;
    let mut credits = service.credits();
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-2", "2025-03-03T12:05:00Z").await;
    credits.hold_credits(by("worker:w1", hold("ada", "job-1", 10))).await.unwrap();
    credits.capture_credits(by("worker:w1", capture("ada", "job-1"))).await.unwrap();
    credits.hold_credits(by("worker:w1", hold("ada", "job-2", 1_000))).await.unwrap_err();
    credits.restore_credits(by("worker:w1", restore("ada", "job-1", "gpu_error", NOON))).await.unwrap();
    let paid = service.claim("ada", "pay-2", Claim::DuplicatePurchase, "2025-03-03T13:00:00Z").await;
    assert_eq!(paid.refund_request.unwrap().refunds.len(), 1);
    service.bought("bob", "pay-3", NOON).await;
    let review = service.claim("bob", "pay-3", Claim::Other, NOON).await.refund_request.unwrap();
    service.bought("cyd", "pay-4", NOON).await;
    service.dispute("pay-4", "dispute-1", v1::ChargebackEventKind::Opened, NOON).await;
    (service.with_metrics().await, review)
}

#[tokio::test]
async fn calls_are_counted_by_method_role_and_code() {
    let (service, _) = busy().await;
    let page = scrape(&service).await;
    let requests = |service: &str, method: &str, role: &str, code: &str| {
        let sample = format!(
            "makegood_rpc_requests_total{{service=\"{service}\",method=\"{method}\",role=\"{role}\",code=\"{code}\"}}"
        );
        value(&page, &sample)
    };
    assert!((requests("CreditService", "HoldCredits", "worker", "OK") - 1.0).abs() < f64::EPSILON);
    assert!(
        (requests("CreditService", "HoldCredits", "worker", "FAILED_PRECONDITION") - 1.0).abs()
            < f64::EPSILON
    );
    assert!((requests("RefundService", "EvaluateRequest", "development", "OK") - 2.0).abs() < f64::EPSILON);
    let took = "makegood_rpc_request_duration_seconds_count{service=\"CreditService\",method=\"HoldCredits\",role=\"worker\"}";
    assert!((value(&page, took) - 2.0).abs() < f64::EPSILON);
    assert!(value(&page, "makegood_rpc_requests_in_flight").abs() < f64::EPSILON);
    // A hold, a capture and a restore, and a hold that was refused: four operations, one after the other.
    assert!((value(&page, "makegood_lane_batch_operations_bucket{le=\"1\"}") - 4.0).abs() < f64::EPSILON);
    service.stop().await;
}

#[tokio::test]
async fn a_call_to_nothing_and_a_wrong_caller_are_counted_too() {
    let service = Service::start().await.with_metrics().await;
    let mut credits = service.credits();
    credits.hold_credits(by("king:w1", hold("ada", "job-1", 10))).await.unwrap_err();
    let path = "/makegood.v1.CreditService/StealCredits".parse().unwrap();
    let mut client = tonic::client::Grpc::new(service.channel());
    client.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<v1::GetBalanceRequest, v1::GetBalanceResponse>::default();
    client.unary(Request::new(v1::GetBalanceRequest::default()), path, codec).await.unwrap_err();
    let page = scrape(&service).await;
    for sample in [
        "makegood_rpc_requests_total{service=\"CreditService\",method=\"HoldCredits\",role=\"none\",code=\"INVALID_ARGUMENT\"}",
        "makegood_rpc_requests_total{service=\"other\",method=\"other\",role=\"none\",code=\"UNIMPLEMENTED\"}",
    ] {
        assert!((value(&page, sample) - 1.0).abs() < f64::EPSILON);
    }
    service.stop().await;
}

#[tokio::test]
async fn a_call_that_its_caller_gave_up_is_counted_as_cancelled() {
    let service = Service::start().await.with_metrics().await;
    service.bought("ada", "pay-1", NOON).await;
    let mut database = service.database().await;
    let mut lock = database.begin().await.unwrap();
    lock.execute("SELECT FROM account FOR UPDATE").await.unwrap();
    let mut refunds = service.refunds();
    let call = tokio::spawn(async move {
        refunds.evaluate_request(when(NOON, evaluate("ada", "pay-1", Claim::Other))).await
    });
    until(&service, "makegood_rpc_requests_in_flight 1").await;
    call.abort();
    until(&service, "makegood_rpc_requests_in_flight 0").await;
    let sample = "makegood_rpc_requests_total{service=\"RefundService\",method=\"EvaluateRequest\",role=\"development\",code=\"CANCELLED\"}";
    assert!((value(&scrape(&service).await, sample) - 1.0).abs() < f64::EPSILON);
    lock.rollback().await.unwrap();
    service.stop().await;
}

/// Reads the page until it has a line.
async fn until(service: &Service, line: &str) {
    let read = async { while !scrape(service).await.lines().any(|told| told == line) {} };
    timeout(Duration::from_secs(20), read).await.unwrap();
}

#[tokio::test]
async fn decisions_are_counted_once_however_often_their_call_is_sent() {
    let service = Service::start().await.with_metrics().await;
    service.bought("ada", "pay-1", NOON).await;
    let mut preview = evaluate("ada", "pay-1", Claim::ChangeOfMind);
    preview.validate_only = true;
    service.refunds().evaluate_request(when(NOON, preview)).await.unwrap();
    let request = evaluate("ada", "pay-1", Claim::ChangeOfMind);
    for _ in 0..3 {
        service.refunds().evaluate_request(when(NOON, request.clone())).await.unwrap();
    }
    let sample = "makegood_decisions_total{outcome=\"DENY\",row=\"5\"}";
    assert!((value(&scrape(&service).await, sample) - 1.0).abs() < f64::EPSILON);
    service.stop().await;
}

#[tokio::test]
async fn what_is_open_is_told_from_the_records() {
    let (service, review) = busy().await;
    let page = scrape(&service).await;
    let respond_by = review.respond_by.unwrap().seconds;
    for (sample, expected) in [
        ("makegood_refund_requests_open{stage=\"in_review\"}", 1),
        ("makegood_refund_requests_open{stage=\"awaiting_information\"}", 0),
        ("makegood_refund_requests_overdue", 1),
        ("makegood_refund_requests_respond_by_timestamp_seconds", respond_by),
        ("makegood_refunds_on_their_way{stage=\"pending\"}", 1),
        ("makegood_refunds_oldest_timestamp_seconds{stage=\"pending\"}", 1_741_006_800),
        ("makegood_chargebacks_open", 1),
        ("makegood_overview_failures_total", 0),
        ("makegood_pool_connections_limit", 8),
        ("makegood_pool_waiting_transactions", 0),
    ] {
        assert_eq!(format!("{:.0}", value(&page, sample)), expected.to_string(), "{sample}");
    }
    let looked = value(&page, "makegood_overview_timestamp_seconds");
    assert!(looked > 1_741_100_000.0, "it was looked up now, and not at the hour of the calls");
    service.stop().await;
}

#[tokio::test]
async fn nobody_who_only_connects_keeps_others_from_the_page() {
    let service = Service::start().await.with_metrics().await;
    let address = service.running.metrics_addr().unwrap();
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    assert!(scrape(&service).await.contains("makegood_build_info"));
    assert_eq!(fetch(address, "GET", "/").await.0, "HTTP/1.1 404 Not Found");
    assert_eq!(fetch(address, "POST", "/metrics").await.0, "HTTP/1.1 405 Method Not Allowed");
    drop(silent);
    service.stop().await;
}

/// Every name of a figure in a text.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    words.filter(|word| word.starts_with("makegood_")).map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn dashboard_and_alerts_name_only_figures_that_are_told() {
    let (service, _) = busy().await;
    let page = scrape(&service).await;
    let told: BTreeSet<String> = page
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| named(line).into_iter().next())
        .collect();
    for path in [DASHBOARD, RULES] {
        let named = named(&file(path));
        assert!(named.len() > 8, "{path} names {named:?}");
        let unknown: Vec<_> = named.difference(&told).collect();
        assert!(unknown.is_empty(), "{path} names {unknown:?}, and the service tells {told:?}");
    }
    // What the page tells is described, and what is described is told.
    let families: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    let described = named(&file(RUNBOOKS));
    assert_eq!(families, described);
    service.stop().await;
}

#[test]
fn the_dashboard_is_json_and_each_alert_has_a_runbook() {
    let dashboard: serde_json::Value = serde_json::from_str(&file(DASHBOARD)).unwrap();
    assert!(dashboard["panels"].as_array().unwrap().len() > 10);
    let anchors: BTreeSet<String> = file(RUNBOOKS)
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .map(|title| format!("{RUNBOOKS}#{}", title.to_lowercase().replace(' ', "-")))
        .collect();
    let rules = file(RULES);
    let alerts = rules.lines().filter(|line| line.trim_start().starts_with("- alert:")).count();
    let runbooks: BTreeSet<String> = rules
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("runbook_url: "))
        .map(ToOwned::to_owned)
        .collect();
    assert!(alerts > 5);
    assert_eq!(runbooks.len(), alerts, "each alert has a runbook of its own");
    assert_eq!(runbooks, anchors);
}
