//! A document as a person reads it: the table at a terminal, or on a help page as Markdown.

mod markdown;
mod terminal;
mod words;

pub use markdown::markdown;
pub use terminal::terminal;
