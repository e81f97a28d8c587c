//! Restrictions: reasons why an account may not spend, buy or be refunded (§3.3, §6).

use super::ids::{Actor, ChargebackId, RestrictionId};
use super::names::names;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

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

/// Why a restriction was imposed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestrictionCause {
    /// A dispute is being investigated (§6): ends by itself when the dispute is won or withdrawn.
    #[default]
    Chargeback,
    /// A dispute was found fraudulent or abusive (§6).
    ChargebackDetermined,
    /// Illegal, harmful or prohibited content (§3.3).
    ProhibitedContent,
    /// Free tiers, bonuses or referrals were abused (§3.3).
    PromotionAbuse,
    /// Fraud (§3.3).
    Fraud,
    /// Refund requests were abused.
    RefundAbuse,
    /// Anything else.
    Other,
}

names!(RestrictionCause {
    Chargeback => "chargeback", ChargebackDetermined => "chargeback_determined",
    ProhibitedContent => "prohibited_content", PromotionAbuse => "promotion_abuse", Fraud => "fraud",
    RefundAbuse => "refund_abuse", Other => "other",
});

/// One restriction. Lifting one never lifts another. What is missing in an answer that an earlier version stored was
/// the same for every restriction then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restriction {
    /// Its id.
    pub restriction_id: RestrictionId,
    /// What it takes away.
    pub kind: RestrictionKind,
    /// Why.
    #[serde(default)]
    pub cause: RestrictionCause,
    /// The dispute that it comes from, when it comes from one.
    pub chargeback_id: Option<ChargebackId>,
    /// The clause it rests on, such as `6`.
    pub clause: String,
    /// Who imposed it; [`Actor::system`] for what a dispute imposed by itself.
    #[serde(default = "Actor::system")]
    pub imposed_by: Actor,
    /// Since when.
    pub since: DateTime<Utc>,
    /// The number of the account's note that says why; `None` for what a dispute imposed by itself.
    #[serde(default)]
    pub reason_note: Option<i32>,
    /// How it ended; `None` while it is in force.
    #[serde(default)]
    pub lifting: Option<Lifting>,
}

/// How a restriction ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifting {
    /// When.
    pub at: DateTime<Utc>,
    /// Who lifted it; [`Actor::system`] for what ended with its dispute.
    pub by: Actor,
    /// The number of the account's note that says why; `None` for what ended by itself.
    pub reason_note: Option<i32>,
}

/// The union of an account's restrictions in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing(pub Vec<RestrictionKind>);

impl Standing {
    /// What restrictions come to, each kind once; lifted ones count for nothing.
    #[must_use]
    pub fn of<'a>(restrictions: impl IntoIterator<Item = &'a Restriction>) -> Self {
        let in_force = restrictions.into_iter().filter(|restriction| restriction.lifting.is_none());
        let kinds: BTreeSet<_> = in_force.map(|restriction| restriction.kind).collect();
        Self(kinds.into_iter().collect())
    }

    /// Whether a restriction of this kind is in force.
    #[must_use]
    pub fn has(&self, kind: RestrictionKind) -> bool {
        self.0.contains(&kind)
    }

    /// Whether credits may be held: neither suspended nor terminated. What was held before can still be captured.
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
