//! The facts that a policy may speak about: a closed catalogue, each with a name, a kind and a meaning.
//!
//! [`Facts::observe`] computes them from our records; a decision depends on nothing else, so facts and document
//! together replay it. A fact that cannot be known (an age without a purchase) is absent, and no condition on an
//! absent fact holds.

mod account;
mod carry;
mod claim;
mod duplicate;
mod failure;
mod purchase;
mod value;

pub use carry::{CATALOGUE, Carried, Carrier};
pub use value::{FactError, Facts, Value};
pub(super) use value::{read_word, word};

use super::parameters::Parameters;
use crate::domain::case_file::CaseFile;
use std::cmp::Ordering;

/// What kind of value a fact has, and which conditions it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactKind {
    /// True or false.
    Bool,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Any text.
    Text,
    /// Any of these words, or none.
    Set(&'static [&'static str]),
    /// A plain number, 0 or more.
    Count,
    /// Credits, 0 or more.
    Credits,
    /// Minor units of the purchase's currency, 0 or more.
    Minor,
    /// A part of a whole.
    Share,
    /// Elapsed time.
    Duration,
    /// An instant: kept for the sentence and the calendar, not for conditions.
    Time,
    /// Text by key; conditions name a key, `attributes.country`.
    Map,
}

/// The claims, as [`crate::domain::request::Claim`] writes them.
pub const CLAIMS: &[&str] = &[
    "duplicate_purchase",
    "technical_issue",
    "credits_not_delivered",
    "unintended_renewal",
    "dissatisfied",
    "change_of_mind",
    "unauthorised_payment",
    "defective_output",
    "other",
];

/// The details, as [`crate::domain::request::Detail`] writes them.
pub const DETAILS: &[&str] = &[
    "order_id",
    "account_email",
    "purchased_at",
    "amount_paid",
    "explanation",
    "attempted_at",
    "attempt",
    "statement",
    "logs",
];

/// How an attempt ended, as [`crate::domain::case_file::AttemptEnd`] writes it, or that it runs.
const ATTEMPT_RESULTS: &[&str] = &["running", "success", "platform_failure", "other_failure"];

pub(super) const RESTRICTIONS: &[&str] = &[
    "suspended",
    "purchase_blocked",
    "refund_blocked",
    "terminated",
    "violation_suspected",
    "violation_confirmed",
];

macro_rules! catalogue {
    ($($variant:ident $name:literal $kind:expr, $meaning:literal;)*) => {
        /// The name of a fact.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum FactName {
            $(#[doc = $meaning] $variant,)*
        }

        impl FactName {
            /// The whole catalogue, grouped by what the facts are about.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// As documents write it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Its kind.
            #[must_use]
            pub const fn kind(self) -> FactKind {
                match self { $(Self::$variant => $kind,)* }
            }

            /// What it means, for people.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

catalogue! {
    // The claim.
    Claim "claim" FactKind::Word(CLAIMS), "What the customer says went wrong.";
    ReceivedAt "received_at" FactKind::Time, "When the request was received; the customer's time limits end here (§5.3).";
    WaitingSince "waiting_since" FactKind::Time, "Since when the customer waits for an answer, when that is later than the receipt: the reply to our question, or a refund that failed (§4.1).";
    MissingDetails "missing_details" FactKind::Set(DETAILS), "Details that this claim requires and that were not given (§5.2).";
    MismatchedDetails "mismatched_details" FactKind::Set(DETAILS), "Details that were given and contradict our records (§5.2).";
    DetailsGiven "details_given" FactKind::Set(DETAILS), "Details that were given and do not contradict our records (§5.2).";
    InformationAsked "information_asked" FactKind::Set(DETAILS), "Details that we have asked for in this case already.";
    EvidenceGiven "evidence_given" FactKind::Bool, "Whether papers came since we last asked; no machine reads them.";
    EvidenceReused "evidence_reused" FactKind::Bool, "Whether one of these papers was used in another case before.";
    // The account.
    Standing "standing" FactKind::Set(RESTRICTIONS), "The restrictions in force on the account.";
    Violation "violation" FactKind::Word(&["none", "suspected", "confirmed"]), "Whether the account violated our policies (§3.3).";
    RecentRefunds "recent_refunds" FactKind::Count, "Refunds approved within the recent refund window.";
    RefundsEver "refunds_ever" FactKind::Count, "Refunds approved ever.";
    AccountUsedCredits "account_used_credits" FactKind::Credits, "Credits consumed from all lots of the account.";
    AccountAvailable "account_available" FactKind::Credits, "Credits available in all lots of the account.";
    RecentCompensations "recent_compensations" FactKind::Count, "Compensations granted to the account within the recent refund window.";
    // The purchase; all but the first are absent while it is unknown.
    PurchaseKnown "purchase_known" FactKind::Bool, "Whether the request names a purchase of this account.";
    OrderId "order_id" FactKind::Text, "The order that the customer knows the purchase by.";
    FirstPurchase "first_purchase" FactKind::Bool, "Whether the account paid for nothing earlier.";
    PurchaseKind "purchase_kind" FactKind::Word(&["one_time", "subscription"]), "Credits bought once, or a subscription period (§7).";
    Renewal "renewal" FactKind::Bool, "Whether it is the renewal charge of a subscription (§7.2).";
    Plan "plan" FactKind::Text, "The plan's name, empty when there is none.";
    ListPriceMinor "list_price_minor" FactKind::Minor, "What it costs without a reduction; absent when the platform did not say, or in another currency.";
    PriceReduced "price_reduced" FactKind::Bool, "Whether less than the list price was paid; absent without a list price.";
    Attributes "attributes" FactKind::Map, "What the platform recorded with the purchase, such as country or customer kind.";
    PaidAt "paid_at" FactKind::Time, "When the money was taken.";
    PurchaseAge "purchase_age" FactKind::Duration, "Elapsed time from payment to the receipt of the request (§5.3).";
    Refunded "refunded" FactKind::Word(&["none", "part", "full"]), "How much was refunded, refunds on their way included (§7.1).";
    Dispute "dispute" FactKind::Word(&["none", "open", "won", "lost"]), "The bank's side of the purchase (§6).";
    Bought "bought" FactKind::Credits, "Credits bought, free ones left out.";
    Delivered "delivered" FactKind::Credits, "Bought credits that arrived (§2.3).";
    DeliveredAt "delivered_at" FactKind::Time, "When credits last arrived; absent when none did.";
    Unused "unused" FactKind::Credits, "Bought credits that may be spent now; held ones are not yet unused (§7.1).";
    Held "held" FactKind::Credits, "Bought credits that running attempts hold.";
    Used "used" FactKind::Credits, "Bought credits that were consumed (§3.1).";
    UsedShare "used_share" FactKind::Share, "Consumed credits as a part of those bought, rounded down (§5.3).";
    FailedOfPurchase "failed_of_purchase" FactKind::Credits, "Of the used ones, those taken by attempts that failed through our fault (§2.2).";
    CreditsRefunded "credits_refunded" FactKind::Credits, "Bought credits given up for refunds that have not failed.";
    Untouched "untouched" FactKind::Bool, "Whether every credit bought is unused or undelivered, and nothing was refunded (§2.1).";
    Undelivered "undelivered" FactKind::Credits, "Bought credits that never arrived and were not refunded (§2.3).";
    UndeliveredFor "undelivered_for" FactKind::Duration, "Elapsed time from payment to now while credits are undelivered; absent otherwise (§2.3).";
    RestorationPossible "restoration_possible" FactKind::Bool, "Whether undelivered credits can still be delivered (§2.3).";
    Currency "currency" FactKind::Text, "ISO 4217 code of what was paid.";
    PriceMinor "price_minor" FactKind::Minor, "What was paid.";
    RefundedMinor "refunded_minor" FactKind::Minor, "Refunded and settled.";
    PendingMinor "pending_minor" FactKind::Minor, "Refunds on their way.";
    ReturnedMinor "returned_minor" FactKind::Minor, "Returned by the bank (§6).";
    // Duplicates.
    DuplicatesFound "duplicates_found" FactKind::Count, "Other payments for the same thing within the duplicate window that stand: not refunded, in dispute or charged back (§2.1).";
    TwinDisputed "twin_disputed" FactKind::Bool, "Whether such a payment is disputed and the bank has not decided (§6).";
    TwinPaidAt "twin_paid_at" FactKind::Time, "When the nearest of the duplicates was paid; absent when there is none.";
    // Failures.
    FailedCredits "failed_credits" FactKind::Credits, "Credits of any lot taken by attempts that failed through our fault, not yet restored (§2.2).";
    PlatformFailures "platform_failures" FactKind::Count, "Attempts since the payment that failed through our fault (§2.2).";
    AttemptKnown "attempt_known" FactKind::Bool, "Whether the claim names an attempt of this account.";
    AttemptResult "attempt_result" FactKind::Word(ATTEMPT_RESULTS), "How the attempt that the claim names ended; absent when it names none of this account.";
    AttemptCredits "attempt_credits" FactKind::Credits, "Credits that this attempt was charged and that were not given back; absent when the claim names none.";
    AttemptAge "attempt_age" FactKind::Duration, "Elapsed time from the end of the attempt that the claim names to the request; absent when it names none that ended.";
    Outage "outage" FactKind::Word(&["none", "open", "over"]), "A declared incident, or failures of ours in a row with no success since (§2.2).";
    OutageLasted "outage_lasted" FactKind::Duration, "How long it lasted, up to now while it is open; absent without an outage.";
    OutageEndedAgo "outage_ended_ago" FactKind::Duration, "Elapsed time since it ended; absent unless it is over.";
    OutageCompensated "outage_compensated" FactKind::Bool, "Whether the account was granted a compensation since it began; absent without an outage.";
}

impl FactName {
    /// Finds a fact by its name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|fact| fact.name() == name)
    }
}

/// By name, so that facts are written in one order for ever, whatever the order of the catalogue.
impl Ord for FactName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name().cmp(other.name())
    }
}

impl PartialOrd for FactName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Facts {
    /// Computes every fact that can be known from the case file under these parameters.
    #[must_use]
    pub fn observe(file: &CaseFile, parameters: &Parameters) -> Self {
        let mut facts = Self::new(file.claim, file.received_at);
        claim::observe(&mut facts, file, parameters);
        account::observe(&mut facts, file, parameters);
        purchase::observe(&mut facts, file);
        duplicate::observe(&mut facts, file, parameters);
        failure::observe(&mut facts, file, parameters);
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_has_its_own_name_and_a_meaning() {
        for fact in FactName::ALL {
            assert_eq!(FactName::find(fact.name()), Some(*fact));
            assert!(fact.meaning().ends_with('.'), "{}", fact.name());
        }
    }

    #[test]
    fn the_words_of_the_catalogue_are_the_words_of_the_domain() {
        fn all_read<T: serde::de::DeserializeOwned>(words: &[&str]) {
            for word in words {
                let read = serde_json::from_value::<T>(serde_json::Value::from(*word));
                assert!(read.is_ok(), "{word}");
            }
        }
        all_read::<crate::domain::request::Claim>(CLAIMS);
        all_read::<crate::domain::request::Detail>(DETAILS);
        all_read::<crate::domain::restriction::RestrictionKind>(RESTRICTIONS);
        let FactKind::Word(kinds) = FactName::PurchaseKind.kind() else { panic!("not a word") };
        all_read::<crate::domain::purchase::PurchaseKind>(kinds);
        all_read::<crate::domain::case_file::AttemptEnd>(ATTEMPT_RESULTS.get(1..).unwrap_or_default());
        let FactKind::Word(disputes) = FactName::Dispute.kind() else { panic!("not a word") };
        all_read::<crate::domain::purchase::DisputeState>(disputes);
    }
}
