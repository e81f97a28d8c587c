//! What persons write down: why they moved credits by hand or restricted an account, and what they think of a refund
//! request.

use super::ids::Actor;
use super::redacted::FreeText;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

/// Why a person moved credits. It may speak of the customer, so it lies apart from the entries, where it can be
/// erased; its digest stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorNote {
    /// The clause that a revocation rests on, such as `3.3`; `None` for a grant.
    pub clause: Option<String>,
    /// Why, in the person's own words.
    pub reason: FreeText,
}

impl OperatorNote {
    /// The digest that outlives the words: SHA-256, 64 hex digits.
    #[must_use]
    pub fn reason_sha256(&self) -> String {
        hex::encode(Sha256::digest(self.reason.expose()))
    }
}

/// What a person wrote about a refund request: for support, never for the customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestNote {
    /// Who wrote it.
    pub author: Actor,
    /// When.
    pub written_at: DateTime<Utc>,
    /// The words. They may speak of the customer and can be erased: then they are empty.
    pub text: FreeText,
}

impl RequestNote {
    /// The digest that outlives the words: SHA-256, 64 hex digits.
    #[must_use]
    pub fn text_sha256(&self) -> String {
        hex::encode(Sha256::digest(self.text.expose()))
    }
}

/// Why a person restricted an account, lifted that again, or determined a dispute. Who and when stands with the act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountNote {
    /// The words. They may speak of the customer and can be erased.
    pub text: FreeText,
}

impl AccountNote {
    /// The digest that outlives the words: SHA-256, 64 hex digits.
    #[must_use]
    pub fn text_sha256(&self) -> String {
        hex::encode(Sha256::digest(self.text.expose()))
    }
}
