//! A document as a person reads it: the table at a terminal, on a help page as Markdown, or as sentences.

mod markdown;
mod prose;
mod terminal;
mod words;

pub use markdown::markdown;
pub use prose::{filled, prose};
pub use terminal::terminal;
