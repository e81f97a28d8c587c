//! Words of persons and secrets: carried and kept, and never printed.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A value that must not reach logs, spans, metrics, errors or debug output: what customers and the desk write, where
/// their papers lie, tokens and passwords.
///
/// It has no `Display`, and its `Debug` says nothing of it; who needs the value says so by [`Redacted::expose`], which
/// is easily looked for. It is serialised as what it holds, for the fingerprint of a call.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Redacted<T>(T);

/// Words of a person.
pub type FreeText = Redacted<String>;

impl<T> Redacted<T> {
    /// Withholds a value from here on.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value: to store it, to answer it to who may read it, or to compare it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl FreeText {
    /// Whether nothing was written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<T> From<T> for Redacted<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

#[cfg(test)]
mod tests {
    use super::{FreeText, Redacted};

    #[test]
    fn nothing_is_printed_of_it_however_deep_it_lies() {
        let words = FreeText::new("canary".to_owned());
        assert_eq!(format!("{words:?} {:?} {:#?}", Some(&words), [&words]).matches("canary").count(), 0);
        assert_eq!(format!("{:?}", Redacted::new(7)), "[redacted]");
    }

    #[test]
    fn it_is_kept_as_what_it_is() {
        let words = FreeText::from("canary".to_owned());
        assert_eq!(serde_json::to_string(&words).unwrap(), "\"canary\"");
        assert_eq!(serde_json::from_str::<FreeText>("\"canary\"").unwrap(), words);
        assert_eq!(words.expose(), "canary");
    }
}
