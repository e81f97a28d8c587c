//! Which cells can occur: how the facts of one case hang together, as [`Facts::observe`] computes them.
//!
//! What is said here may be less than the whole truth, never more: a cell that is left out holds no case. So a proof
//! over these cells is a proof about every case. Where figures are concerned, two facts are compared by their cells.
//!
//! [`Facts::observe`]: crate::policy::facts::Facts::observe

use super::diagram::Region;
use super::field::Field;
use super::space::Cell;
use crate::domain::request::{Claim, Detail};
use crate::policy::document::Document;
use crate::policy::facts::{CLAIMS, DETAILS, FactKind, FactName, Value, read_word};
use crate::policy::share::Share;

/// When a fact is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// In every case.
    Always,
    /// Exactly when the purchase is.
    WithPurchase,
    /// At most when the purchase is.
    OnlyWithPurchase,
    /// Exactly while bought credits are undelivered.
    WhileUndelivered,
    /// Exactly when a duplicate was found.
    WithDuplicate,
    /// Exactly when there was an outage.
    WithOutage,
    /// Exactly when an outage is over.
    AfterOutage,
    /// Exactly when the claim names an attempt.
    WithAttempt,
    /// Exactly when the attempt that the claim names has ended.
    AfterAttempt,
    /// Exactly when a list price is known.
    WithListPrice,
    /// It may be known in any case.
    Free,
}

pub(super) const fn presence(fact: FactName) -> Presence {
    use FactName as F;
    match fact {
        F::Claim
        | F::ReceivedAt
        | F::MissingDetails
        | F::MismatchedDetails
        | F::DetailsGiven
        | F::InformationAsked
        | F::EvidenceGiven
        | F::EvidenceReused
        | F::Standing
        | F::Violation
        | F::RecentRefunds
        | F::RefundsEver
        | F::AccountUsedCredits
        | F::AccountAvailable
        | F::PurchaseKnown
        | F::DuplicatesFound
        | F::TwinDisputed
        | F::FailedCredits
        | F::RecentCompensations
        | F::PlatformFailures
        | F::AttemptKnown
        | F::Outage => Presence::Always,
        F::OrderId
        | F::FirstPurchase
        | F::PurchaseKind
        | F::Renewal
        | F::Plan
        | F::PaidAt
        | F::PurchaseAge
        | F::Refunded
        | F::Dispute
        | F::Bought
        | F::Delivered
        | F::Unused
        | F::Held
        | F::Used
        | F::UsedShare
        | F::FailedOfPurchase
        | F::CreditsRefunded
        | F::Untouched
        | F::Undelivered
        | F::RestorationPossible
        | F::Currency
        | F::PriceMinor
        | F::RefundedMinor
        | F::PendingMinor
        | F::ReturnedMinor => Presence::WithPurchase,
        // Of the attributes it is one key that conditions ask for.
        F::ListPriceMinor | F::Attributes | F::DeliveredAt => Presence::OnlyWithPurchase,
        F::PriceReduced => Presence::WithListPrice,
        F::UndeliveredFor => Presence::WhileUndelivered,
        F::TwinPaidAt => Presence::WithDuplicate,
        F::OutageLasted | F::OutageCompensated => Presence::WithOutage,
        F::OutageEndedAgo => Presence::AfterOutage,
        F::AttemptResult | F::AttemptCredits => Presence::WithAttempt,
        F::AttemptAge => Presence::AfterAttempt,
        F::WaitingSince => Presence::Free,
    }
}

/// Results of attempts that are over.
const ENDED: &[&str] = &["success", "platform_failure", "other_failure"];

/// Every cell that a case may fall into.
pub(super) fn possible(field: &mut Field, document: &Document) -> Region {
    let parts = [
        known(field),
        details(field, document),
        papers(field),
        account(field),
        purchase(field),
        untouched(field),
        credits(field),
        money(field),
        reduction(field),
        times(field),
    ];
    field.all(parts)
}

/// Which facts are known.
fn known(field: &mut Field) -> Region {
    let purchase = field.truth(FactName::PurchaseKnown);
    let mut all = Region::ALL;
    for fact in FactName::ALL {
        let here = places(field, *fact);
        for here in here {
            let when = match presence(*fact) {
                Presence::Always => Region::ALL,
                Presence::WithPurchase => purchase,
                Presence::OnlyWithPurchase => {
                    let at_most = field.implies(here, purchase);
                    all = field.sets.and(all, at_most);
                    continue;
                }
                Presence::WhileUndelivered => field.some(FactName::Undelivered),
                Presence::WithOutage => field.is(FactName::Outage, &["open", "over"]),
                Presence::AfterOutage => field.is(FactName::Outage, &["over"]),
                Presence::WithAttempt => field.truth(FactName::AttemptKnown),
                Presence::AfterAttempt => field.is(FactName::AttemptResult, ENDED),
                Presence::WithListPrice => field.known(FactName::ListPriceMinor),
                // No instant is in the space.
                Presence::WithDuplicate | Presence::Free => continue,
            };
            let same = field.same(here, when);
            all = field.sets.and(all, same);
        }
    }
    all
}

/// The cells in which a fact, or each of its keys that are spoken about, is known.
fn places(field: &mut Field, fact: FactName) -> Vec<Region> {
    if matches!(fact.kind(), FactKind::Set(_)) {
        return vec![field.known(fact)];
    }
    let variables = field.space.variables_of(fact);
    variables.into_iter().map(|variable| field.sets.choices(variable, |choice| choice != 0)).collect()
}

/// What is missing, mismatched and given (§5.2).
fn details(field: &mut Field, document: &Document) -> Region {
    let purchase = field.truth(FactName::PurchaseKnown);
    let mut all = Region::ALL;
    for name in DETAILS {
        let Some(detail) = read_word::<Detail>(name) else { continue };
        let missing = field.has(FactName::MissingDetails, name);
        let mismatched = field.has(FactName::MismatchedDetails, name);
        let given = field.has(FactName::DetailsGiven, name);
        let asked_of = |claim: Claim| document.parameters().required_details(claim).contains(&detail);
        let claims = CLAIMS.iter().copied().filter(|name| read_word(name).is_some_and(asked_of));
        let claims: Vec<&str> = claims.collect();
        let required = field.is(FactName::Claim, &claims);
        let told = field.sets.or(given, mismatched);
        let wanting = field.sets.minus(required, told);
        let exactly = field.same(missing, wanting);
        let both = field.sets.and(given, mismatched);
        let apart = field.sets.not(both);
        // Only these are compared with our records: an order that is not there, and what a known purchase was.
        let may_mismatch = match detail {
            Detail::OrderId => field.sets.not(purchase),
            Detail::AmountPaid | Detail::PurchasedAt => purchase,
            _ => Region::NONE,
        };
        let fits = field.implies(mismatched, may_mismatch);
        all = field.all([all, exactly, apart, fits]);
    }
    all
}

/// What papers stand behind. A purchase is known by being named; other order ids come on paper.
fn papers(field: &mut Field) -> Region {
    let evidence = field.truth(FactName::EvidenceGiven);
    let reused = field.truth(FactName::EvidenceReused);
    let purchase = field.truth(FactName::PurchaseKnown);
    let order = field.has(FactName::DetailsGiven, "order_id");
    let statement = field.has(FactName::DetailsGiven, "statement");
    let logs = field.has(FactName::DetailsGiven, "logs");
    let named = field.implies(purchase, order);
    let listed = field.sets.minus(order, purchase);
    let shown = field.any([reused, statement, logs, listed]);
    let on_paper = field.implies(shown, evidence);
    field.sets.and(named, on_paper)
}

/// The account's standing says whether it violated our policies (§3.3).
fn account(field: &mut Field) -> Region {
    let confirmed = field.has(FactName::Standing, "violation_confirmed");
    let suspected = field.has(FactName::Standing, "violation_suspected");
    let suspected = field.sets.minus(suspected, confirmed);
    let is_confirmed = field.is(FactName::Violation, &["confirmed"]);
    let is_suspected = field.is(FactName::Violation, &["suspected"]);
    let parts = [
        field.same(confirmed, is_confirmed),
        field.same(suspected, is_suspected),
        field.at_most(FactName::RecentRefunds, FactName::RefundsEver),
    ];
    field.all(parts)
}

/// What depends on the purchase being there, and on each other.
fn purchase(field: &mut Field) -> Region {
    let purchase = field.truth(FactName::PurchaseKnown);
    let duplicates = field.certainly(FactName::DuplicatesFound, |cell| matches!(cell, Cell::Range(1.., _)));
    let twin = field.certainly(FactName::TwinDisputed, |cell| *cell == Cell::Is(Value::Bool(true)));
    // Only a subscription renews (§7.2).
    let renewal = field.certainly(FactName::Renewal, |cell| *cell == Cell::Is(Value::Bool(true)));
    let subscription = field.is(FactName::PurchaseKind, &["subscription"]);
    let restorable = field.truth(FactName::RestorationPossible);
    let closed = field.has(FactName::Standing, "terminated");
    let blocked = field.has(FactName::Standing, "purchase_blocked");
    let refunded = field.is(FactName::Refunded, &["full"]);
    let disputed = field.is(FactName::Dispute, &["open", "lost"]);
    let barred = field.any([closed, blocked, refunded, disputed]);
    let free = field.sets.not(barred);
    let parts = [
        field.implies(duplicates, purchase),
        field.implies(twin, purchase),
        field.implies(renewal, subscription),
        field.implies(restorable, free),
    ];
    field.all(parts)
}

/// An untouched purchase: all of it unused or undelivered, and nothing refunded (§2.1).
fn untouched(field: &mut Field) -> Region {
    let untouched = field.truth(FactName::Untouched);
    let nothing = |cell: &Cell| matches!(cell, Cell::Range(0, _));
    let mut parts = vec![field.is(FactName::Refunded, &["none"])];
    for fact in [FactName::Used, FactName::Held, FactName::FailedOfPurchase, FactName::CreditsRefunded] {
        parts.push(field.fact(fact, nothing));
    }
    // Something was bought, so something is there.
    let there = [field.some(FactName::Unused), field.some(FactName::Undelivered)];
    parts.push(field.any(there));
    let whole =
        field.relation(&[FactName::Unused, FactName::Undelivered, FactName::Bought], |cells| match cells {
            [unused, undelivered, bought] => {
                let least = unused.0.saturating_add(undelivered.0);
                let most = unused.1.saturating_add(undelivered.1);
                least <= bought.1 && bought.0 <= most
            }
            _ => true,
        });
    parts.push(whole);
    let fits = field.all(parts);
    field.implies(untouched, fits)
}

/// The credits bought are used, unused, held, given up, undelivered or gone: never more than all.
fn credits(field: &mut Field) -> Region {
    let split = [
        FactName::Unused,
        FactName::Held,
        FactName::Used,
        FactName::CreditsRefunded,
        FactName::Undelivered,
        FactName::Bought,
    ];
    let within = |cells: &[(i64, i64)]| match cells.split_last() {
        Some(((_, most), parts)) => {
            parts.iter().fold(0_i64, |sum, (least, _)| sum.saturating_add(*least)) <= *most
        }
        None => true,
    };
    // All of it used: nothing is left over.
    let full = |cell: &Cell| matches!(cell, Cell::Range(first, _) if *first >= Share::WHOLE);
    let all_used = field.certainly(FactName::UsedShare, full);
    let mut left = Vec::new();
    for fact in [FactName::Unused, FactName::Held, FactName::CreditsRefunded, FactName::Undelivered] {
        left.push(field.certainly(fact, |cell| matches!(cell, Cell::Range(1.., _))));
    }
    let left = field.any(left);
    let too_much = field.sets.and(all_used, left);
    let parts = [
        field.relation(&split, within),
        field.relation(
            &[FactName::Delivered, FactName::Undelivered, FactName::Bought],
            |cells| match cells {
                [delivered, undelivered, bought] => delivered.0.saturating_add(undelivered.0) <= bought.1,
                _ => true,
            },
        ),
        field.relation(&[FactName::Used, FactName::Bought, FactName::UsedShare], may_be_share),
        field.sets.not(too_much),
        field.at_most(FactName::FailedOfPurchase, FactName::Used),
        field.at_most(FactName::FailedOfPurchase, FactName::FailedCredits),
        field.at_most(FactName::Used, FactName::AccountUsedCredits),
        field.at_most(FactName::Unused, FactName::AccountAvailable),
    ];
    field.all(parts)
}

/// Whether credits used of credits bought can be such a share.
fn may_be_share(cells: &[(i64, i64)]) -> bool {
    let [used, bought, share] = cells else { return true };
    let least = Share::of(used.0, bought.1).basis_points();
    // Nothing used of nothing bought is no share at all.
    let bought = bought.0.max(1);
    let most = if used.1 >= bought { Share::WHOLE } else { Share::of(used.1, bought).basis_points() };
    least <= share.1 && share.0 <= most
}

/// How much was refunded, by money or by credits, whichever says more (§7.1).
fn money(field: &mut Field) -> Region {
    let none = field.is(FactName::Refunded, &["none"]);
    let full = field.is(FactName::Refunded, &["full"]);
    let mut zero = Vec::new();
    for fact in [FactName::RefundedMinor, FactName::PendingMinor, FactName::CreditsRefunded] {
        zero.push(field.fact(fact, |cell| matches!(cell, Cell::Absent | Cell::Range(0, _))));
    }
    let nothing = field.all(zero);
    let mut back = Vec::new();
    for fact in [FactName::RefundedMinor, FactName::PendingMinor, FactName::CreditsRefunded] {
        back.push(field.some(fact));
    }
    let something = field.any(back);
    let purchase = field.truth(FactName::PurchaseKnown);
    let refunded = field.sets.minus(purchase, none);
    let by_money =
        field.relation(&[FactName::RefundedMinor, FactName::PendingMinor, FactName::PriceMinor], |cells| {
            match cells {
                [refunded, pending, price] => refunded.1.saturating_add(pending.1) >= price.0.max(1),
                _ => true,
            }
        });
    let by_credits = field.relation(&[FactName::CreditsRefunded, FactName::Bought], |cells| match cells {
        [given_up, bought] => given_up.1 >= bought.0.max(1),
        _ => true,
    });
    let either = field.sets.or(by_money, by_credits);
    let parts =
        [field.implies(none, nothing), field.implies(refunded, something), field.implies(full, either)];
    field.all(parts)
}

/// A price is reduced when it is below the list price.
fn reduction(field: &mut Field) -> Region {
    let reduced = field.certainly(FactName::PriceReduced, |cell| *cell == Cell::Is(Value::Bool(true)));
    let whole = field.certainly(FactName::PriceReduced, |cell| *cell == Cell::Is(Value::Bool(false)));
    let below = field.relation(&[FactName::PriceMinor, FactName::ListPriceMinor], |cells| match cells {
        [price, list] => price.0 < list.1,
        _ => true,
    });
    let not_below = field.at_most(FactName::ListPriceMinor, FactName::PriceMinor);
    let parts = [field.implies(reduced, below), field.implies(whole, not_below)];
    field.all(parts)
}

/// A delivery is waited for at least as long as the purchase is old: the request comes before the decision.
fn times(field: &mut Field) -> Region {
    field.at_most(FactName::PurchaseAge, FactName::UndeliveredFor)
}
