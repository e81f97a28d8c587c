//! Runs one mutation: lock, replay or apply, keep the answer, commit.

use super::refund_request::StoredDecision;
use super::session::Session;
use super::{Context, Desk, Error, Reason, Refusal};
use crate::domain::ids::{AccountId, RequestId};
use crate::store::{Key, StoredAnswer, Tx, Work};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::future::Future;

/// Grows when the meaning of a fingerprint changes; old ones are then compared by their own version.
const FINGERPRINT_VERSION: &str = "1";

/// Something that changes one account. Its serialised form is what a repeated request id is compared with.
pub trait Mutation: Serialize + Send + Sync + 'static {
    /// The RPC's name: request ids of different methods never meet.
    const METHOD: &'static str;
    /// Whether an unknown account is opened by this.
    const OPENS_ACCOUNT: bool = false;
    /// What the caller is told, kept to be told again.
    type Answer: Serialize + DeserializeOwned + Send + 'static;

    /// Where else the call may have been answered, before its account was known.
    fn answered_before_at(&self) -> Option<AccountId> {
        None
    }

    /// The decision that an answer tells of, if the mutation makes decisions.
    fn decision(_answer: &Self::Answer) -> Option<&StoredDecision> {
        None
    }

    /// Decides first and records then: once anything was recorded it must not refuse.
    fn apply(&self, session: &mut Session<'_>) -> impl Future<Output = Result<Self::Answer, Error>> + Send;
}

/// A mutation with its address.
#[derive(Debug)]
pub struct Call<M> {
    /// The account that it changes.
    pub account_id: AccountId,
    /// The caller's id of the call.
    pub request_id: RequestId,
    /// The mutation.
    pub mutation: M,
}

/// An answer, and whether it had been given before.
#[derive(Debug)]
pub struct Answered<A> {
    /// What the caller is told.
    pub answer: A,
    /// Whether an earlier call with the same request id had this answer.
    pub replayed: bool,
}

impl Desk {
    /// Runs a mutation exactly once, however often its request id is sent.
    ///
    /// # Errors
    /// [`Error::Refused`] with the reason, the same one each time; [`Error::Store`] when nothing can be said.
    pub async fn call<M: Mutation>(
        &self,
        context: Context,
        call: Call<M>,
    ) -> Result<Answered<M::Answer>, Error> {
        self.rehearsals.note(context.clock, &call.account_id);
        let run = Run { desk: self.clone(), context, call };
        // The inner result is a refusal that was committed with its key.
        self.transact(run).await?
    }
}

struct Run<M> {
    desk: Desk,
    context: Context,
    call: Call<M>,
}

impl<M: Mutation> Work for Run<M> {
    type Output = Result<Answered<M::Answer>, Error>;
    type Error = Error;

    async fn run(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let Call { account_id, request_id, mutation } = &self.call;
        let opened =
            M::OPENS_ACCOUNT && tx.insert_account_if_missing(account_id, self.context.clock.now()).await?;
        let Some(account) = tx.lock_account(account_id).await? else {
            return Err(account_not_found());
        };
        // The clock is read under the lock, so that the order of entries is the order of their instants.
        let now = self.context.clock.now().max(account.last_at);
        let key = Key {
            account_id,
            caller: self.context.caller.as_str(),
            method: M::METHOD,
            request_id: *request_id,
        };
        let fingerprint = fingerprint(M::METHOD, mutation)?;
        let mut stored = tx.find_answer(key).await?;
        if let (None, Some(account_id)) = (&stored, &mutation.answered_before_at()) {
            stored = tx.find_answer(Key { account_id, ..key }).await?;
        }
        if let Some(stored) = stored {
            return Ok(replay(&stored, &fingerprint));
        }
        let mut session = Session::open(tx, &self.desk, &self.context, account_id, account, now)?;
        let outcome = mutation.apply(&mut session).await;
        if let Err(error @ (Error::Store(_) | Error::Broken(_) | Error::Unforeseen(_))) = outcome {
            // A transaction that the database has given up takes no further statement, and the error of a
            // statement more would hide the one that says whether to run again.
            return Err(error);
        }
        let wrote = session.finish().await?;
        let output = match outcome {
            Ok(answer) => Ok(Answered { answer, replayed: false }),
            Err(Error::Refused { refusal, .. }) if wrote => {
                tracing::error!(method = M::METHOD, reason = refusal.reason.name(), "refused after writing");
                return Err(Error::Broken("a command refused after it had written"));
            }
            // A refusal opens no account: nothing at all is kept then.
            Err(Error::Refused { refusal, .. }) if !opened && !refusal.reason.is_not_found() => {
                Err(Error::Refused { refusal, replayed: false })
            }
            Err(error) => return Err(error),
        };
        tx.insert_answer(key, &to_store(&output, fingerprint)?, now).await?;
        Ok(output)
    }
}

/// The digest of what is asked, independent of how the wire happened to encode it.
pub(super) fn fingerprint<M: Serialize>(method: &str, mutation: &M) -> Result<String, Error> {
    let body = serde_json::to_vec(mutation).map_err(|_| Error::Broken("a command has no canonical form"))?;
    let digest = Sha256::new().chain_update(method).chain_update([0]).chain_update(body).finalize();
    Ok(format!("{FINGERPRINT_VERSION}:{}", hex::encode(digest)))
}

/// What was said before, if the same was asked.
pub(super) fn replay<A: DeserializeOwned>(
    stored: &StoredAnswer,
    fingerprint: &str,
) -> Result<Answered<A>, Error> {
    if stored.fingerprint != fingerprint && !stored.is_erased() {
        return Err(reused());
    }
    let unreadable = |_| Error::Broken("a stored answer cannot be read");
    if stored.refused {
        let refusal = serde_json::from_str(&stored.answer).map_err(unreadable)?;
        return Err(Error::Refused { refusal, replayed: true });
    }
    let answer = serde_json::from_str(&stored.answer).map_err(unreadable)?;
    Ok(Answered { answer, replayed: true })
}

/// An answer as it is kept.
pub(super) fn to_store<A: Serialize>(
    output: &Result<Answered<A>, Error>,
    fingerprint: String,
) -> Result<StoredAnswer, Error> {
    let (refused, json) = match output {
        Ok(answered) => (false, serde_json::to_string(&answered.answer)),
        Err(Error::Refused { refusal, .. }) => (true, serde_json::to_string(refusal)),
        Err(
            Error::Store(_) | Error::Failed(_) | Error::Broken(_) | Error::Overloaded | Error::Unforeseen(_),
        ) => {
            return Err(Error::Broken("a failure is not an answer"));
        }
    };
    let answer = json.map_err(|_| Error::Broken("an answer has no stored form"))?;
    Ok(StoredAnswer { fingerprint, refused, answer })
}

/// Something that reads one account and changes nothing.
pub(super) trait Reading: Send + Sync + 'static {
    type Answer: Send + 'static;

    fn read(&self, tx: &mut Tx) -> impl Future<Output = Result<Self::Answer, Error>> + Send;
}

pub(super) struct ReadOnly<R>(pub(super) R);

impl<R: Reading> Work for ReadOnly<R> {
    type Output = R::Answer;
    type Error = Error;

    async fn run(&self, tx: &mut Tx) -> Result<R::Answer, Error> {
        self.0.read(tx).await
    }
}

impl Desk {
    /// Reads one moment of the database.
    pub(super) async fn read<R: Reading>(&self, reading: R) -> Result<R::Answer, Error> {
        self.store.read(ReadOnly(reading)).await
    }

    /// The same for what looks through many things.
    pub(super) async fn browse<R: Reading>(&self, reading: R) -> Result<R::Answer, Error> {
        self.store.browse(ReadOnly(reading)).await
    }
}

/// The same error for every request id that was used before for something else.
pub(super) fn reused() -> Error {
    Refusal::new(
        Reason::IdempotencyKeyReused,
        "this `request_id` was used before for another request; use a new one",
    )
    .into()
}

/// The same error for every read of an account that is not there, or not the caller's.
#[must_use]
pub fn account_not_found() -> Error {
    Refusal::new(Reason::AccountNotFound, "there is no such account").into()
}
