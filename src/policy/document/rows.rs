//! Checking the rows: every name known, every field at home with the outcome.

use super::{DocumentError, MAX_ROWS, raw};
use crate::domain::request::{Claim, Detail};
use crate::policy::facts::{CLAIMS, DETAILS, FactKind, FactName, read_word};
use crate::policy::parameters::Parameters;
use crate::policy::sentence::{Scope, Template};
use crate::policy::spelling::hint;
use crate::policy::table::{Advised, Ask, Outcome, Remedy, Row, conditions};
use std::collections::{BTreeMap, BTreeSet};

/// Longest row id: a number and a letter, with room to spare.
const MAX_ROW_ID: usize = 16;

type Checked<T> = Result<T, (&'static str, String)>;

pub(super) fn rows(written: Vec<raw::Line>, parameters: &Parameters) -> Result<Vec<Row>, DocumentError> {
    if written.is_empty() || written.len() > MAX_ROWS {
        return Err(DocumentError::new("`rows`", format!("must be 1 to {MAX_ROWS}")));
    }
    let mut rows: Vec<Row> = Vec::with_capacity(written.len());
    for raw in written {
        let id = raw.row.clone();
        if rows.iter().any(|row| row.id == id) {
            return Err(DocumentError::new(format!("row `{id}`"), "there are two rows of this name"));
        }
        let row = row(raw, parameters)
            .map_err(|(field, problem)| DocumentError::new(format!("row `{id}`, `{field}`"), problem))?;
        rows.push(row);
    }
    Ok(rows)
}

pub(super) fn required_details(
    written: &BTreeMap<String, Vec<String>>,
) -> Result<BTreeMap<Claim, BTreeSet<Detail>>, DocumentError> {
    let mut required = BTreeMap::new();
    for (claim, details) in written {
        let read = || -> Result<_, String> {
            let claim: Claim = named(claim, "claim", CLAIMS)?;
            let details = details.iter().map(|detail| named(detail, "detail", DETAILS));
            Ok((claim, details.collect::<Result<BTreeSet<Detail>, String>>()?))
        };
        let (claim, details) = read().map_err(|problem| DocumentError::new("`required_details`", problem))?;
        required.insert(claim, details);
    }
    Ok(required)
}

/// A clause as the text numbers them: `6`, `2.1`.
pub(super) fn is_clause(text: &str) -> bool {
    let number = |part: &str| (1..=3).contains(&part.len()) && part.chars().all(|c| c.is_ascii_digit());
    text.split('.').all(number) && text.split('.').count() <= 3
}

fn row(raw: raw::Line, parameters: &Parameters) -> Checked<Row> {
    check_id(&raw.row)?;
    check_clauses(&raw.clauses)?;
    check_outcome(&raw)?;
    if raw.why.trim().is_empty() {
        return Err(("why", "must say how the text was read".to_owned()));
    }
    let when = raw.when.iter().map(|written| conditions(written, parameters));
    let request = raw.request.iter().map(|asked| ask(asked));
    let row = Row {
        claims: claims(raw.claims)?,
        when: when.collect::<Result<_, _>>().map_err(|problem| ("when", problem))?,
        request: request.collect::<Result<_, _>>().map_err(|problem| ("request", problem))?,
        recommend: recommend(raw.recommend)?,
        sentence: template("sentence", &raw.sentence, raw.outcome, parameters)?,
        advice: template("advice", &raw.advice, raw.outcome, parameters)?,
        id: raw.row,
        clauses: raw.clauses,
        outcome: raw.outcome,
        remedies: raw.remedies,
        why: raw.why,
    };
    if row.sentence.is_empty() {
        return Err(("sentence", "must not be empty".to_owned()));
    }
    match row.sentence.cited().into_iter().find(|cited| !row.clauses.contains(cited)) {
        Some(cited) => Err(("sentence", format!("cites §{cited}, which is not among `clauses`"))),
        None => Ok(row),
    }
}

fn check_id(id: &str) -> Checked<()> {
    let fits = (1..=MAX_ROW_ID).contains(&id.len())
        && id.starts_with(|c: char| c.is_ascii_digit())
        && id.chars().all(|c| c.is_ascii_digit() || c.is_ascii_lowercase());
    if fits {
        Ok(())
    } else {
        Err(("row", "must be a number with at most a letter behind it, such as `4a`".to_owned()))
    }
}

fn check_clauses(clauses: &[String]) -> Checked<()> {
    if clauses.is_empty() {
        return Err(("clauses", "must not be empty: every answer cites its clause".to_owned()));
    }
    match clauses.iter().find(|clause| !is_clause(clause)) {
        Some(clause) => Err(("clauses", format!("`{clause}` is no clause such as `2.1`"))),
        None => Ok(()),
    }
}

/// Each outcome has its own fields, and only those.
fn check_outcome(raw: &raw::Line) -> Checked<()> {
    let approves = raw.outcome == Outcome::Approve;
    let asks = raw.outcome == Outcome::RequestInformation;
    if approves == raw.remedies.is_empty() {
        let problem = if approves {
            "an approval needs a remedy"
        } else {
            "belong to approvals; a review has `recommend`"
        };
        return Err(("remedies", problem.to_owned()));
    }
    if asks == raw.request.is_empty() {
        let problem = if asks {
            "a request for information must say what it asks for"
        } else {
            "belongs to requests for information"
        };
        return Err(("request", problem.to_owned()));
    }
    if raw.recommend.is_some() && raw.outcome != Outcome::Review {
        return Err(("recommend", "belongs to reviews".to_owned()));
    }
    let negative = |remedy: &Remedy| matches!(remedy, Remedy::RefundFixed(amounts) if amounts.values().any(|minor| *minor < 0));
    if raw.remedies.iter().any(negative) {
        return Err(("remedies", "a fixed amount must not be negative".to_owned()));
    }
    Ok(())
}

fn claims(written: Option<Vec<String>>) -> Checked<Option<BTreeSet<Claim>>> {
    let Some(written) = written else { return Ok(None) };
    if written.is_empty() {
        return Err(("claims", "must not be empty; leave it out for all claims".to_owned()));
    }
    let claims = written.iter().map(|claim| named(claim, "claim", CLAIMS));
    claims.collect::<Result<_, _>>().map(Some).map_err(|problem| ("claims", problem))
}

fn recommend(written: Option<raw::Recommend>) -> Checked<Option<Advised>> {
    match written {
        None => Ok(None),
        Some(raw::Recommend::Word(word)) if word == "deny" => Ok(Some(Advised::Deny)),
        Some(raw::Recommend::Remedies(remedies)) if !remedies.is_empty() => {
            Ok(Some(Advised::Remedies(remedies)))
        }
        Some(_) => Err(("recommend", "must be \"deny\" or a list of remedies".to_owned())),
    }
}

/// A detail, or a fact that holds details.
fn ask(written: &str) -> Result<Ask, String> {
    match FactName::find(written) {
        Some(fact) if fact.kind() == FactKind::Set(DETAILS) => Ok(Ask::DetailsIn(fact)),
        _ => named(written, "detail", DETAILS).map(Ask::Detail),
    }
}

fn template(field: &'static str, text: &str, outcome: Outcome, parameters: &Parameters) -> Checked<Template> {
    // The desk may read what is recommended; the customer only what is given.
    let desk = field == "advice" && outcome == Outcome::Review;
    let scope = Scope {
        grants: desk || outcome == Outcome::Approve,
        requested: outcome == Outcome::RequestInformation,
    };
    Template::parse(text, scope, parameters).map_err(|problem| (field, problem))
}

fn named<T: serde::de::DeserializeOwned>(word: &str, what: &str, known: &[&str]) -> Result<T, String> {
    read_word(word).ok_or_else(|| format!("there is no {what} `{word}`{}", hint(word, known.iter().copied())))
}
