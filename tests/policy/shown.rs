//! How a document is shown, compared with what was read and found good. Where it differs, the new text is written under
//! the target directory, to be read before it is committed in place of the old one.

use super::desk::shipped;
use makegood::policy::show;
use std::path::Path;

#[track_caller]
fn kept(name: &str, kept: &str, shown: &str) {
    if kept == shown {
        return;
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, shown).unwrap();
    let differs = kept.lines().zip(shown.lines()).position(|(kept, shown)| kept != shown);
    let line =
        differs.map_or("the last line".to_owned(), |index| format!("line {}", index.saturating_add(1)));
    panic!("tests/policy/shown/{name} says something else from {line} on; read and copy {}", path.display());
}

#[test]
fn the_shipped_policy_is_shown_at_a_terminal_as_kept() {
    let shown = show::terminal(shipped());
    assert!(shown.lines().all(|line| line.chars().count() <= 100), "a line is too wide");
    kept("terminal.txt", include_str!("shown/terminal.txt"), &shown);
}

#[test]
fn the_shipped_policy_is_shown_on_a_help_page_as_kept() {
    let shown = show::markdown(shipped());
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    let table: Vec<&str> = shown.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(table.len(), shipped().rows().len().saturating_add(2));
    assert!(table.iter().all(|line| cells(line) == 7), "a row has other cells than the head");
    kept("help_page.md", include_str!("shown/help_page.md"), &shown);
}
