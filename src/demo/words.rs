//! How answers of the service are put into a few words.

use super::teller::Mood;
use crate::proto::makegood::v1;
use crate::proto::makegood::v1::{ChargebackStage, Outcome, RestoreOutcome};

/// `APPROVE §2.1 row 14`.
pub(super) fn decision(decision: &v1::Decision) -> (String, Mood) {
    let (outcome, mood) = match decision.outcome() {
        Outcome::Unspecified => ("NO OUTCOME", Mood::Bad),
        Outcome::Approve => ("APPROVE", Mood::Good),
        Outcome::Deny => ("DENY", Mood::Bad),
        Outcome::RequestInformation => ("REQUEST INFORMATION", Mood::Waiting),
        Outcome::Review => ("REVIEW", Mood::Waiting),
    };
    (format!("{outcome} {} row {}", clauses(&decision.clauses), decision.row), mood)
}

/// `RESTORED §2.2`.
pub(super) fn restoration(answer: &v1::RestoreCreditsResponse) -> (String, Mood) {
    let (outcome, mood) = match answer.outcome() {
        RestoreOutcome::Unspecified => ("NO OUTCOME", Mood::Bad),
        RestoreOutcome::Restored => ("RESTORED", Mood::Good),
        RestoreOutcome::Released => ("RELEASED", Mood::Good),
        RestoreOutcome::AlreadyRestored => ("ALREADY RESTORED", Mood::Plain),
        RestoreOutcome::NotRestorable => ("NOT RESTORABLE", Mood::Bad),
    };
    (format!("{outcome} §{}", answer.clause), mood)
}

/// `OPEN §6, suspended`: where a dispute is, and whether the account may spend.
pub(super) fn dispute(answer: &v1::RecordChargebackResponse) -> (String, Mood) {
    let stage = answer.chargeback.as_ref().map_or(ChargebackStage::Unspecified, v1::Chargeback::stage);
    let (stage, mood) = match stage {
        ChargebackStage::Unspecified => ("NO STAGE", Mood::Bad),
        ChargebackStage::Open => ("OPEN", Mood::Waiting),
        ChargebackStage::Won => ("WON", Mood::Good),
        ChargebackStage::Lost => ("LOST", Mood::Bad),
        ChargebackStage::Withdrawn => ("WITHDRAWN", Mood::Good),
    };
    let standing = match &answer.account {
        Some(account) if account.may_spend => "may spend",
        Some(_) => "suspended",
        None => "no account",
    };
    (format!("{stage} §6, {standing}"), mood)
}

/// What a dispute has taken so far.
pub(super) fn taken(chargeback: &v1::Chargeback) -> String {
    let parts = [
        (chargeback.frozen_credits, "frozen until the bank has decided"),
        (chargeback.revoked_credits, "revoked"),
        (chargeback.shortfall_credits, "had been used before and cannot be taken"),
        (chargeback.unfrozen_credits, "given back"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(credits, _)| *credits > 0)
        .map(|(credits, what)| format!("{credits} credits {what}"))
        .collect();
    parts.join(", ")
}

/// `§3.1 §3.2`.
fn clauses(clauses: &[String]) -> String {
    clauses.iter().map(|clause| format!("§{clause}")).collect::<Vec<_>>().join(" ")
}

/// `9.99 USD`, with as many digits as the currency has (ISO 4217); empty for no money.
pub(super) fn money(money: Option<&v1::Money>) -> String {
    money.map_or_else(String::new, |money| amount(money.minor_units, &money.currency_code))
}

/// `duplicate_purchase`, as policy documents name claims.
pub(super) fn claim(claim: v1::Claim) -> String {
    claim.as_str_name().trim_start_matches("CLAIM_").to_lowercase()
}

/// An amount in minor units, written in major ones.
pub(super) fn amount(minor_units: i64, currency_code: &str) -> String {
    let exponent =
        iso_currency::Currency::from_code(currency_code).and_then(iso_currency::Currency::exponent);
    let digits = exponent.map_or(0, u32::from);
    let unit = 10_i64.checked_pow(digits).unwrap_or(1);
    let (major, minor) = (minor_units.checked_div(unit), minor_units.checked_rem(unit));
    let major = major.unwrap_or(0);
    match usize::try_from(digits) {
        Ok(digits) if digits > 0 => format!("{major}.{:0digits$} {currency_code}", minor.unwrap_or(0)),
        _ => format!("{major} {currency_code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::amount;

    #[test]
    fn money_has_as_many_digits_as_its_currency() {
        assert_eq!(amount(100_999, "USD"), "1009.99 USD");
        assert_eq!(amount(5, "USD"), "0.05 USD");
        assert_eq!(amount(1_500, "JPY"), "1500 JPY");
        assert_eq!(amount(1_500, "KWD"), "1.500 KWD");
    }
}
