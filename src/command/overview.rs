//! What the whole desk has to do, for figures.

use super::run::Reading;
use super::{Desk, Error};
use crate::clock::Clock;
use crate::store::{Overview, PoolState, Tx};
use chrono::{DateTime, Utc};

/// Where counts stop: whoever has so much open needs no closer figure, and the database spends no more on one.
const MAX_COUNTED: i64 = 100_000;

/// Longest that one statement may take. Figures are worth less than the calls beside them.
const MAX_STATEMENT_MILLIS: u32 = 2_000;

impl Desk {
    /// What is open now, over all accounts.
    ///
    /// # Errors
    /// [`Error::Store`] when the records cannot be read in time.
    pub async fn overview(&self, clock: Clock) -> Result<Overview, Error> {
        self.read(Look { now: clock.now() }).await
    }

    /// How much of the pool is in use now.
    #[must_use]
    pub fn pool_state(&self) -> PoolState {
        self.store.pool_state()
    }
}

struct Look {
    now: DateTime<Utc>,
}

impl Reading for Look {
    type Answer = Overview;

    async fn read(&self, tx: &mut Tx) -> Result<Overview, Error> {
        tx.limit_statements(MAX_STATEMENT_MILLIS).await?;
        Ok(tx.load_overview(self.now, MAX_COUNTED).await?)
    }
}
