//! A stored decision made again (promise 6): under its own version, and under another one.

use super::refund_request::StoredDecision;
use super::run::{Reading, account_not_found};
use super::{Desk, Error, Reason, Refusal};
use crate::domain::ids::{AccountId, DecisionId};
use crate::policy::replay::{MAX_DIFFERENCES, Otherwise, decide_otherwise, differences};
use crate::policy::{Document, Facts, decide};
use crate::store::{DecisionRow, Tx};

/// Asks for a decision to be made again.
#[derive(Debug, Clone)]
pub struct ReplayDecision {
    /// The account.
    pub account_id: AccountId,
    /// The decision.
    pub decision_id: DecisionId,
    /// Also under this version.
    pub other_version: Option<String>,
}

/// What came out.
#[derive(Debug, Clone)]
pub struct ReplayAnswer {
    /// The decision as it is stored; `None` when somebody has made it unreadable.
    pub stored: Option<StoredDecision>,
    /// The decision as its own version makes it now; `None` when its facts or its version cannot be read.
    pub replayed: Option<StoredDecision>,
    /// What differs; empty when both are the same to the byte.
    pub differences: Vec<String>,
    /// The decision under the other version, if one was named and its facts are known.
    pub other: Option<StoredDecision>,
    /// Facts that the other version needs and that were not stored.
    pub missing_facts: Vec<String>,
}

impl Desk {
    /// Makes a stored decision again; those that persons made cannot be. What does not come out the same is in the answer, not an error.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such account, decision or other version.
    pub async fn replay_decision(&self, query: ReplayDecision) -> Result<ReplayAnswer, Error> {
        let Loaded { row, own, other } = self.browse(Load(query)).await?;
        let facts: Option<Facts> = serde_json::from_str(&row.facts).ok();
        let own = own.as_deref().and_then(|text| Document::parse(text).ok());
        let replayed = own.as_ref().zip(facts.as_ref()).map(|(own, facts)| again(own, facts.clone(), &row));
        let differences = match (&own, &replayed) {
            (None, _) => vec!["policy_version".to_owned()],
            (Some(_), None) => vec!["facts".to_owned()],
            (Some(_), Some(replayed)) => differences_of(&row, replayed),
        };
        let mut answer = ReplayAnswer {
            stored: StoredDecision::read(row.clone()).ok(),
            replayed,
            differences,
            other: None,
            missing_facts: Vec::new(),
        };
        let (Some(other), Some(own), Some(facts)) = (other, own, facts) else { return Ok(answer) };
        let other =
            Document::parse(&other).map_err(|_| Error::Broken("a published policy cannot be read"))?;
        match decide_otherwise(&own, &other, facts, row.catalogue) {
            Otherwise::Decided(decision, facts) => answer.other = Some(preview(*decision, *facts, &row)),
            Otherwise::Depends(names) => {
                answer.missing_facts = names.iter().map(|name| name.name().to_owned()).collect();
            }
        }
        Ok(answer)
    }
}

/// The bytes and everything that is stored beside them.
fn differences_of(row: &DecisionRow, replayed: &StoredDecision) -> Vec<String> {
    let mut found = differences(&row.body, &replayed.canonical);
    let decision = &replayed.decision;
    let columns = [
        ("outcome", row.outcome.as_str(), decision.outcome.name()),
        ("row", &row.row, &decision.row),
        ("policy_version", &row.policy_version, &decision.policy_version),
        ("document_sha256", &row.document_sha256, &decision.document_sha256),
        ("facts_sha256", &row.facts_sha256, &decision.facts_sha256),
        ("decision_sha256", &row.decision_sha256, &replayed.decision_sha256),
    ];
    let differing = columns.into_iter().filter(|(_, stored, replayed)| stored != replayed);
    for (name, _, _) in differing {
        if !found.iter().any(|known| known == name) {
            found.push(name.to_owned());
        }
    }
    found.truncate(MAX_DIFFERENCES);
    found
}

/// The decision that a document makes of facts, at the place of the stored one.
fn again(document: &Document, facts: Facts, row: &DecisionRow) -> StoredDecision {
    let decision = decide(document, &facts);
    StoredDecision { decision_id: Some(row.decision_id), ..preview(decision, facts, row) }
}

fn preview(decision: crate::policy::Decision, facts: Facts, row: &DecisionRow) -> StoredDecision {
    StoredDecision {
        decision_id: None,
        canonical: String::from_utf8_lossy(&decision.canonical_bytes()).into_owned(),
        decision_sha256: decision.sha256(),
        decision,
        facts,
        decided_at: row.decided_at,
        trace_id: row.trace_id.clone(),
        decided_by: None,
        reason: None,
        said: None,
    }
}

struct Load(ReplayDecision);

/// The decision and the texts of the documents.
struct Loaded {
    row: DecisionRow,
    own: Option<String>,
    other: Option<String>,
}

impl Reading for Load {
    type Answer = Loaded;

    async fn read(&self, tx: &mut Tx) -> Result<Loaded, Error> {
        let ReplayDecision { account_id, decision_id, other_version } = &self.0;
        let Some(row) = tx.find_policy_decision(account_id, *decision_id).await? else {
            if tx.find_account(account_id).await?.is_none() {
                return Err(account_not_found());
            }
            let message = "the account has no such decision of the policy";
            return Err(Refusal::new(Reason::DecisionNotFound, message).into());
        };
        let own = tx.find_policy_version(&row.policy_version).await?.map(|version| version.document);
        let other = match other_version {
            None => None,
            Some(version) => Some(load_document(tx, version).await?),
        };
        Ok(Loaded { row, own, other })
    }
}

/// The text of a published version.
pub(super) async fn load_document(tx: &mut Tx, version: &str) -> Result<String, Error> {
    match tx.find_policy_version(version).await? {
        Some(row) => Ok(row.document),
        None => Err(Refusal::new(Reason::PolicyNotFound, "there is no such policy version").into()),
    }
}
