//! Other payments for the same thing (§2.1).

use super::claim::apart;
use super::{FactName, Facts, Value};
use crate::domain::case_file::{CaseFile, TwinFile};
use crate::domain::purchase::DisputeState;
use crate::policy::parameters::Parameters;

pub(super) fn observe(facts: &mut Facts, file: &CaseFile, parameters: &Parameters) {
    let paid_at = file.purchase.as_ref().map(|known| known.purchase.paid_at);
    let window = parameters.duplicate_window();
    let near = |twin: &&TwinFile| paid_at.is_some_and(|paid_at| apart(paid_at, twin.paid_at) <= window);
    let standing = || file.twins.iter().filter(near).filter(|twin| stands(twin));
    let disputed = file.twins.iter().filter(near).any(|twin| twin.dispute == DisputeState::Open);

    facts
        .put(FactName::DuplicatesFound, Value::Number(i64::try_from(standing().count()).unwrap_or(i64::MAX)));
    facts.put(FactName::TwinDisputed, Value::Bool(disputed));
    let nearest = paid_at.and_then(|paid_at| {
        standing().min_by_key(|twin| (apart(paid_at, twin.paid_at), twin.paid_at, twin.purchase_id))
    });
    if let Some(twin) = nearest {
        facts.put(FactName::TwinPaidAt, Value::Time(twin.paid_at));
    }
}

/// Whether the other payment is still ours, so that the customer has paid twice. A payment that was refunded or that
/// the bank took back is made good already, and one in dispute may be. A dispute that we won is over: the bank has
/// confirmed that the payment stands.
fn stands(twin: &TwinFile) -> bool {
    !twin.refunded && matches!(twin.dispute, DisputeState::None | DisputeState::Won)
}
