//! SQL: one statement per function, in the transaction that the caller runs.
//!
//! Functions say what they return: `find_` an `Option`, `load_` a value or an error, `lock_` a row locked
//! `FOR NO KEY UPDATE`, `list_` a bounded list, `insert_` and `append_` and `update_` nothing.

mod account;
mod audit;
mod case_file;
mod chargeback;
mod chargeback_list;
mod connect;
mod connected;
pub mod constraint;
mod deadline;
mod decision;
mod determination;
mod entry;
mod erasure;
mod error;
mod evidence;
mod evidence_pack;
mod failure;
mod history;
mod incident;
mod key;
mod known;
mod ledger;
mod lot;
mod note;
mod open_book;
mod overview;
mod past_decision;
mod patience;
mod policy_version;
mod pool;
mod purchase;
mod queue;
mod read;
mod refund;
mod refund_list;
mod request;
mod request_words;
mod restoration;
mod restriction;
mod sweep;
mod traced;
mod transact;

pub use account::AccountRow;
pub use audit::{
    AuditAccount, AuditChargeback, AuditDangling, AuditDecision, AuditEmptied, AuditEntry, AuditErasure,
    AuditHeld, AuditKey, AuditLot, AuditPolicyVersion, AuditPurchase, AuditRefund, AuditRequest, AuditTold,
    AuditUnwitnessed, AuditUsage, ServerSetting, Snapshot,
};
pub use case_file::PurchaseCredits;
pub use chargeback_list::{ChargebackFilter, ChargebackPlace};
pub use connect::{Limits, PoolState, Role, Schema, Store, migrate};
pub use connected::{Connected, Line};
pub use deadline::within;
pub use decision::DecisionRow;
pub use determination::NewDetermination;
pub use error::Error;
pub use history::{EntryFilter, LotFilter, SeqSpan};
pub use incident::IncidentFilter;
pub use key::{ExternalKind, Key, StoredAnswer};
pub use known::{Asked, Known, list_known};
pub use ledger::{WriteSet, Written, write};
pub use lot::list_lots_by_id;
pub use open_book::{OpenBook, list_open_books};
pub use overview::{Overview, RefundsOnTheirWay};
pub use past_decision::{DecisionFilter, DecisionSpan, PastDecisionRow};
pub use policy_version::{PolicyReign, PolicyVersionRow};
pub use queue::{QueueFilter, QueuePlace};
pub use refund_list::{RefundFilter, RefundPlace};
pub use request::NamedPurchase;
pub use restoration::NewRestoration;
pub use restriction::NewRestriction;
pub use transact::{Fault, Tx, Work};
