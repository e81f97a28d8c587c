//! Stored decisions made again: the same bytes under their own version, and what another version says (promise 6).

use crate::policy_versions::{NOON, publish, two_weeks, version};
use crate::service::{Service, fields, later, reason, request_id, when};
use chrono::TimeDelta;
use makegood::proto::makegood::v1;
use sqlx::{Executor, PgConnection};
use tonic::Code;
use v1::{Claim, Outcome};

pub(crate) fn replay(account_id: &str, decision_id: &str, other_version: &str) -> v1::ReplayDecisionRequest {
    v1::ReplayDecisionRequest {
        account_id: account_id.to_owned(),
        decision_id: decision_id.to_owned(),
        other_version: other_version.to_owned(),
    }
}

impl Service {
    /// Makes every decision that the policy ever made here again, and finds it to be the same to the byte. No document
    /// makes those of persons.
    pub(crate) async fn replayed(&self) {
        let decisions: Vec<(String, String, bool)> =
            sqlx::query_as("SELECT account_id, decision_id::text, decided_by IS NOT NULL FROM decision")
                .fetch_all(&mut self.database().await)
                .await
                .unwrap();
        for (account_id, decision_id, is_a_persons) in decisions {
            if is_a_persons {
                let refused = self.policies().replay_decision(replay(&account_id, &decision_id, "")).await;
                assert_eq!(reason(refused), (Code::NotFound, "DECISION_NOT_FOUND".to_owned()));
                continue;
            }
            let answer = self.replay(replay(&account_id, &decision_id, "")).await;
            assert!(answer.identical, "{account_id}/{decision_id}: {:?}", answer.differences);
            assert_eq!(answer.stored, answer.replayed);
        }
    }

    async fn replay(&self, request: v1::ReplayDecisionRequest) -> v1::ReplayDecisionResponse {
        self.policies().replay_decision(request).await.unwrap().into_inner()
    }

    /// A duplicate claimed so many days after its payment, and the id of its decision.
    async fn duplicate(&self, account_id: &str, days: i64) -> v1::Decision {
        for number in 1..=2 {
            self.bought(account_id, &format!("pay-{account_id}-{number}"), NOON).await;
        }
        let at = later(NOON, TimeDelta::days(days));
        let payment = format!("pay-{account_id}-2");
        self.claim(account_id, &payment, Claim::DuplicatePurchase, &at).await.decision.unwrap()
    }
}

/// Does what no role may: changes a stored decision.
async fn forge(database: &mut PgConnection, assignment: &str) {
    let statement = format!(
        "ALTER TABLE decision DISABLE TRIGGER decision_append_only; UPDATE decision SET {assignment};
         ALTER TABLE decision ENABLE TRIGGER decision_append_only"
    );
    database.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
}

#[tokio::test]
async fn a_decision_is_made_again_to_the_same_bytes() {
    let service = Service::start().await;
    let decision = service.duplicate("ada", 1).await;
    // A later version changes nothing about what was decided before.
    service.published(NOON, publish(&two_weeks("v2"), Some(&later(NOON, TimeDelta::days(2))))).await;
    let answer = service.replay(replay("ada", &decision.decision_id, "")).await;
    assert!(answer.identical);
    assert_eq!(answer.stored, Some(decision.clone()));
    assert_eq!(answer.replayed, Some(decision));
    assert_eq!((answer.other, answer.missing_facts), (None, vec![]));
    service.audited().await;
}

#[tokio::test]
async fn whatever_somebody_changed_is_named() {
    let rows: [(&str, &[&str]); 8] = [
        ("outcome = 'DENY'", &["outcome"]),
        ("row = '15'", &["row"]),
        (
            "body = replace(body, '\"minor_units\":999', '\"minor_units\":99900')",
            &["remedies[0].money.minor_units"],
        ),
        ("body = replace(body, 'refunding order', 'keeping order')", &["sentence"]),
        (
            "facts = replace(facts, '\"duplicates_found\":1', '\"duplicates_found\":0')",
            &["outcome", "facts_sha256"],
        ),
        ("facts = '{}'", &["facts"]),
        ("policy_version = 'gone'", &["policy_version"]),
        ("decision_sha256 = repeat('0', 64)", &["decision_sha256"]),
    ];
    for (forgery, wanted) in rows {
        let service = Service::start().await;
        let decision = service.duplicate("ada", 1).await;
        forge(&mut service.database().await, forgery).await;
        let answer = service.replay(replay("ada", &decision.decision_id, "")).await;
        assert!(!answer.identical, "{forgery}");
        for name in wanted {
            assert!(
                answer.differences.iter().any(|found| found == name),
                "{forgery}: {:?}",
                answer.differences
            );
        }
        assert_eq!(answer.stored.is_some(), wanted != ["facts"], "{forgery}");
        service.stop().await;
    }
}

#[tokio::test]
async fn another_version_says_what_it_would_have_said() {
    let service = Service::start().await;
    let decision = service.duplicate("ada", 10).await;
    assert_eq!(
        (decision.outcome(), decision.row.as_str()),
        (Outcome::Review, "15"),
        "late by a week's window"
    );
    let rows = service.rows().await;
    service.published(NOON, publish(&two_weeks("v2"), Some(&later(NOON, TimeDelta::days(20))))).await;
    let answer = service.replay(replay("ada", &decision.decision_id, "v2")).await;
    assert!(answer.identical);
    let other = answer.other.unwrap();
    assert_eq!((other.outcome(), other.row.as_str()), (Outcome::Approve, "14"));
    assert_eq!(other.remedies[0].amount, crate::service::usd(999));
    assert_eq!((other.policy_version.as_str(), other.decision_id.as_str()), ("v2", ""));
    assert_eq!(service.rows().await, rows + 1, "a replay writes nothing");
    service.audited().await;
}

#[tokio::test]
async fn a_fact_that_was_computed_otherwise_is_missing_and_not_guessed() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-2", &later(NOON, TimeDelta::days(2))).await;
    let at = later(NOON, TimeDelta::days(3));
    let lonely = service.claim("ada", "pay-2", Claim::DuplicatePurchase, &at).await.decision.unwrap();
    assert_eq!((lonely.outcome(), lonely.row.as_str()), (Outcome::RequestInformation, "17"));
    let twin = service.duplicate("bob", 1).await;
    let begins = later(NOON, TimeDelta::days(9));
    let wide = version("wide", r#"duplicate_window = "24h""#, r#"duplicate_window = "7d""#);
    service.published(NOON, publish(&wide, Some(&begins))).await;
    // Whether there is another payment within seven days was never asked.
    let answer = service.replay(replay("ada", &lonely.decision_id, "wide")).await;
    assert!(answer.identical);
    assert_eq!((answer.other, answer.missing_facts.as_slice()), (None, &["twin_disputed".to_owned()][..]));
    let answer = service.replay(replay("bob", &twin.decision_id, "wide")).await;
    assert_eq!(answer.missing_facts, ["twin_disputed"], "another twin may be disputed");
    // What is within a day and an hour after the other payment is within half a day, or is not: that is known.
    let narrow = version("narrow", r#"duplicate_window = "24h""#, r#"duplicate_window = "12h""#);
    service.published(NOON, publish(&narrow, Some(&later(NOON, TimeDelta::days(10))))).await;
    let answer = service.replay(replay("bob", &twin.decision_id, "narrow")).await;
    assert_eq!(answer.other.unwrap().row, "14");
    let answer = service.replay(replay("ada", &lonely.decision_id, "narrow")).await;
    assert_eq!(answer.other.unwrap().row, "17");
    service.audited().await;
}

#[tokio::test]
async fn a_decision_made_before_the_facts_were_catalogued_depends_on_what_it_lacks() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let decision = service.claim("ada", "pay-1", Claim::TechnicalIssue, NOON).await.decision.unwrap();
    service.published(NOON, publish(&two_weeks("v2"), Some(&later(NOON, TimeDelta::days(2))))).await;
    let other = service.replay(replay("ada", &decision.decision_id, "v2")).await.other;
    assert_eq!(other.unwrap().row, "26", "no outage is known to have been");
    forge(&mut service.database().await, "catalogue = 0, facts = replace(facts, '\"outage\":\"none\",', '')")
        .await;
    let answer = service.replay(replay("ada", &decision.decision_id, "v2")).await;
    assert_eq!(
        (answer.other, answer.missing_facts),
        (None, vec!["outage".to_owned(), "outage_lasted".to_owned()])
    );
    service.stop().await;
}

#[tokio::test]
async fn what_is_not_there_cannot_be_replayed() {
    let service = Service::start().await;
    let decision = service.duplicate("ada", 1).await;
    service.bought("bob", "pay-bob", NOON).await;
    for (account_id, decision_id, version, wanted) in [
        ("ada", request_id(), "", "DECISION_NOT_FOUND"),
        ("bob", decision.decision_id.clone(), "", "DECISION_NOT_FOUND"),
        ("eve", decision.decision_id.clone(), "", "ACCOUNT_NOT_FOUND"),
        ("ada", decision.decision_id.clone(), "v2", "POLICY_NOT_FOUND"),
    ] {
        let request = replay(account_id, &decision_id, version);
        let refused = service.policies().replay_decision(when(NOON, request)).await;
        assert_eq!(reason(refused), (Code::NotFound, wanted.to_owned()), "{account_id}");
    }
    let wrong = replay("", "14", &"v".repeat(65));
    let refused = service.policies().replay_decision(when(NOON, wrong)).await;
    assert_eq!(fields(refused), ["account_id", "decision_id", "other_version"]);
    service.audited().await;
}
