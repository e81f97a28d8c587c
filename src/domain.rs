//! Pure nouns and their arithmetic: no time source, no storage, no wire, no rules about who deserves what.

pub mod book;
pub mod case_file;
pub mod chargeback;
pub mod credits;
pub mod entry;
pub mod erasure;
pub mod fault;
pub mod ids;
pub mod incident;
pub mod lot;
pub mod money;
pub(crate) mod names;
pub mod note;
pub mod purchase;
pub mod redacted;
pub mod refund;
pub mod request;
pub mod restriction;
pub mod role;
pub mod usage;
