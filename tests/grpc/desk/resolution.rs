//! `ResolveRefundRequest`: a person decides, within what the ledger, the policy and another pair of eyes allow.

use super::*;
use crate::canary::words;
use crate::service::{reason, refund_result, timestamp, usd};
use tonic::Code;
use tonic_types::StatusExt;
use v1::{ChargebackEventKind as Event, RefundMethod, RefundResult, RemedyKind};

fn failed(what: &str) -> (Code, String) {
    (Code::FailedPrecondition, what.to_owned())
}

#[tokio::test]
async fn a_person_approves_what_is_unused_and_the_ledger_moves_exactly_that() {
    let service = Service::start().await;
    let request = in_review(&service).await;
    assert_eq!((request.approvals_required, request.opened_by.as_str()), (1, SHOP));
    service.used("ada", "job-1", 40, NOON).await;
    let yes = resolution(&request, approval(&[RemedyKind::RefundUnused]));
    let answer = resolve_by(&service, MARIA, TUESDAY, yes.clone()).await.unwrap().into_inner();
    let (after, decision) = (answer.refund_request.unwrap(), answer.decision.unwrap());
    assert_eq!((after.stage(), after.etag.as_str()), (Stage::Approved, "2"));
    assert_eq!(
        (after.first_response(), after.first_responded_at),
        (Outcome::Approve, Some(timestamp(TUESDAY)))
    );
    assert_eq!(
        (decision.outcome(), decision.row.as_str(), decision.decided_by.as_str()),
        (Outcome::Approve, "", MARIA)
    );
    assert_eq!(
        decision.sentence,
        "We have looked at your request and are refunding 5.99 USD to your original payment method (§5.3)."
    );
    let refund = &after.refunds[0];
    assert_eq!((refund.amount.clone(), refund.credits), (usd(599), 60));
    assert_eq!(service.balance("ada", TUESDAY).await, (0, 0, 0));
    let again = resolve_by(&service, MARIA, TUESDAY, yes).await.unwrap();
    assert!(crate::service::is_replayed(&again));
    // The reason is for support and auditors.
    let reason_of = |request: v1::RefundRequest| request.decisions[1].reason.clone();
    assert_eq!(reason_of(case(&service, &request.refund_request_id).await), words("looked at it"));
    assert_eq!(reason_of(case_for(&service, SHOP, &request.refund_request_id).await), "");
    let paid = refund_result("ada", &refund.refund_id, RefundResult::Succeeded, TUESDAY);
    let settled = service.refunds().record_refund_result(when(TUESDAY, paid)).await.unwrap().into_inner();
    assert_eq!(settled.refund_request.unwrap().stage(), Stage::Settled);
    service.audited().await;
}

#[tokio::test]
async fn a_person_denies_with_clauses_and_a_sentence() {
    let service = Service::start().await;
    let request = in_review(&service).await;
    let no = v1::ResolveRefundRequestRequest { note: words("third time"), ..resolution(&request, denial()) };
    let answer = resolve_by(&service, MARIA, TUESDAY, no).await.unwrap().into_inner();
    let (after, decision) = (answer.refund_request.unwrap(), answer.decision.unwrap());
    assert_eq!((after.stage(), after.closed_at), (Stage::Denied, Some(timestamp(TUESDAY))));
    assert_eq!((decision.outcome(), decision.clauses), (Outcome::Deny, vec!["5.3".to_owned()]));
    assert!(decision.sentence.contains("heavily used"));
    let notes = case(&service, &request.refund_request_id).await.notes;
    assert_eq!(notes.iter().map(|note| note.text.as_str()).collect::<Vec<_>>(), [words("third time")]);
    assert_eq!(service.balance("ada", TUESDAY).await, (100, 0, 0));
    service.audited().await;
}

#[tokio::test]
async fn a_person_asks_and_the_answer_goes_through_the_policy_again() {
    let service = Service::start().await;
    let request = in_review(&service).await;
    let question = resolve::Ask {
        requested_details: vec!["logs".to_owned(), "attempted_at".to_owned()],
        sentence: words("Which attempts do you mean (§5.2)?"),
    };
    let ask = resolution(&request, resolve::Resolution::Ask(question));
    let answer = resolve_by(&service, MARIA, TUESDAY, ask).await.unwrap().into_inner();
    let after = answer.refund_request.unwrap();
    assert_eq!(
        (after.stage(), after.first_response()),
        (Stage::AwaitingInformation, Outcome::RequestInformation)
    );
    assert_eq!(after.information_asked, ["attempted_at", "logs"]);
    assert_eq!(after.expires_at, Some(timestamp("2025-04-03T12:00:00Z")));
    // While the customer has the word, nobody decides over their head.
    let refused = resolve_by(&service, MARIA, TUESDAY, resolution(&after, denial())).await;
    assert_eq!(reason(refused), failed("REQUEST_STAGE_CONFLICT"));
    let (after, decision) = both(provide(&service, &days(2), information(&after, "Those of Monday.")).await);
    assert_eq!((decision.row.as_str(), after.stage()), ("30", Stage::InReview));
    service.audited().await;
}

#[tokio::test]
async fn who_opened_a_request_cannot_approve_it_but_may_deny_it() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let open = evaluate("ada", "pay-1", Claim::Other);
    let opened = service.refunds().evaluate_request(by(MARIA, NOON, open)).await.unwrap().into_inner();
    let request = opened.refund_request.unwrap();
    let yes = resolution(&request, approval(&[RemedyKind::RefundUnused]));
    assert_eq!(reason(resolve_by(&service, MARIA, TUESDAY, yes).await), failed("SAME_APPROVER"));
    resolve_by(&service, MARIA, TUESDAY, resolution(&request, denial())).await.unwrap();
    service.audited().await;
}

/// A request above the machine's limit: 300 USD for 1,000 credits, bought twice.
async fn large(service: &Service) -> v1::RefundRequest {
    for payment_id in ["pay-1", "pay-2"] {
        let told = v1::RecordPurchaseRequest {
            price: usd(30_000),
            credits: 1_000,
            ..crate::service::purchase("ada", payment_id, NOON)
        };
        service.credits().record_purchase(when(NOON, told)).await.unwrap();
        service.deliver("ada", payment_id, 1_000, NOON).await;
    }
    let request = opened(service, "pay-2", Claim::DuplicatePurchase, NOON).await;
    assert_eq!((request.stage(), request.approvals_required), (Stage::InReview, 2));
    request
}

#[tokio::test]
async fn above_the_limit_two_different_people_must_approve_the_same() {
    let service = Service::start().await;
    let request = large(&service).await;
    // Without remedies the policy's recommendation is meant.
    let yes = resolution(&request, approval(&[]));
    let first = resolve_by(&service, MARIA, TUESDAY, yes).await.unwrap().into_inner();
    assert_eq!(first.decision, None);
    let waiting = first.refund_request.unwrap();
    assert_eq!((waiting.stage(), waiting.refunds.len()), (Stage::InReview, 0));
    let given: Vec<_> = waiting.approvals.iter().map(|one| one.approver.as_str()).collect();
    assert_eq!((waiting.approvals_required, given), (2, vec![MARIA]));
    assert_eq!(service.balance("ada", TUESDAY).await, (2_000, 0, 0));
    let again = resolve_by(&service, MARIA, TUESDAY, resolution(&waiting, approval(&[]))).await;
    assert_eq!(reason(again), failed("SAME_APPROVER"));
    // Another proposal begins anew.
    let other = resolution(&waiting, approval(&[RemedyKind::RefundUnused]));
    let waiting =
        resolve_by(&service, KIM, TUESDAY, other).await.unwrap().into_inner().refund_request.unwrap();
    assert_eq!(waiting.stage(), Stage::InReview);
    let back = resolution(&waiting, approval(&[]));
    let waiting =
        resolve_by(&service, MARIA, TUESDAY, back).await.unwrap().into_inner().refund_request.unwrap();
    let second = resolve_by(&service, KIM, TUESDAY, resolution(&waiting, approval(&[]))).await.unwrap();
    let second = second.into_inner();
    let (after, decision) = (second.refund_request.unwrap(), second.decision.unwrap());
    assert_eq!((after.stage(), decision.decided_by.as_str()), (Stage::Approved, KIM));
    assert_eq!(after.refunds[0].amount, usd(30_000));
    // The row that would have approved has a sentence for it.
    assert!(
        decision.sentence.contains("300.00 USD") && decision.sentence.contains("§2.1"),
        "{}",
        decision.sentence
    );
    let approvals = case(&service, &request.refund_request_id).await.approvals;
    let approvers: Vec<_> =
        approvals.iter().map(|one| (one.approver.as_str(), one.remedies[0].kind())).collect();
    let (full, unused) = (RemedyKind::RefundFull, RemedyKind::RefundUnused);
    assert_eq!(approvers, [(MARIA, full), (KIM, unused), (MARIA, full), (KIM, full)]);
    assert!(approvals.iter().all(|one| one.reason == words("looked at it")));
    assert!(case_for(&service, SHOP, &request.refund_request_id).await.approvals.is_empty());
    service.audited().await;
}

#[tokio::test]
async fn a_decision_about_what_was_not_read_is_refused() {
    let service = Service::start().await;
    let request = in_review(&service).await;
    provide(&service, NOON, information(&request, "By the way.")).await.unwrap();
    let stale = resolve_by(&service, MARIA, TUESDAY, resolution(&request, denial())).await;
    assert_eq!(reason(stale), (Code::Aborted, "ETAG_MISMATCH".to_owned()));
    let read = case(&service, &request.refund_request_id).await;
    resolve_by(&service, MARIA, TUESDAY, resolution(&read, denial())).await.unwrap();
    service.audited().await;
}

#[tokio::test]
async fn keeping_a_request_leaves_it_with_a_note_and_somebody_to_work_on_it() {
    let service = Service::start().await;
    let request = in_review(&service).await;
    let mine = v1::ResolveRefundRequestRequest {
        reason: words("waiting for the invoice"),
        note: words("asked accounting"),
        assignee: Some(KIM.to_owned()),
        ..resolution(&request, keep())
    };
    let kept = resolve_by(&service, MARIA, TUESDAY, mine).await.unwrap().into_inner();
    assert_eq!(kept.decision, None);
    let kept = kept.refund_request.unwrap();
    assert_eq!((kept.stage(), kept.assignee.as_str(), kept.etag.as_str()), (Stage::InReview, KIM, "2"));
    assert_eq!((kept.respond_by, kept.first_responded_at), (request.respond_by, None));
    let as_before = resolve_by(&service, KIM, TUESDAY, resolution(&kept, keep())).await.unwrap().into_inner();
    let as_before = as_before.refund_request.unwrap();
    assert_eq!(as_before.assignee, KIM);
    let nobody =
        v1::ResolveRefundRequestRequest { assignee: Some(String::new()), ..resolution(&as_before, keep()) };
    let free = resolve_by(&service, KIM, TUESDAY, nobody).await.unwrap().into_inner().refund_request.unwrap();
    assert_eq!(free.assignee, "");
    let notes = case(&service, &request.refund_request_id).await.notes;
    let said: Vec<_> = notes.into_iter().map(|note| (note.author, note.text)).collect();
    let by = |author: &str, text| (author.to_owned(), words(text));
    let kims = by(KIM, "looked at it");
    assert_eq!(
        said,
        [by(MARIA, "waiting for the invoice"), by(MARIA, "asked accounting"), kims.clone(), kims]
    );
    service.audited().await;
}

#[tokio::test]
async fn nobody_pays_more_than_the_ledger_and_the_policy_allow() {
    let service = Service::start().await;
    let request = in_review(&service).await;
    service.used("ada", "job-1", 40, NOON).await;
    let rows = service.rows().await;
    let one = |kind: RemedyKind, credits: i64, amount: Option<v1::Money>| {
        let remedies = vec![v1::Remedy { kind: kind.into(), credits, amount }];
        let approve = resolve::Approve { remedies, ..Default::default() };
        resolution(&request, resolve::Resolution::Approve(approve))
    };
    for asked in [
        one(RemedyKind::RefundUnused, 0, usd(600)),
        one(RemedyKind::RefundUnused, 61, None),
        one(RemedyKind::RefundFull, 0, None),
        one(RemedyKind::RefundFixed, 0, usd(600)),
        one(RemedyKind::RefundFixed, 0, usd(1_000)),
        one(RemedyKind::RestoreFailed, 0, None),
        one(RemedyKind::RestoreUndelivered, 0, None),
        resolution(&request, approval(&[RemedyKind::RefundUnused, RemedyKind::RefundUnused])),
    ] {
        let refused = resolve_by(&service, MARIA, TUESDAY, asked.clone()).await;
        assert_eq!(reason(refused), failed("REMEDY_NOT_POSSIBLE"), "{asked:?}");
    }
    assert_eq!(service.rows().await, rows);
    assert_eq!(service.balance("ada", TUESDAY).await, (60, 0, 0));
    let both = resolve::Approve {
        remedies: vec![
            v1::Remedy { kind: RemedyKind::RefundFixed.into(), credits: 0, amount: usd(100) },
            v1::Remedy { kind: RemedyKind::Compensate.into(), credits: 5, amount: None },
        ],
        method: RefundMethod::Other.into(),
        sentence: String::new(),
    };
    let yes = resolution(&request, resolve::Resolution::Approve(both));
    let answer = resolve_by(&service, MARIA, TUESDAY, yes).await.unwrap().into_inner();
    let (after, decision) = (answer.refund_request.unwrap(), answer.decision.unwrap());
    assert_eq!(
        decision.sentence,
        "We have looked at your request and have added 5 credits to your account and are refunding 1.00 USD to you \
         in another way than you paid (§5.3)."
    );
    assert_eq!((after.restored_credits, after.refunds[0].method()), (5, RefundMethod::Other));
    assert_eq!(service.balance("ada", TUESDAY).await, (65, 0, 0));
    service.audited().await;
}

#[tokio::test]
async fn no_person_pays_while_the_bank_decides_or_what_the_policy_never_pays() {
    let service = Service::start().await;
    let request = in_review(&service).await;
    service.dispute("pay-1", "dp-1", Event::Opened, NOON).await;
    let yes = resolution(&request, approval(&[RemedyKind::RefundFull]));
    let status = resolve_by(&service, MARIA, TUESDAY, yes).await.unwrap_err();
    assert_eq!(status.get_details_error_info().unwrap().reason, "REMEDY_NOT_POSSIBLE");
    // Bought for nothing used, but while a restoration is possible it comes before money (§2.3).
    service.purchase("bea", "pay-9", NOON).await;
    let asked = evaluate("bea", "pay-9", Claim::Other);
    let answer = service.refunds().evaluate_request(by(SHOP, NOON, asked)).await.unwrap().into_inner();
    let bea = answer.refund_request.unwrap();
    let pay = |kinds: &[RemedyKind]| v1::ResolveRefundRequestRequest {
        account_id: "bea".to_owned(),
        ..resolution(&bea, approval(kinds))
    };
    let refused = resolve_by(&service, MARIA, TUESDAY, pay(&[RemedyKind::RefundFull])).await;
    assert_eq!(reason(refused), failed("REMEDY_NOT_POSSIBLE"));
    resolve_by(&service, MARIA, TUESDAY, pay(&[RemedyKind::RestoreUndelivered])).await.unwrap();
    assert_eq!(service.balance("bea", TUESDAY).await, (100, 0, 0));
    service.audited().await;
}

#[tokio::test]
async fn a_refund_that_fails_reopens_its_request_with_a_new_clock() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-2", NOON).await;
    let request = opened(&service, "pay-2", Claim::DuplicatePurchase, NOON).await;
    let bounced = refund_result("ada", &request.refunds[0].refund_id, RefundResult::Failed, &days(7));
    let answer = service.refunds().record_refund_result(when(&days(7), bounced)).await.unwrap().into_inner();
    let reopened = answer.refund_request.unwrap();
    assert_eq!((reopened.stage(), reopened.approvals_required), (Stage::InReview, 1));
    assert_eq!(reopened.respond_by, Some(timestamp("2025-03-13T12:00:00Z")));
    assert_eq!(reopened.first_response(), Outcome::Approve);
    let other_way = resolve::Approve { method: RefundMethod::Other.into(), ..Default::default() };
    let yes = resolution(&reopened, resolve::Resolution::Approve(other_way));
    let answer = resolve_by(&service, MARIA, &days(8), yes).await.unwrap().into_inner();
    let after = answer.refund_request.unwrap();
    assert_eq!(after.stage(), Stage::Approved);
    let methods: Vec<_> = after.refunds.iter().map(v1::Refund::method).collect();
    assert_eq!(methods, [RefundMethod::OriginalPayment, RefundMethod::Other]);
    service.audited().await;
}

#[tokio::test]
async fn a_request_reopened_while_another_is_open_stands_beside_it() {
    let service = Service::start().await;
    let first = in_review(&service).await;
    service.used("ada", "job-1", 50, NOON).await;
    let part = resolution(&first, approval(&[RemedyKind::RefundUnused]));
    let answer = resolve_by(&service, MARIA, TUESDAY, part).await.unwrap().into_inner();
    let refund_id = answer.refund_request.unwrap().refunds[0].refund_id.clone();
    let paid = refund_result("ada", &refund_id, RefundResult::Succeeded, TUESDAY);
    service.refunds().record_refund_result(when(TUESDAY, paid)).await.unwrap();
    let second = opened(&service, "pay-1", Claim::Other, TUESDAY).await;
    assert_eq!(second.stage(), Stage::InReview);
    let bounced = refund_result("ada", &refund_id, RefundResult::Failed, &days(2));
    let answer = service.refunds().record_refund_result(when(&days(2), bounced)).await.unwrap().into_inner();
    assert_eq!(answer.refund_request.unwrap().stage(), Stage::InReview);
    for request in [&first, &second] {
        let (request, _) = both(provide(&service, &days(2), information(request, "Well?")).await);
        assert_eq!(request.stage(), Stage::InReview);
    }
    let third = evaluate("ada", "pay-1", Claim::Other);
    let refused = service.refunds().evaluate_request(by(SHOP, &days(2), third)).await;
    assert_eq!(reason(refused), (Code::AlreadyExists, "OPEN_REQUEST_EXISTS".to_owned()));
    service.audited().await;
}

#[tokio::test]
async fn a_request_is_settled_when_the_last_of_its_money_has_arrived() {
    let service = Service::start().await;
    let request = in_review(&service).await;
    service.used("ada", "job-1", 50, NOON).await;
    let two = resolve::Approve {
        remedies: vec![
            v1::Remedy { kind: RemedyKind::RefundFixed.into(), credits: 0, amount: usd(100) },
            v1::Remedy { kind: RemedyKind::RefundUnused.into(), ..Default::default() },
        ],
        ..Default::default()
    };
    let yes = resolution(&request, resolve::Resolution::Approve(two));
    let answer = resolve_by(&service, MARIA, TUESDAY, yes).await.unwrap().into_inner();
    let refunds = answer.refund_request.unwrap().refunds;
    // The fixed amount counts: together it is what the unused half is worth.
    let paid: Vec<_> = refunds.iter().map(|refund| refund.amount.clone().unwrap().minor_units).collect();
    assert_eq!(paid.iter().sum::<i64>(), 499);
    for (refund, stage) in refunds.iter().zip([Stage::Approved, Stage::Settled]) {
        let told = refund_result("ada", &refund.refund_id, RefundResult::Succeeded, TUESDAY);
        let answer = service.refunds().record_refund_result(when(TUESDAY, told)).await.unwrap().into_inner();
        assert_eq!(answer.refund_request.unwrap().stage(), stage);
    }
    service.audited().await;
}
