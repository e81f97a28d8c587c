//! Reading remedies: each with the figures that belong to it, and no two that would give the same twice.

use super::parse::bound;
use super::remedy::{Compensation, Deductions, Remedy, countable};
use crate::domain::credits::Credits;
use crate::domain::money::Currency;
use crate::policy::document::Wrong;
use crate::policy::facts::{FactKind, FactName};
use crate::policy::parameters::Parameters;
use crate::policy::share::Share;
use crate::policy::spelling::hint;
use std::collections::BTreeMap;

/// Remedies by name, and whether they can be written without figures.
pub(in crate::policy) const REMEDIES: [(&str, bool); 7] = [
    ("restore_undelivered", true),
    ("restore_failed", true),
    ("restore_attempt", true),
    ("refund_unused", true),
    ("refund_full", true),
    ("refund_fixed", false),
    ("compensate", false),
];

/// Reads a list of remedies.
pub(in crate::policy) fn remedies(
    written: &[toml::Value],
    parameters: &Parameters,
) -> Result<Vec<Remedy>, Wrong> {
    let mut remedies: Vec<Remedy> = Vec::with_capacity(written.len());
    for (index, value) in written.iter().enumerate() {
        let read = remedy(value, parameters).map_err(|wrong| wrong.item(index))?;
        if let Some(problem) = remedies.iter().find_map(|before| contradiction(before, &read)) {
            return Err(Wrong::new(problem).item(index));
        }
        remedies.push(read);
    }
    Ok(remedies)
}

/// Why two remedies do not go together.
fn contradiction(before: &Remedy, after: &Remedy) -> Option<&'static str> {
    let of_attempt = |remedy: &Remedy| matches!(remedy, Remedy::RestoreAttempt);
    let restores_failures = |remedy: &Remedy| matches!(remedy, Remedy::RestoreFailed);
    if before.kind() == after.kind() {
        Some("is there already")
    } else if before.kind().pays() && after.kind().pays() {
        Some("a row pays money by one remedy only")
    } else if of_attempt(before) && (restores_failures(after) || after.kind().pays())
        || of_attempt(after) && (restores_failures(before) || before.kind().pays())
    {
        Some("`restore_attempt` goes with no other remedy for the same credits")
    } else if before.kind().pays() && after.kind().restores() {
        Some("credits are restored before money is paid")
    } else {
        None
    }
}

fn remedy(written: &toml::Value, parameters: &Parameters) -> Result<Remedy, Wrong> {
    match written {
        toml::Value::String(name) => plain(name),
        toml::Value::Table(table) => {
            let mut fields = table.iter();
            match (fields.next(), fields.next()) {
                (Some((name, figures)), None) => {
                    with_figures(name, figures, parameters).map_err(|wrong| wrong.below(name.as_str()))
                }
                _ => Err("a remedy is one name with its figures".into()),
            }
        }
        _ => Err("must be a remedy, such as \"refund_unused\" or { compensate = 20 }".into()),
    }
}

fn plain(name: &str) -> Result<Remedy, Wrong> {
    match name {
        "restore_undelivered" => Ok(Remedy::RestoreUndelivered),
        "restore_failed" => Ok(Remedy::RestoreFailed),
        "restore_attempt" => Ok(Remedy::RestoreAttempt),
        "refund_unused" => Ok(Remedy::RefundUnused(Deductions::default())),
        "refund_full" => Ok(Remedy::RefundFull(Deductions::default())),
        "refund_fixed" => Err("needs amounts, as { refund_fixed = { USD = 500 } }".into()),
        "compensate" => Err("needs credits, as { compensate = 20 }".into()),
        _ => Err(unknown(name)),
    }
}

fn unknown(name: &str) -> Wrong {
    Wrong::new(format!("there is no remedy `{name}`{}", hint(name, REMEDIES.map(|(known, _)| known))))
}

fn with_figures(name: &str, figures: &toml::Value, parameters: &Parameters) -> Result<Remedy, Wrong> {
    match name {
        "refund_unused" => deductions(figures, parameters).map(Remedy::RefundUnused),
        "refund_full" => deductions(figures, parameters).map(Remedy::RefundFull),
        "refund_fixed" => amounts(figures).map(Remedy::RefundFixed),
        "compensate" => compensation(figures, parameters).map(Remedy::Compensate),
        "restore_undelivered" | "restore_failed" | "restore_attempt" => {
            Err(Wrong::new(format!("has no figures: write \"{name}\"")))
        }
        _ => Err(unknown(name)),
    }
}

fn deductions(written: &toml::Value, parameters: &Parameters) -> Result<Deductions, Wrong> {
    const FIELDS: [&str; 3] = ["fee", "fee_share", "used_at_list_price"];
    let mut less = Deductions::default();
    for (field, value) in fields(written, &FIELDS)? {
        let at = |wrong: Wrong| wrong.below(field.as_str());
        match field.as_str() {
            "fee" => less.fee = amounts(value).map_err(at)?,
            "fee_share" => less.fee_share = share(value, parameters).map_err(at)?,
            _ => {
                let charged = value.as_bool();
                less.used_at_list_price = charged.ok_or_else(|| at("must be true or false".into()))?;
            }
        }
    }
    if less.is_none() { Err("takes nothing off; leave the figures out".into()) } else { Ok(less) }
}

fn compensation(written: &toml::Value, parameters: &Parameters) -> Result<Compensation, Wrong> {
    const FIELDS: [&str; 3] = ["share", "of", "at_most"];
    if !written.is_table() {
        return credits(written, parameters).map(Compensation::Credits);
    }
    let (mut part, mut of, mut at_most) = (None, None, None);
    for (field, value) in fields(written, &FIELDS)? {
        let at = |wrong: Wrong| wrong.below(field.as_str());
        match field.as_str() {
            "share" => part = Some(share(value, parameters).map_err(at)?),
            "of" => of = Some(counted(value).map_err(at)?),
            _ => at_most = Some(credits(value, parameters).map_err(at)?),
        }
    }
    match (part, of) {
        (Some(share), Some(of)) => Ok(Compensation::Share { share, of, at_most }),
        _ => Err("needs `share` and `of`, as { share = \"10%\", of = \"bought\" }".into()),
    }
}

/// The fields of a table, each known.
fn fields<'a>(
    written: &'a toml::Value,
    known: &'static [&'static str],
) -> Result<impl Iterator<Item = (&'a String, &'a toml::Value)>, Wrong> {
    let table = written.as_table().ok_or("must be a table of figures")?;
    match table.keys().find(|field| !known.contains(&field.as_str())) {
        Some(unknown) => {
            let near = hint(unknown, known.iter().copied());
            Err(Wrong::new(format!("unknown field `{unknown}`{near}")).below(unknown.as_str()))
        }
        None => Ok(table.iter()),
    }
}

fn share(value: &toml::Value, parameters: &Parameters) -> Result<Share, Wrong> {
    let share = Share::from_basis_points(bound(FactKind::Share, value, parameters)?.number);
    share.filter(|share| *share > Share::default()).ok_or_else(|| "must be more than nothing".into())
}

fn credits(value: &toml::Value, parameters: &Parameters) -> Result<Credits, Wrong> {
    let number = bound(FactKind::Credits, value, parameters)?.number;
    Credits::new(number)
        .filter(|credits| !credits.is_zero() && *credits <= Credits::MAX_PER_CALL)
        .ok_or_else(|| Wrong::new(format!("must be 1 to {} credits", Credits::MAX_PER_CALL)))
}

fn counted(value: &toml::Value) -> Result<FactName, Wrong> {
    let name = value.as_str().ok_or("must be the name of a fact that counts credits")?;
    countable().find(|fact| fact.name() == name).ok_or_else(|| {
        let near = hint(name, countable().map(FactName::name));
        Wrong::new(format!("`{name}` is no fact that counts credits{near}"))
    })
}

/// Amounts in minor units by currency.
fn amounts(written: &toml::Value) -> Result<BTreeMap<Currency, i64>, Wrong> {
    let table = written.as_table().filter(|table| !table.is_empty());
    let table = table.ok_or("must be amounts in minor units by currency, as { USD = 500 }")?;
    let amount = |(code, minor): (&String, &toml::Value)| {
        let currency = Currency::parse(code).map_err(|error| Wrong::new(error.to_string()))?;
        let minor = minor.as_integer().filter(|minor| *minor > 0);
        minor.map(|minor| (currency, minor)).ok_or_else(|| Wrong::new("must be minor units, more than 0"))
    };
    table.iter().map(|field| amount(field).map_err(|wrong| wrong.below(field.0.as_str()))).collect()
}
