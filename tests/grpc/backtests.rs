//! What another policy would have made of what was decided.

use crate::canary::words;
use crate::policy_versions::{NOON, publish, two_weeks, version};
use crate::service::{Service, fields, later, reason, request_id, timestamp, usd, when};
use chrono::TimeDelta;
use makegood::proto::makegood::v1;
use sqlx::Executor;
use tonic::Code;
use v1::backtest_policy_request::Candidate;
use v1::backtest_policy_response::Update;
use v1::resolve_refund_request_request as resolve;
use v1::{Claim, Outcome};

fn of(document: &str) -> v1::BacktestPolicyRequest {
    v1::BacktestPolicyRequest {
        candidate: Some(Candidate::Document(document.to_owned())),
        ..Default::default()
    }
}

impl Service {
    /// Runs a backtest; checks that progress grows up to its end and that the report comes last.
    async fn backtest(&self, request: v1::BacktestPolicyRequest) -> v1::BacktestReport {
        let mut updates = self.policies().backtest_policy(when(NOON, request)).await.unwrap().into_inner();
        let (mut last, mut came) = (None, None);
        while let Some(message) = updates.message().await.unwrap() {
            match message.update.unwrap() {
                Update::Progress(progress) => {
                    let before = last.replace(progress).map_or(0, |last: v1::BacktestProgress| last.replayed);
                    assert!(progress.replayed >= before && progress.replayed <= progress.total);
                }
                Update::Report(report) => {
                    let last = last.unwrap();
                    assert_eq!(last.replayed, last.total);
                    assert_eq!(report.replayed + report.not_replayable, last.total);
                    assert!(updates.message().await.unwrap().is_none(), "the report is the last message");
                    came = Some(report);
                    break;
                }
            }
        }
        came.unwrap()
    }

    async fn denied_by_a_person(&self, account_id: &str, opened: v1::RefundRequest) {
        let deny = resolve::Deny { clauses: vec!["5.3".to_owned()], sentence: words("No (§5.3).") };
        let denial = v1::ResolveRefundRequestRequest {
            request_id: request_id(),
            account_id: account_id.to_owned(),
            refund_request_id: opened.refund_request_id,
            etag: opened.etag,
            reason: words("looked at it"),
            resolution: Some(resolve::Resolution::Deny(deny)),
            ..Default::default()
        };
        self.refunds().resolve_refund_request(when(NOON, denial)).await.unwrap();
    }

    /// A payment made twice, of which the second is claimed so many days later.
    async fn doubled(&self, account_id: &str, days: i64) -> v1::EvaluateRequestResponse {
        for number in 1..=2 {
            self.bought(account_id, &format!("pay-{account_id}-{number}"), NOON).await;
        }
        let at = later(NOON, TimeDelta::days(days));
        self.claim(account_id, &format!("pay-{account_id}-2"), Claim::DuplicatePurchase, &at).await
    }
}

fn named(account_id: &str, answer: &v1::EvaluateRequestResponse) -> v1::DecisionReference {
    v1::DecisionReference {
        account_id: account_id.to_owned(),
        refund_request_id: answer.refund_request.as_ref().unwrap().refund_request_id.clone(),
        decision_id: answer.decision.as_ref().unwrap().decision_id.clone(),
    }
}

#[tokio::test]
async fn flips_money_and_credits_are_counted() {
    let service = Service::start().await;
    // Two that are paid within a week and would be within three days, one that would not, one that never was.
    service.doubled("ada", 1).await;
    service.doubled("bob", 3).await;
    let flipped = service.doubled("cat", 6).await;
    service.doubled("dan", 20).await;
    // One that no window concerns.
    service.bought("eve", "pay-eve", NOON).await;
    service.claim("eve", "pay-eve", Claim::ChangeOfMind, NOON).await;
    // One that went to a person, whose decision no policy makes.
    service.bought("fay", "pay-fay", NOON).await;
    let opened = service.claim("fay", "pay-fay", Claim::Other, NOON).await.refund_request.unwrap();
    service.denied_by_a_person("fay", opened).await;
    let rows = service.rows().await;

    let three_days = version("three-days", r#"claim_window = "7d""#, r#"claim_window = "3d""#);
    let report = service.backtest(of(&three_days)).await;
    assert_eq!((report.replayed, report.not_replayable, report.unchanged), (6, 0, 5));
    let money = v1::BacktestMoney {
        currency_code: "USD".to_owned(),
        stored_minor_units: 3 * 999,
        candidate_minor_units: 2 * 999,
    };
    assert_eq!((report.money, report.credits_difference), (vec![money], 0));
    let flip = v1::BacktestFlip {
        from_outcome: Outcome::Approve.into(),
        from_row: "14".to_owned(),
        to_outcome: Outcome::Review.into(),
        to_row: "15".to_owned(),
        decisions: 1,
        examples: vec![named("cat", &flipped)],
    };
    assert_eq!(report.flips, [flip]);
    let example = v1::BacktestExample {
        decision: Some(named("cat", &flipped)),
        from_outcome: Outcome::Approve.into(),
        from_row: "14".to_owned(),
        to_outcome: Outcome::Review.into(),
        to_row: "15".to_owned(),
        stored_amount: usd(999),
        candidate_amount: None,
        credits_difference: 0,
    };
    assert_eq!(report.largest, [example]);
    assert_eq!((report.candidate_version.as_str(), report.candidate_sha256.len()), ("three-days", 64));
    assert!(report.missing_facts.is_empty());
    assert_eq!(service.rows().await, rows, "a backtest writes nothing");
    service.audited().await;
}

#[tokio::test]
async fn credits_that_would_not_be_given_are_counted() {
    let service = Service::start().await;
    service.bought("ada", "pay-ada", NOON).await;
    service.used("ada", "job-1", 40, NOON).await;
    service.failed("ada", "job-1", "unknown", NOON).await;
    // Nobody knew whose fault it was until an incident was declared: now the claim gives the credits back.
    let incident = v1::DeclareIncidentRequest {
        request_id: request_id(),
        title: words("drivers"),
        start_time: Some(timestamp("2025-03-03T11:00:00Z")),
        end_time: Some(timestamp("2025-03-03T13:00:00Z")),
        scope: None,
        reason: words("seen in the logs"),
    };
    service.incidents().declare_incident(when("2025-03-03T14:00:00Z", incident)).await.unwrap();
    let at = "2025-03-03T15:00:00Z";
    let given = service.claim("ada", "pay-ada", Claim::TechnicalIssue, at).await;
    assert_eq!(given.decision.as_ref().unwrap().remedies[0].credits, 40);
    let generous = version(
        "generous",
        "remedies = [\"restore_failed\"]\nsentence",
        "remedies = [\"restore_failed\", { compensate = 5 }]\nsentence",
    );
    let report = service.backtest(of(&generous)).await;
    assert_eq!((report.credits_difference, report.unchanged), (5, 0));
    assert_eq!((report.flips[0].from_row.as_str(), report.flips[0].to_row.as_str()), ("22", "22"));
    assert_eq!(report.largest[0].credits_difference, 5);
    service.audited().await;
}

#[tokio::test]
async fn a_window_and_a_version_limit_what_is_replayed() {
    let service = Service::start().await;
    service.doubled("ada", 1).await;
    service.doubled("bob", 2).await;
    service.published(NOON, publish(&two_weeks("v2"), Some(&later(NOON, TimeDelta::days(3))))).await;
    service.doubled("cat", 3).await;
    let replayed = async |start: Option<i64>, end: Option<i64>, decided_under: &str| {
        let day = |day: i64| timestamp(&later(NOON, TimeDelta::days(day)));
        let window = v1::TimeWindow { start_time: start.map(day), end_time: end.map(day) };
        let request = v1::BacktestPolicyRequest {
            candidate: Some(Candidate::Version("v2".to_owned())),
            window: Some(window),
            decided_under: decided_under.to_owned(),
        };
        service.backtest(request).await.replayed
    };
    assert_eq!(replayed(None, None, "").await, 3);
    assert_eq!(replayed(Some(2), None, "").await, 2, "the start is inside");
    assert_eq!(replayed(None, Some(2), "").await, 1, "the end is outside");
    assert_eq!(replayed(Some(4), None, "").await, 0);
    assert_eq!(replayed(None, None, "v2").await, 1);
    assert_eq!(replayed(None, None, "v3").await, 0);
    service.audited().await;
}

#[tokio::test]
async fn facts_that_nobody_stored_are_counted_and_not_guessed() {
    let service = Service::start().await;
    service.doubled("ada", 1).await;
    service.bought("bob", "pay-bob", NOON).await;
    service.claim("bob", "pay-bob", Claim::ChangeOfMind, NOON).await;
    let wide = version("wide", r#"duplicate_window = "24h""#, r#"duplicate_window = "7d""#);
    let report = service.backtest(of(&wide)).await;
    // A change of mind is denied before anybody asks for duplicates.
    assert_eq!((report.replayed, report.not_replayable, report.unchanged), (1, 1, 1));
    assert_eq!(report.missing_facts, [v1::MissingFact { name: "twin_disputed".to_owned(), decisions: 1 }]);
    assert!(report.money.is_empty(), "what is not replayed is on neither side");
    service.audited().await;
}

#[tokio::test]
async fn a_long_history_is_replayed_page_by_page() {
    const COPIES: i64 = 9_000;
    let service = Service::start().await;
    service.doubled("ada", 6).await;
    // Many of one instant, so that pages end in the middle of them.
    let copies = format!(
        "INSERT INTO decision (account_id, refund_request_id, ordinal, decision_id, outcome, row, policy_version,
            document_sha256, facts_sha256, decision_sha256, facts, body, decided_at)
         SELECT account_id, refund_request_id, 1 + n, gen_random_uuid(), outcome, row, policy_version,
            document_sha256, facts_sha256, decision_sha256, facts, body, decided_at + (n / 5000) * interval '1 second'
         FROM decision, generate_series(1, {COPIES}) n"
    );
    service.database().await.execute(sqlx::AssertSqlSafe(copies)).await.unwrap();
    let three_days = version("three-days", r#"claim_window = "7d""#, r#"claim_window = "3d""#);
    let report = service.backtest(of(&three_days)).await;
    assert_eq!((report.replayed, report.unchanged), (COPIES + 1, 0));
    assert_eq!((report.flips.len(), report.flips[0].decisions), (1, COPIES + 1));
    assert_eq!(report.flips[0].examples.len(), 5);
    assert_eq!(report.largest.len(), 20);
    assert_eq!(report.money[0].stored_minor_units, (COPIES + 1) * 999);
    service.stop().await;
}

#[tokio::test]
async fn what_cannot_be_backtested_is_refused() {
    let service = Service::start().await;
    let nothing = service.policies().backtest_policy(when(NOON, v1::BacktestPolicyRequest::default())).await;
    assert_eq!(fields(nothing.map(drop_stream)), ["candidate"]);
    let wrong = v1::BacktestPolicyRequest {
        candidate: Some(Candidate::Version("v".repeat(65))),
        window: Some(v1::TimeWindow {
            start_time: Some(timestamp(NOON)),
            end_time: Some(timestamp("2025-01-01T00:00:00Z")),
        }),
        decided_under: "v".repeat(65),
    };
    let wrong = service.policies().backtest_policy(when(NOON, wrong)).await;
    assert_eq!(fields(wrong.map(drop_stream)), ["version", "window.end_time", "decided_under"]);
    let unknown = v1::BacktestPolicyRequest {
        candidate: Some(Candidate::Version("v2".to_owned())),
        ..Default::default()
    };
    let unknown = service.policies().backtest_policy(when(NOON, unknown)).await;
    assert_eq!(reason(unknown.map(drop_stream)), (Code::NotFound, "POLICY_NOT_FOUND".to_owned()));
    let broken = service.policies().backtest_policy(when(NOON, of("rows = 5"))).await;
    assert_eq!(reason(broken.map(drop_stream)), (Code::InvalidArgument, "POLICY_MALFORMED".to_owned()));
    service.stop().await;
}

/// A stream has no words for a failed assertion.
fn drop_stream<T>(response: tonic::Response<T>) -> tonic::Response<()> {
    response.map(drop)
}
