//! What another policy would have made of past decisions: read page by page in the order of time, decided again from
//! their stored facts, counted. Nothing is written, and no page keeps a transaction open.

use super::replay::load_document;
use super::run::{ReadOnly, Reading};
use super::{Desk, Error};
use crate::domain::ids::DecisionId;
use crate::policy::backtest::{Past, Reference, Tally};
use crate::policy::facts::Carrier;
use crate::policy::{Document, Outcome};
use crate::store::{DecisionFilter, DecisionSpan, PastDecisionRow, Store, Tx};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// Decisions on one page: a few megabytes, and a fraction of a second.
const PAGE: usize = 4_000;

/// What is asked to be tried.
#[derive(Debug, Clone)]
pub enum Candidate {
    /// This document.
    Document(String),
    /// A published version.
    Version(String),
}

/// Asks for a backtest.
#[derive(Debug, Clone)]
pub struct BacktestQuery {
    /// The policy that is tried.
    pub candidate: Candidate,
    /// Only decisions made at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Only decisions made before this instant.
    pub until: Option<DateTime<Utc>>,
    /// Only decisions made under this version.
    pub decided_under: Option<String>,
}

/// A backtest under way.
#[derive(Debug)]
pub struct Backtest {
    store: Store,
    candidate: Arc<Document>,
    filter: DecisionFilter,
    total: u64,
    /// Documents by version; `None` for one that is not there or cannot be read.
    documents: BTreeMap<String, Option<Arc<Document>>>,
    /// The page that is read and not yet counted.
    page: Vec<PastDecisionRow>,
    tally: Tally,
}

/// What came out, with the candidate's name.
#[derive(Debug)]
pub struct BacktestReport {
    /// The counts.
    pub tally: Tally,
    /// The candidate's version.
    pub candidate_version: String,
    /// The digest of its document, hex.
    pub candidate_sha256: String,
}

impl Desk {
    /// Begins a backtest.
    ///
    /// # Errors
    /// [`Error::Refused`] when the candidate cannot be read or is not there.
    pub async fn begin_backtest(&self, query: BacktestQuery) -> Result<Backtest, Error> {
        Backtest::begin(&self.store, query).await
    }
}

impl Backtest {
    /// Reads the candidate, counts what is to be replayed, and reads the first page.
    ///
    /// # Errors
    /// [`Error::Refused`] when the candidate cannot be read or is not there; a failure of the store.
    pub async fn begin(store: &Store, query: BacktestQuery) -> Result<Self, Error> {
        let Begun { text, filter, total } = store.browse(ReadOnly(Begin(query))).await?;
        let candidate = Arc::new(Document::parse(&text)?);
        let after = (filter.from, DecisionId(Uuid::nil()));
        let page = store.browse(ReadOnly(Next { filter: filter.clone(), after })).await?;
        let (documents, tally) = (BTreeMap::new(), Tally::default());
        Ok(Self { store: store.clone(), candidate, filter, total, documents, page, tally })
    }

    /// Counts the page that was read while the next one is read. Says whether there is more to do.
    ///
    /// # Errors
    /// A failure of the store.
    pub async fn step(&mut self) -> Result<bool, Error> {
        let Some(last) = self.page.last().map(|last| (last.decided_at, last.decision_id)) else {
            return Ok(false);
        };
        self.learn_documents().await?;
        let page = std::mem::take(&mut self.page);
        let is_last = page.len() < PAGE;
        let (candidate, documents) = (Arc::clone(&self.candidate), self.documents.clone());
        let mut tally = std::mem::take(&mut self.tally);
        let counted = tokio::task::spawn_blocking(move || {
            count(&mut tally, &candidate, &documents, page);
            tally
        });
        if !is_last {
            let next = Next { filter: self.filter.clone(), after: last };
            self.page = self.store.browse(ReadOnly(next)).await?;
        }
        self.tally = counted.await.map_err(|_| Error::Broken("the counting of a backtest was lost"))?;
        Ok(!self.page.is_empty())
    }

    /// How many decisions are done, and how many there are in all.
    #[must_use]
    pub const fn progress(&self) -> (u64, u64) {
        (self.tally.replayed.saturating_add(self.tally.not_replayable), self.total)
    }

    /// What came out.
    #[must_use]
    pub fn report(self) -> BacktestReport {
        BacktestReport {
            tally: self.tally,
            candidate_version: self.candidate.version().to_owned(),
            candidate_sha256: self.candidate.sha256().to_owned(),
        }
    }

    /// Reads the versions that the page was decided under.
    async fn learn_documents(&mut self) -> Result<(), Error> {
        let versions: BTreeSet<&String> = self.page.iter().map(|row| &row.policy_version).collect();
        let unknown: Vec<String> =
            versions.into_iter().filter(|version| !self.documents.contains_key(*version)).cloned().collect();
        if !unknown.is_empty() {
            let found = self.store.browse(ReadOnly(Documents(unknown))).await?;
            self.documents.extend(found);
        }
        Ok(())
    }
}

/// Decides a page again.
fn count(
    tally: &mut Tally,
    candidate: &Document,
    documents: &BTreeMap<String, Option<Arc<Document>>>,
    page: Vec<PastDecisionRow>,
) {
    let carriers: BTreeMap<&String, Carrier<'_>> = documents
        .iter()
        .filter_map(|(version, own)| {
            let own = own.as_ref()?;
            Some((version, Carrier::new(own.parameters(), candidate.parameters())))
        })
        .collect();
    for row in page {
        // What was decided by a document that is gone, or to an outcome that nobody knows, cannot be compared.
        match (carriers.get(&row.policy_version), Outcome::parse(&row.outcome)) {
            (Some(carrier), Some(outcome)) => tally.add(candidate, carrier, past(row, outcome)),
            _ => tally.give_up(BTreeSet::new()),
        }
    }
}

fn past(row: PastDecisionRow, outcome: Outcome) -> Past {
    Past {
        reference: Reference {
            account_id: row.account_id,
            refund_request_id: row.refund_request_id,
            decision_id: row.decision_id,
        },
        outcome,
        row: row.row,
        remedies: row.remedies,
        money: row.money,
        credits: row.credits,
        facts: row.facts,
        catalogue: row.catalogue,
    }
}

struct Begin(BacktestQuery);

struct Begun {
    text: String,
    filter: DecisionFilter,
    total: u64,
}

impl Reading for Begin {
    type Answer = Begun;

    async fn read(&self, tx: &mut Tx) -> Result<Begun, Error> {
        let query = &self.0;
        let text = match &query.candidate {
            Candidate::Document(text) => text.clone(),
            Candidate::Version(version) => load_document(tx, version).await?,
        };
        let mut filter = DecisionFilter {
            from: query.from.unwrap_or(DateTime::UNIX_EPOCH),
            until: query.until.unwrap_or(FAR),
            policy_version: query.decided_under.clone(),
        };
        let DecisionSpan { count, last } = tx.count_decisions(&filter).await?;
        // What is decided from now on is not waited for.
        if let Some(after) = last.and_then(|last| last.checked_add_signed(chrono::TimeDelta::microseconds(1)))
        {
            filter.until = filter.until.min(after);
        }
        Ok(Begun { text, filter, total: u64::try_from(count).unwrap_or(0) })
    }
}

/// Later than everything that the database can hold an instant of ours for.
const FAR: DateTime<Utc> = match DateTime::from_timestamp(253_402_300_799, 0) {
    Some(far) => far,
    None => DateTime::UNIX_EPOCH,
};

struct Next {
    filter: DecisionFilter,
    after: (DateTime<Utc>, DecisionId),
}

impl Reading for Next {
    type Answer = Vec<PastDecisionRow>;

    async fn read(&self, tx: &mut Tx) -> Result<Vec<PastDecisionRow>, Error> {
        let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
        Ok(tx.list_past_decisions(&self.filter, self.after, limit).await?)
    }
}

struct Documents(Vec<String>);

impl Reading for Documents {
    type Answer = BTreeMap<String, Option<Arc<Document>>>;

    async fn read(&self, tx: &mut Tx) -> Result<Self::Answer, Error> {
        let mut documents = BTreeMap::new();
        for version in &self.0 {
            let row = tx.find_policy_version(version).await?;
            let document = row.and_then(|row| Document::parse(&row.document).ok()).map(Arc::new);
            documents.insert(version.clone(), document);
        }
        Ok(documents)
    }
}
