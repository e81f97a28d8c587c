//! Restrictions: reasons why an account may not spend, buy or be refunded (§3.3, §6).

use super::ids::{ChargebackId, RestrictionId};
use super::names::names;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What a restriction takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestrictionKind {
    /// No credits may be spent; nothing is destroyed (§6).
    Suspended,
    /// No purchases are taken.
    PurchaseBlocked,
    /// Refunds go to a person.
    RefundBlocked,
    /// The account is closed for good (§3.3, §6).
    Terminated,
    /// A violation is suspected, not established (§3.3).
    ViolationSuspected,
    /// A violation is established (§3.3).
    ViolationConfirmed,
}

names!(RestrictionKind {
    Suspended => "suspended", PurchaseBlocked => "purchase_blocked", RefundBlocked => "refund_blocked",
    Terminated => "terminated", ViolationSuspected => "violation_suspected",
    ViolationConfirmed => "violation_confirmed",
});

/// One restriction. Lifting one never lifts another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restriction {
    /// Its id.
    pub restriction_id: RestrictionId,
    /// What it takes away.
    pub kind: RestrictionKind,
    /// The dispute that opened it, when one did: then it ends by itself when the dispute is won or withdrawn.
    pub chargeback_id: Option<ChargebackId>,
    /// The clause it rests on, such as `6`.
    pub clause: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// The union of an account's restrictions in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing(pub Vec<RestrictionKind>);

impl Standing {
    /// Whether a restriction of this kind is in force.
    #[must_use]
    pub fn has(&self, kind: RestrictionKind) -> bool {
        self.0.contains(&kind)
    }

    /// Whether credits may be spent: neither suspended nor terminated.
    #[must_use]
    pub fn may_spend(&self) -> bool {
        !self.has(RestrictionKind::Suspended) && !self.has(RestrictionKind::Terminated)
    }

    /// Whether credits of new purchases are accepted (§6).
    #[must_use]
    pub fn may_purchase(&self) -> bool {
        !self.has(RestrictionKind::PurchaseBlocked) && !self.has(RestrictionKind::Terminated)
    }

    /// Whether a machine may approve a refund (§3.3, §6): only a block of purchases alone lets it.
    #[must_use]
    pub fn may_be_refunded(&self) -> bool {
        self.0.iter().all(|kind| *kind == RestrictionKind::PurchaseBlocked)
    }
}
