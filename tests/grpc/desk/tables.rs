//! The tables of `docs/lifecycles.md`, and everything that a caller can read of an account.

use super::*;
use crate::canary::words;

const DOCUMENT: &str = include_str!("../../../docs/lifecycles.md");

/// A table under a heading: its head, and its rows, each with a cell for every column.
pub(crate) fn table(heading: &str) -> (Vec<&'static str>, Vec<Vec<&'static str>>) {
    let section = DOCUMENT.split(heading).nth(1).unwrap();
    let lines = section.lines().skip_while(|line| !line.starts_with('|'));
    let mut rows = lines.take_while(|line| line.starts_with('|')).map(|line| {
        let cells = line.trim().trim_matches('|').split('|');
        cells.map(str::trim).collect::<Vec<_>>()
    });
    let head = rows.next().unwrap();
    let rows: Vec<_> = rows.skip(1).collect();
    for row in &rows {
        assert_eq!(row.len(), head.len(), "{row:?}");
        assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
    (head, rows)
}

/// All there is to read of an account with one request in question.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Read {
    pub(crate) request: v1::RefundRequest,
    others: Vec<v1::RefundRequest>,
    balance: v1::Balance,
    lots: Vec<v1::Lot>,
    last_entry: Option<v1::Entry>,
}

impl Read {
    pub(crate) async fn of(service: &Service, request: &v1::RefundRequest) -> Self {
        let account_id = request.account_id.clone();
        let query = v1::GetRefundRequestRequest {
            account_id: account_id.clone(),
            refund_request_id: request.refund_request_id.clone(),
        };
        let mut desk = service.refunds();
        let request = desk.get_refund_request(by("auditor:ann", TUESDAY, query)).await.unwrap().into_inner();
        let query = v1::ListRefundRequestsRequest { account_id: account_id.clone(), ..Default::default() };
        let others = desk.list_refund_requests(by("auditor:ann", TUESDAY, query)).await.unwrap();
        let mut credits = service.credits();
        let query = v1::GetBalanceRequest { account_id: account_id.clone() };
        let balance = credits.get_balance(when(TUESDAY, query)).await.unwrap().into_inner();
        let query = v1::ListLotsRequest { account_id: account_id.clone(), ..Default::default() };
        let lots = credits.list_lots(when(TUESDAY, query)).await.unwrap().into_inner();
        let query = v1::ListEntriesRequest { account_id, page_size: 500, ..Default::default() };
        let entries = credits.list_entries(when(TUESDAY, query)).await.unwrap().into_inner();
        Self {
            request: request.refund_request.unwrap(),
            others: others.into_inner().refund_requests,
            balance: balance.balance.unwrap(),
            lots: lots.lots,
            last_entry: entries.entries.into_iter().max_by_key(|entry| entry.seq),
        }
    }

    /// How many requests the account has.
    pub(crate) const fn requests(&self) -> usize {
        self.others.len()
    }

    /// The stage as the documents write it.
    pub(crate) fn stage(&self) -> String {
        short(self.request.stage().as_str_name())
    }
}

/// `REFUND_REQUEST_STAGE_IN_REVIEW` as `in_review`.
pub(crate) fn short(name: &str) -> String {
    name.split("_STAGE_").nth(1).unwrap().to_lowercase()
}

/// When a question was asked that has run out by [`TUESDAY`].
pub(crate) const LONG_BEFORE: &str = "2025-01-31T12:00:00Z";

pub(crate) fn question() -> resolve::Resolution {
    resolve::Resolution::Ask(resolve::Ask {
        requested_details: vec!["logs".to_owned()],
        sentence: words("Which attempts do you mean (§5.2)?"),
    })
}

/// A request that waits for a person, about a purchase of its own account: 100 credits for 9.99 USD.
pub(crate) async fn for_a_person(service: &Service, account_id: &str, at: &str) -> v1::RefundRequest {
    let payment_id = format!("pay-{account_id}");
    service.bought(account_id, &payment_id, at).await;
    let request = opened_as(service, evaluate(account_id, &payment_id, Claim::Other), at).await;
    assert_eq!(request.stage(), Stage::InReview);
    request
}

/// The request after a person resolved it as it now is.
pub(crate) async fn resolved(
    service: &Service,
    request: &v1::RefundRequest,
    how: resolve::Resolution,
    at: &str,
) -> v1::RefundRequest {
    let now = Read::of(service, request).await.request;
    let answer = resolve_by(service, MARIA, at, resolution(&now, how)).await.unwrap().into_inner();
    answer.refund_request.unwrap()
}

/// Has a request whose question ran out expire, by another request about its purchase that is closed at once.
pub(crate) async fn overtaken(service: &Service, request: &v1::RefundRequest) {
    let account_id = &request.account_id;
    let other = evaluate(account_id, &format!("pay-{account_id}"), Claim::Other);
    let other = opened_as(service, other, TUESDAY).await;
    // Where all money is on its way already, the policy has denied it.
    if other.stage() != Stage::Denied {
        withdraw(service, TUESDAY, withdrawal(&other)).await.unwrap();
    }
}
