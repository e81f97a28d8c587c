//! Declared incidents: told of, ended, listed, and what they do to a decision (§2.2).

use crate::canary::words;
use crate::service::{Service, evaluate, fields, is_replayed, later, reason, request_id, timestamp, when};
use chrono::TimeDelta;
use makegood::proto::makegood::v1;
use sqlx::Connection;
use tonic::Code;
use v1::{Claim, IncidentStage as Stage, Outcome};

const NOON: &str = "2025-03-05T12:00:00Z";
const ONE: &str = "2025-03-05T13:00:00Z";
const TWO: &str = "2025-03-05T14:00:00Z";
const EVENING: &str = "2025-03-05T20:00:00Z";

/// From noon, with an end or without one.
pub(crate) fn incident(end: Option<&str>) -> v1::DeclareIncidentRequest {
    v1::DeclareIncidentRequest {
        request_id: request_id(),
        title: words("render farm down"),
        start_time: Some(timestamp(NOON)),
        end_time: end.map(timestamp),
        scope: None,
        reason: words("power cut"),
    }
}

pub(crate) fn resolution(incident_id: &str, end: &str) -> v1::ResolveIncidentRequest {
    v1::ResolveIncidentRequest {
        request_id: request_id(),
        incident_id: incident_id.to_owned(),
        end_time: Some(timestamp(end)),
        reason: words("power is back"),
    }
}

impl Service {
    pub(crate) async fn declared(&self, request: v1::DeclareIncidentRequest) -> v1::Incident {
        let declared = self.incidents().declare_incident(when(EVENING, request)).await.unwrap();
        declared.into_inner().incident.unwrap()
    }

    /// Row and credits given of what would be decided.
    async fn preview(&self, account_id: &str, payment_id: &str, claim: Claim, at: &str) -> (String, i64) {
        let request = v1::EvaluateRequestRequest {
            validate_only: true,
            request_id: String::new(),
            ..evaluate(account_id, payment_id, claim)
        };
        let decision = self.refunds().evaluate_request(when(at, request)).await.unwrap().into_inner();
        let decision = decision.decision.unwrap();
        let failed = decision.facts.iter().find(|fact| fact.name == "failed_credits").unwrap();
        (decision.row, failed.value.parse().unwrap())
    }
}

#[tokio::test]
async fn an_incident_is_declared_once_and_ended_once() {
    let service = Service::start().await;
    let mut incidents = service.incidents();
    let request = incident(None);
    let first = incidents.declare_incident(when(EVENING, request.clone())).await.unwrap();
    let again = incidents.declare_incident(when(EVENING, request.clone())).await.unwrap();
    assert!(!is_replayed(&first) && is_replayed(&again));
    let declared = first.into_inner().incident.unwrap();
    assert_eq!(again.into_inner().incident.unwrap(), declared);
    assert_eq!((declared.stage(), declared.end_time, declared.resolved_by.as_str()), (Stage::Open, None, ""));
    let other = v1::DeclareIncidentRequest { title: words("another"), ..request };
    let refused = incidents.declare_incident(when(EVENING, other)).await;
    assert_eq!(reason(refused), (Code::FailedPrecondition, "IDEMPOTENCY_KEY_REUSED".to_owned()));

    let early = resolution(&declared.incident_id, "2025-03-05T11:59:59Z");
    let refused = incidents.resolve_incident(when(EVENING, early)).await;
    assert_eq!(reason(refused), (Code::InvalidArgument, "INVALID_FIELD".to_owned()));
    for _ in 0..2 {
        let end = resolution(&declared.incident_id, TWO);
        let resolved = incidents.resolve_incident(when(EVENING, end)).await.unwrap().into_inner();
        let resolved = resolved.incident.unwrap();
        assert_eq!((resolved.stage(), resolved.end_time), (Stage::Resolved, Some(timestamp(TWO))));
        assert_eq!(resolved.resolution, words("power is back"));
    }
    let other = resolution(&declared.incident_id, ONE);
    let refused = incidents.resolve_incident(when(EVENING, other)).await;
    assert_eq!(reason(refused), (Code::FailedPrecondition, "INCIDENT_STAGE_CONFLICT".to_owned()));
    let stranger = resolution(&request_id(), ONE);
    let refused = incidents.resolve_incident(when(EVENING, stranger)).await;
    assert_eq!(reason(refused), (Code::NotFound, "INCIDENT_NOT_FOUND".to_owned()));
    service.stop().await;
}

#[tokio::test]
async fn an_incident_that_is_declared_many_times_at_once_is_one() {
    let service = Service::start().await;
    let request = incident(None);
    let calls = (0..12).map(|_| {
        let (mut incidents, request) = (service.incidents(), request.clone());
        tokio::spawn(async move { incidents.declare_incident(when(EVENING, request)).await })
    });
    let mut ids = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        ids.push(call.await.unwrap().unwrap().into_inner().incident.unwrap().incident_id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    let all = service.incidents().list_incidents(v1::ListIncidentsRequest::default()).await.unwrap();
    assert_eq!(all.into_inner().incidents.len(), 1);
    service.stop().await;
}

#[tokio::test]
async fn every_field_of_an_incident_that_cannot_be_is_named() {
    let service = Service::start().await;
    let mut incidents = service.incidents();
    let backwards =
        v1::DeclareIncidentRequest { end_time: Some(timestamp("2025-03-05T11:00:00Z")), ..incident(None) };
    assert_eq!(fields(incidents.declare_incident(when(EVENING, backwards)).await), ["end_time"]);
    let wrong = v1::DeclareIncidentRequest {
        request_id: "7".to_owned(),
        title: " ".to_owned(),
        start_time: Some(timestamp("2019-12-31T23:59:59Z")),
        end_time: Some(timestamp("2025-03-05T20:05:01Z")),
        scope: Some(v1::IncidentScope { account_ids: vec![String::new()], causes: vec!["x".repeat(65)] }),
        reason: "x".repeat(1_001),
    };
    let all =
        ["request_id", "title", "start_time", "end_time", "scope.account_ids", "scope.causes", "reason"];
    assert_eq!(fields(incidents.declare_incident(when(EVENING, wrong)).await), all);
    let many = v1::IncidentScope { account_ids: vec!["ada".to_owned(); 1_001], causes: Vec::new() };
    let many = v1::DeclareIncidentRequest { scope: Some(many), ..incident(None) };
    assert_eq!(fields(incidents.declare_incident(when(EVENING, many)).await), ["scope.account_ids"]);
    assert_eq!(service.rows().await, 1, "the policy's version alone");
    service.stop().await;
}

#[tokio::test]
async fn pages_of_incidents_have_every_one_once_the_latest_first() {
    let service = Service::start().await;
    let mut expected = Vec::new();
    for minute in [3, 1, 1, 2, 3, 0, 2] {
        let start = later(NOON, TimeDelta::minutes(minute));
        let request = v1::DeclareIncidentRequest { start_time: Some(timestamp(&start)), ..incident(None) };
        expected.push((-minute, service.declared(request).await.incident_id));
    }
    expected.sort();
    let mut found = Vec::new();
    let mut request = v1::ListIncidentsRequest { page_size: 3, ..Default::default() };
    loop {
        let page = service.incidents().list_incidents(request.clone()).await.unwrap().into_inner();
        assert!(page.incidents.len() <= 3);
        found.extend(page.incidents.into_iter().map(|incident| incident.incident_id));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(found, expected.into_iter().map(|(_, id)| id).collect::<Vec<_>>());
    let other = v1::ListIncidentsRequest { stages: vec![Stage::Open.into()], ..request };
    let refused = service.incidents().list_incidents(other).await;
    assert_eq!(reason(refused), (Code::InvalidArgument, "INVALID_PAGE_TOKEN".to_owned()));
    let negative = v1::ListIncidentsRequest { page_size: -1, ..Default::default() };
    assert_eq!(fields(service.incidents().list_incidents(negative).await), ["page_size"]);
    service.stop().await;
}

#[tokio::test]
async fn incidents_are_found_by_stage_time_and_account() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.used("ada", "job-1", 30, NOON).await;
    service.failed("ada", "job-1", "mystery", ONE).await;
    let open = service.declared(incident(None)).await.incident_id;
    let over = service.declared(incident(Some(ONE))).await.incident_id;
    let scoped = |account_ids: &[&str], causes: &[&str]| v1::DeclareIncidentRequest {
        scope: Some(v1::IncidentScope {
            account_ids: account_ids.iter().map(ToString::to_string).collect(),
            causes: causes.iter().map(ToString::to_string).collect(),
        }),
        ..incident(Some(TWO))
    };
    let of_bob = service.declared(scoped(&["bob"], &[])).await.incident_id;
    let of_mystery = service.declared(scoped(&[], &["mystery"])).await.incident_id;
    let find = async |request: v1::ListIncidentsRequest| {
        let page = service.incidents().list_incidents(request).await.unwrap().into_inner();
        let mut ids: Vec<_> = page.incidents.into_iter().map(|incident| incident.incident_id).collect();
        ids.sort();
        ids
    };
    let sorted = |ids: &[&String]| {
        let mut ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        ids.sort();
        ids
    };
    let by = v1::ListIncidentsRequest::default;
    assert_eq!(
        find(v1::ListIncidentsRequest { stages: vec![Stage::Open.into()], ..by() }).await,
        [open.as_str()]
    );
    let window = v1::TimeWindow { start_time: Some(timestamp("2025-03-05T14:00:01Z")), end_time: None };
    assert_eq!(find(v1::ListIncidentsRequest { window: Some(window), ..by() }).await, [open.as_str()]);
    let window = v1::TimeWindow { start_time: None, end_time: Some(timestamp(NOON)) };
    assert!(find(v1::ListIncidentsRequest { window: Some(window), ..by() }).await.is_empty());
    let of = |account_id: &str| v1::ListIncidentsRequest { account_id: account_id.to_owned(), ..by() };
    assert_eq!(find(of("ada")).await, sorted(&[&open, &over, &of_mystery]));
    assert_eq!(find(of("bob")).await, sorted(&[&open, &over, &of_bob]));
    service.stop().await;
}

#[tokio::test]
async fn credits_lost_in_an_incident_declared_afterwards_come_back_with_the_request() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.used("ada", "job-1", 30, NOON).await;
    service.used("ada", "job-2", 20, NOON).await;
    let report = service.failed("ada", "job-1", "mystery", ONE).await;
    assert_eq!(report.not_restorable_reason(), v1::NotRestorableReason::FaultUndetermined);
    service.failed("ada", "job-2", "mystery", "2025-03-05T14:00:00.000001Z").await;
    let before = service.preview("ada", "pay-1", Claim::TechnicalIssue, EVENING).await;
    assert_eq!(before, ("26".to_owned(), 0));
    service.declared(incident(Some(TWO))).await;
    let answer = service.claim("ada", "pay-1", Claim::TechnicalIssue, EVENING).await;
    let decision = answer.decision.unwrap();
    assert_eq!((decision.outcome(), decision.row.as_str()), (Outcome::Approve, "22"), "{decision:?}");
    assert_eq!(service.balance("ada", EVENING).await, (80, 0, 0), "the second failed after the window");
    let report = service.failed("ada", "job-1", "worker_crash", ONE).await;
    assert_eq!(report.outcome(), v1::RestoreOutcome::AlreadyRestored);
    service.stop().await;
}

#[tokio::test]
async fn both_ends_of_the_window_are_inside() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", "2025-03-05T11:00:00Z").await;
    let failures =
        [("2025-03-05T11:59:59.999999Z", 1), (NOON, 2), (TWO, 4), ("2025-03-05T14:00:00.000001Z", 8)];
    for (at, credits) in failures {
        service.used("ada", at, credits, "2025-03-05T11:00:00Z").await;
        service.failed("ada", at, "mystery", at).await;
    }
    service.declared(incident(Some(TWO))).await;
    assert_eq!(service.preview("ada", "pay-1", Claim::TechnicalIssue, EVENING).await, ("22".to_owned(), 6));
    service.stop().await;
}

#[tokio::test]
async fn a_customers_fault_is_covered_only_when_its_cause_is_named() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.used("ada", "job-1", 30, NOON).await;
    let report = service.failed("ada", "job-1", "content_blocked", ONE).await;
    assert_eq!(report.fault(), v1::Fault::Customer);
    service.declared(incident(Some(TWO))).await;
    assert_eq!(service.preview("ada", "pay-1", Claim::TechnicalIssue, EVENING).await.1, 0);
    let causes = vec!["content_blocked".to_owned()];
    let scope = Some(v1::IncidentScope { account_ids: vec!["bob".to_owned()], causes: causes.clone() });
    service.declared(v1::DeclareIncidentRequest { scope, ..incident(Some(TWO)) }).await;
    assert_eq!(service.preview("ada", "pay-1", Claim::TechnicalIssue, EVENING).await.1, 0, "it is bob's");
    let scope = Some(v1::IncidentScope { account_ids: Vec::new(), causes });
    service.declared(v1::DeclareIncidentRequest { scope, ..incident(Some(TWO)) }).await;
    assert_eq!(service.preview("ada", "pay-1", Claim::TechnicalIssue, EVENING).await, ("22".to_owned(), 30));
    service.stop().await;
}

#[tokio::test]
async fn an_incident_is_an_outage_for_whom_it_concerns() {
    let service = Service::start().await;
    for (account_id, payment_id) in [("ada", "pay-a"), ("bob", "pay-b")] {
        service.bought(account_id, payment_id, "2025-03-05T11:00:00Z").await;
    }
    let scope = Some(v1::IncidentScope { account_ids: vec!["ada".to_owned()], causes: Vec::new() });
    let declared = service.declared(v1::DeclareIncidentRequest { scope, ..incident(None) }).await;
    let row = async |account_id: &str, payment_id: &str, at: &str| {
        service.preview(account_id, payment_id, Claim::TechnicalIssue, at).await.0
    };
    let long = "2025-03-09T12:00:00Z";
    assert_eq!(row("ada", "pay-a", ONE).await, "23");
    assert_eq!(row("ada", "pay-a", long).await, "21");
    assert_eq!(row("bob", "pay-b", long).await, "26");
    let end = resolution(&declared.incident_id, TWO);
    service.incidents().resolve_incident(when(EVENING, end)).await.unwrap();
    assert_eq!(row("ada", "pay-a", long).await, "25");
    let scope = Some(v1::IncidentScope { account_ids: vec!["bob".to_owned()], causes: Vec::new() });
    let over = v1::DeclareIncidentRequest {
        scope,
        end_time: Some(timestamp("2025-03-08T12:00:00Z")),
        ..incident(None)
    };
    service.incidents().declare_incident(when(long, over)).await.unwrap();
    assert_eq!(row("bob", "pay-b", long).await, "24");
    service.stop().await;
}

#[tokio::test]
async fn a_long_outage_gives_back_what_it_took_and_refunds_the_unused_rest() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.used("ada", "job-1", 30, NOON).await;
    service.failed("ada", "job-1", "mystery", ONE).await;
    service.used("ada", "job-2", 20, "2025-03-05T11:00:00Z").await;
    service.declared(incident(None)).await;
    let answer = service.claim("ada", "pay-1", Claim::TechnicalIssue, "2025-03-09T12:00:00Z").await;
    assert_eq!(answer.decision.unwrap().row, "21");
    let refund = answer.refund_request.unwrap().refunds.remove(0);
    assert_eq!((refund.amount.unwrap().minor_units, refund.credits), (799, 80));
    assert_eq!(service.balance("ada", "2025-03-09T12:00:00Z").await, (0, 0, 0));
    service.stop().await;
}

#[tokio::test]
async fn a_decision_waits_for_an_incident_that_is_being_declared() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.used("ada", "job-1", 30, NOON).await;
    service.failed("ada", "job-1", "mystery", ONE).await;
    let mut database = service.database().await;
    let mut declaring = database.begin().await.unwrap();
    let statement = "INSERT INTO incident (incident_id, title, stage, started_at, accounts, causes, reason,
            declared_by, declared_at)
         VALUES (gen_random_uuid(), 'down', 'open', '2025-03-05T12:00:00Z', '{}', '{}', 'power cut', 'lee', now())";
    sqlx::query(statement).execute(&mut *declaring).await.unwrap();
    let mut refunds = service.refunds();
    let request = evaluate("ada", "pay-1", Claim::TechnicalIssue);
    let claim = tokio::spawn(async move { refunds.evaluate_request(when(EVENING, request)).await });
    let mut observer = service.database().await;
    let waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'incident'::regclass
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";
    while !claim.is_finished() {
        if sqlx::query_scalar::<_, bool>(waiting).fetch_one(&mut observer).await.unwrap() {
            break;
        }
    }
    declaring.commit().await.unwrap();
    let decision = claim.await.unwrap().unwrap().into_inner().decision.unwrap();
    assert_eq!(decision.row, "22");
    assert_eq!(service.balance("ada", EVENING).await, (100, 0, 0));
    service.stop().await;
}
