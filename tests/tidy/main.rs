//! The house rules that no compiler checks, checked by reading the source: who may
//! name whom (`rooms`), how it is written (`habits`), and that what is said in more than
//! one place is the same in each (`examples`, `scripts`, `versions`).
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test ends at what it did not expect"
)]

mod examples;
mod habits;
mod rooms;
mod scripts;
mod source;
mod versions;

use std::fs;
use std::path::Path;

use source::Source;

/// A broken rule: the line it is on, and what to do.
type Finding = (usize, String);

/// A rule: what is wrong with one file.
type Rule = fn(&Source) -> Vec<Finding>;

const RULES: [Rule; 12] = [
    rooms::names_only_its_neighbours,
    rooms::has_no_forbidden_word,
    rooms::leaves_statements_to_the_store,
    rooms::leaves_status_to_the_wire,
    rooms::takes_time_and_environment_as_parameters,
    habits::is_short,
    habits::has_short_functions,
    habits::is_named_for_what_it_is,
    habits::has_honest_tests,
    habits::does_not_panic,
    habits::gives_reasons_for_exceptions,
    habits::is_finished,
];

/// What tools make.
const SKIPPED: [&str; 6] = [".git", "target", "node_modules", ".makegood", ".venv", "__pycache__"];

#[test]
fn the_source_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    read_below(root, root, &mut files);
    let rust: Vec<Source> =
        files.iter().filter(|(path, _)| is_rust(path)).map(|(path, text)| Source::new(path, text)).collect();
    assert!(rust.iter().any(|file| file.path == "src/lib.rs"), "the source was not found");
    let mut findings = Vec::new();
    for file in &rust {
        for rule in RULES {
            findings
                .extend(rule(file).into_iter().map(|(line, what)| format!("{}:{line}: {what}", file.path)));
        }
    }
    for (path, text) in &files {
        let found = habits::names_no_machine(text);
        findings.extend(found.into_iter().map(|(line, what)| format!("{path}:{line}: {what}")));
    }
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

/// Every text file below a folder, with its path from the root.
fn read_below(root: &Path, dir: &Path, files: &mut Vec<(String, String)>) {
    let mut entries: Vec<_> = fs::read_dir(dir).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        let kind = entry.file_type().unwrap();
        if SKIPPED.iter().any(|skipped| name == *skipped) {
            continue;
        }
        if kind.is_dir() {
            read_below(root, &path, files);
        }
        // What is not UTF-8 is no text, and what vanished is no file of ours.
        if let (true, Ok(text)) = (kind.is_file(), fs::read_to_string(&path)) {
            files.push((path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), text));
        }
    }
}
