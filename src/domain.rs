//! Pure nouns and their arithmetic: no time source, no storage, no wire, no rules about who deserves what.

pub mod case_file;
pub mod credits;
pub mod fault;
pub mod ids;
pub mod money;
pub mod purchase;
pub mod request;
pub mod restriction;
