//! A version is the same wherever it is written.

use super::read;
use std::path::Path;

const CHART: &str = "helm/makegood/Chart.yaml";

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The value of the first line `key: value`, without quotes.
fn value<'a>(yaml: &'a str, key: &str) -> Option<&'a str> {
    let line = yaml.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    Some(line.trim().trim_matches(['"', '\'']))
}

#[test]
fn chart_and_program_have_one_version() {
    if !Path::new(env!("CARGO_MANIFEST_DIR")).join(CHART).exists() {
        return;
    }
    let chart = read(CHART);
    for key in ["version", "appVersion"] {
        assert_eq!(value(&chart, key), Some(VERSION), "{CHART}: {key}");
    }
}

#[test]
fn the_changelog_begins_with_what_is_open_and_ends_the_present_version_before_it() {
    let changelog = read("CHANGELOG.md");
    let mut sections = changelog.lines().filter_map(|line| line.strip_prefix("## "));
    assert_eq!(sections.next(), Some("Unreleased"));
    // Before the first release there is none.
    if let Some(section) = sections.next() {
        let (version, date) = section.split_once(' ').unwrap();
        assert_eq!(version, VERSION, "the newest section of CHANGELOG.md");
        assert!(date.len() == "(2025-01-31)".len() && date.starts_with('('), "{date}");
    }
}

/// A crate's versions in a lock, by name.
fn locked(lock: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut lines = lock.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("name = ") {
            found.push((name, lines.next().unwrap()));
        }
    }
    found
}

#[test]
fn the_rust_client_is_made_of_nothing_that_is_not_checked_here() {
    let (ours, theirs) = (read("Cargo.lock"), read("tests/clients/rust/Cargo.lock"));
    let ours = locked(&ours);
    for part in locked(&theirs) {
        assert!(part.0 == "\"ask\"" || ours.contains(&part), "{part:?} is not in Cargo.lock");
    }
}
