//! Every piece of news about a request's money in every stage: what `docs/lifecycles.md` says comes of it.

use super::tables::*;
use super::*;
use crate::at_once::at_once;
use crate::service::refund_result;
use std::collections::BTreeSet;
use std::sync::Arc;
use tonic::Code;
use tonic_types::StatusExt;
use v1::{ChargebackEventKind as Event, RefundResult, RemedyKind};

/// What is told, in the order of the table.
#[derive(Debug, Clone, Copy)]
enum News {
    Result(RefundResult),
    Dispute,
}

const NEWS: [(&str, News); 5] = [
    ("SUBMITTED", News::Result(RefundResult::Submitted)),
    ("SUCCEEDED", News::Result(RefundResult::Succeeded)),
    ("FAILED", News::Result(RefundResult::Failed)),
    ("UNKNOWN", News::Result(RefundResult::Unknown)),
    ("dispute", News::Dispute),
];

async fn tell(
    service: &Service,
    request: &v1::RefundRequest,
    result: RefundResult,
    at: &str,
) -> Result<(), Status> {
    let told = refund_result(&request.account_id, &request.refunds[0].refund_id, result, at);
    service.refunds().record_refund_result(by("payments:hook", at, told)).await.map(|_| ())
}

/// A request and its refund in two stages.
async fn request_in(service: &Service, stage: &str, refund: &str, account_id: &str) -> v1::RefundRequest {
    let is_early = ["run out", "expired"].contains(&stage);
    let at = if is_early { LONG_BEFORE } else { NOON };
    let request = for_a_person(service, account_id, at).await;
    let request = resolved(service, &request, approval(&[RemedyKind::RefundUnused]), at).await;
    let told: &[RefundResult] = match (stage, refund) {
        (_, "pending" | "canceled") => &[],
        (_, "unknown") => &[RefundResult::Submitted, RefundResult::Unknown],
        ("settled", "succeeded") => &[RefundResult::Succeeded],
        (_, "failed") => &[RefundResult::Failed],
        _ => &[RefundResult::Submitted],
    };
    for result in told {
        tell(service, &request, *result, at).await.unwrap();
    }
    if ["approved", "settled"].contains(&stage) || refund == "failed" {
        return request;
    }
    // A dispute that comes to nothing gives the case to a person.
    for event in [Event::Opened, Event::Withdrawn] {
        service.dispute(&format!("pay-{account_id}"), &format!("dp-{account_id}"), event, at).await;
    }
    if refund == "succeeded" {
        tell(service, &request, RefundResult::Succeeded, at).await.unwrap();
    }
    match stage {
        "in_review" => {}
        "denied" => drop(resolved(service, &request, denial(), at).await),
        "withdrawn" => drop(withdraw(service, at, withdrawal(&request)).await.unwrap()),
        "awaiting_information" | "run out" | "expired" => {
            drop(resolved(service, &request, question(), at).await);
        }
        other => panic!("no request is brought to `{other}`"),
    }
    if stage == "expired" {
        overtaken(service, &request).await;
    }
    request
}

fn refund_stage(read: &Read) -> String {
    short(read.request.refunds[0].stage().as_str_name())
}

async fn check(service: &Service, stage: &str, refund: &str, (name, news, said): (&str, News, &str)) {
    let what = format!("{stage}, {refund}: {name}");
    let account_id = what.replace([' ', ':'], "-");
    let request = request_in(service, stage, refund, &account_id).await;
    let before = Read::of(service, &request).await;
    let rests_in = if stage == "run out" { "awaiting_information" } else { stage };
    assert_eq!((before.stage().as_str(), refund_stage(&before).as_str()), (rests_in, refund), "{what}");
    let told = match news {
        News::Result(result) => tell(service, &request, result, TUESDAY).await,
        News::Dispute => {
            let dispute_id = format!("dp-{account_id}-again");
            service.dispute(&format!("pay-{account_id}"), &dispute_id, Event::Opened, TUESDAY).await;
            Ok(())
        }
    };
    let after = Read::of(service, &request).await;
    let stages = [after.stage(), refund_stage(&after)];
    match said {
        "conflict" => {
            let status = told.unwrap_err();
            let info = status.get_details_error_info().unwrap();
            let refusal = (status.code(), info.reason.as_str());
            assert_eq!(refusal, (Code::FailedPrecondition, "REFUND_STAGE_CONFLICT"), "{what}");
            assert_eq!(info.metadata["stage"].to_lowercase(), refund, "{what}");
            assert!(after == before, "{what}: refused, and something changed");
        }
        "=" => {
            told.unwrap();
            assert!(after.request == before.request, "{what}");
            if matches!(news, News::Result(_)) {
                assert!(after == before, "{what}: credits moved");
            }
        }
        next => {
            told.unwrap();
            assert_eq!(stages.join(", "), next, "{what}");
            assert!(after.request != before.request, "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_news_about_money_does_in_every_stage_what_is_documented() {
    let (head, rows) = table("## Every news about its money");
    let names: Vec<_> = NEWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(head[2..], names);
    let situations: BTreeSet<_> = rows.iter().map(|row| (row[0], row[1])).collect();
    assert_eq!((rows.len(), situations.len()), (13, 13));
    let stages: BTreeSet<_> = situations.iter().flat_map(|(request, refund)| [*request, *refund]).collect();
    let all = "approved awaiting_information canceled denied expired failed in_review pending run out settled submitted \
               succeeded unknown withdrawn";
    assert_eq!(stages.into_iter().collect::<Vec<_>>().join(" "), all);
    let service = Arc::new(Service::start().await);
    let cells = rows.iter().flat_map(|row| {
        let cells = NEWS.iter().zip(&row[2..]);
        cells.map(|((name, news), said)| (row[0], row[1], (*name, *news, *said)))
    });
    let done = at_once(8, cells, |(stage, refund, told)| {
        let service = service.clone();
        async move { check(&service, stage, refund, told).await }
    });
    assert_eq!(done.await.len(), 65);
    Arc::into_inner(service).unwrap().audited().await;
}
