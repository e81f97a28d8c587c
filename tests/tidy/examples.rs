//! The programs of `docs/clients.md` are those that `tests/clients/run` runs, letter by letter.

use super::read;
use std::collections::BTreeMap;

const PAGE: &str = "docs/clients.md";

/// The programs that the page must show.
const SHOWN: [&str; 5] = [
    "tests/clients/service_config.json",
    "tests/clients/rust/src/main.rs",
    "tests/clients/python/ask.py",
    "tests/clients/typescript/ask.ts",
    "tests/clients/go/main.go",
];

/// Each code block that follows a paragraph which ends in a link to a file of the tests, by that file.
fn shown(page: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut parts = page.split("\n```");
    let mut before = parts.next().unwrap();
    while let (Some(block), after) = (parts.next(), parts.next()) {
        let (_, code) = block.split_once('\n').unwrap();
        let last = before.trim_end().lines().last().unwrap_or_default();
        if let Some((_, link)) = last.rsplit_once("](../tests/clients/") {
            let (path, _) = link.split_once(')').unwrap();
            found.insert(format!("tests/clients/{path}"), format!("{code}\n"));
        }
        before = after.unwrap_or_default();
    }
    found
}

#[test]
fn the_page_about_clients_shows_the_programs_that_are_tested() {
    let shown = shown(&read(PAGE));
    assert_eq!(shown.keys().map(String::as_str).collect::<Vec<_>>(), {
        let mut expected = SHOWN.to_vec();
        expected.sort_unstable();
        expected
    });
    for (path, code) in shown {
        assert!(code == read(&path), "{PAGE} shows another {path}: copy the one into the other");
    }
}
