//! The evidence room from outside: the page as people read it, hostile input, bounds, and what the words may claim.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::indexing_slicing, reason = "what a test looks for and is not there fails it")]

mod bounds;
mod claims;
mod hostile;
mod records;

use makegood::evidence::compile;
use makegood::policy::Document;
use records::records;

const GOLDEN: &str = include_str!("golden.html");

const SHORT: &str = include_str!("../../policies/examples/no-refunds.toml");

#[test]
fn the_page_is_what_it_was() {
    let mut records = records();
    // A short policy, so that the page can be read.
    records.policy.document = Some(Document::parse(SHORT).unwrap());
    let pack = compile(&records);
    if pack.html != GOLDEN {
        let found = concat!(env!("CARGO_TARGET_TMPDIR"), "/evidence.html");
        std::fs::write(found, &pack.html).unwrap();
        panic!("tests/evidence/golden.html says something else; read and copy {found}");
    }
}

#[test]
fn the_same_records_give_the_same_bytes_and_their_digest() {
    use sha2::{Digest, Sha256};
    let (one, other) = (compile(&records()), compile(&records()));
    assert_eq!(one, other);
    assert_eq!(one.html_sha256, hex::encode(Sha256::digest(one.html.as_bytes())));
    let mut changed = records();
    changed.purchase.price.minor_units += 1;
    assert_ne!(compile(&changed).html_sha256, one.html_sha256);
}

#[test]
fn the_page_needs_no_other_file_and_runs_nothing() {
    let html = compile(&records()).html.to_lowercase();
    for word in [
        "<script", "<img", "<link", "<iframe", "<object", "<form", "src=", "href=", "url(", "@import", "http",
    ] {
        let allowed = usize::from(word == "http");
        // The one `http` is that of `http-equiv`, which forbids all others.
        assert_eq!(html.matches(word).count(), allowed, "{word}");
    }
    assert!(html.contains("content=\"default-src 'none'; style-src 'unsafe-inline'\""));
    assert!(html.starts_with("<!doctype html>\n") && html.ends_with("</html>\n"));
}
