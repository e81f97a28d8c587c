//! The scripts: there, runnable, and known to whoever reads CONTRIBUTING.md.

use super::read;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Every `scripts/NAME` of a text.
fn named(text: &str) -> BTreeSet<String> {
    let is_name = |letter: char| letter.is_ascii_lowercase() || letter == '-';
    let names =
        text.split("scripts/").skip(1).map(|rest| rest.split(|letter| !is_name(letter)).next().unwrap());
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[test]
fn every_script_is_named_to_contributors_and_says_in_a_line_how_it_is_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries = fs::read_dir(root.join("scripts")).unwrap().map(Result::unwrap);
    let there: BTreeSet<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert_eq!(named(&read("CONTRIBUTING.md")), there, "CONTRIBUTING.md names what there is in scripts/");
    for page in ["README.md", "ARCHITECTURE.md", "SECURITY.md", ".ci/run"] {
        assert!(named(&read(page)).is_subset(&there), "{page} names a script that is not there");
    }
    for name in there {
        let path = root.join("scripts").join(&name);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o111, 0o111, "scripts/{name} runs");
        let told = Command::new(&path).arg("--help").output().unwrap();
        let usage = String::from_utf8(told.stdout).unwrap();
        assert!(told.status.success(), "scripts/{name} --help");
        let is_one_line = usage.trim_end().lines().count() == 1;
        assert!(
            is_one_line && usage.starts_with(&format!("scripts/{name}")),
            "scripts/{name} --help: {usage:?}"
        );
    }
}
