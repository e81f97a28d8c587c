//! The issuer's keys: changed, asked for in vain, not to be had, and too old.

use super::authority::Authority;
use super::issuer::{Issuer, KeyServer, key_set};
use super::{Code, NEVER, StatusExt, by_token, policies, rules, served, unrecognised, with};
use crate::service::Service;
use makegood::proto::makegood::v1::policy_service_client::PolicyServiceClient;
use makegood::trust::{Certificates, KeyPace, KeySource, Trust};
use std::fs;
use std::time::Duration;
use tonic::Status;

const SOON: Duration = Duration::from_millis(20);

/// Longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

async fn ask(service: &Service, token: &str) -> Result<(), Status> {
    let mut client = PolicyServiceClient::new(service.channel());
    client.list_policies(with(token, policies())).await.map(|_| ())
}

/// Asks until the answer is as wanted.
async fn until(service: &Service, token: &str, wanted: impl Fn(&Result<(), Status>) -> bool) {
    let asking = async { while !wanted(&ask(service, token).await) {} };
    tokio::time::timeout(PATIENCE, asking).await.unwrap();
}

fn refused(answer: &Result<(), Status>) -> bool {
    answer.as_ref().is_err_and(unrecognised)
}

fn unavailable(answer: &Result<(), Status>) -> bool {
    answer.as_ref().is_err_and(|status| {
        let details = status.get_error_details();
        status.code() == Code::Unavailable
            && details.error_info().is_some_and(|info| info.reason == "UNAVAILABLE")
            && details.retry_info().is_some()
    })
}

#[tokio::test]
async fn a_new_key_is_fetched_when_a_token_names_it() {
    let (old, new) = (Issuer::new("old"), Issuer::new("new"));
    let keys = KeyServer::start(&[&old]).await;
    // Read again by tokens only.
    let pace = KeyPace { refresh: NEVER, retry: Duration::from_nanos(1), max_age: NEVER };
    let service = served(by_token(rules(keys.source(), pace)).await).await;
    let (by_old, by_new) = (old.token("agent", "kim"), new.token("agent", "kim"));
    ask(&service, &by_old).await.unwrap();
    assert!(refused(&ask(&service, &by_new).await));
    keys.shows(&[&old, &new]);
    ask(&service, &by_new).await.unwrap();
    ask(&service, &by_old).await.unwrap();
    service.stop().await;
}

#[tokio::test]
async fn tokens_of_a_key_that_is_withdrawn_end_with_it_although_they_were_good_before() {
    let (old, new) = (Issuer::new("old"), Issuer::new("new"));
    let keys = KeyServer::start(&[&old]).await;
    let pace = KeyPace { refresh: SOON, retry: SOON, max_age: NEVER };
    let service = served(by_token(rules(keys.source(), pace)).await).await;
    let token = old.token("agent", "kim");
    ask(&service, &token).await.unwrap();
    ask(&service, &token).await.unwrap();
    keys.shows(&[&new]);
    until(&service, &token, refused).await;
    ask(&service, &new.token("agent", "kim")).await.unwrap();
    service.stop().await;
}

#[tokio::test]
async fn made_up_key_ids_do_not_make_us_ask_the_issuer_again_and_again() {
    let issuer = Issuer::new("key-1");
    let keys = KeyServer::start(&[&issuer]).await;
    let pace = KeyPace { refresh: NEVER, retry: NEVER, max_age: NEVER };
    let service = served(by_token(rules(keys.source(), pace)).await).await;
    assert_eq!(keys.asked(), 1);
    for number in 0..50 {
        let made_up = Issuer::new(&format!("made-up-{number}")).token("admin", "mallory");
        assert!(refused(&ask(&service, &made_up).await));
    }
    assert_eq!(keys.asked(), 2);
    // Good callers never noticed.
    ask(&service, &issuer.token("agent", "kim")).await.unwrap();
    service.stop().await;
}

#[tokio::test]
async fn a_service_starts_without_its_issuer_and_recognises_callers_when_it_is_there() {
    let issuer = Issuer::new("key-1");
    let keys = KeyServer::start(&[&issuer]).await;
    let token = issuer.token("agent", "kim");
    keys.hangs_up();
    let pace = KeyPace { refresh: SOON, retry: SOON, max_age: NEVER };
    let service = served(by_token(rules(keys.source(), pace)).await).await;
    assert!(unavailable(&ask(&service, &token).await));
    keys.fails();
    assert!(unavailable(&ask(&service, &token).await));
    keys.shows(&[]);
    assert!(unavailable(&ask(&service, &token).await));
    // Whoever sends nothing is told so at any time.
    let nobody = PolicyServiceClient::new(service.channel()).list_policies(policies()).await.map(|_| ());
    assert!(refused(&nobody));
    keys.shows(&[&issuer]);
    until(&service, &token, Result::is_ok).await;
    service.stop().await;
}

#[tokio::test]
async fn keys_that_cannot_be_read_again_are_used_until_they_are_too_old() {
    let issuer = Issuer::new("key-1");
    let keys = KeyServer::start(&[&issuer]).await;
    let pace = KeyPace { refresh: SOON, retry: SOON, max_age: Duration::from_millis(1_500) };
    let service = served(by_token(rules(keys.source(), pace)).await).await;
    let (known, fresh) = (issuer.token("agent", "kim"), issuer.token("agent", "lee"));
    ask(&service, &known).await.unwrap();
    keys.fails();
    let failing_since = keys.asked();
    // The issuer was asked in vain, and the keys still hold.
    let waiting = async {
        while keys.asked() < failing_since + 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    ask(&service, &known).await.unwrap();
    until(&service, &known, unavailable).await;
    assert!(unavailable(&ask(&service, &fresh).await));
    keys.shows(&[&issuer]);
    until(&service, &known, Result::is_ok).await;
    ask(&service, &fresh).await.unwrap();
    service.stop().await;
}

#[tokio::test]
async fn keys_come_from_a_server_that_is_vouched_for_and_from_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, others) = (folder.path().join("ours.crt"), folder.path().join("others.crt"));
    let authority = Authority::new();
    fs::write(&ours, &authority.pem).unwrap();
    fs::write(&others, Authority::new().pem).unwrap();
    let issuer = Issuer::new("key-1");
    let keys = KeyServer::protected(&[&issuer], &authority).await;
    let token = issuer.token("agent", "kim");
    let pace = KeyPace { refresh: NEVER, retry: NEVER, max_age: NEVER };
    let service = served(by_token(rules(keys.protected_source("localhost", &ours), pace)).await).await;
    ask(&service, &token).await.unwrap();
    service.stop().await;
    // Another authority's word, and another name than the certificate's.
    for source in [keys.protected_source("localhost", &others), keys.protected_source("127.0.0.1", &ours)] {
        let service = served(by_token(rules(source, pace)).await).await;
        assert!(unavailable(&ask(&service, &token).await));
        service.stop().await;
    }
}

#[tokio::test]
async fn a_file_of_keys_is_read_again_and_an_unusable_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let (first, second, third) = (Issuer::new("1"), Issuer::new("2"), Issuer::new("3"));
    fs::write(&path, key_set(&[&first])).unwrap();
    let pace = KeyPace { refresh: SOON, retry: SOON, max_age: NEVER };
    let service = served(by_token(rules(KeySource::File(path.clone()), pace)).await).await;
    let token = |issuer: &Issuer| issuer.token("agent", "kim");
    ask(&service, &token(&first)).await.unwrap();
    fs::write(&path, "{\"keys\": ").unwrap();
    assert!(refused(&ask(&service, &token(&second)).await));
    ask(&service, &token(&first)).await.unwrap();
    fs::write(&path, key_set(&[&second])).unwrap();
    until(&service, &token(&second), Result::is_ok).await;
    until(&service, &token(&first), refused).await;
    fs::remove_file(&path).unwrap();
    assert!(refused(&ask(&service, &token(&third)).await));
    ask(&service, &token(&second)).await.unwrap();
    service.stop().await;
}

#[tokio::test]
async fn a_service_does_not_start_on_a_file_of_keys_that_it_cannot_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let pace = KeyPace { refresh: NEVER, retry: NEVER, max_age: NEVER };
    for text in [None, Some("<html></html>"), Some("{\"keys\": []}")] {
        if let Some(text) = text {
            fs::write(&path, text).unwrap();
        }
        let source = KeySource::File(path.clone());
        let error = Trust::new(Some(rules(source, pace)), Certificates::default()).await.unwrap_err();
        assert!(error.to_string().contains("keys.json"), "{error}");
    }
}
