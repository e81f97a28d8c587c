//! Reading conditions: each must fit the kind of its fact.

use super::condition::{Bound, Condition, Test};
use crate::policy::document::Wrong;
use crate::policy::facts::{FactKind, FactName};
use crate::policy::parameters::{Parameter, Parameters};
use crate::policy::share::Share;
use crate::policy::span::Span;
use crate::policy::spelling::hint;
use std::collections::BTreeSet;

/// Reads one alternative: `{ fact = condition, … }`, in the order of the facts' names.
pub(in crate::policy) fn conditions(
    written: &toml::Table,
    parameters: &Parameters,
) -> Result<Vec<Condition>, Wrong> {
    let mut conditions = Vec::new();
    for (name, value) in written {
        let at = |wrong: Wrong| wrong.below(name.as_str());
        let fact = fact(name).map_err(at)?;
        if fact.kind() == FactKind::Map {
            let keys =
                value.as_table().ok_or_else(|| at("needs a key, such as `attributes.country`".into()))?;
            for (key, value) in keys {
                let tests = tests(FactKind::Text, value, parameters)
                    .map_err(|wrong| at(wrong.below(key.as_str())))?;
                conditions.push(Condition { fact, key: Some(key.clone()), tests });
            }
        } else {
            let tests = tests(fact.kind(), value, parameters).map_err(at)?;
            conditions.push(Condition { fact, key: None, tests });
        }
    }
    if conditions.is_empty() {
        return Err("an alternative without conditions always holds; leave `when` out instead".into());
    }
    conditions.sort_by(|one, other| (one.fact, &one.key).cmp(&(other.fact, &other.key)));
    Ok(conditions)
}

fn fact(name: &str) -> Result<FactName, Wrong> {
    FactName::find(name).ok_or_else(|| {
        Wrong::new(format!(
            "there is no fact `{name}`{}",
            hint(name, FactName::ALL.iter().map(|fact| fact.name()))
        ))
    })
}

fn tests(kind: FactKind, value: &toml::Value, parameters: &Parameters) -> Result<Vec<Test>, Wrong> {
    let Some(table) = value.as_table() else {
        return Ok(vec![plain(kind, value, parameters)?]);
    };
    if table.is_empty() {
        return Err("the condition is empty".into());
    }
    let test = |(operator, value): (&String, &toml::Value)| {
        test(kind, operator, value, parameters).map_err(|wrong| wrong.below(operator.as_str()))
    };
    table.iter().map(test).collect()
}

/// The short form: `claim = "other"`, `renewal = true`, `unused = 0`.
fn plain(kind: FactKind, value: &toml::Value, parameters: &Parameters) -> Result<Test, Wrong> {
    match kind {
        FactKind::Set(_) => Err("a set needs `has`, `has_any`, `lacks`, `empty` or `any_outside`".into()),
        _ => test(kind, "is", value, parameters),
    }
}

fn test(kind: FactKind, operator: &str, value: &toml::Value, parameters: &Parameters) -> Result<Test, Wrong> {
    let bound = || bound(kind, value, parameters);
    match (kind, operator) {
        (FactKind::Time, _) => Err("an instant takes no conditions; use an age".into()),
        (FactKind::Bool, "is") => value.as_bool().map(Test::Is).ok_or_else(|| "must be true or false".into()),
        (FactKind::Word(_) | FactKind::Text, "is") => {
            let text = value.as_str().ok_or("must be a text")?;
            Ok(Test::OneOf(known(kind, BTreeSet::from([text.to_owned()]))?))
        }
        (FactKind::Word(_) | FactKind::Text, "one_of") => Ok(Test::OneOf(words(kind, value)?)),
        (FactKind::Word(_) | FactKind::Text, "not") => Ok(Test::NoneOf(words(kind, value)?)),
        (FactKind::Set(_), "has") => Ok(Test::Has(words(kind, value)?)),
        (FactKind::Set(_), "has_any") => Ok(Test::HasAny(words(kind, value)?)),
        (FactKind::Set(_), "lacks") => Ok(Test::Lacks(words(kind, value)?)),
        (FactKind::Set(_), "empty") => {
            value.as_bool().map(Test::Empty).ok_or_else(|| "must be true or false".into())
        }
        (FactKind::Set(own), "any_outside") => {
            let other = fact(value.as_str().ok_or("names another set")?)?;
            match other.kind() {
                FactKind::Set(words) if words == own => Ok(Test::AnyOutside(other)),
                _ => Err(Wrong::new(format!("`{}` is no set of the same words", other.name()))),
            }
        }
        (kind, "is") if numeric(kind) => Ok(Test::Exactly(bound()?)),
        (kind, "at_least") if numeric(kind) => Ok(Test::AtLeast(bound()?)),
        (kind, "more_than") if numeric(kind) => Ok(Test::MoreThan(bound()?)),
        (kind, "at_most") if numeric(kind) => Ok(Test::AtMost(bound()?)),
        (kind, "less_than") if numeric(kind) => Ok(Test::LessThan(bound()?)),
        _ => Err(Wrong::new(format!(
            "`{operator}` is no condition for it{}",
            hint(operator, operators(kind).iter().copied())
        ))),
    }
}

const fn numeric(kind: FactKind) -> bool {
    matches!(
        kind,
        FactKind::Count | FactKind::Credits | FactKind::Minor | FactKind::Share | FactKind::Duration
    )
}

/// The conditions that a fact of this kind takes.
pub(in crate::policy) const fn operators(kind: FactKind) -> &'static [&'static str] {
    match kind {
        FactKind::Bool => &["is"],
        FactKind::Word(_) | FactKind::Text | FactKind::Map => &["is", "one_of", "not"],
        FactKind::Set(_) => &["has", "has_any", "lacks", "empty", "any_outside"],
        FactKind::Time => &[],
        FactKind::Count | FactKind::Credits | FactKind::Minor | FactKind::Share | FactKind::Duration => {
            &["is", "at_least", "more_than", "at_most", "less_than"]
        }
    }
}

/// One word or a list of words, each known to the fact.
fn words(kind: FactKind, value: &toml::Value) -> Result<BTreeSet<String>, Wrong> {
    let problem = || Wrong::new("must be a word or a list of words");
    let words = match value {
        toml::Value::String(word) => BTreeSet::from([word.clone()]),
        toml::Value::Array(list) => list
            .iter()
            .map(|word| word.as_str().map(str::to_owned).ok_or_else(problem))
            .collect::<Result<_, _>>()?,
        _ => return Err(problem()),
    };
    if words.is_empty() { Err(problem()) } else { known(kind, words) }
}

fn known(kind: FactKind, words: BTreeSet<String>) -> Result<BTreeSet<String>, Wrong> {
    if let FactKind::Word(known) | FactKind::Set(known) = kind
        && let Some(word) = words.iter().find(|word| !known.contains(&word.as_str()))
    {
        return Err(Wrong::new(format!("unknown word `{word}`{}", hint(word, known.iter().copied()))));
    }
    Ok(words)
}

/// A literal in the notation of the fact, or `"$parameter"` of the same kind.
pub(super) fn bound(kind: FactKind, value: &toml::Value, parameters: &Parameters) -> Result<Bound, Wrong> {
    let named = value.as_str().and_then(|text| text.strip_prefix('$'));
    let parameter = match named {
        Some(name) => parameters.get(name).ok_or_else(|| {
            let near = hint(name, parameters.iter().map(|(known, _)| known));
            Wrong::new(format!("there is no parameter `{name}`{near}"))
        })?,
        None => literal(kind, value)?,
    };
    let number = match (kind, parameter) {
        (FactKind::Share, Parameter::Share(share)) => share.basis_points(),
        (FactKind::Duration, Parameter::Duration(span)) => span.micros(),
        (FactKind::Count | FactKind::Credits | FactKind::Minor, Parameter::Number(number)) if number >= 0 => {
            number
        }
        _ => {
            return Err(Wrong::new(format!(
                "`{parameter}` is of another kind than what it is compared with"
            )));
        }
    };
    let written = match named {
        Some(name) => format!("{parameter} ({name})"),
        None => parameter.to_string(),
    };
    Ok(Bound { number, written, parameter: named.map(str::to_owned) })
}

fn literal(kind: FactKind, value: &toml::Value) -> Result<Parameter, Wrong> {
    match (kind, value) {
        (FactKind::Share, toml::Value::String(text)) => {
            Share::parse(text).map(Parameter::Share).map_err(|error| Wrong::new(error.to_string()))
        }
        (FactKind::Duration, toml::Value::String(text)) => {
            Span::parse(text).map(Parameter::Duration).map_err(|error| Wrong::new(error.to_string()))
        }
        (FactKind::Share, _) => Err("must be a share such as `50%`".into()),
        (FactKind::Duration, _) => Err("must be a length of time such as `7d`".into()),
        (_, toml::Value::Integer(number)) => Ok(Parameter::Number(*number)),
        _ => Err("must be a whole number".into()),
    }
}
