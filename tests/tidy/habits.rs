//! How it is written: short, named for what it is, honest in its tests, finished.

use super::Finding;
use super::source::{Source, end_of_item};

const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 70;

/// Names that say nothing, so that everything ends up in them.
const DRAWERS: [&str; 10] =
    ["utils", "util", "common", "core", "models", "model", "helpers", "helper", "misc", "types"];

pub(crate) fn is_short(source: &Source) -> Vec<Finding> {
    let lines = source.text.lines().count();
    if lines <= FILE_LINES {
        return Vec::new();
    }
    vec![(FILE_LINES + 1, format!("{lines} lines: a file has at most {FILE_LINES}"))]
}

/// Counts the lines that hold code, from the function's first to its last.
pub(crate) fn has_short_functions(source: &Source) -> Vec<Finding> {
    let lines: Vec<&str> = source.code.lines().collect();
    let tokens = &source.all_tokens;
    let mut findings = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        // A function's type, `fn(…)`, has no name and no body.
        if pair[0].text != "fn" || pair[1].text == "(" {
            continue;
        }
        let (first, last) = (pair[0].line, tokens[end_of_item(tokens, at) - 1].line);
        let length = lines[first - 1..last].iter().filter(|line| !line.trim().is_empty()).count();
        if length > FUNCTION_LINES {
            let message =
                format!("`{}` has {length} lines: a function has at most {FUNCTION_LINES}", pair[1].text);
            findings.push((first, message));
        }
    }
    findings
}

pub(crate) fn is_named_for_what_it_is(source: &Source) -> Vec<Finding> {
    let parts: Vec<&str> = source.path.split(['/', '.']).collect();
    let mut findings = Vec::new();
    if source.path.ends_with("/mod.rs") {
        findings.push((1, "a module's file has the module's name, not `mod.rs`".to_owned()));
    }
    // The tests' own `tests/model/` is the model that the ledger is compared with.
    let drawer = parts.iter().find(|part| DRAWERS.contains(part) && source.path.starts_with("src/"));
    findings.extend(drawer.map(|name| (1, format!("`{name}` says nothing: name what is in it"))));
    for name in DRAWERS {
        let lines = source.lines_of(&["mod", name]);
        findings.extend(
            lines.into_iter().map(|line| (line, format!("`{name}` says nothing: name what is in it"))),
        );
    }
    findings
}

/// A test that is skipped, or that waits for the clock, proves nothing.
pub(crate) fn has_honest_tests(source: &Source) -> Vec<Finding> {
    let skipped = source.lines_anywhere_of(&["#", "[", "ignore"]);
    let mut findings: Vec<Finding> =
        skipped.into_iter().map(|line| (line, "a test is never skipped".to_owned())).collect();
    // A client that is shown to others pauses before it asks again.
    if source.path.starts_with("tests/clients/") {
        return findings;
    }
    for of in ["thread", "time"] {
        let outside = source.lines_of(&[of, "::", "sleep"]);
        let inside =
            source.lines_anywhere_of(&[of, "::", "sleep"]).into_iter().filter(|line| !outside.contains(line));
        findings
            .extend(inside.map(|line| (line, "a test waits for what happens, not for the clock".to_owned())));
    }
    findings
}

pub(crate) fn does_not_panic(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in ["unwrap", "expect", "unwrap_err", "expect_err"] {
        let lines = source.lines_of(&[".", name, "("]);
        findings.extend(lines.into_iter().map(|line| (line, format!("`{name}` panics: return an error"))));
    }
    for name in ["panic", "todo", "unimplemented", "unreachable"] {
        let lines = source.lines_of(&[name, "!"]);
        findings.extend(lines.into_iter().map(|line| (line, format!("`{name}!` panics: return an error"))));
    }
    findings
}

pub(crate) fn gives_reasons_for_exceptions(source: &Source) -> Vec<Finding> {
    let mut lines = source.lines_anywhere_of(&["#", "[", "allow"]);
    lines.extend(source.lines_anywhere_of(&["#", "!", "[", "allow"]));
    lines.into_iter().map(|line| (line, "write `#[expect(…, reason = …)]`".to_owned())).collect()
}

pub(crate) fn is_finished(source: &Source) -> Vec<Finding> {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];
    let is_mark = |word: &str| marks.contains(&word);
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let marked = source
        .text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.split(|letter| !is_word(letter)).any(is_mark));
    marked.map(|(index, _)| (index + 1, "finish it, or write an issue".to_owned())).collect()
}

/// Paths that exist on one machine only. They are written in two parts here, so that
/// this file does not name them.
pub(crate) fn names_no_machine(text: &str) -> Vec<Finding> {
    let paths = [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];
    let named = text.lines().enumerate().filter(|(_, line)| paths.iter().any(|path| line.contains(path)));
    named.map(|(index, _)| (index + 1, "a path of one machine".to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Rule, source::Source};

    #[track_caller]
    fn bites(rule: Rule, path: &str, text: &str, lines: &[usize]) {
        let found: Vec<usize> = rule(&Source::new(path, text)).into_iter().map(|(line, _)| line).collect();
        assert_eq!(found, lines, "{path}");
    }

    #[test]
    fn a_long_file_is_found() {
        bites(super::is_short, "src/any.rs", &"//\n".repeat(400), &[]);
        bites(super::is_short, "src/any.rs", &"//\n".repeat(401), &[401]);
    }

    #[test]
    fn a_long_function_is_found_and_comments_do_not_count() {
        let of = |lines: usize| format!("\nfn f() {{\n{}// why\n}}\n", "    g();\n".repeat(lines));
        bites(super::has_short_functions, "src/any.rs", &of(68), &[]);
        bites(super::has_short_functions, "src/any.rs", &of(69), &[2]);
        bites(
            super::has_short_functions,
            "src/any.rs",
            "type F = fn(u8) -> u8;\ntrait T { fn g(&self); }",
            &[],
        );
    }

    #[test]
    fn a_drawer_is_found() {
        bites(super::is_named_for_what_it_is, "src/store/mod.rs", "", &[1]);
        bites(super::is_named_for_what_it_is, "src/utils.rs", "", &[1]);
        bites(super::is_named_for_what_it_is, "src/store/helpers/lots.rs", "", &[1]);
        bites(super::is_named_for_what_it_is, "src/store.rs", "mod lots;\nmod common;", &[2]);
    }

    #[test]
    fn a_skipped_or_sleeping_test_is_found() {
        bites(super::has_honest_tests, "tests/any.rs", "#[test]\n#[ignore]\nfn f() {}", &[2]);
        bites(super::has_honest_tests, "tests/any.rs", "fn f() { std::thread::sleep(g()) }", &[1]);
        let inside = "#[cfg(test)]\nmod tests { fn f() { tokio::time::sleep(g()) } }";
        bites(super::has_honest_tests, "src/any.rs", inside, &[2]);
        bites(super::has_honest_tests, "src/any.rs", "fn f() { tokio::time::sleep(g()) }", &[]);
    }

    #[test]
    fn a_panic_outside_tests_is_found() {
        let text = "fn f() {\n    g().unwrap();\n    g()\n        .expect(\"h\");\n    panic!()\n}";
        bites(super::does_not_panic, "src/any.rs", text, &[2, 4, 5]);
        bites(
            super::does_not_panic,
            "src/any.rs",
            "#[cfg(test)]\nmod tests { fn f() { g().unwrap() } }",
            &[],
        );
        bites(super::does_not_panic, "src/any.rs", "#[expect(dead_code, reason = \"h\")]\nfn f() {}", &[]);
    }

    #[test]
    fn an_exception_without_a_reason_is_found() {
        bites(
            super::gives_reasons_for_exceptions,
            "tests/any.rs",
            "#![allow(x)]\n#[allow(y)]\nfn f() {}",
            &[2, 1],
        );
    }

    #[test]
    fn a_mark_of_unfinished_work_is_found() {
        let text = format!("// {}: later\n// todos are fine", concat!("TO", "DO"));
        bites(super::is_finished, "src/any.rs", &text, &[1]);
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        let text = format!("fine\nsee {}me/notes", concat!("/ho", "me/"));
        assert_eq!(super::names_no_machine(&text).len(), 1);
        assert!(super::names_no_machine("/usr/lib/postgresql and /tmp").is_empty());
    }
}
