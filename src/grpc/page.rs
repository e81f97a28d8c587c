//! Pages of lists (AIP-158): their size, and the token that goes on where a page ended.

use super::status;
use crate::command::{ListEntries, ListLots, ListPolicies, PageRequest};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tonic::Status;

/// Items on a page when the caller does not say.
const DEFAULT_SIZE: i32 = 50;

/// Most items on a page; who asks for more gets these.
const MAX_SIZE: i32 = 500;

/// Grows when the meaning of a token changes; an older one is then refused instead of misread.
const VERSION: u8 = 1;

/// How much of the digest a token carries, in bytes: enough that no mistake passes. It is no secret: what a caller
/// may read is asked of the arguments, never of the token.
const DIGEST_BYTES: usize = 16;

/// How many items a caller's page has; `None` when it asks for fewer than none.
pub(super) fn size_of(told: i32) -> Option<usize> {
    let size = if told == 0 { DEFAULT_SIZE } else { told.min(MAX_SIZE) };
    usize::try_from(size).ok()
}

/// A list with all its arguments but the page's.
pub(super) struct List<'a, A> {
    /// Its RPC.
    pub(super) method: &'a str,
    /// What is listed.
    pub(super) arguments: &'a A,
}

impl<'a> List<'a, ListLots> {
    pub(super) const fn of_lots(arguments: &'a ListLots) -> Self {
        Self { method: "ListLots", arguments }
    }
}

impl<'a> List<'a, ListEntries> {
    pub(super) const fn of_entries(arguments: &'a ListEntries) -> Self {
        Self { method: "ListEntries", arguments }
    }
}

impl<'a> List<'a, ListPolicies> {
    pub(super) const fn of_policies(arguments: &'a ListPolicies) -> Self {
        Self { method: "ListPolicies", arguments }
    }
}

impl<A: Serialize> List<'_, A> {
    /// The page that a caller asks for. `page_size` may change from page to page, the other arguments may not.
    pub(super) fn page(&self, page_size: i32, page_token: &str) -> Result<PageRequest, Status> {
        let size = size_of(page_size).ok_or_else(|| {
            let description = "must not be negative".to_owned();
            status::invalid(vec![status::Violation { field: "page_size".to_owned(), description }])
        })?;
        let after_seq = if page_token.is_empty() { Some(0) } else { self.read(page_token) };
        Ok(PageRequest { after_seq: after_seq.ok_or_else(status::invalid_page_token)?, size })
    }

    /// Where the next page begins, as the caller carries it; empty after the last page.
    pub(super) fn token(&self, next_after_seq: Option<i64>) -> String {
        next_after_seq.map(|after_seq| self.write(after_seq)).unwrap_or_default()
    }

    fn write(&self, after_seq: i64) -> String {
        let place = after_seq.to_be_bytes();
        let digest = self.digest(place);
        let parts = [&[VERSION], place.as_slice(), digest.get(..DIGEST_BYTES).unwrap_or_default()];
        hex::encode(parts.concat())
    }

    fn read(&self, token: &str) -> Option<i64> {
        let bytes = hex::decode(token).ok()?;
        let place: [u8; 8] = bytes.get(1..9)?.try_into().ok()?;
        let after_seq = i64::from_be_bytes(place);
        (after_seq > 0 && self.write(after_seq) == token).then_some(after_seq)
    }

    fn digest(&self, place: [u8; 8]) -> [u8; 32] {
        // Ids, words and instants always have a JSON form, so the default is never reached.
        let arguments = serde_json::to_vec(self.arguments).unwrap_or_default();
        Sha256::new().chain_update(self.method).chain_update(place).chain_update(arguments).finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::{List, PageRequest};

    const LIST: List<'_, &str> = List { method: "ListEntries", arguments: &"ada" };

    #[test]
    fn a_token_leads_to_its_place() {
        let token = LIST.token(Some(1_234));
        assert_eq!(LIST.page(10, &token).unwrap(), PageRequest { after_seq: 1_234, size: 10 });
        assert_eq!(LIST.token(None), "");
    }

    #[test]
    fn a_page_has_fifty_items_unless_told_and_never_more_than_five_hundred() {
        let size = |told| LIST.page(told, "").unwrap().size;
        assert_eq!((size(0), size(1), size(500), size(501), size(i32::MAX)), (50, 1, 500, 500, 500));
        assert!(LIST.page(-1, "").is_err());
    }

    #[test]
    fn a_token_of_another_list_is_refused() {
        let token = LIST.token(Some(7));
        assert!(List { method: "ListLots", arguments: &"ada" }.page(0, &token).is_err());
        assert!(List { method: "ListEntries", arguments: &"bob" }.page(0, &token).is_err());
    }

    #[test]
    fn a_token_that_anybody_changed_is_refused() {
        let token = LIST.token(Some(7));
        for at in 0..token.len() {
            let other = if token.as_bytes()[at] == b'0' { "1" } else { "0" };
            let mut changed = token.clone();
            changed.replace_range(at..=at, other);
            assert!(LIST.page(0, &changed).is_err(), "{changed}");
        }
        for wrong in ["x", "0", "00", &token[2..], &format!("{token}00"), &token.to_uppercase()] {
            assert!(LIST.page(0, wrong).is_err(), "{wrong}");
        }
    }
}
