//! Suspensions that persons impose and lift (§3.3), beside those of disputes.

use super::auditor::{Answer, Auditor, Said};
use crate::accounts::{lift, restriction};
use makegood::proto::makegood::v1;
use v1::{Bucket, RestrictionKind as Kind};

#[derive(Debug, Clone, Default)]
pub(crate) struct Suspension {
    /// Empty until the service told it.
    id: String,
    is_lifted: bool,
}

pub(crate) fn imposition(of: &Auditor, revoke_credits: bool) -> v1::ImposeRestrictionRequest {
    v1::ImposeRestrictionRequest { revoke_credits, ..restriction(&of.account_id, Kind::SpendSuspended) }
}

pub(crate) fn lifting(of: &Auditor, choice: u8) -> v1::LiftRestrictionRequest {
    let known = usize::from(choice).checked_rem(of.suspensions.len()).filter(|_| choice % 16 != 15);
    let id = known.map_or_else(crate::service::request_id, |at| of.suspensions[at].id.clone());
    lift(&of.account_id, &id)
}

/// What of an account is compared.
pub(crate) fn account(told: Option<&v1::Account>) -> Vec<i64> {
    told.map_or_else(Vec::new, |told| vec![i64::from(told.may_spend), told.last_seq])
}

impl Auditor {
    pub(crate) fn impose(&mut self, told: &v1::ImposeRestrictionRequest) -> Answer {
        if !self.is_suspended() {
            self.lots.expire();
        } else if told.revoke_credits {
            self.lots.extend();
        }
        if told.revoke_credits {
            let mut order = self.lots.burn();
            order.reverse();
            self.lots.take(&order, Bucket::Revoked, None);
        }
        self.suspensions.push(Suspension::default());
        let balance = self.lots.balance();
        Answer { figures: vec![0, balance[3]], balance: Some(balance), ..Answer::default() }
    }

    pub(crate) fn lift(&mut self, told: &v1::LiftRestrictionRequest) -> Said {
        let known = self.suspensions.iter_mut().find(|known| known.id == told.restriction_id);
        let known = known.ok_or("RESTRICTION_NOT_FOUND")?;
        if known.is_lifted {
            return Err("RESTRICTION_ALREADY_LIFTED".to_owned());
        }
        known.is_lifted = true;
        if !self.is_suspended() {
            self.lots.extend();
        }
        let may_spend = i64::from(!self.is_suspended());
        Ok(Answer { figures: vec![may_spend, self.lots.balance()[3]], ..Answer::default() })
    }

    pub(crate) fn is_suspended_by_hand(&self) -> bool {
        self.suspensions.iter().any(|suspension| !suspension.is_lifted)
    }

    /// The service names a suspension.
    pub(crate) fn learn_suspension(&mut self, told: Option<&v1::Restriction>) {
        if let (Some(told), Some(new)) = (told, self.suspensions.iter_mut().find(|known| known.id.is_empty()))
        {
            new.id.clone_from(&told.restriction_id);
        }
    }
}
