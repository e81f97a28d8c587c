//! Who may name whom: the table of the architecture.

use super::Finding;
use super::source::{Source, Token};

/// A room, the rooms it may name beside itself, and the words it may not use.
struct Room {
    name: &'static str,
    neighbours: &'static [&'static str],
    forbidden: &'static [&'static str],
}

/// What a pure room does without: waiting, the network, the database, and numbers
/// that do not add up.
const IMPURE: &[&str] = &["async", "await", "tokio", "sqlx", "tonic", "prost", "f32", "f64"];

/// Rooms that are not here may name any other.
const ROOMS: [Room; 16] = [
    Room { name: "domain", neighbours: &[], forbidden: IMPURE },
    Room { name: "policy", neighbours: &["domain"], forbidden: IMPURE },
    Room { name: "evidence", neighbours: &["domain", "policy"], forbidden: IMPURE },
    Room { name: "store", neighbours: &["domain", "clock"], forbidden: &["tonic", "prost", "prost_types"] },
    Room {
        name: "command",
        neighbours: &["domain", "policy", "evidence", "store", "clock", "figures"],
        forbidden: &["sqlx", "tonic", "prost", "prost_types"],
    },
    Room {
        name: "grpc",
        neighbours: &["domain", "command", "proto", "clock", "telemetry", "trust"],
        forbidden: &["sqlx"],
    },
    Room {
        name: "trust",
        neighbours: &["domain", "clock"],
        forbidden: &["sqlx", "tonic", "prost", "prost_types"],
    },
    Room {
        name: "audit",
        neighbours: &["domain", "store", "clock", "config", "records"],
        forbidden: &["sqlx", "tonic", "prost", "prost_types"],
    },
    Room { name: "demo", neighbours: &["proto", "config", "clock", "reach"], forbidden: &["sqlx"] },
    Room { name: "probe", neighbours: &["proto", "config", "clock", "reach"], forbidden: &["sqlx"] },
    Room { name: "reach", neighbours: &[], forbidden: &["sqlx", "prost"] },
    Room { name: "clock", neighbours: &[], forbidden: &["sqlx", "tonic", "prost"] },
    Room { name: "config", neighbours: &["domain"], forbidden: &["sqlx", "tonic", "prost"] },
    Room {
        name: "figures",
        neighbours: &[],
        forbidden: &["async", "await", "tokio", "sqlx", "tonic", "prost"],
    },
    Room { name: "telemetry", neighbours: &["config", "clock", "figures"], forbidden: &["sqlx", "prost"] },
    Room { name: "postgres", neighbours: &[], forbidden: &["tonic", "prost"] },
];

/// Rooms whose string literals may hold statements.
const STATEMENT_ROOMS: [&str; 3] = ["store", "postgres", "migrate"];

/// Rooms that see the wire's status: the server's side of it, and the commands that are clients.
const STATUS_ROOMS: [&str; 4] = ["grpc", "demo", "probe", "reach"];

/// The room of a file: the first part of its path below `src`.
fn room_of(path: &str) -> Option<&str> {
    let below = path.strip_prefix("src/")?;
    below.split(['/', '.']).next()
}

fn table_of(source: &Source) -> Option<&'static Room> {
    ROOMS.iter().find(|room| room_of(&source.path) == Some(room.name))
}

pub(crate) fn names_only_its_neighbours(source: &Source) -> Vec<Finding> {
    let Some(room) = table_of(source) else { return Vec::new() };
    let is_open = |named: &str| named == room.name || room.neighbours.contains(&named);
    let named = named_rooms(&source.tokens).into_iter().filter(|(_, named)| !is_open(named));
    named.map(|(line, named)| (line, format!("`{}` may not name `crate::{named}`", room.name))).collect()
}

/// What follows each `crate::`, one name or each of a group.
fn named_rooms(tokens: &[Token]) -> Vec<(usize, String)> {
    let mut named = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        if pair[0].text != "crate" || pair[1].text != "::" {
            continue;
        }
        let rest = &tokens[at + 2..];
        if rest.first().is_none_or(|token| token.text != "{") {
            named.extend(rest.first().map(|token| (token.line, token.text.clone())));
            continue;
        }
        let mut depth = 0_usize;
        for (index, token) in rest.iter().enumerate() {
            match token.text.as_str() {
                "{" => depth += 1,
                "}" if depth == 1 => break,
                "}" => depth -= 1,
                text if depth == 1 && ["{", ","].contains(&rest[index - 1].text.as_str()) => {
                    named.push((token.line, text.to_owned()));
                }
                _ => {}
            }
        }
    }
    named
}

pub(crate) fn has_no_forbidden_word(source: &Source) -> Vec<Finding> {
    let Some(room) = table_of(source) else { return Vec::new() };
    let found = source.tokens.iter().filter(|token| room.forbidden.contains(&token.text.as_str()));
    found.map(|token| (token.line, format!("`{}` may not use `{}`", room.name, token.text))).collect()
}

pub(crate) fn leaves_statements_to_the_store(source: &Source) -> Vec<Finding> {
    const BEGINNINGS: [&str; 7] =
        ["select ", "insert into ", "update ", "delete from ", "with ", "lock table ", "truncate "];
    const CONTINUATIONS: [&str; 5] = [" from ", " values", " set ", " as (", " where "];
    let room = room_of(&source.path);
    if room.is_none_or(|room| STATEMENT_ROOMS.contains(&room)) || source.tokens.is_empty() {
        return Vec::new();
    }
    let is_statement = |literal: &str| {
        let text = literal.trim_start_matches(['b', 'r', '#', '"']).to_lowercase();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        BEGINNINGS.iter().any(|word| text.starts_with(word))
            && CONTINUATIONS.iter().any(|word| text.contains(word))
    };
    let found = source.literals.iter().filter(|(_, literal)| is_statement(literal));
    found.map(|(line, _)| (*line, "a statement belongs to `store`".to_owned())).collect()
}

pub(crate) fn leaves_status_to_the_wire(source: &Source) -> Vec<Finding> {
    if room_of(&source.path).is_none_or(|room| STATUS_ROOMS.contains(&room)) {
        return Vec::new();
    }
    let mut lines = source.lines_of(&["tonic", "::", "Status"]);
    for (at, window) in source.tokens.windows(3).enumerate() {
        if window[0].text == "tonic" && window[1].text == "::" && window[2].text == "{" {
            let group = source.tokens[at..].iter().take_while(|token| token.text != ";");
            lines.extend(group.filter(|token| token.text == "Status").map(|token| token.line));
        }
    }
    lines.into_iter().map(|line| (line, "`tonic::Status` belongs to `grpc`".to_owned())).collect()
}

pub(crate) fn takes_time_and_environment_as_parameters(source: &Source) -> Vec<Finding> {
    const READERS: [(&str, &str, &str); 10] = [
        ("clock", "Utc", "now"),
        ("clock", "Local", "now"),
        ("clock", "SystemTime", "now"),
        ("clock", "Uuid", "now_v7"),
        ("clock", "Uuid", "new_v4"),
        ("config", "env", "var"),
        ("config", "env", "var_os"),
        ("config", "env", "vars"),
        ("config", "env", "args"),
        ("config", "env", "args_os"),
    ];
    let mut findings = Vec::new();
    let Some(room) = room_of(&source.path) else { return findings };
    for (owner, of, what) in READERS.iter().filter(|(owner, _, _)| *owner != room) {
        let message = format!("`{of}::{what}` belongs to `{owner}`");
        let lines = source.lines_of(&[of, "::", what]);
        findings.extend(lines.into_iter().map(|line| (line, message.clone())));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::{Rule, source::Source};
    use super::{has_no_forbidden_word, leaves_statements_to_the_store, leaves_status_to_the_wire};
    use super::{names_only_its_neighbours, takes_time_and_environment_as_parameters};

    #[track_caller]
    fn bites(rule: Rule, path: &str, text: &str, lines: &[usize]) {
        let found: Vec<usize> = rule(&Source::new(path, text)).into_iter().map(|(line, _)| line).collect();
        assert_eq!(found, lines, "{path}: {text}");
    }

    #[test]
    fn a_room_that_names_a_stranger_is_found() {
        let rule = names_only_its_neighbours;
        bites(rule, "src/domain/lot.rs", "use crate::domain::money;\nuse crate::clock::Clock;", &[2]);
        bites(rule, "src/policy.rs", "use crate::{domain::{self, money}, store};", &[1]);
        bites(rule, "src/store/lots.rs", "fn f() { crate::policy::decide() }", &[1]);
        bites(rule, "src/grpc/encode.rs", "use crate::{\n    command,\n    store,\n};", &[3]);
        bites(rule, "src/command.rs", "use crate::{clock, domain, policy, store::Tx};", &[]);
        bites(rule, "src/server.rs", "use crate::{grpc, store};", &[]);
    }

    #[test]
    fn a_forbidden_word_is_found_in_code_and_not_in_prose() {
        let rule = has_no_forbidden_word;
        bites(rule, "src/domain/lot.rs", "// async sqlx\nasync fn f(x: f64) {}", &[2, 2]);
        bites(rule, "src/policy/table.rs", "fn f() { g().await }", &[1]);
        bites(rule, "src/store.rs", "use tonic::Code;", &[1]);
        bites(rule, "src/command/hold.rs", "use sqlx::Row;", &[1]);
        bites(rule, "src/grpc/decode.rs", "fn f() { sqlx::query!() }", &[1]);
        bites(rule, "src/domain/lot.rs", "fn f() {}\n#[cfg(test)]\nmod tests { async fn g() {} }", &[]);
    }

    #[test]
    fn a_statement_outside_the_store_is_found() {
        let rule = leaves_statements_to_the_store;
        bites(rule, "src/command/hold.rs", "const S: &str = \"SELECT id FROM lots\";", &[1]);
        bites(rule, "src/grpc.rs", "f(r#\"\n  update lots\n  set a = 1\"#)", &[1]);
        bites(rule, "src/command/hold.rs", "f(\"select a package\")", &[]);
        bites(rule, "src/store/lots.rs", "f(\"SELECT id FROM lots\")", &[]);
    }

    #[test]
    fn a_status_outside_the_wire_is_found() {
        let rule = leaves_status_to_the_wire;
        bites(rule, "src/server.rs", "fn f() -> tonic::Status { g() }", &[1]);
        bites(rule, "src/server.rs", "use tonic::{\n    Request,\n    Status,\n};", &[3]);
        bites(rule, "src/grpc/status.rs", "use tonic::{Code, Status};", &[]);
    }

    #[test]
    fn time_and_environment_read_elsewhere_are_found() {
        let rule = takes_time_and_environment_as_parameters;
        bites(rule, "src/command.rs", "fn f() { Utc::now() }", &[1]);
        bites(rule, "src/server.rs", "fn f() { std::env::var(\"X\") }", &[1]);
        bites(rule, "src/clock.rs", "fn f() { Utc::now() }", &[]);
        bites(rule, "src/config.rs", "fn f() { std::env::var_os(\"X\") }", &[]);
    }
}
