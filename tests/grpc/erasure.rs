//! Erasing an account: the words go, everywhere they lie; the books, the decisions and the proof of both stay.

mod matters;
mod tampering;

use crate::accounts::by;
use crate::audit::found_at;
use crate::by_hand::grant;
use crate::canary::{CANARY, words};
use crate::privacy::story::Story;
use crate::service::{Service, reason, request_id};
use makegood::proto::makegood::v1;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tonic::{Code, Response, Status};

const NOON: &str = "2025-03-03T12:00:00Z";
const AFTER: &str = "2025-03-04T12:00:00Z";
const LATER: &str = "2025-03-05T12:00:00Z";
const LEE: &str = "admin:lee";

/// Everything that answers hold of words, save what their caller has just said.
const IN_ANSWERS: [&str; 3] = ["uri", "failureReason", "undeliverableReason"];

/// What echoes its own caller's words.
const ECHOES: [&str; 5] = [
    "AccountService/ImposeRestriction",
    "AccountService/LiftRestriction",
    "AccountService/EraseAccount",
    "RefundService/DetermineChargeback",
    "RefundService/ResolveRefundRequest",
];

fn erasure(account_id: &str, reason: &str) -> v1::EraseAccountRequest {
    v1::EraseAccountRequest {
        request_id: request_id(),
        account_id: account_id.to_owned(),
        reason: reason.to_owned(),
    }
}

impl Service {
    async fn erase(
        &self,
        at: &str,
        erasure: v1::EraseAccountRequest,
    ) -> Result<Response<v1::EraseAccountResponse>, Status> {
        self.accounts().erase_account(by(LEE, at, erasure)).await
    }

    /// Erases an account.
    pub(crate) async fn erased_account(&self, account_id: &str, at: &str) {
        self.erase(at, erasure(account_id, "by ticket 4711")).await.unwrap();
    }

    /// Erases Ada, and answers the record.
    async fn erased(&self, at: &str, reason: &str) -> v1::Erasure {
        self.erase(at, erasure("ada", reason)).await.unwrap().into_inner().erasure.unwrap()
    }

    /// Every `table.column` of the database in which a text lies.
    async fn places(&self, text: &str) -> Vec<String> {
        let mut database = self.database().await;
        let columns: Vec<(String, String)> = sqlx::query_as(
            "SELECT table_name::text, column_name::text FROM information_schema.columns
             WHERE table_schema = 'public' AND data_type IN ('text', 'json', 'jsonb', 'ARRAY', 'bytea') ORDER BY 1, 2",
        )
        .fetch_all(&mut database)
        .await
        .unwrap();
        let mut found = Vec::new();
        for (table, column) in columns {
            let rows: i64 = sqlx::query_scalar(AssertSqlSafe(format!(
                "SELECT count(*) FROM {table} WHERE strpos({column}::text, $1) > 0
                    OR strpos({column}::text, encode(convert_to($1, 'UTF8'), 'hex')) > 0"
            )))
            .bind(text)
            .fetch_one(&mut database)
            .await
            .unwrap();
            if rows > 0 {
                found.push(format!("{table}.{column}"));
            }
        }
        found
    }

    /// What must not change: entries, decisions, money and credits, as one digest.
    async fn books(&self) -> String {
        let books = "SELECT string_agg(row, E'\\n' ORDER BY row) FROM (
            SELECT to_jsonb(e)::text AS row FROM entry e UNION ALL SELECT to_jsonb(d)::text FROM decision d
            UNION ALL SELECT to_jsonb(l)::text FROM lot l UNION ALL SELECT to_jsonb(u)::text FROM usage u
            UNION ALL SELECT (to_jsonb(r) - 'failure_reason')::text FROM refund r
            UNION ALL SELECT (to_jsonb(p) - 'undeliverable_reason')::text FROM purchase p
            UNION ALL SELECT (to_jsonb(q) - 'named_purchase')::text FROM refund_request q
            UNION ALL SELECT to_jsonb(c)::text FROM chargeback c UNION ALL SELECT to_jsonb(k)::text FROM external_key k
            UNION ALL SELECT (to_jsonb(v) - 'uri' - 'erasure')::text FROM evidence v) AS rows";
        sqlx::query_scalar(books).fetch_one(&mut self.database().await).await.unwrap()
    }
}

/// A service with the whole story of Ada, told.
async fn told() -> (Service, Story) {
    let service = Service::start().await;
    let mut story = Story::new(service.channel(), "for good");
    story.told().await;
    (service, story)
}

#[tokio::test]
async fn what_was_written_in_an_account_and_about_it_is_gone_and_its_books_are_not() {
    let (service, _) = told().await;
    assert_eq!(
        service.places(CANARY).await,
        [
            "account_note.text",
            "evidence.uri",
            "failure_text.error_message",
            "idempotency_key.answer",
            "operator_note.reason",
            "purchase.undeliverable_reason",
            "refund.failure_reason",
            "request_note.text",
            "request_text.account_email",
            "request_text.explanation",
        ],
        "words lie where they can be erased"
    );
    let for_good = service.places("for good").await;
    let books = service.books().await;
    let erasure = service.erased(AFTER, &words("by ticket 4711")).await;
    assert_eq!((erasure.ordinal, erasure.erased_by.as_str()), (1, LEE));
    // Texts and papers of two claims and a reply; four rulings with reasons, notes and three sentences, and a withdrawal;
    // three reasons about the account, two about credits, and what a worker saw.
    assert_eq!(erasure.erased_texts, 3 + 3 + 4 + 4 + 3 + 1 + 3 + 2 + 1);
    assert_eq!(service.places(CANARY).await, ["account_note.text"], "its own reason");
    assert_eq!(service.books().await, books);
    assert_eq!(service.places("for good").await, for_good);
    assert_eq!(found_at(&service, None, AFTER).await, []);

    // Ada goes on, and so does what is written of her.
    service
        .credits()
        .grant_credits(by(LEE, LATER, grant("ada", v1::LotSource::Promotion, 10)))
        .await
        .unwrap();
    assert_eq!(service.places(CANARY).await, ["account_note.text", "operator_note.reason"]);
    let erasure = service.erased(LATER, "by ticket 4712").await;
    assert_eq!(
        (erasure.ordinal, erasure.erased_texts),
        (2, 2),
        "the grant's reason, and why it was erased before"
    );
    assert_eq!(service.places(CANARY).await, [""; 0]);
    assert_eq!(service.erased(LATER, "once more").await.erased_texts, 1);
    assert_eq!(found_at(&service, None, LATER).await, []);
    service.audited().await;
}

#[tokio::test]
async fn a_call_that_was_answered_before_is_answered_the_same_without_the_words() {
    let (service, mut story) = told().await;
    service.erased(AFTER, "by ticket 4711").await;
    story.at(LATER);
    let again = story.again().await;
    assert!(again.len() > 30, "{}", again.len());
    for (method, mut first, mut now) in again {
        assert_eq!(removed(&mut now, &IN_ANSWERS), 0, "{method}: {now}");
        removed(&mut first, &IN_ANSWERS);
        assert_eq!(first, now, "{method}");
        assert!(ECHOES.contains(&method.as_str()) || !now.to_string().contains(CANARY), "{method}: {now}");
    }
    assert_eq!(service.places(CANARY).await, [""; 0], "what is said again is not kept again");
    service.audited().await;
}

/// Takes fields out of a value wherever they are; says how many there were.
fn removed(value: &mut Value, names: &[&str]) -> usize {
    match value {
        Value::Object(fields) => {
            let before = fields.len();
            fields.retain(|name, _| !names.contains(&name.as_str()));
            let gone = before - fields.len();
            gone + fields.values_mut().map(|field| removed(field, names)).sum::<usize>()
        }
        Value::Array(items) => items.iter_mut().map(|item| removed(item, names)).sum(),
        _ => 0,
    }
}

#[tokio::test]
async fn reads_say_that_words_were_erased_and_decisions_can_still_be_made_again() {
    let (service, mut story) = told().await;
    let listed = json!({"accountId": "ada", "pageSize": 10});
    let listed = story.ask(LEE, "RefundService/ListRefundRequests", &listed).await.unwrap();
    service.erased(AFTER, "by ticket 4711").await;
    story.at(LATER);
    let requests = listed["refundRequests"].as_array().unwrap().clone();
    assert_eq!(requests.len(), 2);
    for request in requests {
        let asked = json!({"accountId": "ada", "refundRequestId": request["refundRequestId"]});
        let read = story.ask(LEE, "RefundService/GetRefundRequest", &asked).await.unwrap();
        let read = &read["refundRequest"];
        assert_eq!(read["erasedAt"], json!(AFTER));
        assert!(!read.to_string().contains(CANARY), "{read}");
        assert!(read["notes"].as_array().unwrap().iter().all(|note| note["author"].is_string()), "{read}");
        assert!(
            read["evidence"][0]["sha256"].is_string(),
            "a paper that is used again is still known: {read}"
        );
        for decision in read["decisions"].as_array().unwrap() {
            if decision["decidedBy"].is_string() {
                assert_eq!(decision["sentence"], Value::Null, "{decision}");
                continue;
            }
            let again = json!({"accountId": "ada", "decisionId": decision["decisionId"]});
            let again = story.ask(LEE, "PolicyService/ReplayDecision", &again).await.unwrap();
            assert_eq!(again["differences"], Value::Null, "{again}");
            assert_eq!(again["replayed"]["canonical"], decision["canonical"]);
        }
    }
    let account = service.account("ada").await;
    let last = account.last_erasure.unwrap();
    assert_eq!((last.erased_by.as_str(), last.reason.as_str()), (LEE, "by ticket 4711"));
    assert!(account.restrictions.iter().all(|it| it.reason.is_empty() && it.lift_reason.is_empty()));
    let for_shop = v1::GetAccountRequest { account_id: "ada".to_owned() };
    let for_shop = service.accounts().get_account(by("frontend:shop", LATER, for_shop)).await.unwrap();
    assert_eq!(
        for_shop.into_inner().account.unwrap().last_erasure.unwrap().reason,
        "",
        "no reasons for customers"
    );
    service.audited().await;
}

#[tokio::test]
async fn a_request_that_came_later_was_not_erased() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.erased(AFTER, "by ticket 4711").await;
    let later = service.claim("ada", "pay-1", v1::Claim::Dissatisfied, LATER).await.refund_request.unwrap();
    let query = v1::GetRefundRequestRequest {
        account_id: "ada".to_owned(),
        refund_request_id: later.refund_request_id,
    };
    let read = service.refunds().get_refund_request(by(LEE, LATER, query)).await.unwrap().into_inner();
    assert_eq!(read.refund_request.unwrap().erased_at, None);
    service.audited().await;
}
