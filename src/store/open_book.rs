//! The open books of many accounts: one statement, one moment.

use super::Error;
use super::account::AccountRow;
use super::connected::Connected;
use super::lot::Row as LotRow;
use super::read::Place;
use crate::domain::entry::ChainHead;
use crate::domain::ids::AccountId;
use crate::domain::lot::Lot;
use crate::domain::restriction::RestrictionKind;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What an account has, and what it may do.
#[derive(Debug, Clone)]
pub struct OpenBook {
    /// The account.
    pub account: AccountRow,
    /// The restrictions in force.
    pub restrictions: Vec<RestrictionKind>,
    /// The lots that still have credits to move.
    pub lots: Vec<Lot>,
}

/// The open books of these accounts, those that exist.
///
/// # Errors
/// A failure of the database.
pub async fn list_open_books(
    at: &mut impl Connected,
    account_ids: &[&AccountId],
) -> Result<BTreeMap<AccountId, OpenBook>, Error> {
    let asked: Vec<String> = account_ids.iter().map(|id| id.as_str().to_owned()).collect();
    let rows = sqlx::query_as!(
        Row,
        "SELECT a.account_id AS \"account_id!\", a.revision AS \"revision!\", a.last_seq AS \"last_seq!\",
            a.last_hash AS \"last_hash!\", a.last_at AS \"last_at!\",
            ARRAY(SELECT kind FROM restriction r WHERE r.account_id = a.account_id AND lifted_at IS NULL)
                AS \"restrictions!\",
            lot_id AS \"lot_id?\", source AS \"source?\", purchase_id, order_id, priority AS \"priority?\",
            granted_at AS \"granted_at?\", expires_at, granted AS \"granted?\", available AS \"available?\",
            held AS \"held?\", frozen AS \"frozen?\", consumed AS \"consumed?\", expired AS \"expired?\",
            revoked AS \"revoked?\", refunded AS \"refunded?\", owed AS \"owed?\", disputed AS \"disputed?\", repaid_by, repaid
         FROM account a
         LEFT JOIN lot l ON l.account_id = a.account_id AND l.is_open
         WHERE a.account_id = ANY($1)",
        &asked,
    )
    .fetch_all(at.connection())
    .await?;
    let mut books: BTreeMap<AccountId, OpenBook> = BTreeMap::new();
    for row in rows {
        let place = Place { table: "account", key: &row.account_id };
        let account_id: AccountId = place.id("account_id", row.account_id.clone())?;
        if !books.contains_key(&account_id) {
            books.insert(account_id.clone(), row.open()?);
        }
        if let (Some(book), Some(lot)) = (books.get_mut(&account_id), row.lot()?) {
            book.lots.push(lot);
        }
    }
    Ok(books)
}

/// An account with one of its open lots; without one, if it has none.
struct Row {
    account_id: String,
    revision: i64,
    last_seq: i64,
    last_hash: Vec<u8>,
    last_at: DateTime<Utc>,
    restrictions: Vec<String>,
    lot_id: Option<Uuid>,
    source: Option<String>,
    purchase_id: Option<Uuid>,
    order_id: Option<String>,
    priority: Option<i32>,
    granted_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
    granted: Option<i64>,
    available: Option<i64>,
    held: Option<i64>,
    frozen: Option<i64>,
    consumed: Option<i64>,
    expired: Option<i64>,
    revoked: Option<i64>,
    refunded: Option<i64>,
    owed: Option<i64>,
    disputed: Option<bool>,
    repaid_by: Option<Uuid>,
    repaid: Option<i64>,
}

impl Row {
    fn open(&self) -> Result<OpenBook, Error> {
        let place = Place { table: "account", key: &self.account_id };
        let head = ChainHead { seq: self.last_seq, hash: place.hash("last_hash", self.last_hash.clone())? };
        let account = AccountRow { revision: self.revision, head, last_at: self.last_at };
        let kinds = self.restrictions.iter();
        let kinds = kinds.map(|kind| place.word("restriction", kind, RestrictionKind::parse));
        Ok(OpenBook { account, restrictions: kinds.collect::<Result<_, _>>()?, lots: Vec::new() })
    }

    fn lot(self) -> Result<Option<Lot>, Error> {
        let Some(lot_id) = self.lot_id else { return Ok(None) };
        let place = Place { table: "lot", key: &lot_id };
        let row = LotRow {
            source: self.source.ok_or_else(|| place.corrupt("source"))?,
            granted_at: self.granted_at.ok_or_else(|| place.corrupt("granted_at"))?,
            account_id: self.account_id,
            lot_id,
            purchase_id: self.purchase_id,
            order_id: self.order_id,
            priority: self.priority.unwrap_or_default(),
            expires_at: self.expires_at,
            granted: self.granted.unwrap_or_default(),
            available: self.available.unwrap_or_default(),
            held: self.held.unwrap_or_default(),
            frozen: self.frozen.unwrap_or_default(),
            consumed: self.consumed.unwrap_or_default(),
            expired: self.expired.unwrap_or_default(),
            revoked: self.revoked.unwrap_or_default(),
            refunded: self.refunded.unwrap_or_default(),
            owed: self.owed.unwrap_or_default(),
            disputed: self.disputed.unwrap_or_default(),
            repaid_by: self.repaid_by,
            repaid: self.repaid,
        };
        Ok(Some(row.lot()?.1))
    }
}
