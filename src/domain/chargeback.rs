//! Chargebacks: the bank's disputes (§6). Events come late, twice and out of order; the stage follows what
//! happened last, not what was heard last. `docs/lifecycles.md` draws it, and a test compares.

use super::book::Loss;
use super::credits::Credits;
use super::ids::{Actor, ChargebackId, DisputeId, PaymentId, Provider, ProviderEventId, PurchaseId};
use super::money::Money;
use super::names::names;
use super::purchase::DisputeState;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Where a dispute is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargebackStage {
    /// The bank has not decided.
    Open,
    /// The bank decided for us.
    Won,
    /// The bank returned the money.
    Lost,
    /// The customer took the dispute back.
    Withdrawn,
}

names!(ChargebackStage { Open => "open", Won => "won", Lost => "lost", Withdrawn => "withdrawn" });

/// What a processor tells about a dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargebackEvent {
    /// It was opened.
    Opened,
    /// Something about it changed; nothing moves.
    Updated,
    /// The bank decided for us.
    Won,
    /// The bank returned the money.
    Lost,
    /// The customer took it back.
    Withdrawn,
}

names!(ChargebackEvent {
    Opened => "opened", Updated => "updated", Won => "won", Lost => "lost", Withdrawn => "withdrawn",
});

/// How far a dispute has gone at the card network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargebackPhase {
    /// A question before a dispute.
    Inquiry,
    /// The dispute proper.
    Chargeback,
    /// Before arbitration.
    PreArbitration,
    /// The network decides.
    Arbitration,
}

names!(ChargebackPhase {
    Inquiry => "inquiry", Chargeback => "chargeback", PreArbitration => "pre_arbitration", Arbitration => "arbitration",
});

/// What a person found a dispute to be (§6). The bank's decision is another matter: it may come before or after, and
/// neither changes the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Determination {
    /// The customer had cause.
    Legitimate,
    /// Somebody deceived.
    Fraudulent,
    /// The dispute was a misuse.
    Abusive,
}

names!(Determination { Legitimate => "legitimate", Fraudulent => "fraudulent", Abusive => "abusive" });

/// A dispute's last determination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Determined {
    /// What it was found to be.
    pub determination: Determination,
    /// Who found so.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
    /// The number of the account's note that says why.
    pub reason_note: i32,
}

/// A dispute as we keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chargeback {
    /// Our id.
    pub chargeback_id: ChargebackId,
    /// The disputed purchase; `None` until it is recorded.
    pub purchase_id: Option<PurchaseId>,
    /// The processor.
    pub provider: Provider,
    /// The processor's id of the dispute.
    pub dispute_id: DisputeId,
    /// The processor's id of the payment.
    pub payment_id: PaymentId,
    /// Where it is.
    pub stage: ChargebackStage,
    /// How far it has gone at the network.
    pub phase: ChargebackPhase,
    /// The processor's own word for its state, verbatim.
    pub provider_status: String,
    /// The network's reason code, verbatim.
    pub reason_code: String,
    /// What is disputed.
    pub amount: Money,
    /// What it took from each lot when it was lost; empty in every other stage.
    pub losses: Vec<Loss>,
    /// While it is open: its purchase's credits that are frozen, whichever dispute froze them first.
    /// Once it ended: those that its end revoked or let go.
    pub frozen_credits: Credits,
    /// When it was opened, as far as we were told.
    pub opened_at: DateTime<Utc>,
    /// When it ended.
    pub closed_at: Option<DateTime<Utc>>,
    /// When the latest event happened.
    pub last_event_at: DateTime<Utc>,
    /// What a person found it to be, once one did.
    #[serde(default)]
    pub determined: Option<Determined>,
}

/// One event as it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedEvent {
    /// What happened.
    pub event: ChargebackEvent,
    /// How far the dispute had gone, as far as reported.
    pub phase: ChargebackPhase,
    /// The processor's own word, verbatim.
    pub provider_status: String,
    /// The processor's id of the event.
    pub provider_event_id: Option<ProviderEventId>,
    /// What was disputed then.
    pub amount: Money,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// When we were told.
    pub recorded_at: DateTime<Utc>,
}

impl Chargeback {
    /// The stage after an event that happened at `occurred_at`. An end counts when no later end is known; an
    /// opening or an update never reopens.
    #[must_use]
    pub fn stage_after(&self, event: ChargebackEvent, occurred_at: DateTime<Utc>) -> ChargebackStage {
        let news = self.closed_at.is_none_or(|closed_at| occurred_at >= closed_at);
        match event.end() {
            Some(end) if news => end,
            _ => self.stage,
        }
    }

    /// Credits that were spent when the bank returned their price.
    #[must_use]
    pub fn shortfall_credits(&self) -> Credits {
        Credits::sum(self.losses.iter().map(|loss| loss.shortfall)).unwrap_or_default()
    }

    /// Credits that it keeps from use until it ends.
    #[must_use]
    pub fn frozen_now(&self) -> Credits {
        match self.stage {
            ChargebackStage::Open => self.frozen_credits,
            ChargebackStage::Won | ChargebackStage::Lost | ChargebackStage::Withdrawn => Credits::ZERO,
        }
    }

    /// Credits that its end let go: none while another dispute keeps them.
    #[must_use]
    pub fn unfrozen_credits(&self) -> Credits {
        match self.stage {
            ChargebackStage::Open => Credits::ZERO,
            ChargebackStage::Won | ChargebackStage::Withdrawn => self.frozen_credits,
            ChargebackStage::Lost => self.frozen_credits.minus_at_most(self.revoked_credits()),
        }
    }

    /// Credits revoked when it was lost.
    #[must_use]
    pub fn revoked_credits(&self) -> Credits {
        Credits::sum(self.losses.iter().map(|loss| loss.revoked)).unwrap_or_default()
    }
}

impl ChargebackEvent {
    /// The stage of a dispute that is first heard of by this event, which may be its end.
    #[must_use]
    pub const fn first_stage(self) -> ChargebackStage {
        match self.end() {
            Some(end) => end,
            None => ChargebackStage::Open,
        }
    }

    /// The stage that this event ends a dispute in, if it ends one.
    #[must_use]
    pub const fn end(self) -> Option<ChargebackStage> {
        match self {
            Self::Opened | Self::Updated => None,
            Self::Won => Some(ChargebackStage::Won),
            Self::Lost => Some(ChargebackStage::Lost),
            Self::Withdrawn => Some(ChargebackStage::Withdrawn),
        }
    }
}

/// The bank's side of a purchase from the stages of its disputes: the gravest counts.
#[must_use]
pub fn dispute_state(stages: impl IntoIterator<Item = ChargebackStage>) -> DisputeState {
    let sides = stages.into_iter().map(|stage| match stage {
        ChargebackStage::Withdrawn => DisputeState::None,
        ChargebackStage::Won => DisputeState::Won,
        ChargebackStage::Open => DisputeState::Open,
        ChargebackStage::Lost => DisputeState::Lost,
    });
    sides.max().unwrap_or_default()
}
