//! Remedies as a document writes them, with their figures.

use crate::domain::credits::Credits;
use crate::domain::money::Currency;
use crate::policy::amount::RemedyKind;
use crate::policy::facts::{FactKind, FactName};
use crate::policy::share::Share;
use std::collections::BTreeMap;
use std::fmt;

/// A remedy: `"refund_unused"`, `{ refund_full = { fee_share = "5%" } }`, `{ compensate = 20 }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// [`RemedyKind::RestoreUndelivered`].
    RestoreUndelivered,
    /// [`RemedyKind::RestoreFailed`].
    RestoreFailed,
    /// [`RemedyKind::RestoreAttempt`].
    RestoreAttempt,
    /// [`RemedyKind::RefundUnused`], less the deductions.
    RefundUnused(Deductions),
    /// [`RemedyKind::RefundFull`], less the deductions.
    RefundFull(Deductions),
    /// [`RemedyKind::RefundFixed`], in minor units by currency.
    RefundFixed(BTreeMap<Currency, i64>),
    /// [`RemedyKind::Compensate`].
    Compensate(Compensation),
}

/// What is taken off a refund, once for each purchase however often parts of it are refunded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deductions {
    /// A fee in minor units by currency; a refund in a currency that is not listed pays nothing by itself. Empty for
    /// no fee.
    pub fee: BTreeMap<Currency, i64>,
    /// A part of what would be paid, rounded down; nothing for no fee.
    pub fee_share: Share,
    /// Whether credits that stay with the customer, used or held, are charged at the list price.
    pub used_at_list_price: bool,
}

impl Deductions {
    /// Whether nothing is taken off.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// How many free credits are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compensation {
    /// So many.
    Credits(Credits),
    /// A part of a fact that counts credits, rounded down.
    Share {
        /// The part.
        share: Share,
        /// The fact.
        of: FactName,
        /// Most credits that are given; `None` for no bound.
        at_most: Option<Credits>,
    },
}

impl Remedy {
    /// Its kind, without the figures.
    #[must_use]
    pub const fn kind(&self) -> RemedyKind {
        match self {
            Self::RestoreUndelivered => RemedyKind::RestoreUndelivered,
            Self::RestoreFailed => RemedyKind::RestoreFailed,
            Self::RestoreAttempt => RemedyKind::RestoreAttempt,
            Self::RefundUnused(_) => RemedyKind::RefundUnused,
            Self::RefundFull(_) => RemedyKind::RefundFull,
            Self::RefundFixed(_) => RemedyKind::RefundFixed,
            Self::Compensate(_) => RemedyKind::Compensate,
        }
    }
}

/// Facts that a compensation may be a part of.
pub(in crate::policy) fn countable() -> impl Iterator<Item = FactName> {
    FactName::ALL.iter().copied().filter(|fact| fact.kind() == FactKind::Credits)
}

impl fmt::Display for Remedy {
    /// As a person reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RestoreUndelivered => f.write_str("deliver the missing credits"),
            Self::RestoreFailed => f.write_str("give back the credits that our failures took"),
            Self::RestoreAttempt => f.write_str("give back the credits of the attempt"),
            Self::RefundUnused(less) => write!(f, "refund what is unused{less}"),
            Self::RefundFull(less) => write!(f, "refund the whole price{less}"),
            Self::RefundFixed(amounts) => write!(f, "refund {}", Amounts(amounts)),
            Self::Compensate(Compensation::Credits(credits)) => write!(f, "give {credits} credits"),
            Self::Compensate(Compensation::Share { share, of, at_most }) => {
                write!(f, "give {share} of {} as credits", of.name())?;
                at_most.map_or(Ok(()), |most| write!(f, ", at most {most}"))
            }
        }
    }
}

impl fmt::Display for Deductions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fee = (!self.fee.is_empty()).then(|| format!("a fee of {}", Amounts(&self.fee)));
        let share = (self.fee_share > Share::default()).then(|| format!("{} of it", self.fee_share));
        let used = self.used_at_list_price.then(|| "used credits at list price".to_owned());
        let parts: Vec<_> = [fee, share, used].into_iter().flatten().collect();
        if parts.is_empty() { Ok(()) } else { write!(f, ", less {}", parts.join(" and ")) }
    }
}

/// Amounts by currency: `5.00 EUR or 6.00 USD`.
struct Amounts<'a>(&'a BTreeMap<Currency, i64>);

impl fmt::Display for Amounts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let money = |(currency, minor): (&Currency, &i64)| {
            crate::domain::money::Money { currency: *currency, minor_units: *minor }.to_string()
        };
        f.write_str(&self.0.iter().map(money).collect::<Vec<_>>().join(" or "))
    }
}
