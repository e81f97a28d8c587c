//! Where in a document something is wrong: line, row and field, for the person who mends it.

use super::DocumentError;
use std::fmt::Write;
use toml::de::{DeTable, DeValue};

/// A step down into a document.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Item(usize),
}

/// What is wrong, and the way to it from the value that was being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) struct Wrong {
    /// Innermost step first: whoever passes the error on adds its own step.
    way: Vec<Step>,
    problem: String,
}

impl Wrong {
    pub(in crate::policy) fn new(problem: impl Into<String>) -> Self {
        Self { way: Vec::new(), problem: problem.into() }
    }

    /// The same, seen from the table that has the value under this key.
    pub(in crate::policy) fn below(mut self, key: impl Into<String>) -> Self {
        self.way.push(Step::Key(key.into()));
        self
    }

    /// The same, seen from the list that has the value at this place.
    pub(in crate::policy) fn item(mut self, index: usize) -> Self {
        self.way.push(Step::Item(index));
        self
    }

    /// The same, with the line and the row looked up in the text.
    pub(super) fn locate(self, text: &str) -> DocumentError {
        let way: Vec<Step> = self.way.into_iter().rev().collect();
        match DeTable::parse(text) {
            Ok(table) => told(&way, self.problem, &DeValue::Table(table.into_inner()), text),
            Err(_) => told(&way, self.problem, &DeValue::Table(DeTable::new()), text),
        }
    }
}

impl From<String> for Wrong {
    fn from(problem: String) -> Self {
        Self::new(problem)
    }
}

impl From<&str> for Wrong {
    fn from(problem: &str) -> Self {
        Self::new(problem)
    }
}

/// What the TOML reader says, with the row and the field it was in.
pub(super) fn misread(error: &toml::de::Error, text: &str) -> DocumentError {
    let problem = with_hint(error.message());
    let offset = error.span().map_or(0, |span| span.start);
    let mut told = match DeTable::parse(text) {
        Ok(table) => {
            let root = DeValue::Table(table.into_inner());
            told(&deepest(&root, offset), problem, &root, text)
        }
        Err(_) => told(&[], problem, &DeValue::Table(DeTable::new()), text),
    };
    told.line = Some(line_of(text, offset));
    told
}

fn told(way: &[Step], problem: String, root: &DeValue<'_>, text: &str) -> DocumentError {
    let row = match way {
        [Step::Key(rows), Step::Item(index), ..] if rows == "rows" => row_id(root, *index),
        _ => None,
    };
    DocumentError {
        line: start(root, way).map(|offset| line_of(text, offset)),
        row,
        field: path(way),
        problem,
    }
}

/// `rows[3].when[0].unused`.
fn path(way: &[Step]) -> String {
    let mut path = String::new();
    for step in way {
        let written = match step {
            Step::Key(key) if path.is_empty() => write!(path, "{key}"),
            Step::Key(key) => write!(path, ".{key}"),
            Step::Item(index) => write!(path, "[{index}]"),
        };
        // Writing to a string cannot fail.
        written.unwrap_or_default();
    }
    path
}

fn row_id(root: &DeValue<'_>, index: usize) -> Option<String> {
    let row = root.get("rows")?.get_ref().get(index)?.get_ref();
    Some(row.get("row")?.get_ref().as_str()?.to_owned())
}

/// Where the last step of the way that exists begins; `None` when not even the first does.
fn start(root: &DeValue<'_>, way: &[Step]) -> Option<usize> {
    let mut value = root;
    let mut found = None;
    for step in way {
        let (at, next) = match (step, value) {
            (Step::Key(key), DeValue::Table(table)) => match table.get_key_value(key.as_str()) {
                Some((key, next)) => (key.span().start, next),
                None => break,
            },
            (Step::Item(index), DeValue::Array(items)) => match items.get(*index) {
                Some(next) => (next.span().start, next),
                None => break,
            },
            _ => break,
        };
        (found, value) = (Some(at), next.get_ref());
    }
    found
}

/// The way to the innermost value, or its key, that has this offset within it.
fn deepest(value: &DeValue<'_>, offset: usize) -> Vec<Step> {
    let children: Vec<(Step, bool, &DeValue<'_>)> = match value {
        DeValue::Table(table) => table
            .iter()
            .map(|(key, value)| {
                let within = key.span().contains(&offset) || value.span().contains(&offset);
                (Step::Key(key.get_ref().to_string()), within, value.get_ref())
            })
            .collect(),
        DeValue::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, value)| (Step::Item(index), value.span().contains(&offset), value.get_ref()))
            .collect(),
        _ => Vec::new(),
    };
    // A table's own span is its header's, so that what is below is looked at whether or not the offset is within.
    let ways = children.into_iter().map(|(step, within, value)| {
        let below = deepest(value, offset);
        if below.is_empty() && !within { Vec::new() } else { [vec![step], below].concat() }
    });
    ways.max_by_key(Vec::len).unwrap_or_default()
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count().saturating_add(1)
}

/// A complaint of the TOML reader about an unknown name lists the known ones; the nearest is enough.
fn with_hint(message: &str) -> String {
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let Some((unknown, known)) = names.split_first().filter(|_| message.starts_with("unknown ")) else {
        return message.to_owned();
    };
    let near = crate::policy::spelling::hint(unknown, known.iter().copied());
    if near.is_empty() {
        return message.to_owned();
    }
    let head = message.split(", expected").next().unwrap_or(message);
    format!("{head}{near}")
}
