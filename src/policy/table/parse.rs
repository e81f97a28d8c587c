//! Reading conditions: each must fit the kind of its fact.

use super::condition::{Bound, Condition, Test};
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
) -> Result<Vec<Condition>, String> {
    let mut conditions = Vec::new();
    for (name, value) in written {
        let fact = fact(name)?;
        let at = |problem: String| format!("`{name}`: {problem}");
        if fact.kind() == FactKind::Map {
            let keys =
                value.as_table().ok_or_else(|| at("needs a key, such as `attributes.country`".to_owned()))?;
            for (key, value) in keys {
                let tests = tests(FactKind::Text, value, parameters).map_err(at)?;
                conditions.push(Condition { fact, key: Some(key.clone()), tests });
            }
        } else {
            let tests = tests(fact.kind(), value, parameters).map_err(at)?;
            conditions.push(Condition { fact, key: None, tests });
        }
    }
    if conditions.is_empty() {
        return Err("an alternative without conditions always holds; leave `when` out instead".to_owned());
    }
    conditions.sort_by(|one, other| (one.fact, &one.key).cmp(&(other.fact, &other.key)));
    Ok(conditions)
}

fn fact(name: &str) -> Result<FactName, String> {
    FactName::find(name).ok_or_else(|| {
        format!("there is no fact `{name}`{}", hint(name, FactName::ALL.iter().map(|fact| fact.name())))
    })
}

fn tests(kind: FactKind, value: &toml::Value, parameters: &Parameters) -> Result<Vec<Test>, String> {
    let Some(table) = value.as_table() else {
        return Ok(vec![plain(kind, value, parameters)?]);
    };
    if table.is_empty() {
        return Err("the condition is empty".to_owned());
    }
    table.iter().map(|(operator, value)| test(kind, operator, value, parameters)).collect()
}

/// The short form: `claim = "other"`, `renewal = true`, `unused = 0`.
fn plain(kind: FactKind, value: &toml::Value, parameters: &Parameters) -> Result<Test, String> {
    match kind {
        FactKind::Set(_) => Err("a set needs `has`, `has_any`, `lacks`, `empty` or `any_outside`".to_owned()),
        _ => test(kind, "is", value, parameters),
    }
}

fn test(
    kind: FactKind,
    operator: &str,
    value: &toml::Value,
    parameters: &Parameters,
) -> Result<Test, String> {
    let bound = || bound(kind, value, parameters);
    match (kind, operator) {
        (FactKind::Time, _) => Err("an instant takes no conditions; use an age".to_owned()),
        (FactKind::Bool, "is") => {
            value.as_bool().map(Test::Is).ok_or_else(|| "must be true or false".to_owned())
        }
        (FactKind::Word(_) | FactKind::Text, "is") => {
            let text = value.as_str().ok_or_else(|| "must be a text".to_owned())?;
            Ok(Test::OneOf(known(kind, BTreeSet::from([text.to_owned()]))?))
        }
        (FactKind::Word(_) | FactKind::Text, "one_of") => Ok(Test::OneOf(words(kind, value)?)),
        (FactKind::Word(_) | FactKind::Text, "not") => Ok(Test::NoneOf(words(kind, value)?)),
        (FactKind::Set(_), "has") => Ok(Test::Has(words(kind, value)?)),
        (FactKind::Set(_), "has_any") => Ok(Test::HasAny(words(kind, value)?)),
        (FactKind::Set(_), "lacks") => Ok(Test::Lacks(words(kind, value)?)),
        (FactKind::Set(_), "empty") => {
            value.as_bool().map(Test::Empty).ok_or_else(|| "`empty` must be true or false".to_owned())
        }
        (FactKind::Set(own), "any_outside") => {
            let other = fact(value.as_str().ok_or_else(|| "`any_outside` names another set".to_owned())?)?;
            match other.kind() {
                FactKind::Set(words) if words == own => Ok(Test::AnyOutside(other)),
                _ => Err(format!("`{}` is no set of the same words", other.name())),
            }
        }
        (kind, "is") if numeric(kind) => Ok(Test::Exactly(bound()?)),
        (kind, "at_least") if numeric(kind) => Ok(Test::AtLeast(bound()?)),
        (kind, "more_than") if numeric(kind) => Ok(Test::MoreThan(bound()?)),
        (kind, "at_most") if numeric(kind) => Ok(Test::AtMost(bound()?)),
        (kind, "less_than") if numeric(kind) => Ok(Test::LessThan(bound()?)),
        _ => Err(format!(
            "`{operator}` is no condition for it{}",
            hint(operator, operators(kind).iter().copied())
        )),
    }
}

const fn numeric(kind: FactKind) -> bool {
    matches!(
        kind,
        FactKind::Count | FactKind::Credits | FactKind::Minor | FactKind::Share | FactKind::Duration
    )
}

const fn operators(kind: FactKind) -> &'static [&'static str] {
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
fn words(kind: FactKind, value: &toml::Value) -> Result<BTreeSet<String>, String> {
    let problem = || "must be a word or a list of words".to_owned();
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

fn known(kind: FactKind, words: BTreeSet<String>) -> Result<BTreeSet<String>, String> {
    if let FactKind::Word(known) | FactKind::Set(known) = kind
        && let Some(word) = words.iter().find(|word| !known.contains(&word.as_str()))
    {
        return Err(format!("unknown word `{word}`{}", hint(word, known.iter().copied())));
    }
    Ok(words)
}

/// A literal in the notation of the fact, or `"$parameter"` of the same kind.
fn bound(kind: FactKind, value: &toml::Value, parameters: &Parameters) -> Result<Bound, String> {
    let named = value.as_str().and_then(|text| text.strip_prefix('$'));
    let parameter = match named {
        Some(name) => parameters.get(name).ok_or_else(|| {
            format!("there is no parameter `{name}`{}", hint(name, parameters.iter().map(|(known, _)| known)))
        })?,
        None => literal(kind, value)?,
    };
    let number = match (kind, parameter) {
        (FactKind::Share, Parameter::Share(share)) => share.basis_points(),
        (FactKind::Duration, Parameter::Duration(span)) => span.micros(),
        (FactKind::Count | FactKind::Credits | FactKind::Minor, Parameter::Number(number)) if number >= 0 => {
            number
        }
        _ => return Err(format!("`{parameter}` is of another kind than the fact")),
    };
    let written = match named {
        Some(name) => format!("{parameter} ({name})"),
        None => parameter.to_string(),
    };
    Ok(Bound { number, written })
}

fn literal(kind: FactKind, value: &toml::Value) -> Result<Parameter, String> {
    match (kind, value) {
        (FactKind::Share, toml::Value::String(text)) => {
            Share::parse(text).map(Parameter::Share).map_err(|error| error.to_string())
        }
        (FactKind::Duration, toml::Value::String(text)) => {
            Span::parse(text).map(Parameter::Duration).map_err(|error| error.to_string())
        }
        (FactKind::Share, _) => Err("must be a share such as `50%`".to_owned()),
        (FactKind::Duration, _) => Err("must be a length of time such as `7d`".to_owned()),
        (_, toml::Value::Integer(number)) => Ok(Parameter::Number(*number)),
        _ => Err("must be a whole number".to_owned()),
    }
}
