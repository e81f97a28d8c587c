//! Erasures: what is gone has a record, and no more went in its name than it took.

use super::finding::{Check, Violation};
use crate::store::{AuditEmptied, AuditErasure};

/// An erasure whose count is not that of the rows that are empty in its name.
pub(super) fn miscounted(erasure: &AuditErasure) -> Violation {
    let AuditErasure { account_id, ordinal, of_table, recorded, erased } = erasure;
    let message = format!("it took {recorded} texts of {of_table}, and {erased} are gone in its name");
    Violation::new(Check::Erasure, "account_erasure", format!("{account_id}/{ordinal}"), message)
}

/// Words that are gone without a record.
pub(super) fn unrecorded(emptied: AuditEmptied) -> Violation {
    let message = "its words are gone, and its account was never erased";
    Violation::new(Check::Erasure, &emptied.of_table, emptied.of_key, message)
}
