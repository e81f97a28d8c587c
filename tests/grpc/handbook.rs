//! `docs/desk.md` and the README: every `grpcurl` command that they print works, and answers what they print under it.

mod excerpt;
mod page;

use crate::reflected;
use crate::service::{Service, evaluate, later, purchase, restore, usd, when};
use chrono::TimeDelta;
use excerpt::{Names, compare, filled_in};
use makegood::proto::makegood::v1;
use page::{Step, steps};
use prost_reflect::DescriptorPool;
use std::collections::BTreeSet;
use v1::Claim;

const DESK: &str = include_str!("../../docs/desk.md");
const README: &str = include_str!("../../README.md");

/// When the desk's day begins.
const NINE: &str = "2025-03-03T09:00:00Z";

/// A command as grpcurl reads it.
#[derive(Debug, Default)]
struct Command {
    headers: Vec<(String, String)>,
    data: String,
    /// Host, then what to call; or `list` and a service.
    words: Vec<String>,
}

impl Command {
    fn read(words: &[String], names: &Names) -> Self {
        let mut command = Self { data: "{}".to_owned(), ..Self::default() };
        let mut words = words[1..].iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "-plaintext" => {}
                "-H" => {
                    let (name, value) = words.next().unwrap().split_once(": ").unwrap();
                    command.headers.push((name.to_owned(), value.to_owned()));
                }
                "-d" => command.data = filled_in(words.next().unwrap(), names),
                flag if flag.starts_with('-') => panic!("grpcurl has no `{flag}` here"),
                word => command.words.push(word.to_owned()),
            }
        }
        assert_eq!(command.words[0], "127.0.0.1:50051");
        command
    }
}

/// Does what a page says, step by step, and answers which methods it called.
async fn follow(service: &Service, pool: &DescriptorPool, page: Vec<Step>) -> BTreeSet<String> {
    let mut names = Names::new();
    let mut called = BTreeSet::new();
    for (minutes, step) in (0..).zip(page) {
        let mut command = Command::read(&step.words, &names);
        if command.words[1] == "list" {
            let listed = pool.get_service_by_name(&command.words[2]).unwrap();
            assert!(listed.methods().len() > 0);
            continue;
        }
        if command.headers.iter().all(|(name, _)| name != "makegood-test-clock") {
            let at = later(NINE, TimeDelta::minutes(minutes));
            command.headers.push(("makegood-test-clock".to_owned(), at));
        }
        let method = reflected::method(pool, &command.words[1]);
        let answer = reflected::call(service, &method, &command.data, &command.headers).await;
        let what = step.words.join(" ");
        if let Some(printed) = step.error {
            let status = answer.unwrap_err();
            let told = format!("ERROR:\n  Code: {:?}\n  Message: {}", status.code(), status.message());
            assert_eq!(told, printed.trim_end(), "{what}");
            continue;
        }
        let answer = answer.unwrap_or_else(|status| panic!("{what}: {status:?}"));
        if let Some(printed) = step.answer {
            let printed = serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
            if let Err(error) = compare(&printed, answer.last().unwrap(), &mut names) {
                panic!("{what}\n{error}");
            }
        }
        called.insert(method.name().to_owned());
    }
    called
}

/// What happened before nine o'clock.
async fn night(service: &Service) {
    let asks = async |account_id: &'static str, payment_id: &str, claim: Claim, at: &str| {
        let mut asked = evaluate(account_id, payment_id, claim);
        asked.details =
            Some(v1::RequestDetails { explanation: "I bought too many.".to_owned(), ..Default::default() });
        let mut asked = when(at, asked);
        asked.metadata_mut().insert("makegood-test-caller", "frontend:shop".parse().unwrap());
        service.refunds().evaluate_request(asked).await.unwrap();
    };
    let friday = "2025-02-28T09:00:00Z";
    service.bought("bea", "pay-bea", friday).await;
    service.used("bea", "job-1", 40, friday).await;
    asks("bea", "pay-bea", Claim::Other, friday).await;
    for payment_id in ["pay-cyd-1", "pay-cyd-2"] {
        let told = v1::RecordPurchaseRequest {
            price: usd(30_000),
            credits: 1_000,
            ..purchase("cyd", payment_id, "2025-03-03T05:00:00Z")
        };
        service.credits().record_purchase(when("2025-03-03T05:00:00Z", told)).await.unwrap();
        service.deliver("cyd", payment_id, 1_000, "2025-03-03T05:00:00Z").await;
    }
    asks("cyd", "pay-cyd-2", Claim::DuplicatePurchase, "2025-03-03T05:30:00Z").await;
    for (account_id, payment_id, at) in
        [("dan", "pay-dan", "2025-03-03T06:00:00Z"), ("eve", "pay-eve", "2025-03-03T07:00:00Z")]
    {
        service.bought(account_id, payment_id, at).await;
        asks(account_id, payment_id, Claim::Other, at).await;
    }
    service.bought("gus", "pay-gus", "2025-03-03T06:00:00Z").await;
    service.used("gus", "job-1", 30, "2025-03-03T06:00:00Z").await;
    service.bought("hal", "pay-hal", "2025-03-03T06:00:00Z").await;
    service.used("hal", "job-1", 12, "2025-03-03T06:10:00Z").await;
    // Nobody knew whose fault it was.
    let failed = restore("hal", "job-1", "unknown", "2025-03-03T06:20:00Z");
    service.credits().restore_credits(when("2025-03-03T06:20:00Z", failed)).await.unwrap();
}

#[tokio::test]
async fn every_command_of_the_desks_day_works_and_answers_what_is_printed() {
    let service = Service::start().await;
    night(&service).await;
    let pool = reflected::description();
    let called = follow(&service, &pool, steps(DESK)).await;
    // What a day at the desk is made of.
    for method in [
        "ListRefundRequests",
        "GetRefundRequest",
        "ResolveRefundRequest",
        "ProvideInformation",
        "RecordRefundResult",
        "RecordChargeback",
        "DeclareIncident",
        "ResolveIncident",
        "RestoreIncident",
        "ListEntries",
        "ListRefunds",
        "GetRefund",
        "ListChargebacks",
        "GetChargeback",
        "CompileChargebackEvidence",
        "DetermineChargeback",
        "GetAccount",
        "ImposeRestriction",
        "LiftRestriction",
    ] {
        assert!(called.contains(method), "the page does not show {method}: {called:?}");
    }
    service.audited().await;
}

#[tokio::test]
async fn every_command_of_the_readme_works() {
    let service = Service::start().await;
    let called = follow(&service, &reflected::description(), steps(README)).await;
    for method in ["RecordPurchase", "EvaluateRequest"] {
        assert!(called.contains(method), "the README does not show {method}: {called:?}");
    }
    service.audited().await;
}
