//! Every call in every stage: taken with the stage that `docs/lifecycles.md` says, or refused with the reason that it
//! says and nothing changed.

use super::tables::*;
use super::*;
use crate::at_once::at_once;
use crate::service::instant;
use makegood::clock::Clock;
use makegood::domain::request::RequestStage;
use std::sync::Arc;
use tonic::Code;
use tonic_types::StatusExt;
use v1::RemedyKind;

/// What can be done with a request, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Evaluate,
    Inform,
    Withdraw,
    Pay,
    Give,
    Deny,
    Ask,
    Keep,
    Sweep,
}

const COMMANDS: [(&str, Command); 9] = [
    ("evaluate", Command::Evaluate),
    ("inform", Command::Inform),
    ("withdraw", Command::Withdraw),
    ("approve money", Command::Pay),
    ("approve credits", Command::Give),
    ("deny", Command::Deny),
    ("ask", Command::Ask),
    ("keep", Command::Keep),
    ("sweep", Command::Sweep),
];

/// A request in a stage, as the table names it; `run out` is a stage to a caller.
async fn request_in(service: &Service, stage: &str, account_id: &str) -> v1::RefundRequest {
    let is_early = ["run out", "expired"].contains(&stage);
    let at = if is_early { LONG_BEFORE } else { NOON };
    let request = for_a_person(service, account_id, at).await;
    let decided = |how| resolved(service, &request, how, at);
    match stage {
        "in_review" => request,
        "awaiting_information" | "run out" => decided(question()).await,
        "denied" => decided(denial()).await,
        "approved" => decided(approval(&[RemedyKind::RefundUnused])).await,
        "settled" => decided(gift()).await,
        "withdrawn" => {
            let answer = withdraw(service, at, withdrawal(&request)).await.unwrap().into_inner();
            answer.refund_request.unwrap()
        }
        "expired" => {
            let asked = decided(question()).await;
            overtaken(service, &asked).await;
            asked
        }
        other => panic!("no request is brought to `{other}`"),
    }
}

/// Credits instead of money.
fn gift() -> resolve::Resolution {
    let remedy = v1::Remedy { kind: RemedyKind::Compensate.into(), credits: 5, amount: None };
    resolve::Resolution::Approve(resolve::Approve { remedies: vec![remedy], ..Default::default() })
}

/// Gives a command about a request that was just read; a request that it opened is answered.
async fn give(
    service: &Service,
    command: Command,
    request: &v1::RefundRequest,
) -> Result<Option<v1::RefundRequest>, Status> {
    let resolution = match command {
        Command::Evaluate => {
            let account_id = &request.account_id;
            let asked = evaluate(account_id, &format!("pay-{account_id}"), Claim::Other);
            let answer = service.refunds().evaluate_request(by(SHOP, TUESDAY, asked)).await?;
            return Ok(answer.into_inner().refund_request);
        }
        Command::Inform => {
            return provide(service, TUESDAY, information(request, "One more thing.")).await.map(|_| None);
        }
        Command::Withdraw => return withdraw(service, TUESDAY, withdrawal(request)).await.map(|_| None),
        Command::Sweep => {
            let swept = service.desk().await.sweep(Clock::fixed(instant(TUESDAY)), 10_000).await.unwrap();
            assert!(swept.is_complete && swept.failed.is_empty(), "{swept:?}");
            return Ok(None);
        }
        Command::Pay => approval(&[RemedyKind::RefundUnused]),
        Command::Give => gift(),
        Command::Deny => denial(),
        Command::Ask => question(),
        Command::Keep => keep(),
    };
    resolve_by(service, KIM, TUESDAY, super::resolution(request, resolution)).await.map(|_| None)
}

/// Gives one command in one stage, and compares what came of it with the table.
async fn check(service: &Service, stage: &str, command: Command, said: &str) {
    let what = format!("{stage}: {command:?}");
    let account_id = format!("{}-{command:?}", stage.replace(' ', "-"));
    let request = request_in(service, stage, &account_id).await;
    let before = Read::of(service, &request).await;
    let given = give(service, command, &before.request).await;
    let after = Read::of(service, &request).await;
    let changed = (after.stage(), after.request.etag != before.request.etag);
    let decided = after.request.decisions.len() - before.request.decisions.len();
    match said {
        "conflict" | "open" => {
            let info = given.unwrap_err();
            let told = info.get_details_error_info().unwrap();
            assert!(after == before, "{what}: refused, and something changed");
            if said == "open" {
                assert_eq!((info.code(), told.reason.as_str()), (Code::AlreadyExists, "OPEN_REQUEST_EXISTS"));
                assert_eq!(told.metadata["refund_request_id"], request.refund_request_id, "{what}");
            } else {
                let refusal = (info.code(), told.reason.as_str(), told.metadata["stage"].to_lowercase());
                // Swept or not, who comes too late reads the same.
                let told_stage = if stage == "run out" { "expired" } else { stage }.to_owned();
                let expected = (Code::FailedPrecondition, "REQUEST_STAGE_CONFLICT", told_stage);
                assert_eq!(refusal, expected, "{what}");
            }
        }
        "=" => {
            assert!(given.unwrap().is_none(), "{what}");
            assert!(after == before, "{what}");
        }
        "new" | "new, expired" => {
            let new = given.unwrap().unwrap();
            assert_ne!(new.refund_request_id, request.refund_request_id);
            assert_eq!(after.requests(), before.requests() + 1, "{what}");
            if said == "new" {
                assert!(after.request == before.request, "{what}: the old one changed");
            } else {
                assert_eq!(changed, ("expired".to_owned(), true), "{what}");
            }
        }
        "anew" => {
            given.unwrap();
            assert_eq!((decided, changed.1, after.requests()), (1, true, before.requests()), "{what}");
            assert_eq!(after.request.decisions.last().unwrap().decided_by, "", "{what}: the policy decides");
        }
        next => {
            given.unwrap();
            assert_eq!(changed, (next.to_owned(), true), "{what}");
            let is_decision = matches!(command, Command::Pay | Command::Give | Command::Deny | Command::Ask);
            assert_eq!(decided, usize::from(is_decision), "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_in_every_stage_is_taken_or_refused_as_documented() {
    let (head, rows) = table("## Every call in every stage of a request");
    let names: Vec<_> = COMMANDS.iter().map(|(name, _)| *name).collect();
    assert_eq!(head[1..], names);
    let stages: Vec<_> = rows.iter().map(|row| row[0]).collect();
    let known = RequestStage::ALL.iter().filter(|stage| **stage != RequestStage::Submitted);
    let mut known: Vec<_> = known.map(|stage| stage.name()).collect();
    known.insert(1, "run out");
    assert_eq!(stages, known);
    let service = Arc::new(Service::start().await);
    let cells = rows
        .iter()
        .flat_map(|row| COMMANDS.iter().zip(&row[1..]).map(|(command, said)| (row[0], command.1, *said)));
    // A sweep comes to every account, so that those cells come last, one after the other.
    let (swept, called): (Vec<_>, Vec<_>) = cells.partition(|(_, command, _)| *command == Command::Sweep);
    assert_eq!((called.len(), swept.len()), (64, 8));
    at_once(8, called, |(stage, command, said)| {
        let service = service.clone();
        async move { check(&service, stage, command, said).await }
    })
    .await;
    for (stage, command, said) in swept {
        check(&service, stage, command, said).await;
    }
    let passing: i64 = sqlx::query_scalar("SELECT count(*) FROM refund_request WHERE stage = 'submitted'")
        .fetch_one(&mut service.database().await)
        .await
        .unwrap();
    assert_eq!(passing, 0, "a request rests where it should only pass through");
    Arc::into_inner(service).unwrap().audited().await;
}
