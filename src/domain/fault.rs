//! Whose fault a failed attempt is.

use super::names::names;
use serde::{Deserialize, Serialize};

/// Whose fault a failed attempt is; the policy's cause map decides (§2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Ours: the credits go back.
    Platform,
    /// The customer's: what was charged stays charged (§3.1).
    Customer,
    /// The reported cause does not say: a person or a declared incident must.
    Undetermined,
}

names!(Fault { Platform => "platform", Customer => "customer", Undetermined => "undetermined" });
