//! A database URL, whose password is never printed.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// The address of a PostgreSQL server, with the secret that may be in it.
///
/// `Debug` and `Display` write it without the password; [`DatabaseUrl::expose`]
/// is the only way to the whole.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The whole URL, secret included: for connecting, never for printing.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.trim().is_empty()
    }

    /// Refuses what is no PostgreSQL URL, without repeating it.
    pub(super) fn check(&self) -> Result<(), String> {
        let known = ["postgres://", "postgresql://"].iter().any(|scheme| self.0.starts_with(scheme));
        if known {
            return Ok(());
        }
        Err("the database URL must begin with postgres:// or postgresql://, for example \
             postgres://user:password@localhost:5432/makegood"
            .to_owned())
    }
}

impl FromStr for DatabaseUrl {
    type Err = Infallible;

    // Never fails: the command line's own message would repeat the secret, so
    // `check` refuses later, in words that do not.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://") else {
            return out.write_str("(not a URL)");
        };
        let (login, place) =
            rest.rsplit_once('@').map_or((None, rest), |(login, place)| (Some(login), place));
        // Query parameters can carry a password too, so none of them is shown.
        let place = place.split_once('?').map_or(place, |(before, _)| before);
        match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
            None => write!(out, "{scheme}://{place}"),
            Some((user, "")) => write!(out, "{scheme}://{user}@{place}"),
            Some((user, _)) => write!(out, "{scheme}://{user}:***@{place}"),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{self}`")
    }
}

#[cfg(test)]
mod tests {
    use super::DatabaseUrl;

    fn shown(url: &str) -> String {
        url.parse::<DatabaseUrl>().unwrap().to_string()
    }

    #[test]
    fn a_password_is_never_shown() {
        for url in [
            "postgres://user:s3cret@host:5432/name",
            "postgres://user:s3cret@r@host/name",
            "postgres://user:s3cret/with/slashes@host/name",
            "postgres://host/name?password=s3cret",
            "postgres://user:s3cret@host/name?sslpassword=s3cret",
            "user=me password=s3cret",
        ] {
            assert!(!shown(url).contains("s3cret"), "{}", shown(url));
            assert!(!format!("{:?}", url.parse::<DatabaseUrl>().unwrap()).contains("s3cret"));
        }
    }

    #[test]
    fn the_rest_of_the_address_is_shown() {
        assert_eq!(shown("postgres://user:pw@host:5432/name"), "postgres://user:***@host:5432/name");
        assert_eq!(shown("postgres://user@host/name"), "postgres://user@host/name");
        assert_eq!(shown("postgresql://host/name"), "postgresql://host/name");
    }

    #[test]
    fn a_password_with_a_question_mark_is_never_shown() {
        assert!(!shown("postgres://user:s3?cret@host/name").contains("s3"));
    }

    #[test]
    fn what_is_no_postgres_url_is_refused_without_repeating_it() {
        let refused = "mysql://user:s3cret@host".parse::<DatabaseUrl>().unwrap().check().unwrap_err();
        assert!(refused.contains("postgres://") && !refused.contains("s3cret"), "{refused}");
    }
}
