//! Checking a policy document for somebody else: what can be proved of it, one document at a time.

use super::{Desk, Error};
use crate::policy::check::{Report, check};
use crate::policy::{Document, DocumentError};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// A document, and what is true of it.
#[derive(Debug)]
pub struct CheckedPolicy {
    /// The document; [`DocumentError`] when it cannot be read.
    pub document: Result<Document, DocumentError>,
    /// What was found; `None` when the document cannot be read.
    pub report: Option<Report>,
}

impl CheckedPolicy {
    /// Reads and checks a document. It takes up to seconds, and all of one processor.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let document = Document::parse(text);
        let report = document.as_ref().ok().map(|document| check(document, &mut |_| ()));
        Self { document, report }
    }

    /// Whether the document can be published.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.report.as_ref().is_some_and(Report::passed)
    }
}

/// Lets one check run at a time, so that the processors stay with the calls that customers wait for.
#[derive(Debug, Clone)]
pub(super) struct Checks(Arc<Semaphore>);

impl Default for Checks {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Checks {
    pub(super) async fn check(&self, text: String) -> Result<CheckedPolicy, Error> {
        let turn = Arc::clone(&self.0).acquire_owned().await.map_err(|_| Error::Overloaded)?;
        // A caller who stops waiting does not stop the check, so the turn goes with it.
        let checked = tokio::task::spawn_blocking(move || {
            let checked = CheckedPolicy::of(&text);
            drop(turn);
            checked
        });
        checked.await.map_err(|_| Error::Broken("a check of a policy ended before its time"))
    }
}

impl Desk {
    /// Checks a policy document; a broken one is an answer. Writes nothing.
    ///
    /// # Errors
    /// [`Error::Broken`] when the check itself breaks.
    pub async fn check_policy(&self, text: String) -> Result<CheckedPolicy, Error> {
        self.checks.check(text).await
    }
}
