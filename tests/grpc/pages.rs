//! Lists page by page.

use crate::by_hand::grant;
use crate::history::entries;
use crate::service::{Service, by_payment, fields, purchase, reason, when};
use makegood::proto::makegood::v1;
use std::collections::BTreeSet;
use tonic::Code;
use v1::LotSource;

const NOON: &str = "2025-03-03T12:00:00Z";

fn lots_of(account_id: &str) -> v1::ListLotsRequest {
    v1::ListLotsRequest { account_id: account_id.to_owned(), ..Default::default() }
}

fn entries_of(account_id: &str) -> v1::ListEntriesRequest {
    v1::ListEntriesRequest { account_id: account_id.to_owned(), ..Default::default() }
}

async fn page(service: &Service, question: &v1::ListLotsRequest) -> (Vec<String>, String) {
    let page = service.credits().list_lots(question.clone()).await.unwrap().into_inner();
    (page.lots.into_iter().map(|lot| lot.lot_id).collect(), page.next_page_token)
}

async fn granted(service: &Service, count: usize) -> Vec<String> {
    let mut lot_ids = Vec::new();
    for _ in 0..count {
        let request = grant("ada", LotSource::Promotion, 1);
        let response = service.credits().grant_credits(when(NOON, request)).await.unwrap().into_inner();
        lot_ids.push(response.lot.unwrap().lot_id);
    }
    lot_ids
}

#[tokio::test]
async fn lots_of_one_instant_are_listed_in_the_order_in_which_they_were_made() {
    let service = Service::start().await;
    let made = granted(&service, 12).await;
    for size in [1, 5, 6, 11, 12, 13] {
        let mut question = v1::ListLotsRequest { page_size: size, ..lots_of("ada") };
        let mut shown = Vec::new();
        let mut pages = 0;
        loop {
            let (lots, token) = page(&service, &question).await;
            assert!(!lots.is_empty() && lots.len() <= usize::try_from(size).unwrap());
            shown.extend(lots);
            pages += 1;
            if token.is_empty() {
                break;
            }
            question.page_token = token;
        }
        assert_eq!((shown, pages), (made.clone(), (12 + size - 1) / size), "pages of {size}");
    }
    service.audited().await;
}

#[tokio::test]
async fn a_page_has_fifty_items_unless_told() {
    let service = Service::start().await;
    let made = granted(&service, 52).await;
    let (first, token) = page(&service, &lots_of("ada")).await;
    assert_eq!(first, made[..50]);
    let next = v1::ListLotsRequest { page_size: i32::MAX, page_token: token, ..lots_of("ada") };
    assert_eq!(page(&service, &next).await, (made[50..].to_vec(), String::new()), "the size may change");
    let wrong = v1::ListLotsRequest { page_size: -1, ..lots_of("ada") };
    assert_eq!(fields(service.credits().list_lots(wrong).await), ["page_size"]);
    let wrong = v1::ListEntriesRequest { page_size: -1, ..entries_of("ada") };
    assert_eq!(fields(service.credits().list_entries(wrong).await), ["page_size"]);
    service.audited().await;
}

#[tokio::test]
async fn lots_that_are_used_up_are_listed_unless_only_open_ones_are_asked_for() {
    let service = Service::start().await;
    let request = v1::RecordPurchaseRequest { bonus_credits: 10, ..purchase("ada", "pay-1", NOON) };
    service.credits().record_purchase(when(NOON, request)).await.unwrap();
    service.deliver("ada", "pay-1", 60, NOON).await;
    service.deliver("ada", "pay-1", 40, NOON).await;
    service.bought("ada", "pay-2", NOON).await;
    let promotion = granted(&service, 1).await.remove(0);
    service.used("ada", "job-1", 11, NOON).await;
    service.dispute("pay-2", "dp-1", v1::ChargebackEventKind::Opened, NOON).await;
    let list = async |question| service.credits().list_lots(question).await.unwrap().into_inner().lots;
    let all = list(lots_of("ada")).await;
    let sizes: Vec<(LotSource, i64)> = all.iter().map(|lot| (lot.source(), lot.granted)).collect();
    let paid = LotSource::Purchase;
    assert_eq!(
        sizes,
        [(paid, 60), (LotSource::Bonus, 10), (paid, 40), (paid, 100), (LotSource::Promotion, 1)]
    );
    assert_eq!(all[4].lot_id, promotion);
    let open = list(v1::ListLotsRequest { open_only: true, ..lots_of("ada") }).await;
    assert_eq!(open, [all[0].clone(), all[2].clone(), all[3].clone()], "frozen ones are open");
    let bought = list(v1::ListLotsRequest { purchase: by_payment("pay-1"), ..lots_of("ada") }).await;
    assert_eq!(bought, all[..3]);
    let both = v1::ListLotsRequest { purchase: by_payment("pay-1"), open_only: true, ..lots_of("ada") };
    assert_eq!(list(both).await, [all[0].clone(), all[2].clone()]);
    service.bought("bob", "pay-3", NOON).await;
    let strange = v1::ListLotsRequest { purchase: by_payment("pay-3"), ..lots_of("ada") };
    let refused = service.credits().list_lots(strange).await;
    assert_eq!(reason(refused), (Code::NotFound, "PURCHASE_NOT_FOUND".to_owned()));
    let refused = service.credits().list_lots(lots_of("eve")).await;
    assert_eq!(reason(refused), (Code::NotFound, "ACCOUNT_NOT_FOUND".to_owned()));
    service.audited().await;
}

#[tokio::test]
async fn pages_show_each_entry_once_while_workers_write() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    for job in 0..10 {
        service.used("ada", &format!("before-{job}"), 1, NOON).await;
    }
    let before = entries(&service, entries_of("ada")).await;
    let writers: Vec<_> = (0..4)
        .map(|worker| {
            let mut credits = service.credits();
            tokio::spawn(async move {
                for job in 0..20 {
                    let request = crate::service::hold("ada", &format!("job-{worker}-{job}"), 1);
                    credits.hold_credits(when(NOON, request)).await.unwrap();
                }
            })
        })
        .collect();
    let slowly = v1::ListEntriesRequest { page_size: 3, ..entries_of("ada") };
    let shown = entries(&service, slowly).await;
    let seqs: Vec<i64> = shown.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, (1..).take(seqs.len()).collect::<Vec<i64>>());
    assert_eq!(shown[..before.len()], before);
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(entries(&service, entries_of("ada")).await.len(), before.len() + 80);
    service.audited().await;
}

#[tokio::test]
async fn a_token_is_good_for_its_own_question_only() {
    let service = Service::start().await;
    granted(&service, 3).await;
    service.bought("bob", "pay-1", NOON).await;
    service.used("bob", "job-1", 1, NOON).await;
    let token = page(&service, &v1::ListLotsRequest { page_size: 1, ..lots_of("ada") }).await.1;
    assert!(token.len() == 50 && token.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{token}");
    let with = |question: v1::ListLotsRequest| v1::ListLotsRequest { page_token: token.clone(), ..question };
    service.credits().list_lots(with(lots_of("ada"))).await.unwrap();
    let refusal = (Code::InvalidArgument, "INVALID_PAGE_TOKEN".to_owned());
    for other in [
        with(lots_of("bob")),
        with(v1::ListLotsRequest { open_only: true, ..lots_of("ada") }),
        with(v1::ListLotsRequest { purchase: by_payment("pay-1"), ..lots_of("ada") }),
        v1::ListLotsRequest { page_token: "ada".to_owned(), ..lots_of("ada") },
    ] {
        assert_eq!(reason(service.credits().list_lots(other).await), refusal);
    }
    let of_entries = v1::ListEntriesRequest { page_token: token.clone(), ..entries_of("ada") };
    assert_eq!(reason(service.credits().list_entries(of_entries).await), refusal);
    let few = v1::ListEntriesRequest { page_size: 1, ..entries_of("bob") };
    let token = service.credits().list_entries(few.clone()).await.unwrap().into_inner().next_page_token;
    let window = Some(v1::TimeWindow { start_time: Some(crate::service::timestamp(NOON)), end_time: None });
    let lot_id = "01930000-0000-7000-8000-000000000000".to_owned();
    let usage = v1::AttemptReference { job_id: "job-1".to_owned(), attempt: 1 };
    let cause = Some(v1::list_entries_request::Cause::Usage(usage));
    for other in [
        v1::ListEntriesRequest { window, ..few.clone() },
        v1::ListEntriesRequest { lot_id, ..few.clone() },
        v1::ListEntriesRequest { cause, ..few.clone() },
    ] {
        let other = v1::ListEntriesRequest { page_token: token.clone(), ..other };
        assert_eq!(reason(service.credits().list_entries(other).await), refusal);
    }
    let next = service.credits().list_entries(v1::ListEntriesRequest { page_token: token, ..few }).await;
    assert_eq!(next.unwrap().into_inner().entries[0].seq, 2);
    service.audited().await;
}

#[tokio::test]
async fn two_accounts_never_share_a_page() {
    let service = Service::start().await;
    granted(&service, 2).await;
    service.bought("bob", "pay-1", NOON).await;
    let owners: BTreeSet<String> =
        entries(&service, entries_of("ada")).await.into_iter().map(|entry| entry.account_id).collect();
    assert_eq!(owners, BTreeSet::from(["ada".to_owned()]));
    assert_eq!(page(&service, &lots_of("bob")).await.0.len(), 1);
    service.audited().await;
}
