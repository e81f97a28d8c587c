//! What is counted of decisions: how many, by outcome and by the row that decided.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// The row of a decision that no row made: a person's.
const BY_HAND: &str = "by_hand";

/// Counts decisions. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Decisions(Family<Labels, Counter>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    outcome: String,
    row: String,
}

impl Decisions {
    /// A decision was made and stored; a person's has no row.
    pub fn note(&self, outcome: &str, row: &str) {
        let row = if row.is_empty() { BY_HAND } else { row };
        self.0.get_or_create(&Labels { outcome: outcome.to_owned(), row: row.to_owned() }).inc();
    }

    /// Puts the counts on a page.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Decisions made and stored, by outcome and by the row of the policy that decided";
        registry.register("makegood_decisions", help, self.0.clone());
    }
}
