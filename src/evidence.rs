//! Evidence about a disputed payment, for a bank and its card network (§6): texts by the names that processors use, and
//! one page that needs no other file. Made from our own records alone; the same records give the same bytes.

mod markup;
mod page;
mod records;
mod texts;
mod words;

pub use records::{Answer, Policy, Records, Request, Twin};
pub use texts::{MAX_TEXT_BYTES, Texts};

use sha2::{Digest, Sha256};

/// Evidence, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pack {
    /// Its texts.
    pub texts: Texts,
    /// The same as a page of HTML.
    pub html: String,
    /// SHA-256 of the page's bytes, in hex.
    pub html_sha256: String,
}

/// Compiles what the records say.
#[must_use]
pub fn compile(records: &Records) -> Pack {
    let texts = Texts::of(records);
    let html = page::html(records, &texts);
    let html_sha256 = hex::encode(Sha256::digest(&html));
    Pack { texts, html, html_sha256 }
}
