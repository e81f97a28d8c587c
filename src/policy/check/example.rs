//! From a cell to a case that a person can read: facts that fit each other, as ordinary as the cell allows.

use super::diagram::Region;
use super::field::{Field, representative};
use super::possible::{Presence, presence};
use super::report::Example;
use super::space::{Cell, Space, Variable};
use crate::policy::decision::decide;
use crate::policy::document::Document;
use crate::policy::facts::{FactName, Facts, Value};
use crate::policy::share::Share;
use crate::policy::span::Span;
use chrono::TimeDelta;

/// The smallest case of a set of cells: the one that differs from the ordinary case in the fewest facts. `None` when
/// the set is empty.
pub(super) fn smallest(field: &Field, document: &Document, region: Region) -> Option<Example> {
    let space = &field.space;
    let cost = |variable: usize, choice: usize| price(space, variable, choice);
    let cell = field.sets.cheapest(region, cost)?;
    let facts = case(space, &cell);
    let decision = decide(document, &facts);
    Some(Example { telling: telling(space, &cell, &facts), facts, decision })
}

/// What it costs an example to differ from the ordinary case: a claim must be made, so it counts least, and what
/// follows from other facts counts less than what stands alone.
fn price(space: &Space, variable: usize, choice: usize) -> u32 {
    if space.usual.get(variable) == Some(&choice) {
        return 0;
    }
    match space.variables.get(variable).map(Variable::fact) {
        Some(FactName::Claim) => 1,
        Some(
            FactName::Untouched | FactName::UsedShare | FactName::RestorationPossible | FactName::Violation,
        ) => 2,
        _ => 10,
    }
}

/// The claim, and every fact that is not as in the ordinary case.
fn telling(space: &Space, cell: &[usize], facts: &Facts) -> Vec<(FactName, String)> {
    let mut unusual = vec![FactName::Claim];
    for ((variable, choice), usual) in space.variables.iter().zip(cell).zip(&space.usual) {
        let fact = variable.fact();
        if choice != usual && !unusual.contains(&fact) {
            unusual.push(fact);
        }
    }
    // Without a purchase nothing is known of it, which one fact says.
    if !facts.is_true(FactName::PurchaseKnown) {
        unusual.retain(|fact| !goes_with_purchase(*fact));
    }
    let shown = |fact: FactName| facts.get(fact).map_or("unknown".to_owned(), ToString::to_string);
    unusual.into_iter().map(|fact| (fact, shown(fact))).collect()
}

fn goes_with_purchase(fact: FactName) -> bool {
    matches!(
        presence(fact),
        Presence::WithPurchase
            | Presence::OnlyWithPurchase
            | Presence::WhileUndelivered
            | Presence::WithDuplicate
    )
}

/// A case of the cell. Its figures add up where any do.
pub(super) fn case(space: &Space, cell: &[usize]) -> Facts {
    let mut facts = representative(space, cell);
    if facts.text(FactName::Outage) != Some("none") {
        // How long it lasted is told, whether or not the document asks.
        let hour = Value::Duration(Span::from_micros(3_600_000_000).unwrap_or_default());
        for fact in [FactName::OutageLasted, FactName::OutageEndedAgo] {
            let told = fact == FactName::OutageLasted || facts.text(FactName::Outage) == Some("over");
            if told && facts.get(fact).is_none() {
                facts.put(fact, hour.clone());
            }
        }
    }
    if !facts.is_true(FactName::PurchaseKnown) {
        for fact in FactName::ALL.iter().filter(|fact| goes_with_purchase(**fact)) {
            facts.forget(*fact);
        }
        return facts;
    }
    let ranges = Ranges { space, cell };
    if let Some(figures) = figures(&facts, &ranges) {
        for (fact, value) in figures {
            facts.put(fact, value);
        }
    }
    instants(&mut facts, &ranges);
    facts
}

/// When things happened, by how long ago they did.
fn instants(facts: &mut Facts, ranges: &Ranges<'_>) {
    let ago = |facts: &Facts, micros: i64| {
        facts.received_at().checked_sub_signed(TimeDelta::microseconds(micros)).unwrap_or_default()
    };
    let age = facts.number(FactName::PurchaseAge).unwrap_or(0);
    let paid_at = ago(facts, age);
    facts.put(FactName::PaidAt, Value::Time(paid_at));
    if facts.number(FactName::Delivered).is_some_and(|delivered| delivered > 0) {
        facts.put(FactName::DeliveredAt, Value::Time(paid_at));
    } else {
        facts.forget(FactName::DeliveredAt);
    }
    if facts.number(FactName::DuplicatesFound).is_some_and(|found| found > 0) {
        facts.put(FactName::TwinPaidAt, Value::Time(paid_at));
    }
    // A request is decided when it comes, unless the delivery has been waited for longer.
    if facts.number(FactName::Undelivered).is_some_and(|undelivered| undelivered > 0) {
        let (first, last) = ranges.of(FactName::UndeliveredFor);
        let waited = age.clamp(first, last);
        facts.put(FactName::UndeliveredFor, Value::Duration(Span::from_micros(waited).unwrap_or_default()));
    }
}

/// The cells of one cell of the space, as ranges.
struct Ranges<'a> {
    space: &'a Space,
    cell: &'a [usize],
}

impl Ranges<'_> {
    /// The first and the last number that the fact may have; any, when nobody speaks about it.
    fn of(&self, fact: FactName) -> (i64, i64) {
        let chosen = self
            .space
            .fact(fact, None)
            .and_then(|(variable, cells)| self.cell.get(variable).and_then(|choice| cells.get(*choice)));
        match chosen {
            Some(Cell::Range(first, last)) => (*first, *last),
            _ => (0, i64::MAX),
        }
    }

    fn allows(&self, fact: FactName, number: i64) -> bool {
        let (first, last) = self.of(fact);
        (first..=last).contains(&number)
    }

    /// The smallest number of the fact's cell.
    fn least(&self, fact: FactName) -> i64 {
        self.of(fact).0
    }
}

/// Credits and money that fit the cell and each other; `None` when none were found among the likely ones.
fn figures(facts: &Facts, ranges: &Ranges<'_>) -> Option<Vec<(FactName, Value)>> {
    let ordinary = facts.number(FactName::Bought).unwrap_or(0);
    let used = ranges.least(FactName::Used);
    let bounds = ranges.of(FactName::Bought);
    let likely = [ordinary, used, used.saturating_mul(2), used.saturating_mul(100), 10_000, 1_000_000];
    let sums = likely.into_iter().chain([bounds.0, bounds.1]);
    let mut sums = sums.filter(|bought| *bought > 0 && ranges.allows(FactName::Bought, *bought));
    sums.find_map(|bought| {
        let share = ranges.of(FactName::UsedShare);
        let fewest = part(bought, share.0).max(used);
        let most = part(bought, share.1.saturating_add(1)).saturating_sub(1);
        [fewest, most, bought].into_iter().find_map(|used| split(facts, ranges, bought, used))
    })
}

/// The least number of credits that are such a share of those bought.
fn part(bought: i64, share: i64) -> i64 {
    let product = i128::from(bought).saturating_mul(i128::from(share));
    let whole = i128::from(Share::WHOLE);
    let up = product.saturating_add(whole).saturating_sub(1).checked_div(whole).unwrap_or(0);
    i64::try_from(up).unwrap_or(i64::MAX)
}

/// The other figures, once it is said how much was bought and used.
fn split(facts: &Facts, ranges: &Ranges<'_>, bought: i64, used: i64) -> Option<Vec<(FactName, Value)>> {
    let share = Share::of(used, bought);
    let untouched = facts.is_true(FactName::Untouched);
    let refunded = facts.text(FactName::Refunded).unwrap_or("none");
    let [held, undelivered] = [FactName::Held, FactName::Undelivered].map(|fact| ranges.least(fact));
    let money = money(facts, ranges, refunded);
    let given_up = match (refunded, &money) {
        ("full", None) => bought,
        ("part", None) => ranges.least(FactName::CreditsRefunded).max(1),
        _ => ranges.least(FactName::CreditsRefunded),
    };
    let taken = [used, held, given_up, undelivered].into_iter().fold(0, i64::saturating_add);
    let room = bought.saturating_sub(taken);
    let unused = room.min(ranges.of(FactName::Unused).1);
    let whole = unused.saturating_add(undelivered) == bought && refunded == "none";
    // Something that is neither used nor left has expired.
    let unused = if whole && !untouched { unused.saturating_sub(1) } else { unused };
    let whole = unused.saturating_add(undelivered) == bought && refunded == "none";
    let failed = ranges.least(FactName::FailedOfPurchase);
    let credits = [
        (FactName::Bought, bought),
        (FactName::Delivered, bought.saturating_sub(undelivered)),
        (FactName::Used, used),
        (FactName::Held, held),
        (FactName::CreditsRefunded, given_up),
        (FactName::Undelivered, undelivered),
        (FactName::Unused, unused),
        (FactName::FailedOfPurchase, failed),
        (FactName::FailedCredits, ranges.least(FactName::FailedCredits).max(failed)),
        (FactName::AccountUsedCredits, ranges.least(FactName::AccountUsedCredits).max(used)),
        (FactName::AccountAvailable, ranges.least(FactName::AccountAvailable).max(unused)),
    ];
    let fits = credits.iter().all(|(fact, number)| *number >= 0 && ranges.allows(*fact, *number))
        && ranges.allows(FactName::UsedShare, share.basis_points())
        && whole == untouched
        && room >= 0
        && failed <= used;
    let credits = credits.into_iter().chain(money.unwrap_or_default());
    let figures = credits.map(|(fact, number)| (fact, Value::Number(number)));
    fits.then(|| figures.chain([(FactName::UsedShare, Value::Share(share))]).collect())
}

/// Money paid back that makes the purchase refunded so far; `None` when it must be said by credits.
fn money(facts: &Facts, ranges: &Ranges<'_>, refunded: &str) -> Option<Vec<(FactName, i64)>> {
    let price = facts.number(FactName::PriceMinor).unwrap_or(0);
    let pending = ranges.least(FactName::PendingMinor);
    let first = ranges.least(FactName::RefundedMinor);
    let settled = match refunded {
        "full" => price.saturating_sub(pending).max(first),
        "part" if pending > 0 => first,
        "part" => first.max(price.checked_div(10).unwrap_or(0)).max(1),
        _ => 0,
    };
    let paid_back = settled.saturating_add(pending);
    let fits = ranges.allows(FactName::RefundedMinor, settled)
        && match refunded {
            "full" => paid_back == price && price > 0,
            "part" => paid_back < price,
            _ => paid_back == 0,
        };
    fits.then(|| vec![(FactName::RefundedMinor, settled), (FactName::PendingMinor, pending)])
}
