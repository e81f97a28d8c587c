//! Questions about what happened in an account.

use super::fields::Fields;
use crate::command::{GetUsage, ListEntries, ListLots, PageRequest};
use crate::domain::entry::EntryCause;
use crate::domain::ids::{ChargebackId, IncidentId, LotId, PurchaseId, RefundId, RefundRequestId};
use crate::grpc::page::List;
use crate::proto::makegood::v1;
use chrono::{DateTime, Utc};
use tonic::Status;

pub(in crate::grpc) fn get_usage(
    request: v1::GetUsageRequest,
    now: DateTime<Utc>,
) -> Result<GetUsage, Status> {
    let v1::GetUsageRequest { account_id, job_id, attempt } = request;
    let mut fields = Fields::at(now);
    let account_id = fields.id("account_id", account_id);
    let attempt = fields.attempt("", job_id, attempt);
    fields.finish(account_id.zip(attempt).map(|(account_id, attempt)| GetUsage { account_id, attempt }))
}

pub(in crate::grpc) fn list_lots(
    request: v1::ListLotsRequest,
    now: DateTime<Utc>,
) -> Result<(ListLots, PageRequest), Status> {
    let v1::ListLotsRequest { account_id, page_size, page_token, purchase, open_only } = request;
    let mut fields = Fields::at(now);
    let account_id = fields.id("account_id", account_id);
    let purchase = match purchase {
        None => Some(None),
        Some(reference) => fields.purchase("purchase", Some(reference)).map(Some),
    };
    let query = account_id.zip(purchase);
    let query =
        fields.finish(query.map(|(account_id, purchase)| ListLots { account_id, purchase, open_only }))?;
    let page = List::of_lots(&query).page(page_size, &page_token)?;
    Ok((query, page))
}

pub(in crate::grpc) fn list_entries(
    request: v1::ListEntriesRequest,
    now: DateTime<Utc>,
) -> Result<(ListEntries, PageRequest), Status> {
    let v1::ListEntriesRequest { account_id, page_size, page_token, window, lot_id, cause } = request;
    let mut fields = Fields::at(now);
    let account_id = fields.id("account_id", account_id);
    let window = fields.window("window", window);
    let lot_id = match lot_id.as_str() {
        "" => Some(None),
        lot_id => fields.own_id("lot_id", lot_id, LotId::parse).map(Some),
    };
    let cause = match cause {
        None => Some(None),
        Some(cause) => read_cause(&mut fields, cause).map(Some),
    };
    let parts = account_id.zip(window).zip(lot_id).zip(cause);
    let query = parts.map(|(((account_id, window), lot_id), cause)| ListEntries {
        account_id,
        window,
        lot_id,
        cause,
    });
    let query = fields.finish(query)?;
    let page = List::of_entries(&query).page(page_size, &page_token)?;
    Ok((query, page))
}

fn read_cause(fields: &mut Fields, cause: v1::list_entries_request::Cause) -> Option<EntryCause> {
    use v1::list_entries_request::Cause;
    match cause {
        Cause::Usage(v1::AttemptReference { job_id, attempt }) => {
            fields.attempt("usage.", job_id, attempt).map(EntryCause::Usage)
        }
        Cause::PurchaseId(id) => {
            fields.own_id("purchase_id", &id, PurchaseId::parse).map(EntryCause::Purchase)
        }
        Cause::RefundRequestId(id) => {
            fields.own_id("refund_request_id", &id, RefundRequestId::parse).map(EntryCause::RefundRequest)
        }
        Cause::RefundId(id) => fields.own_id("refund_id", &id, RefundId::parse).map(EntryCause::Refund),
        Cause::ChargebackId(id) => {
            fields.own_id("chargeback_id", &id, ChargebackId::parse).map(EntryCause::Chargeback)
        }
        Cause::IncidentId(id) => {
            fields.own_id("incident_id", &id, IncidentId::parse).map(EntryCause::Incident)
        }
    }
}
