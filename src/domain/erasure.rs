//! Erasure: that the words about an account went, and on whose word.

use super::ids::Actor;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One erasure of an account. It takes what was written before it and nothing that is written later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// 1 for the account's first.
    pub ordinal: i32,
    /// Who erased.
    pub erased_by: Actor,
    /// When.
    pub erased_at: DateTime<Utc>,
    /// The number of the account's note that says why; the next erasure takes its words.
    pub reason_note: i32,
    /// Texts and references that it took.
    pub texts: i64,
}
