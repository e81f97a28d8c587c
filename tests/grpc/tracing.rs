//! A caller's trace is kept with what it caused, so that support can walk from a case to the worker's trace.

use crate::service::{Service, evaluate, hold, restore, when};
use makegood::proto::makegood::v1;
use tonic::Request;
use v1::Claim;

const NOON: &str = "2025-03-03T12:00:00Z";
const WORKER: &str = "0af7651916cd43dd8448eb211c80319c";
const DESK: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A call within a trace.
fn within<T>(trace_id: &str, message: T) -> Request<T> {
    let mut request = when(NOON, message);
    let parent = format!("00-{trace_id}-b7ad6b7169203331-01");
    request.metadata_mut().insert("traceparent", parent.parse().unwrap());
    request
}

#[tokio::test]
async fn a_failed_attempt_and_a_decision_keep_the_traces_of_their_calls() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let mut credits = service.credits();
    let held = credits.hold_credits(within(DESK, hold("ada", "job-1", 10))).await.unwrap().into_inner();
    assert_eq!(held.usage.unwrap().trace_id, DESK);
    let report = credits.restore_credits(within(WORKER, restore("ada", "job-1", "gpu_error", NOON))).await;
    assert_eq!(report.unwrap().into_inner().usage.unwrap().failure.unwrap().trace_id, WORKER);
    let request = evaluate("ada", "pay-1", Claim::TechnicalIssue);
    let answer = service.refunds().evaluate_request(within(DESK, request)).await.unwrap().into_inner();
    assert_eq!(answer.decision.unwrap().trace_id, DESK);
    let query = v1::GetRefundRequestRequest {
        account_id: "ada".to_owned(),
        refund_request_id: answer.refund_request.unwrap().refund_request_id,
    };
    let read = service.refunds().get_refund_request(within(WORKER, query)).await.unwrap().into_inner();
    let decisions = read.refund_request.unwrap().decisions;
    assert_eq!(decisions.first().unwrap().trace_id, DESK, "the trace that decided, not the one that reads");
    let mut database = service.database().await;
    let traces: Vec<Option<String>> =
        sqlx::query_scalar("SELECT trace_id FROM entry WHERE account_id = 'ada' ORDER BY seq")
            .fetch_all(&mut database)
            .await
            .unwrap();
    assert_eq!(traces, [None, Some(DESK.to_owned()), Some(WORKER.to_owned())]);
    service.stop().await;
}

#[tokio::test]
async fn a_trace_parent_that_cannot_be_read_is_no_trace() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    for (job, parent) in [
        ("job-1", "nonsense"),
        ("job-2", "00-00000000000000000000000000000000-b7ad6b7169203331-01"),
        ("job-3", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"),
        ("job-4", "00-0AF7651916CD43DD8448EB211C80319C'; --b7ad6b7169203331-01"),
    ] {
        let mut request = when(NOON, hold("ada", job, 1));
        request.metadata_mut().insert("traceparent", parent.parse().unwrap());
        let held = service.credits().hold_credits(request).await.unwrap().into_inner();
        assert_eq!(held.usage.unwrap().trace_id, "", "{parent}");
    }
    service.stop().await;
}
