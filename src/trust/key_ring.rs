//! The keys at hand: read again by time and when a token names a key that nobody knows, and not trusted for ever.
//!
//! Tokens that were verified are remembered beside the keys that verified them, so that they go when the keys change.

use super::jwt::Claims;
use super::keys::{Keys, KeysError};
use super::{Fault, KeySource, Recognised};
use chrono::{DateTime, Utc};
use jsonwebtoken::Algorithm;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Most tokens remembered: more callers than one server can serve, in a few megabytes.
const MAX_REMEMBERED: usize = 10_000;

/// How tokens are recognised.
#[derive(Debug, Clone)]
pub struct TokenRules {
    /// What a token must say.
    pub claims: Claims,
    /// The algorithms that may sign it.
    pub algorithms: Vec<Algorithm>,
    /// Where its issuer's keys are.
    pub keys: KeySource,
    /// When they are read again.
    pub pace: KeyPace,
}

/// When keys are read again, and how long they are trusted.
#[derive(Debug, Clone, Copy)]
pub struct KeyPace {
    /// How often they are read again.
    pub refresh: Duration,
    /// How soon again after a failure, and how often at most because a token names an unknown key.
    pub retry: Duration,
    /// How long keys are trusted that could not be read again.
    pub max_age: Duration,
}

/// An issuer's keys as they are at hand.
#[derive(Debug)]
pub(super) struct KeyRing {
    rules: TokenRules,
    held: RwLock<Option<Arc<Held>>>,
    /// When a token last made us read the keys.
    asked: tokio::sync::Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Held {
    digest: [u8; 32],
    keys: Keys,
    read_at: Mutex<Instant>,
    remembered: Mutex<HashMap<[u8; 32], Remembered>>,
}

#[derive(Debug)]
struct Remembered {
    who: Arc<Recognised>,
    until: DateTime<Utc>,
}

impl KeyRing {
    /// Reads the keys for the first time. A file must hold some; an issuer may still be down.
    pub(super) async fn open(rules: TokenRules) -> Result<Self, KeysError> {
        super::signature::install();
        let ring = Self { rules, held: RwLock::new(None), asked: tokio::sync::Mutex::new(None) };
        match (ring.read().await, &ring.rules.keys) {
            (Ok(()), _) => {}
            (Err(error), KeySource::File(path)) => {
                return Err(KeysError::File(path.clone(), Box::new(error)));
            }
            (Err(error), KeySource::Url(..)) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(
                    error,
                    "no keys yet: nobody is recognised by a token until the issuer answers"
                );
            }
        }
        Ok(ring)
    }

    pub(super) fn pace(&self) -> KeyPace {
        self.rules.pace
    }

    /// Reads the keys again; whether that went well.
    pub(super) async fn refresh(&self) -> bool {
        let read = self.read().await;
        if let Err(error) = &read {
            let error: &dyn std::error::Error = error;
            tracing::warn!(
                error,
                "the keys could not be read again; those at hand are used until they are too old"
            );
        }
        read.is_ok()
    }

    async fn read(&self) -> Result<(), KeysError> {
        let bytes = self.rules.keys.read().await?;
        let digest = Sha256::digest(&bytes).into();
        let now = Instant::now();
        if let Some(held) = self.held().filter(|held| held.digest == digest) {
            *held.read_at.lock().unwrap_or_else(PoisonError::into_inner) = now;
            return Ok(());
        }
        let keys = Keys::parse(&bytes, &self.rules.algorithms)?;
        let held = Held { digest, keys, read_at: Mutex::new(now), remembered: Mutex::default() };
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(held));
        Ok(())
    }

    fn held(&self) -> Option<Arc<Held>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keys at hand, if they are young enough to be trusted.
    fn trusted(&self) -> Option<Arc<Held>> {
        self.held().filter(|held| held.age() <= self.rules.pace.max_age)
    }

    /// Whose token it is.
    pub(super) async fn recognise(&self, token: &str, now: DateTime<Utc>) -> Result<Arc<Recognised>, Fault> {
        let digest = Sha256::digest(token.as_bytes()).into();
        let held = self.trusted();
        if let Some(who) = held.as_ref().and_then(|held| held.recall(&digest, now)) {
            return Ok(who);
        }
        match self.verify(held.as_ref(), token, digest, now) {
            // The issuer may have a new key since, or be there again.
            Err(Fault::UnknownKey | Fault::KeysUnavailable) if self.ask_again(held.as_ref()).await => {
                self.verify(self.trusted().as_ref(), token, digest, now)
            }
            verified => verified,
        }
    }

    /// Verifies a token, and remembers whose it is for the next call with it.
    fn verify(
        &self,
        held: Option<&Arc<Held>>,
        token: &str,
        digest: [u8; 32],
        now: DateTime<Utc>,
    ) -> Result<Arc<Recognised>, Fault> {
        let held = held.ok_or(Fault::KeysUnavailable)?;
        let (who, until) = self.rules.claims.verify(token, &held.keys, &self.rules.algorithms, now)?;
        let who = Arc::new(who);
        held.keep(digest, Remembered { who: who.clone(), until }, now);
        Ok(who)
    }

    /// Reads the keys because of a token, unless one did shortly before; whether others may be at hand now. Many who ask
    /// together wait for one answer.
    async fn ask_again(&self, seen: Option<&Arc<Held>>) -> bool {
        let mut asked = self.asked.lock().await;
        let present = self.trusted();
        let changed = match (seen, &present) {
            (Some(seen), Some(present)) => !Arc::ptr_eq(seen, present),
            (None, present) => present.is_some(),
            (Some(_), None) => false,
        };
        if changed {
            return true;
        }
        if asked.is_some_and(|at| at.elapsed() < self.rules.pace.retry) {
            return false;
        }
        *asked = Some(Instant::now());
        self.refresh().await
    }
}

impl Held {
    fn age(&self) -> Duration {
        self.read_at.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    fn recall(&self, digest: &[u8; 32], now: DateTime<Utc>) -> Option<Arc<Recognised>> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.get(digest).filter(|known| now < known.until).map(|known| known.who.clone())
    }

    fn keep(&self, digest: [u8; 32], known: Remembered, now: DateTime<Utc>) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MAX_REMEMBERED {
            remembered.retain(|_, known| now < known.until);
        }
        // So many at once are no callers of ours; whoever is one is verified again.
        if remembered.len() >= MAX_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(digest, known);
    }
}

#[cfg(test)]
mod tests {
    use super::{Held, Keys, MAX_REMEMBERED, Remembered};
    use crate::domain::role::Role;
    use crate::trust::{Proof, Recognised};
    use chrono::{DateTime, Utc};
    use jsonwebtoken::Algorithm;
    use std::sync::{Arc, Mutex};
    use std::time::Instant;

    fn held() -> Held {
        let keys = r#"{ "keys": [{ "kty": "RSA", "kid": "k", "n": "sXch", "e": "AQAB" }] }"#;
        let keys = Keys::parse(keys.as_bytes(), &[Algorithm::RS256]).unwrap();
        Held { digest: [0; 32], keys, read_at: Mutex::new(Instant::now()), remembered: Mutex::default() }
    }

    fn at(seconds: usize) -> DateTime<Utc> {
        DateTime::from_timestamp(i64::try_from(seconds).unwrap(), 0).unwrap()
    }

    fn token(number: usize) -> [u8; 32] {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_be_bytes());
        digest
    }

    fn keep(held: &Held, number: usize, until: usize, now: usize) {
        let actor = Role::Agent.played_by("kim").unwrap();
        let who = Arc::new(Recognised { actor, role: Role::Agent, by: Proof::Token(None) });
        held.keep(token(number), Remembered { who, until: at(until) }, at(now));
    }

    #[test]
    fn a_token_is_remembered_until_it_ends() {
        let held = held();
        keep(&held, 1, 100, 0);
        assert!(held.recall(&token(1), at(99)).is_some());
        assert!(held.recall(&token(1), at(100)).is_none());
        assert!(held.recall(&token(2), at(0)).is_none());
    }

    #[test]
    fn no_more_tokens_are_remembered_than_the_bound_and_those_that_ended_go_first() {
        let held = held();
        let count = || held.remembered.lock().unwrap().len();
        keep(&held, 0, 1_000, 0);
        for number in 1..MAX_REMEMBERED {
            keep(&held, number, 10, 0);
        }
        assert_eq!(count(), MAX_REMEMBERED);
        keep(&held, MAX_REMEMBERED, 1_000, 20);
        assert_eq!(count(), 2);
        assert!(held.recall(&token(0), at(20)).is_some());
        for number in 0..=MAX_REMEMBERED {
            keep(&held, number, 1_000, 20);
            assert!(count() <= MAX_REMEMBERED);
        }
        assert!(held.recall(&token(MAX_REMEMBERED), at(20)).is_some());
    }
}
