//! A person says what a dispute was, and what the policy says of that follows (§6, §3.3).

use super::account::AccountView;
use super::attempt::Moved;
use super::restriction::{self, Change, Effect};
use super::run::{Answered, Call, Mutation, Reading};
use super::session::Session;
use super::{Context, Desk, Error, Reason, Refusal};
use crate::domain::chargeback::{Chargeback, Determination, Determined};
use crate::domain::ids::{AccountId, ChargebackId, RequestId, RestrictionId};
use crate::domain::redacted::FreeText;
use crate::domain::restriction::{Restriction, RestrictionCause, RestrictionKind, Standing};
use crate::policy::parameters::ChargebackRule;
use crate::store::{NewDetermination, Tx};
use serde::{Deserialize, Serialize};

/// A person says what a dispute was.
#[derive(Debug, Serialize)]
pub struct DetermineChargeback {
    /// The dispute.
    pub chargeback_id: ChargebackId,
    /// What it was.
    pub determination: Determination,
    /// Why, in the person's words.
    pub reason: FreeText,
}

/// What a determination came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeterminationAnswer {
    /// The dispute.
    pub chargeback: Chargeback,
    /// Whether this call said something new; else its reason was not kept.
    pub is_new: bool,
    /// Credits that were revoked as a consequence.
    pub moved: Vec<Moved>,
    /// The account after it.
    pub account: AccountView,
}

impl Desk {
    /// Records what a dispute was, and says whose account it charged. Where none is told, the dispute's own is meant.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such dispute, or none of a payment that is recorded.
    pub async fn determine_chargeback(
        &self,
        context: Context,
        account_id: Option<AccountId>,
        request_id: RequestId,
        mutation: DetermineChargeback,
    ) -> Result<(AccountId, Answered<DeterminationAnswer>), Error> {
        let account_id = match account_id {
            Some(account_id) => account_id,
            None => self.read(Owner(mutation.chargeback_id)).await?,
        };
        let answered =
            self.call(context, Call { account_id: account_id.clone(), request_id, mutation }).await?;
        Ok((account_id, answered))
    }
}

struct Owner(ChargebackId);

impl Reading for Owner {
    type Answer = AccountId;

    async fn read(&self, tx: &mut Tx) -> Result<AccountId, Error> {
        let (kept_at, _) = tx.find_chargeback_by_id(self.0).await?.ok_or_else(not_found)?;
        Ok(kept_at)
    }
}

impl Mutation for DetermineChargeback {
    const METHOD: &'static str = "DetermineChargeback";
    type Answer = DeterminationAnswer;

    async fn apply(&self, session: &mut Session<'_>) -> Result<DeterminationAnswer, Error> {
        let account_id = session.account_id;
        if account_id.is_unmatched() {
            // Not kept: its purchase may arrive, and with it the account.
            let message = "the payment of this chargeback is not recorded here yet";
            return Err(Refusal::new(Reason::ChargebackNotFound, message).into());
        }
        let chargeback = session.tx.find_chargeback_of_account(account_id, self.chargeback_id).await?;
        let mut chargeback = chargeback.ok_or_else(not_found)?;
        let known = chargeback.determined.as_ref().map(|determined| determined.determination);
        let is_new = known != Some(self.determination);
        let moved = if is_new { self.determine(session, &mut chargeback).await? } else { Vec::new() };
        let last_seq = session.last_seq();
        let account = AccountView::load(session.tx, account_id, last_seq).await?;
        Ok(DeterminationAnswer { chargeback, is_new, moved, account })
    }
}

impl DetermineChargeback {
    /// Takes back what the determination before imposed, and imposes what follows from this one by the policy that
    /// was in force when the dispute was opened.
    async fn determine(
        &self,
        session: &mut Session<'_>,
        chargeback: &mut Chargeback,
    ) -> Result<Vec<Moved>, Error> {
        let policy = session.policy_at(chargeback.opened_at)?;
        let rule = policy.parameters().chargeback_rule(self.determination);
        let effect = self.effect(session, rule).await?;
        let reason_note = restriction::note(session, &self.reason).await?;
        let by = session.context.caller.clone();
        let determined = Determined { determination: self.determination, by, at: session.now, reason_note };
        let (account_id, chargeback_id) = (session.account_id, self.chargeback_id);
        let new = NewDetermination {
            chargeback_id,
            determined: &determined,
            policy_version: policy.version(),
            revoked_credits: effect.revoked,
        };
        let ordinal = session.writing().append_determination(account_id, &new).await?;
        let lifting = restriction::lifting(session, reason_note);
        session.writing().update_determined_lifted(account_id, chargeback_id, &lifting).await?;
        for kind in rule.map(|rule| rule.impose.as_slice()).unwrap_or_default() {
            let restriction = Restriction {
                restriction_id: RestrictionId(session.new_id()),
                kind: *kind,
                cause: RestrictionCause::ChargebackDetermined,
                chargeback_id: Some(chargeback_id),
                clause: rule.map(|rule| rule.clause.clone()).unwrap_or_default(),
                imposed_by: determined.by.clone(),
                since: session.now,
                reason_note: Some(reason_note),
                lifting: None,
            };
            restriction::impose(session, &restriction, Some(ordinal)).await?;
        }
        chargeback.determined = Some(determined);
        let clause = rule.map(|rule| rule.clause.as_str()).unwrap_or_default();
        effect.record(session, clause, &self.reason).await
    }

    async fn effect(
        &self,
        session: &mut Session<'_>,
        rule: Option<&ChargebackRule>,
    ) -> Result<Effect, Error> {
        let in_force = session.tx.list_restrictions(session.account_id).await?;
        let stays = |restriction: &&Restriction| {
            restriction.cause != RestrictionCause::ChargebackDetermined
                || restriction.chargeback_id != Some(self.chargeback_id)
        };
        let imposes = rule.is_some_and(|rule| rule.impose.contains(&RestrictionKind::Suspended));
        let change = Change {
            was_suspended: Standing::of(&in_force).has(RestrictionKind::Suspended),
            is_suspended: imposes
                || Standing::of(in_force.iter().filter(stays)).has(RestrictionKind::Suspended),
            revoke_credits: rule.is_some_and(|rule| rule.revoke_credits),
        };
        change.apply(session).await
    }
}

fn not_found() -> Error {
    Refusal::new(Reason::ChargebackNotFound, "there is no such chargeback").into()
}
