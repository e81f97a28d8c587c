//! Changes that are no account's: incidents, policies. They have a path of their own beside [`super::run`]: no account
//! is locked, and request ids count under no account.

use super::run::{Answered, fingerprint, replay, to_store};
use super::{Context, Desk, Error};
use crate::domain::ids::{AccountId, RequestId};
use crate::store::{Key, Tx, Work};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;

/// Something that changes what is no account's. It decides first and records then.
pub(super) trait Change: Serialize + Send + Sync + 'static {
    /// The RPC's name: request ids of different methods never meet.
    const METHOD: &'static str;
    /// What the caller is told, kept to be told again.
    type Answer: Serialize + DeserializeOwned + Send + 'static;

    fn apply(
        &self,
        tx: &mut Tx,
        context: &Context,
    ) -> impl Future<Output = Result<Self::Answer, Error>> + Send;
}

/// Sent twice in the same moment, the second writes its key in vain, and its next run finds the first one's answer.
struct Run<C> {
    context: Context,
    request_id: RequestId,
    change: C,
}

impl<C: Change> Work for Run<C> {
    type Output = Result<Answered<C::Answer>, Error>;
    type Error = Error;

    async fn run(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let Self { context, request_id, change } = self;
        let nobody = AccountId::unmatched();
        let key = Key {
            account_id: &nobody,
            caller: context.caller.as_str(),
            method: C::METHOD,
            request_id: *request_id,
        };
        let fingerprint = fingerprint(C::METHOD, change)?;
        if let Some(stored) = tx.find_answer(key).await? {
            return Ok(replay(&stored, &fingerprint));
        }
        let output = match change.apply(tx, context).await {
            Ok(answer) => Ok(Answered { answer, replayed: false }),
            Err(Error::Refused { refusal, .. }) if !refusal.reason.is_not_found() => {
                Err(Error::Refused { refusal, replayed: false })
            }
            Err(error) => return Err(error),
        };
        tx.insert_answer(key, &to_store(&output, fingerprint)?, context.clock.now()).await?;
        Ok(output)
    }
}

impl Desk {
    /// Runs a change once for each request id.
    pub(super) async fn change<C: Change>(
        &self,
        context: Context,
        request_id: RequestId,
        change: C,
    ) -> Result<Answered<C::Answer>, Error> {
        self.transact(Run { context, request_id, change }).await?
    }
}
