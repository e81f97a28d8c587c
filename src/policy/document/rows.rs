//! Checking the rows: every name known, every field at home with the outcome.

use super::{MAX_ROWS, Wrong, raw};
use crate::domain::request::{Claim, Detail};
use crate::policy::facts::{CLAIMS, DETAILS, FactKind, FactName, read_word};
use crate::policy::parameters::Parameters;
use crate::policy::sentence::{Scope, Template};
use crate::policy::spelling::hint;
use crate::policy::table::{Advised, Ask, Outcome, Row, conditions, remedies};
use std::collections::{BTreeMap, BTreeSet};

/// Longest row id: a number and a letter, with room to spare.
const MAX_ROW_ID: usize = 16;

pub(super) fn rows(written: Vec<raw::Line>, parameters: &Parameters) -> Result<Vec<Row>, Wrong> {
    if written.is_empty() || written.len() > MAX_ROWS {
        return Err(Wrong::new(format!("must be 1 to {MAX_ROWS}")).below("rows"));
    }
    let mut rows: Vec<Row> = Vec::with_capacity(written.len());
    for (index, raw) in written.into_iter().enumerate() {
        let wrong = |wrong: Wrong| wrong.item(index).below("rows");
        if rows.iter().any(|row| row.id == raw.row) {
            return Err(wrong(Wrong::new("there are two rows of this name").below("row")));
        }
        rows.push(row(raw, parameters).map_err(wrong)?);
    }
    Ok(rows)
}

pub(super) fn required_details(
    written: &BTreeMap<String, Vec<String>>,
) -> Result<BTreeMap<Claim, BTreeSet<Detail>>, Wrong> {
    let mut required = BTreeMap::new();
    for (name, details) in written {
        let wrong = |wrong: Wrong| wrong.below(name.as_str()).below("required_details");
        let claim: Claim = named(name, "claim", CLAIMS).map_err(wrong)?;
        let details = listed(details, |detail| named(detail, "detail", DETAILS)).map_err(wrong)?;
        required.insert(claim, details);
    }
    Ok(required)
}

/// Reads every item of a list; what is wrong is told with its place.
fn listed<T, C: FromIterator<T>>(
    written: &[String],
    read: impl Fn(&str) -> Result<T, Wrong>,
) -> Result<C, Wrong> {
    let items = written.iter().enumerate();
    items.map(|(index, item)| read(item).map_err(|wrong| wrong.item(index))).collect()
}

/// A clause as the text numbers them: `6`, `2.1`.
pub(in crate::policy) fn is_clause(text: &str) -> bool {
    let number = |part: &str| (1..=3).contains(&part.len()) && part.chars().all(|c| c.is_ascii_digit());
    text.split('.').all(number) && text.split('.').count() <= 3
}

fn row(raw: raw::Line, parameters: &Parameters) -> Result<Row, Wrong> {
    check_id(&raw.row)?;
    check_clauses(&raw.clauses)?;
    let remedies = remedies(&raw.remedies, parameters).map_err(|wrong| wrong.below("remedies"))?;
    check_outcome(&raw)?;
    if raw.why.trim().is_empty() {
        return Err(Wrong::new("must say how the text was read").below("why"));
    }
    let when = raw.when.iter().enumerate().map(|(index, written)| {
        conditions(written, parameters).map_err(|wrong| wrong.item(index).below("when"))
    });
    let row = Row {
        claims: claims(raw.claims.as_deref())?,
        when: when.collect::<Result<_, _>>()?,
        request: listed(&raw.request, ask).map_err(|wrong| wrong.below("request"))?,
        recommend: recommend(raw.recommend.as_ref(), parameters).map_err(|wrong| wrong.below("recommend"))?,
        remedies,
        sentence: template("sentence", &raw.sentence, raw.outcome, parameters)?,
        advice: template("advice", &raw.advice, raw.outcome, parameters)?,
        id: raw.row,
        clauses: raw.clauses,
        outcome: raw.outcome,
        why: raw.why,
    };
    if row.sentence.is_empty() {
        return Err(Wrong::new("must not be empty").below("sentence"));
    }
    match row.sentence.cited().into_iter().find(|cited| !row.clauses.contains(cited)) {
        Some(cited) => {
            let near = hint(&cited, row.clauses.iter().map(String::as_str));
            Err(Wrong::new(format!("cites §{cited}, which is not among `clauses`{near}")).below("sentence"))
        }
        None => Ok(row),
    }
}

fn check_id(id: &str) -> Result<(), Wrong> {
    let fits = (1..=MAX_ROW_ID).contains(&id.len())
        && id.starts_with(|c: char| c.is_ascii_digit())
        && id.chars().all(|c| c.is_ascii_digit() || c.is_ascii_lowercase());
    if fits {
        Ok(())
    } else {
        Err(Wrong::new("must be a number with at most a letter behind it, such as `4a`").below("row"))
    }
}

fn check_clauses(clauses: &[String]) -> Result<(), Wrong> {
    if clauses.is_empty() {
        return Err(Wrong::new("must not be empty: every answer cites its clause").below("clauses"));
    }
    match clauses.iter().enumerate().find(|(_, clause)| !is_clause(clause)) {
        Some((index, clause)) => {
            Err(Wrong::new(format!("`{clause}` is no clause such as `2.1`")).item(index).below("clauses"))
        }
        None => Ok(()),
    }
}

/// Each outcome has its own fields, and only those.
fn check_outcome(raw: &raw::Line) -> Result<(), Wrong> {
    let approves = raw.outcome == Outcome::Approve;
    let asks = raw.outcome == Outcome::RequestInformation;
    if approves == raw.remedies.is_empty() {
        let problem = if approves {
            "an approval needs a remedy"
        } else {
            "belong to approvals; a review has `recommend`"
        };
        return Err(Wrong::new(problem).below("remedies"));
    }
    if asks == raw.request.is_empty() {
        let problem = if asks {
            "a request for information must say what it asks for"
        } else {
            "belongs to requests for information"
        };
        return Err(Wrong::new(problem).below("request"));
    }
    if raw.recommend.is_some() && raw.outcome != Outcome::Review {
        return Err(Wrong::new("belongs to reviews").below("recommend"));
    }
    Ok(())
}

fn claims(written: Option<&[String]>) -> Result<Option<BTreeSet<Claim>>, Wrong> {
    let Some(written) = written else { return Ok(None) };
    if written.is_empty() {
        return Err(Wrong::new("must not be empty; leave it out for all claims").below("claims"));
    }
    let claims = listed(written, |claim| named(claim, "claim", CLAIMS));
    claims.map(Some).map_err(|wrong| wrong.below("claims"))
}

fn recommend(written: Option<&toml::Value>, parameters: &Parameters) -> Result<Option<Advised>, Wrong> {
    match written {
        None => Ok(None),
        Some(toml::Value::String(word)) if word == "deny" => Ok(Some(Advised::Deny)),
        Some(toml::Value::Array(written)) if !written.is_empty() => {
            remedies(written, parameters).map(Advised::Remedies).map(Some)
        }
        Some(toml::Value::String(word)) => {
            Err(Wrong::new(format!("must be \"deny\" or a list of remedies{}", hint(word, ["deny"]))))
        }
        Some(_) => Err(Wrong::new("must be \"deny\" or a list of remedies")),
    }
}

/// A detail, or a fact that holds details.
fn ask(written: &str) -> Result<Ask, Wrong> {
    match FactName::find(written) {
        Some(fact) if fact.kind() == FactKind::Set(DETAILS) => Ok(Ask::DetailsIn(fact)),
        _ => {
            let sets = FactName::ALL.iter().filter(|fact| fact.kind() == FactKind::Set(DETAILS));
            let known = DETAILS.iter().copied().chain(sets.map(|fact| fact.name()));
            let near = || Wrong::new(format!("there is no detail `{written}`{}", hint(written, known)));
            read_word(written).map(Ask::Detail).ok_or_else(near)
        }
    }
}

fn template(
    field: &'static str,
    text: &str,
    outcome: Outcome,
    parameters: &Parameters,
) -> Result<Template, Wrong> {
    // The desk may read what is recommended; the customer only what is given.
    let desk = field == "advice" && outcome == Outcome::Review;
    let scope = Scope {
        grants: desk || outcome == Outcome::Approve,
        requested: outcome == Outcome::RequestInformation,
    };
    Template::parse(text, scope, parameters).map_err(|problem| Wrong::new(problem).below(field))
}

fn named<T: serde::de::DeserializeOwned>(word: &str, what: &str, known: &[&str]) -> Result<T, Wrong> {
    let near = || Wrong::new(format!("there is no {what} `{word}`{}", hint(word, known.iter().copied())));
    read_word(word).ok_or_else(near)
}
