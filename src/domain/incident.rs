//! Incidents: declared, verified errors of ours, and how far making them good has gone (§2.2).

use super::credits::{Credits, OutOfRange};
use super::ids::{AccountId, Actor, Attempt, Cause, IncidentId, RestorationId};
use super::names::names;
use super::redacted::FreeText;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Where an incident is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentStage {
    /// Going on.
    Open,
    /// Over; what it broke may still have to be made good.
    Resolved,
    /// Over, and everything it broke was made good.
    Restored,
}

names!(IncidentStage { Open => "open", Resolved => "resolved", Restored => "restored" });

/// Whom and what an incident concerns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentScope {
    /// Only these accounts; empty for all.
    pub accounts: BTreeSet<AccountId>,
    /// Only attempts that failed with these causes; empty for every cause that is not the customer's fault.
    pub causes: BTreeSet<Cause>,
}

impl IncidentScope {
    /// Most accounts that one incident names: beyond that it concerns everyone.
    pub const MAX_ACCOUNTS: usize = 1_000;

    /// Most causes that one incident names: a policy maps fewer.
    pub const MAX_CAUSES: usize = 64;
}

/// How an incident ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// When it was over; a failure at this very instant is still covered.
    pub ended_at: DateTime<Utc>,
    /// Who said so.
    pub resolved_by: Actor,
    /// What was said.
    pub resolution: FreeText,
}

/// An incident's life, each stage with what is known in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentLife {
    /// Going on.
    Open,
    /// Over.
    Resolved(Ending),
    /// Over, and made good at this instant.
    Restored(Ending, DateTime<Utc>),
}

/// A declared, verified error of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id.
    pub incident_id: IncidentId,
    /// What it was, in a few words.
    pub title: FreeText,
    /// When it began; a failure at this very instant is covered.
    pub started_at: DateTime<Utc>,
    /// Whom and what it concerns.
    pub scope: IncidentScope,
    /// How it was verified.
    pub reason: FreeText,
    /// Who declared it.
    pub declared_by: Actor,
    /// When it was declared, which may be long after it ended.
    pub declared_at: DateTime<Utc>,
    /// Where it is in its life.
    pub life: IncidentLife,
    /// Attempts that were made good for it.
    pub restored_attempts: i64,
    /// Credits that went back for it.
    pub restored_credits: Credits,
}

/// Why an incident cannot be resolved so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CannotResolve {
    /// It would end before it began.
    #[error("the incident cannot have ended before it began")]
    EndsBeforeItsStart,
    /// It is over already, at another instant.
    #[error("the incident is {} already, with another end", .0.name())]
    OverAlready(IncidentStage),
}

impl Incident {
    /// Longest title, in bytes.
    pub const MAX_TITLE_BYTES: usize = 200;

    /// Longest reason or resolution, in bytes.
    pub const MAX_REASON_BYTES: usize = 1_000;

    /// Where it is in its life.
    #[must_use]
    pub const fn stage(&self) -> IncidentStage {
        match self.life {
            IncidentLife::Open => IncidentStage::Open,
            IncidentLife::Resolved(_) => IncidentStage::Resolved,
            IncidentLife::Restored(..) => IncidentStage::Restored,
        }
    }

    /// How it ended, once it did.
    #[must_use]
    pub const fn ending(&self) -> Option<&Ending> {
        match &self.life {
            IncidentLife::Open => None,
            IncidentLife::Resolved(ending) | IncidentLife::Restored(ending, _) => Some(ending),
        }
    }

    /// Ends it. Said again with the same end, the first saying stands.
    ///
    /// # Errors
    /// [`CannotResolve`] when the end is before the start, or another end is known.
    pub fn resolve(self, ending: Ending) -> Result<Self, CannotResolve> {
        if ending.ended_at < self.started_at {
            return Err(CannotResolve::EndsBeforeItsStart);
        }
        match self.ending() {
            None => Ok(Self { life: IncidentLife::Resolved(ending), ..self }),
            Some(known) if known.ended_at == ending.ended_at => Ok(self),
            Some(_) => Err(CannotResolve::OverAlready(self.stage())),
        }
    }

    /// Says that everything it broke was made good. An open one stays open: it may break more.
    #[must_use]
    pub fn restore(self, at: DateTime<Utc>) -> Self {
        match self.life {
            IncidentLife::Resolved(ending) => Self { life: IncidentLife::Restored(ending, at), ..self },
            IncidentLife::Open | IncidentLife::Restored(..) => self,
        }
    }
}

/// The failure that a restoration looked at last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureCursor {
    /// The account.
    pub account_id: AccountId,
    /// Its attempt.
    pub attempt: Attempt,
}

/// One run over everything that failed in an incident, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restoration {
    /// Its id.
    pub restoration_id: RestorationId,
    /// The incident that is made good.
    pub incident_id: IncidentId,
    /// Attempts to look at, as counted when it began.
    pub attempts_total: i64,
    /// The failure looked at last; `None` before the first.
    pub after: Option<FailureCursor>,
    /// Accounts looked at.
    pub accounts_seen: i64,
    /// Attempts whose credits went back.
    pub attempts_restored: i64,
    /// Attempts that had nothing to give back.
    pub attempts_skipped: i64,
    /// Credits that went back.
    pub credits_restored: Credits,
    /// When everything had been looked at.
    pub done_at: Option<DateTime<Utc>>,
}

impl Restoration {
    /// Attempts looked at.
    #[must_use]
    pub const fn attempts_seen(&self) -> i64 {
        self.attempts_restored.saturating_add(self.attempts_skipped)
    }

    /// Whether the account's failures are all behind it.
    #[must_use]
    pub fn is_past(&self, account_id: &AccountId) -> bool {
        self.done_at.is_some() || self.after.as_ref().is_some_and(|after| after.account_id > *account_id)
    }

    /// The attempt of this account that it looked at last.
    #[must_use]
    pub fn last_attempt_of(&self, account_id: &AccountId) -> Option<&Attempt> {
        self.after.as_ref().filter(|after| after.account_id == *account_id).map(|after| &after.attempt)
    }

    /// Looked at one more attempt: `credits` went back, or `None` when there was nothing to give back.
    ///
    /// # Errors
    /// [`OutOfRange`] on overflow.
    pub fn look_at(&mut self, failure: FailureCursor, credits: Option<Credits>) -> Result<(), OutOfRange> {
        if self.last_attempt_of(&failure.account_id).is_none() {
            self.accounts_seen = self.accounts_seen.saturating_add(1);
        }
        self.after = Some(failure);
        match credits {
            Some(credits) => {
                self.attempts_restored = self.attempts_restored.saturating_add(1);
                self.credits_restored = self.credits_restored.plus(credits)?;
            }
            None => self.attempts_skipped = self.attempts_skipped.saturating_add(1),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn open() -> Incident {
        Incident {
            incident_id: IncidentId(uuid::Uuid::nil()),
            title: "render farm down".to_owned().into(),
            started_at: instant("2025-03-05T14:00:00Z"),
            scope: IncidentScope::default(),
            reason: "power cut".to_owned().into(),
            declared_by: Actor::parse("admin:lee").unwrap(),
            declared_at: instant("2025-03-05T15:00:00Z"),
            life: IncidentLife::Open,
            restored_attempts: 0,
            restored_credits: Credits::ZERO,
        }
    }

    fn end(at: &str) -> Ending {
        let resolved_by = Actor::parse("admin:kim").unwrap();
        Ending { ended_at: instant(at), resolved_by, resolution: "power is back".to_owned().into() }
    }

    #[test]
    fn an_incident_ends_once_and_not_before_it_began() {
        assert_eq!(open().resolve(end("2025-03-05T13:59:59Z")), Err(CannotResolve::EndsBeforeItsStart));
        let resolved = open().resolve(end("2025-03-05T14:00:00Z")).unwrap();
        assert_eq!(resolved.stage(), IncidentStage::Resolved);
        let again = Ending { resolution: "other words".to_owned().into(), ..end("2025-03-05T14:00:00Z") };
        assert_eq!(resolved.clone().resolve(again), Ok(resolved.clone()));
        let other = resolved.resolve(end("2025-03-05T16:00:00Z"));
        assert_eq!(other, Err(CannotResolve::OverAlready(IncidentStage::Resolved)));
    }

    #[test]
    fn only_an_incident_that_is_over_can_be_made_good_for_ever() {
        let at = instant("2025-03-06T00:00:00Z");
        assert_eq!(open().restore(at), open());
        let restored = open().resolve(end("2025-03-05T16:00:00Z")).unwrap().restore(at);
        assert_eq!(restored.stage(), IncidentStage::Restored);
        assert_eq!(restored.clone().restore(instant("2025-03-07T00:00:00Z")), restored);
    }
}
