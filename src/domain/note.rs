//! What a person writes down when they give or take credits by hand.

use sha2::{Digest, Sha256};

/// Why a person moved credits. It may speak of the customer, so it lies apart from the entries, where it can be
/// erased; its digest stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorNote {
    /// The clause that a revocation rests on, such as `3.3`; `None` for a grant.
    pub clause: Option<String>,
    /// Why, in the person's own words.
    pub reason: String,
}

impl OperatorNote {
    /// The digest that outlives the words: SHA-256, 64 hex digits.
    #[must_use]
    pub fn reason_sha256(&self) -> String {
        hex::encode(Sha256::digest(&self.reason))
    }
}
