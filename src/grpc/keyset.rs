//! Page tokens of lists that are cut by a time and an id (AIP-158): the place of a page's last item, bound to the list's
//! arguments. What is written meanwhile shifts no place.

use super::status;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tonic::Status;
use uuid::Uuid;

/// How much of the digest a token carries, in bytes: enough that no mistake passes. It is no secret: a token opens
/// nothing that its arguments would not.
const DIGEST_BYTES: usize = 8;

/// The place of an item in a list.
type Place = (DateTime<Utc>, Uuid);

/// What a list was asked for, page size and token aside, as a digest.
pub(super) struct Arguments([u8; 32]);

impl Arguments {
    pub(super) fn of(method: &str, arguments: &impl Serialize) -> Self {
        // Words, instants and ids always have a JSON form, so the default is never reached.
        let arguments = serde_json::to_vec(arguments).unwrap_or_default();
        Self(Sha256::new().chain_update(method).chain_update([0]).chain_update(arguments).finalize().into())
    }

    /// The token of the page behind a place.
    pub(super) fn write(&self, (at, id): Place) -> String {
        let place = [at.timestamp_micros().to_be_bytes().as_slice(), id.as_bytes()].concat();
        let digest = Sha256::new().chain_update(self.0).chain_update(&place).finalize();
        hex::encode([place.as_slice(), digest.get(..DIGEST_BYTES).unwrap_or_default()].concat())
    }

    /// The place behind which a page begins; `None` for the first page.
    pub(super) fn after(&self, token: &str) -> Result<Option<Place>, Status> {
        match token {
            "" => Ok(None),
            token => self.read(token).map(Some).ok_or_else(status::invalid_page_token),
        }
    }

    /// The place of a token; `None` when it is not ours, or was made for other arguments.
    fn read(&self, token: &str) -> Option<Place> {
        let bytes = hex::decode(token).ok()?;
        let micros = i64::from_be_bytes(bytes.get(..8)?.try_into().ok()?);
        let at = DateTime::from_timestamp_micros(micros)?;
        let id = Uuid::from_slice(bytes.get(8..24)?).ok()?;
        (self.write((at, id)) == token).then_some((at, id))
    }
}

#[cfg(test)]
mod tests {
    use super::Arguments;
    use uuid::Uuid;

    #[test]
    fn a_token_leads_to_its_place_and_only_in_its_own_list() {
        let all = Arguments::of("ListIncidents", &["open"; 0]);
        let place = ("2025-03-05T14:00:00.000001Z".parse().unwrap(), Uuid::from_u128(7));
        let token = all.write(place);
        assert_eq!(all.read(&token), Some(place));
        assert_eq!(Arguments::of("ListIncidents", &["open"]).read(&token), None);
        assert_eq!(Arguments::of("ListRefundRequests", &["open"; 0]).read(&token), None);
        for at in 0..token.len() {
            let mut changed = token.clone();
            changed.replace_range(at..=at, if token.as_bytes()[at] == b'0' { "1" } else { "0" });
            assert_eq!(all.read(&changed), None, "{changed}");
        }
        for wrong in ["x", "00", &token[2..], &format!("{token}00")] {
            assert_eq!(all.read(wrong), None, "{wrong}");
        }
    }
}
