//! Making an incident good: what failed in its window goes back, once, however the work is interrupted (§2.2).

use crate::incidents::{incident, resolution};
use crate::service::{Service, is_replayed, reason, request_id, when};
use makegood::proto::makegood::v1;
use sqlx::{AssertSqlSafe, Connection};
use tonic::{Code, Response, Streaming};
use v1::{ChargebackEventKind as Event, Claim, IncidentStage as Stage, Outcome};

const NOON: &str = "2025-03-05T12:00:00Z";
const ONE: &str = "2025-03-05T13:00:00Z";
const TWO: &str = "2025-03-05T14:00:00Z";
const EVENING: &str = "2025-03-05T20:00:00Z";

type Progress = v1::RestoreIncidentResponse;

pub(crate) fn restoration(incident_id: &str) -> v1::RestoreIncidentRequest {
    v1::RestoreIncidentRequest {
        request_id: request_id(),
        incident_id: incident_id.to_owned(),
        resume_token: String::new(),
    }
}

/// Reads a stream to its end and returns its last message.
async fn to_the_end(response: Response<Streaming<Progress>>) -> Progress {
    let mut stream = response.into_inner();
    let mut last = None;
    while let Some(progress) = stream.message().await.unwrap() {
        last = Some(progress);
    }
    last.unwrap()
}

/// Seen, restored and skipped attempts, restored credits, accounts.
fn figures(progress: &Progress) -> (i64, i64, i64, i64, i64) {
    let Progress {
        attempts_seen, attempts_restored, attempts_skipped, credits_restored, accounts_seen, ..
    } = progress;
    (*attempts_seen, *attempts_restored, *attempts_skipped, *credits_restored, *accounts_seen)
}

impl Service {
    async fn restoring(&self, request: v1::RestoreIncidentRequest) -> Response<Streaming<Progress>> {
        self.incidents().restore_incident(when(EVENING, request)).await.unwrap()
    }

    async fn restored(&self, request: v1::RestoreIncidentRequest) -> Progress {
        to_the_end(self.restoring(request).await).await
    }

    /// 100 credits bought, `credits` charged for each attempt, all of them failed for nobody knows why.
    async fn unlucky(&self, account_id: &str, attempts: i64, credits: i64) {
        self.bought(account_id, &format!("pay-{account_id}"), NOON).await;
        for attempt in 0..attempts {
            let job_id = format!("job-{attempt}");
            self.used(account_id, &job_id, credits, NOON).await;
            self.failed(account_id, &job_id, "mystery", ONE).await;
        }
    }

    /// Entries that an incident caused.
    async fn incident_entries(&self, incident_id: &str) -> i64 {
        let count = "SELECT count(*) FROM entry WHERE cause_kind = 'incident' AND cause_id = $1";
        let mut database = self.database().await;
        sqlx::query_scalar(count).bind(incident_id).fetch_one(&mut database).await.unwrap()
    }
}

#[tokio::test]
async fn everything_that_failed_in_an_incident_goes_back_once() {
    let service = Service::start().await;
    service.unlucky("ada", 3, 10).await;
    service.unlucky("bob", 1, 40).await;
    // Not the incident's: a success, a customer's fault, a failure before it, one that had its credits back already.
    service.used("ada", "fine", 5, ONE).await;
    service.used("ada", "blocked", 5, ONE).await;
    service.failed("ada", "blocked", "content_blocked", ONE).await;
    service.bought("eve", "pay-eve", "2025-03-05T10:00:00Z").await;
    service.used("eve", "early", 7, "2025-03-05T10:00:00Z").await;
    service.failed("eve", "early", "mystery", "2025-03-05T11:00:00Z").await;
    service.used("eve", "crashed", 9, NOON).await;
    service.failed("eve", "crashed", "worker_crash", ONE).await;
    let declared = service.declared(incident(Some(TWO))).await;

    let mut stream = service.restoring(restoration(&declared.incident_id)).await.into_inner();
    let first = stream.message().await.unwrap().unwrap();
    assert_eq!((first.done, first.attempts_total, figures(&first)), (false, 5, (0, 0, 0, 0, 0)));
    assert_eq!(first.incident.unwrap().stage(), Stage::Resolved);
    let mut last = None;
    while let Some(progress) = stream.message().await.unwrap() {
        last = Some(progress);
    }
    let last = last.unwrap();
    assert_eq!((last.done, figures(&last)), (true, (5, 4, 1, 70, 3)));
    let restored = last.incident.unwrap();
    assert_eq!(
        (restored.stage(), restored.restored_attempts, restored.restored_credits),
        (Stage::Restored, 4, 70)
    );
    assert_eq!(service.balance("ada", EVENING).await, (90, 0, 0));
    assert_eq!(service.balance("bob", EVENING).await, (100, 0, 0));
    assert_eq!(service.balance("eve", EVENING).await, (93, 0, 0));

    let second = service.restored(restoration(&declared.incident_id)).await;
    assert_eq!((second.done, figures(&second)), (true, (5, 0, 5, 0, 3)));
    assert_eq!(service.incident_entries(&declared.incident_id).await, 4);
    let report = service.failed("bob", "job-0", "worker_crash", EVENING).await;
    assert_eq!(report.outcome(), v1::RestoreOutcome::AlreadyRestored);
    service.stop().await;
}

#[tokio::test]
async fn an_incident_that_goes_on_is_made_good_so_far_and_again_when_it_is_over() {
    let service = Service::start().await;
    service.unlucky("ada", 1, 10).await;
    let declared = service.declared(incident(None)).await;
    let first = service.restored(restoration(&declared.incident_id)).await;
    assert_eq!(figures(&first), (1, 1, 0, 10, 1));
    assert_eq!(first.incident.unwrap().stage(), Stage::Open);
    service.unlucky("bob", 1, 20).await;
    let end = resolution(&declared.incident_id, TWO);
    service.incidents().resolve_incident(when(EVENING, end)).await.unwrap();
    let second = service.restored(restoration(&declared.incident_id)).await;
    assert_eq!(figures(&second), (2, 1, 1, 20, 2));
    let incident = second.incident.unwrap();
    assert_eq!(
        (incident.stage(), incident.restored_attempts, incident.restored_credits),
        (Stage::Restored, 2, 30)
    );
    service.stop().await;
}

#[tokio::test]
async fn a_stream_that_broke_off_goes_on_where_it_was() {
    let service = Service::start().await;
    for account_id in ["a", "b", "c", "d", "e"] {
        service.unlucky(account_id, 2, 10).await;
    }
    let declared = service.declared(incident(Some(TWO))).await;
    // Somebody works on c, so the run stops there.
    let mut database = service.database().await;
    let mut busy = database.begin().await.unwrap();
    sqlx::query("SELECT FROM account WHERE account_id = 'c' FOR UPDATE").execute(&mut *busy).await.unwrap();
    let request = restoration(&declared.incident_id);
    let mut stream = service.restoring(request.clone()).await.into_inner();
    let mut token = String::new();
    while let Some(progress) = stream.message().await.unwrap() {
        token = progress.resume_token;
        if progress.accounts_seen == 2 {
            break;
        }
    }
    drop(stream);
    assert_eq!(service.balance("b", EVENING).await, (100, 0, 0));
    assert_eq!(service.balance("c", EVENING).await, (80, 0, 0));
    // The caller is back before the work that was under way has ended.
    let resumed = v1::RestoreIncidentRequest { resume_token: token, ..restoration(&declared.incident_id) };
    let resumed = service.restoring(resumed).await;
    busy.rollback().await.unwrap();
    let last = to_the_end(resumed).await;
    assert_eq!((last.done, last.attempts_total, figures(&last)), (true, 10, (10, 10, 0, 100, 5)));
    for account_id in ["a", "b", "c", "d", "e"] {
        assert_eq!(service.balance(account_id, EVENING).await, (100, 0, 0), "{account_id}");
    }
    assert_eq!(service.incident_entries(&declared.incident_id).await, 10);

    let again = service.restoring(request).await;
    assert!(is_replayed(&again));
    let again = to_the_end(again).await;
    assert_eq!((again.done, figures(&again)), (true, (10, 10, 0, 100, 5)));
    service.stop().await;
}

#[tokio::test]
async fn a_request_id_or_a_token_of_another_incident_is_refused() {
    let service = Service::start().await;
    let first = service.declared(incident(None)).await.incident_id;
    let second = service.declared(incident(None)).await.incident_id;
    let request = restoration(&first);
    let run = service.restored(request.clone()).await;
    let mut incidents = service.incidents();
    let other = v1::RestoreIncidentRequest { incident_id: second.clone(), ..request };
    let refused = incidents.restore_incident(when(EVENING, other)).await.map(|_| Response::new(()));
    assert_eq!(reason(refused), (Code::FailedPrecondition, "IDEMPOTENCY_KEY_REUSED".to_owned()));
    for resume_token in [run.resume_token, "not ours".to_owned()] {
        let other = v1::RestoreIncidentRequest { resume_token, ..restoration(&second) };
        let refused = incidents.restore_incident(when(EVENING, other)).await.map(|_| Response::new(()));
        assert_eq!(reason(refused), (Code::InvalidArgument, "INVALID_FIELD".to_owned()));
    }
    let unknown = incidents.restore_incident(restoration(&request_id())).await.map(|_| Response::new(()));
    assert_eq!(reason(unknown), (Code::NotFound, "INCIDENT_NOT_FOUND".to_owned()));
    service.stop().await;
}

#[tokio::test]
async fn two_runs_at_once_have_one_effect_per_attempt() {
    let service = Service::start().await;
    for number in 0..12 {
        service.unlucky(&format!("account-{number}"), 2, 10).await;
    }
    let declared = service.declared(incident(Some(TWO))).await;
    // Two runs, and two streams of a third.
    let shared = restoration(&declared.incident_id);
    let requests =
        [restoration(&declared.incident_id), restoration(&declared.incident_id), shared.clone(), shared];
    let runs: Vec<_> = requests
        .map(|request| {
            let mut incidents = service.incidents();
            tokio::spawn(async move {
                to_the_end(incidents.restore_incident(when(EVENING, request)).await.unwrap()).await
            })
        })
        .into();
    for run in runs {
        let last = run.await.unwrap();
        assert_eq!((last.done, last.attempts_seen, last.accounts_seen), (true, 24, 12));
    }
    assert_eq!(service.incident_entries(&declared.incident_id).await, 24);
    for number in 0..12 {
        assert_eq!(service.balance(&format!("account-{number}"), EVENING).await, (100, 0, 0));
    }
    let page = service.incidents().list_incidents(v1::ListIncidentsRequest::default()).await.unwrap();
    let incident = page.into_inner().incidents.remove(0);
    assert_eq!(
        (incident.stage(), incident.restored_attempts, incident.restored_credits),
        (Stage::Restored, 24, 240)
    );
    service.stop().await;
}

#[tokio::test]
async fn what_goes_back_while_a_bank_decides_is_frozen_and_after_it_took_the_money_revoked() {
    let service = Service::start().await;
    for account_id in ["open", "lost"] {
        service.unlucky(account_id, 1, 30).await;
        let (payment_id, dispute_id) = (format!("pay-{account_id}"), format!("dispute-{account_id}"));
        service.dispute(&payment_id, &dispute_id, Event::Opened, TWO).await;
    }
    service.dispute("pay-lost", "dispute-lost", Event::Lost, TWO).await;
    let declared = service.declared(incident(Some(TWO))).await;
    let last = service.restored(restoration(&declared.incident_id)).await;
    assert_eq!(figures(&last), (2, 2, 0, 60, 2));
    assert_eq!(service.balance("open", EVENING).await, (0, 0, 100));
    assert_eq!(service.balance("lost", EVENING).await, (0, 0, 0));
    service.stop().await;
}

/// Cuts one charged attempt of an account into many, behind the service's back: as many calls would take minutes.
async fn cut_into(service: &Service, attempts: i32) {
    let mut database = service.database().await;
    let statements = [
        format!(
            "INSERT INTO usage (account_id, job_id, attempt, stage, cost, outputs, delivered_outputs, held_at,
                hold_expires_at, ended_at, cause, fault, failed_at, reported_at)
             SELECT account_id, 'part-' || part, 1, 'captured', 1, 1, 1, held_at, hold_expires_at, ended_at,
                'mystery', 'undetermined', ended_at, ended_at
             FROM usage, generate_series(1, {attempts}) AS part"
        ),
        format!(
            "INSERT INTO allocation (account_id, job_id, attempt, position, lot_id, taken, captured, released, restored)
             SELECT account_id, 'part-' || part, 1, 1, lot_id, 1, 1, 0, 0
             FROM allocation, generate_series(1, {attempts}) AS part"
        ),
        "DELETE FROM allocation WHERE job_id = 'whole'".to_owned(),
        "DELETE FROM usage WHERE job_id = 'whole'".to_owned(),
    ];
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut database).await.unwrap();
    }
}

async fn with_many_failures(attempts: i32) -> Service {
    let service = Service::start().await;
    let credits = i64::from(attempts);
    let purchase = v1::RecordPurchaseRequest { credits, ..crate::service::purchase("ada", "pay-ada", NOON) };
    service.credits().record_purchase(when(NOON, purchase)).await.unwrap();
    service.deliver("ada", "pay-ada", credits, NOON).await;
    service.used("ada", "whole", credits, NOON).await;
    cut_into(&service, attempts).await;
    service
}

#[tokio::test]
async fn thousands_of_failed_attempts_of_one_account_are_made_good_by_a_request() {
    let service = with_many_failures(1_203).await;
    service.declared(incident(Some(TWO))).await;
    let answer = service.claim("ada", "pay-ada", Claim::TechnicalIssue, EVENING).await;
    let decision = answer.decision.unwrap();
    assert_eq!((decision.outcome(), decision.row.as_str()), (Outcome::Approve, "22"));
    assert_eq!(service.balance("ada", EVENING).await, (1_203, 0, 0));
    service.stop().await;
}

#[tokio::test]
async fn thousands_of_failed_attempts_of_one_account_are_made_good_in_bounded_steps() {
    let service = with_many_failures(1_203).await;
    let declared = service.declared(incident(Some(TWO))).await;
    let mut stream = service.restoring(restoration(&declared.incident_id)).await.into_inner();
    let mut seen = Vec::new();
    while let Some(progress) = stream.message().await.unwrap() {
        seen.push((progress.attempts_seen, progress.accounts_seen));
    }
    assert_eq!(seen, [(0, 0), (500, 1), (1_000, 1), (1_203, 1), (1_203, 1)]);
    assert_eq!(service.balance("ada", EVENING).await, (1_203, 0, 0));
    service.stop().await;
}
