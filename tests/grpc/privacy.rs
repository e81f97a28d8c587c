//! Words of persons stay out of logs, spans, figures and errors, whichever field of whichever call they come in.

mod fields;
pub(crate) mod story;

use crate::canary::{CANARY, is_free_of_words, words};
use crate::collector::Collector;
use crate::metrics::scrape;
use crate::process::Process;
use crate::reflected;
use crate::service::{Service, evaluate, reason, when};
use fields::{discreet_fields, discreet_methods, filled, unclassified};
use prost_reflect::DescriptorPool;
use sqlx::{Connection, Executor, PgConnection};
use std::collections::BTreeSet;
use std::process::Output;
use story::Story;
use tokio::process::Command;
use tonic::transport::Channel;
use tonic::{Code, Request};
use v1::Claim;

use makegood::proto::makegood::v1;

const NOON: &str = "2025-03-03T12:00:00Z";

/// Calls everything that takes words with words that are refused: alone, over long, and with a control character.
async fn refused(channel: &Channel, pool: &DescriptorPool) {
    for method in discreet_methods(pool) {
        for text in [words("alone"), words("long").repeat(500), format!("{}\u{7}", words("bell"))] {
            let message = filled(&method.input(), &text);
            let headers = [("makegood-test-clock".to_owned(), NOON.to_owned())];
            let status = reflected::send(channel.clone(), &method, &message, &headers).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{}: {status:?}", method.full_name());
            is_free_of_words(&status);
        }
    }
}

#[test]
fn every_text_that_a_caller_can_send_is_marked_as_words_or_known_to_be_none() {
    assert_eq!(unclassified(&reflected::description()), BTreeSet::new());
}

#[test]
fn a_message_is_printed_without_its_words() {
    let mut request = evaluate("ada", "pay-1", Claim::Other);
    request.details.get_or_insert_default().explanation = words("it does not work");
    let deny = v1::resolve_refund_request_request::Deny {
        clauses: vec!["5.3".to_owned()],
        sentence: words("We are sorry."),
    };
    let resolution = v1::ResolveRefundRequestRequest {
        note: words("called her"),
        resolution: Some(v1::resolve_refund_request_request::Resolution::Deny(deny)),
        ..Default::default()
    };
    let printed = format!("{request:?} {:#?} {resolution:?}", Request::new(&request));
    assert_eq!(printed.matches(CANARY).count(), 0, "{printed}");
    assert!(
        printed.contains("\"ada\"") && printed.contains("5.3") && printed.contains("[redacted]"),
        "{printed}"
    );
}

#[tokio::test]
async fn words_are_in_no_log_no_figure_and_no_error_of_good_calls_and_refused_ones() {
    let service = Service::start().await.with_metrics().await;
    let mut story = Story::new(service.channel(), &words("recorded for good"));
    story.told().await;
    let missing: Vec<_> = discreet_fields(&story.pool).difference(&story.sent).cloned().collect();
    assert_eq!(missing, [""; 0], "the story says nothing in these fields");
    refused(&service.channel(), &story.pool).await;
    is_free_of_words(scrape(&service).await);
    service.stop().await;
}

#[tokio::test]
async fn words_are_in_no_exported_span_and_in_nothing_that_the_program_prints() {
    let collector = Collector::start().await;
    let process = Process::start(&[
        "--otlp-endpoint",
        &collector.endpoint,
        "--trace-ratio",
        "1",
        "--log-filter",
        "debug",
    ])
    .await;
    let mut story = Story::new(process.channel(), &words("recorded for good"));
    story.headers = vec![("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01")];
    story.told().await;
    refused(&process.channel(), &story.pool).await;
    // What an audit says of words that somebody changed names the rows alone.
    let mut superuser = PgConnection::connect(&process.url).await.unwrap();
    superuser.execute("SET session_replication_role = replica").await.unwrap();
    for (table, column) in [("request_text", "explanation"), ("request_note", "text"), ("evidence", "uri")] {
        let lie = format!("UPDATE {table} SET {column} = {column} || '!' WHERE {column} IS NOT NULL");
        superuser.execute(sqlx::AssertSqlSafe(lie)).await.unwrap();
    }
    let told = printed(&["audit", "--json", "--database-url", &process.url]).await;
    assert!(told.contains("request_note") && told.contains("request_text"), "{told}");
    let told = printed(&["policy", "backtest", "2024-12-19", "--database-url", &process.url]).await;
    assert!(told.contains("2024-12-19"), "{told}");
    // It fails by itself if words are in the log.
    process.stop().await;
}

/// What the program prints, which is searched for words.
async fn printed(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_makegood"));
    let Output { stdout, stderr, .. } = command.args(arguments).output().await.unwrap();
    let told = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    is_free_of_words(&told);
    told
}

#[tokio::test]
async fn a_token_that_nobody_knows_is_not_repeated() {
    let service = Service::start().await;
    let mut request = when(NOON, v1::GetAccountRequest { account_id: "ada".to_owned() });
    request.metadata_mut().insert("authorization", format!("Bearer {CANARY}").parse().unwrap());
    request.metadata_mut().insert("makegood-test-caller", CANARY.parse().unwrap());
    assert_eq!(reason(service.accounts().get_account(request).await).0, Code::InvalidArgument);
    service.stop().await;
}
