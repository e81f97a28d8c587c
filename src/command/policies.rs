//! The policy documents that decisions are made by, and how every server knows the same ones.
//!
//! A server decides for an instant only when that lies before the horizon up to which it knows all versions. It learns
//! them by moving the horizon on in the database and reading what is published, in one transaction; a version is
//! published under the same row's lock, and begins no earlier than the horizon then is. INVARIANT: each version that a
//! server does not know begins at or after that server's horizon. So no two servers ever decide for one instant by
//! different versions, whatever their clocks say, and the hot path asks nothing but its memory.

use super::{Desk, Error, Reason, Refusal};
use crate::clock::Clock;
use crate::policy::{Document, DocumentError};
use crate::store::{PolicyVersionRow, Store, Tx, Work};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// How far ahead of the instant that it decides for a server learns the versions: it asks about once in this time, and
/// a new version begins no sooner than this after it was published.
pub(super) const FORESIGHT: TimeDelta = TimeDelta::seconds(10);

/// Most times that one call looks ahead: each time for a later instant, which an account in the future brings.
const MAX_LOOKS: u32 = 3;

/// Every published version that this server knows, in the order of their beginnings.
#[derive(Debug, Clone)]
pub struct Policies {
    first: Arc<Document>,
    text: Arc<str>,
    known: Arc<RwLock<Known>>,
}

/// What a server knows.
#[derive(Debug, Default)]
struct Known {
    versions: BTreeMap<DateTime<Utc>, Arc<Document>>,
    /// Before this instant no other version begins; `None` before the first look.
    until: Option<DateTime<Utc>>,
}

impl Policies {
    /// Policies that begin with one document, written as this text: it is published where nothing is yet.
    ///
    /// # Errors
    /// [`DocumentError`] naming the row and field that does not hold together.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        let first = Arc::new(Document::parse(text)?);
        Ok(Self { first, text: Arc::from(text), known: Arc::default() })
    }

    /// The version of the document that these policies begin with.
    #[must_use]
    pub fn version(&self) -> &str {
        self.first.version()
    }

    /// The document in force at an instant: the one that began last. The first one also decides for everything before
    /// its beginning.
    ///
    /// # Errors
    /// [`Error::Unforeseen`] when a version that this server does not know might be in force: look ahead, and ask again.
    pub(super) fn in_force(&self, at: DateTime<Utc>) -> Result<Arc<Document>, Error> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.until.is_none_or(|until| at >= until) {
            return Err(Error::Unforeseen(at));
        }
        let begun = known.versions.range(..=at).next_back().or_else(|| known.versions.first_key_value());
        let (_, document) = begun.ok_or(Error::Broken("no policy version is published"))?;
        Ok(Arc::clone(document))
    }

    /// The document in force at an instant, looking ahead when that is needed.
    pub(super) async fn at(&self, store: &Store, at: DateTime<Utc>) -> Result<Arc<Document>, Error> {
        match self.in_force(at) {
            Err(Error::Unforeseen(at)) => {
                self.look_ahead(store, at).await?;
                self.in_force(at)
            }
            known => known,
        }
    }

    /// Runs work in a transaction. When it meets an instant behind the horizon, nothing of it is kept: the server looks
    /// ahead and runs it again.
    pub(super) async fn transact<W>(&self, store: &Store, work: W) -> Result<W::Output, Error>
    where
        W: Work<Error = Error>,
    {
        let work = Arc::new(work);
        let mut looks = 0;
        loop {
            match store.transact(Arc::clone(&work)).await {
                Err(Error::Unforeseen(at)) if looks < MAX_LOOKS => {
                    looks = looks.saturating_add(1);
                    self.look_ahead(store, at).await?;
                }
                done => return done,
            }
        }
    }

    /// Learns every version that may be in force up to some time after an instant.
    async fn look_ahead(&self, store: &Store, at: DateTime<Utc>) -> Result<(), Error> {
        let until = at.checked_add_signed(FORESIGHT).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let known = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            known.versions.values().map(|document| document.version().to_owned()).collect()
        };
        let (rows, until) = store.transact(LookAhead { until, known }).await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut readable_until = until;
        for row in rows {
            match Document::parse(&row.document) {
                Ok(document) => {
                    known.versions.insert(row.effective_from, Arc::new(document));
                }
                Err(error) => {
                    // Written for a later program: this server may decide until that version begins, and no longer.
                    tracing::error!(version = row.version, %error, "a published policy cannot be read");
                    readable_until = readable_until.min(row.effective_from);
                }
            }
        }
        known.until = Some(readable_until);
        Ok(())
    }

    /// Publishes the document that these policies begin with, where nothing is published yet.
    ///
    /// # Errors
    /// [`Error::Refused`] when its version is stored with another text: published versions never change (§8).
    pub async fn publish(&self, store: &Store, clock: Clock) -> Result<(), Error> {
        let document = &self.first;
        let row = PolicyVersionRow {
            version: document.version().to_owned(),
            title: document.title().to_owned(),
            effective_from: document.effective_from(),
            document: self.text.as_ref().to_owned(),
            document_sha256: document.sha256().to_owned(),
            published_at: clock.now(),
            published_by: "system".to_owned(),
            approver: String::new(),
            reason: "came with the service".to_owned().into(),
        };
        store.transact(PublishFirst { row }).await
    }
}

impl Desk {
    /// Runs work in a transaction, by policies that are known for its instant.
    pub(super) async fn transact<W>(&self, work: W) -> Result<W::Output, Error>
    where
        W: Work<Error = Error>,
    {
        self.policies.transact(&self.store, work).await
    }
}

/// Moves the horizon on and reads the versions that are not known.
struct LookAhead {
    until: DateTime<Utc>,
    known: Vec<String>,
}

impl Work for LookAhead {
    type Output = (Vec<PolicyVersionRow>, DateTime<Utc>);
    type Error = Error;

    async fn run(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        // In this order: whoever published before held the row, and whoever publishes later sees where it is now.
        let until = tx.advance_policy_horizon(self.until).await?;
        Ok((tx.list_policy_versions_besides(&self.known).await?, until))
    }
}

struct PublishFirst {
    row: PolicyVersionRow,
}

impl Work for PublishFirst {
    type Output = ();
    type Error = Error;

    async fn run(&self, tx: &mut Tx) -> Result<(), Error> {
        tx.lock_policy_horizon().await?;
        match tx.find_policy_version(&self.row.version).await? {
            Some(stored) if stored.document_sha256 == self.row.document_sha256 => Ok(()),
            Some(stored) => Err(published_with_another_text(&stored.version)),
            None if tx.count_policy_versions().await? == 0 => Ok(tx.insert_policy_version(&self.row).await?),
            // Others decide here already: to join them is an act of a person, with PublishPolicy.
            None => {
                tracing::info!(version = self.row.version, "the shipped policy is not published here");
                Ok(())
            }
        }
    }
}

/// The same error wherever a version is there with another text.
pub(super) fn published_with_another_text(version: &str) -> Error {
    let message =
        format!("policy version `{version}` is published with another text or beginning, and never changes");
    Refusal::new(Reason::PolicyVersionExists, message).with("version", &version).into()
}
