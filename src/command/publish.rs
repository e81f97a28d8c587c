//! Policy versions: published, found, listed (§8).

use super::change::Change;
use super::check_policy::CheckedPolicy;
use super::history::{PageOf, PageRequest};
use super::policies::published_with_another_text;
use super::run::{Answered, Reading};
use super::{Context, Desk, Error, Reason, Refusal};
use crate::domain::ids::RequestId;
use crate::domain::redacted::FreeText;
use crate::policy::{Document, DocumentError};
use crate::store::{PolicyReign, PolicyVersionRow, Tx};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Most versions that are ever published: one a day for years. Every server keeps all of them in memory.
const MAX_VERSIONS: i64 = 2_000;

/// Digits that the database keeps after the second.
const SUBSECOND_DIGITS: u16 = 6;

/// The least time between the beginnings of two versions.
const STEP: TimeDelta = TimeDelta::microseconds(1);

/// Publishes a policy version.
#[derive(Debug, Clone, Serialize)]
pub struct PublishPolicy {
    /// The document.
    pub document: String,
    /// From when on it decides; as the document states, or as soon as can be, when it is not told.
    pub effective_from: Option<DateTime<Utc>>,
    /// Who approved it.
    pub approver: String,
    /// Why.
    pub reason: FreeText,
}

/// A published version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyView {
    /// Its name.
    pub version: String,
    /// Its title.
    pub title: String,
    /// From when on it decides.
    pub effective_from: DateTime<Utc>,
    /// When the next version takes over, as far as that is published.
    pub effective_until: Option<DateTime<Utc>>,
    /// The document; empty in lists. It is not kept a second time with the answer.
    #[serde(skip)]
    pub document: String,
    /// The document's digest, hex.
    pub document_sha256: String,
    /// When it was published.
    pub published_at: DateTime<Utc>,
    /// Who published it.
    pub published_by: String,
    /// Who approved it.
    pub approver: String,
    /// Why it was published.
    pub reason: FreeText,
}

/// Which version is asked for.
#[derive(Debug, Clone)]
pub enum GetPolicy {
    /// This one.
    Version(String),
    /// The one in force at this instant.
    AsOf(DateTime<Utc>),
}

/// All versions, the latest beginning first, without their documents.
#[derive(Debug, Clone, Serialize)]
pub struct ListPolicies {}

impl From<PolicyReign> for PolicyView {
    fn from(reign: PolicyReign) -> Self {
        let PolicyReign { row, effective_until } = reign;
        Self {
            version: row.version,
            title: row.title,
            effective_from: row.effective_from,
            effective_until,
            document: row.document,
            document_sha256: row.document_sha256,
            published_at: row.published_at,
            published_by: row.published_by,
            approver: row.approver,
            reason: row.reason,
        }
    }
}

impl From<DocumentError> for Error {
    fn from(error: DocumentError) -> Self {
        malformed(&error).into()
    }
}

/// What is wrong is in the one field that holds the document; its own line, row and field are in the sentence.
fn malformed(error: &DocumentError) -> Refusal {
    Refusal::new(Reason::PolicyMalformed, error.to_string()).with("field", &"document")
}

fn unsound(checked: &CheckedPolicy) -> Refusal {
    let findings = checked.report.iter().flat_map(|report| &report.findings);
    let errors: Vec<&str> =
        findings.filter(|finding| finding.kind.is_error()).map(|finding| finding.message.as_str()).collect();
    let message =
        format!("{}; CheckPolicy shows the cases", errors.first().unwrap_or(&"the document is not sound"));
    Refusal::new(Reason::PolicyUnsound, message).with("errors", &errors.len())
}

/// What was published, and what is true of it.
#[derive(Debug)]
pub struct Published {
    /// The version as it is kept.
    pub policy: PolicyView,
    /// Its check, with warnings.
    pub check: CheckedPolicy,
}

/// A version to be published, with what became of its document.
#[derive(Debug, Clone, Serialize)]
struct Publish {
    #[serde(flatten)]
    order: PublishPolicy,
    /// The document, or why it may not be published. It follows from the text.
    #[serde(skip)]
    document: Result<Arc<Document>, Refusal>,
}

impl Publish {
    /// With a document that was checked: only a sound one may be published.
    fn of(order: PublishPolicy, checked: &CheckedPolicy) -> Self {
        let document = match &checked.document {
            Err(error) => Err(malformed(error)),
            Ok(_) if !checked.passed() => Err(unsound(checked)),
            Ok(document) => Ok(Arc::new(document.clone())),
        };
        Self { order, document }
    }
}

impl Publish {
    /// The row that would be stored. The horizon is behind nothing that any server has decided by itself.
    async fn row(
        &self,
        tx: &mut Tx,
        context: &Context,
        horizon: DateTime<Utc>,
    ) -> Result<PolicyVersionRow, Error> {
        let document = self.document.as_ref().map_err(Refusal::clone)?;
        if let Some(stored) = tx.find_policy_version(document.version()).await? {
            let same = stored.document_sha256 == document.sha256()
                && self.order.effective_from.is_none_or(|told| told == stored.effective_from);
            return if same { Ok(stored) } else { Err(published_with_another_text(&stored.version)) };
        }
        if tx.count_policy_versions().await? >= MAX_VERSIONS {
            let message = "no more policy versions can be published";
            return Err(Refusal::new(Reason::LimitExceeded, message)
                .with("limit", &"policy versions")
                .into());
        }
        let now = context.clock.now();
        Ok(PolicyVersionRow {
            version: document.version().to_owned(),
            title: document.title().to_owned(),
            effective_from: self.beginning(tx, document, now.max(horizon)).await?,
            document: self.order.document.clone(),
            document_sha256: document.sha256().to_owned(),
            published_at: now,
            published_by: context.caller.as_str().to_owned(),
            approver: self.order.approver.clone(),
            reason: self.order.reason.clone(),
        })
    }

    /// When the version begins: no earlier than any server may still decide without knowing it, and with no other.
    async fn beginning(
        &self,
        tx: &mut Tx,
        document: &Document,
        earliest: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, Error> {
        let wrong = |message: String| {
            Refusal::new(Reason::InvalidField, message)
                .with("field", &"effective_from")
                .with("earliest", &earliest.to_rfc3339())
        };
        if let Some(told) = self.order.effective_from {
            if told < earliest {
                let message = format!("`effective_from` must not be earlier than {}", earliest.to_rfc3339());
                return Err(wrong(message).into());
            }
            return match tx.find_policy_version_at(told).await? {
                Some(other) if other.effective_from == told => {
                    let message = format!("policy version `{}` begins at this instant", other.version);
                    Err(wrong(message).into())
                }
                _ => Ok(told),
            };
        }
        let mut beginning = document.effective_from().trunc_subsecs(SUBSECOND_DIGITS).max(earliest);
        while let Some(other) = tx.find_policy_version_at(beginning).await?
            && other.effective_from == beginning
        {
            beginning = beginning.checked_add_signed(STEP).ok_or(Error::Broken("time has an end"))?;
        }
        Ok(beginning)
    }
}

impl Change for Publish {
    const METHOD: &'static str = "PublishPolicy";
    type Answer = PolicyView;

    async fn apply(&self, tx: &mut Tx, context: &Context) -> Result<PolicyView, Error> {
        let horizon = tx.lock_policy_horizon().await?;
        let row = self.row(tx, context, horizon).await?;
        if tx.find_policy_version(&row.version).await?.is_none() {
            tx.insert_policy_version(&row).await?;
        }
        view(tx, row).await
    }
}

struct Preview {
    context: Context,
    publish: Publish,
}

impl Reading for Preview {
    type Answer = PolicyView;

    async fn read(&self, tx: &mut Tx) -> Result<PolicyView, Error> {
        let horizon = tx.load_policy_horizon().await?;
        let row = self.publish.row(tx, &self.context, horizon).await?;
        view(tx, row).await
    }
}

pub(super) async fn view(tx: &mut Tx, row: PolicyVersionRow) -> Result<PolicyView, Error> {
    let effective_until = tx.find_next_policy_start(row.effective_from).await?;
    Ok(PolicyReign { row, effective_until }.into())
}

impl Desk {
    /// Publishes a version, once for each request id and for each version.
    ///
    /// # Errors
    /// [`Error::Refused`] when the document cannot be read or is not sound, when its version is published otherwise, or
    /// when it would begin before every server knows it.
    pub async fn publish_policy(
        &self,
        context: Context,
        request_id: RequestId,
        order: PublishPolicy,
    ) -> Result<Answered<Published>, Error> {
        let document = order.document.clone();
        let check = self.check_policy(document.clone()).await?;
        let Answered { answer, replayed } =
            self.change(context, request_id, Publish::of(order, &check)).await?;
        Ok(Answered { answer: Published { policy: PolicyView { document, ..answer }, check }, replayed })
    }

    /// What would be published now; nothing is written.
    ///
    /// # Errors
    /// As [`Desk::publish_policy`].
    pub async fn preview_policy(&self, context: Context, order: PublishPolicy) -> Result<Published, Error> {
        let check = self.check_policy(order.document.clone()).await?;
        let policy = self.read(Preview { context, publish: Publish::of(order, &check) }).await?;
        Ok(Published { policy, check })
    }

    /// One version with its document.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such version, or none had begun then.
    pub async fn get_policy(&self, query: GetPolicy) -> Result<PolicyView, Error> {
        self.read(query).await
    }

    /// A page of versions.
    ///
    /// # Errors
    /// A failure of the store.
    pub async fn list_policies(&self, page: PageRequest) -> Result<PageOf<PolicyView>, Error> {
        self.browse(Listing(page)).await
    }
}

impl Reading for GetPolicy {
    type Answer = PolicyView;

    async fn read(&self, tx: &mut Tx) -> Result<PolicyView, Error> {
        let row = match self {
            Self::Version(version) => tx.find_policy_version(version).await?,
            Self::AsOf(at) => tx.find_policy_version_at(*at).await?,
        };
        let not_there = match self {
            Self::Version(_) => "there is no such policy version",
            Self::AsOf(_) => "no policy version was in force at that time",
        };
        let row = row.ok_or_else(|| Refusal::new(Reason::PolicyNotFound, not_there))?;
        view(tx, row).await
    }
}

struct Listing(PageRequest);

impl Reading for Listing {
    type Answer = PageOf<PolicyView>;

    async fn read(&self, tx: &mut Tx) -> Result<PageOf<PolicyView>, Error> {
        let PageRequest { after_seq, size } = self.0;
        // The place of a version is its beginning, which no other has. Only the first version may begin before 1970, and
        // nothing comes after it.
        let before = (after_seq > 0).then(|| DateTime::from_timestamp_micros(after_seq)).flatten();
        let limit = i64::try_from(size).unwrap_or(0).saturating_add(1);
        let mut reigns = tx.list_policy_versions(before, limit).await?;
        let more = reigns.len() > size;
        reigns.truncate(size);
        let last = reigns.last().filter(|_| more).map(|last| last.row.effective_from.timestamp_micros());
        Ok(PageOf { items: reigns.into_iter().map(PolicyView::from).collect(), next_after_seq: last })
    }
}
