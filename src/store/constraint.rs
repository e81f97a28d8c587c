//! What each named constraint means: the one place that knows the database's names.

/// The promise that a constraint keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// A row with this identity exists already.
    Exists,
    /// The row it points to does not exist.
    Dangling,
    /// A word that the column does not know.
    UnknownWord,
    /// An amount outside its range, or buckets that do not sum up.
    Sums,
    /// More was delivered, refunded or paid back than there was.
    Cap,
    /// Entries, decisions and policy versions are never changed or removed.
    AppendOnly,
}

/// Every constraint of the schema, NOT NULL aside.
pub const CONSTRAINTS: &[(&str, Meaning)] = &[
    ("account_hash_is_sha256", Meaning::Sums),
    ("account_key", Meaning::Exists),
    ("account_seq_not_negative", Meaning::Sums),
    ("allocation_key", Meaning::Exists),
    ("allocation_lot", Meaning::Dangling),
    ("allocation_sums", Meaning::Sums),
    ("allocation_usage", Meaning::Dangling),
    ("chargeback_account", Meaning::Dangling),
    ("chargeback_amount", Meaning::Sums),
    ("chargeback_closed", Meaning::Sums),
    ("chargeback_dispute_once", Meaning::Exists),
    ("chargeback_event_amount", Meaning::Sums),
    ("chargeback_event_chargeback", Meaning::Dangling),
    ("chargeback_event_key", Meaning::Exists),
    ("chargeback_event_kind", Meaning::UnknownWord),
    ("chargeback_event_phase", Meaning::UnknownWord),
    ("chargeback_key", Meaning::Exists),
    ("chargeback_phase", Meaning::UnknownWord),
    ("chargeback_purchase", Meaning::Dangling),
    ("chargeback_stage", Meaning::UnknownWord),
    ("decision_append_only", Meaning::AppendOnly),
    ("decision_digests", Meaning::Sums),
    ("decision_key", Meaning::Exists),
    ("decision_request", Meaning::Dangling),
    ("delivery_key", Meaning::Exists),
    ("delivery_purchase", Meaning::Dangling),
    ("delivery_sizes", Meaning::Sums),
    ("entry_append_only", Meaning::AppendOnly),
    ("entry_buckets", Meaning::UnknownWord),
    ("entry_credits", Meaning::Sums),
    ("entry_hashes", Meaning::Sums),
    ("entry_key", Meaning::Exists),
    ("entry_lot", Meaning::Dangling),
    ("entry_seq", Meaning::Sums),
    ("evidence_key", Meaning::Exists),
    ("evidence_request", Meaning::Dangling),
    ("external_key_key", Meaning::Exists),
    ("external_key_kind", Meaning::UnknownWord),
    ("failure_text_key", Meaning::Exists),
    ("failure_text_usage", Meaning::Dangling),
    ("idempotency_key_key", Meaning::Exists),
    ("incident_ended", Meaning::Sums),
    ("incident_key", Meaning::Exists),
    ("incident_restored", Meaning::Sums),
    ("incident_stage", Meaning::UnknownWord),
    ("incident_window", Meaning::Sums),
    ("lot_account", Meaning::Dangling),
    ("lot_buckets_not_negative", Meaning::Sums),
    ("lot_buckets_sum", Meaning::Sums),
    ("lot_key", Meaning::Exists),
    ("lot_purchase", Meaning::Dangling),
    ("lot_source", Meaning::UnknownWord),
    ("operator_note_digest", Meaning::Sums),
    ("operator_note_entry", Meaning::Dangling),
    ("operator_note_key", Meaning::Exists),
    ("policy_version_append_only", Meaning::AppendOnly),
    ("policy_version_key", Meaning::Exists),
    ("purchase_account", Meaning::Dangling),
    ("purchase_dispute", Meaning::UnknownWord),
    ("purchase_key", Meaning::Exists),
    ("purchase_kind", Meaning::UnknownWord),
    ("purchase_not_over_delivered", Meaning::Cap),
    ("purchase_not_over_refunded", Meaning::Cap),
    ("purchase_payment_once", Meaning::Exists),
    ("purchase_returned", Meaning::Sums),
    ("purchase_sizes", Meaning::Sums),
    ("refund_key", Meaning::Exists),
    ("refund_pays", Meaning::Sums),
    ("refund_purchase", Meaning::Dangling),
    ("refund_request_account", Meaning::Dangling),
    ("refund_request_key", Meaning::Exists),
    ("refund_request_of_refund", Meaning::Dangling),
    ("refund_request_purchase", Meaning::Dangling),
    ("refund_request_stage", Meaning::UnknownWord),
    ("refund_stage", Meaning::UnknownWord),
    ("request_text_key", Meaning::Exists),
    ("request_text_request", Meaning::Dangling),
    ("restoration_incident", Meaning::Dangling),
    ("restoration_key", Meaning::Exists),
    ("restoration_request_once", Meaning::Exists),
    ("restoration_sums", Meaning::Sums),
    ("restriction_account", Meaning::Dangling),
    ("restriction_chargeback", Meaning::Dangling),
    ("restriction_key", Meaning::Exists),
    ("restriction_kind", Meaning::UnknownWord),
    ("restriction_lifted", Meaning::Sums),
    ("usage_account", Meaning::Dangling),
    ("usage_delivered", Meaning::Sums),
    ("usage_ended", Meaning::Sums),
    ("usage_failure", Meaning::Sums),
    ("usage_fault", Meaning::UnknownWord),
    ("usage_key", Meaning::Exists),
    ("usage_sizes", Meaning::Sums),
    ("usage_stage", Meaning::UnknownWord),
];

impl Meaning {
    /// The meaning of a constraint's name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        CONSTRAINTS.iter().find(|(known, _)| *known == name).map(|(_, meaning)| *meaning)
    }
}
