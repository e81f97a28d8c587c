//! What can go wrong between us and the database.

use super::constraint::Meaning;

/// A failure of the store. Its text is for operators, never for callers.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A constraint refused the row; the meaning says which promise it keeps.
    #[error("a constraint refused the row: {0:?}")]
    Refused(Meaning),
    /// A lock or a statement took longer than it may. Nothing was written.
    #[error("the database took too long")]
    TooSlow(#[source] sqlx::Error),
    /// The transaction lost a race that the database resolves by repeating it. Nothing was written.
    #[error("the transaction must run again")]
    RunAgain(#[source] sqlx::Error),
    /// Somebody else changed an account between its reading and its writing. Nothing was written.
    #[error("an account was changed by somebody else meanwhile")]
    Changed,
    /// The caller's time ran out while the database worked or waited. Nothing was written.
    #[error("the caller's time ran out")]
    Late,
    /// Too many wait for a connection already. Nothing was begun.
    #[error("too many wait for a connection")]
    Crowded,
    /// No connection could be had, or it broke before the commit. Nothing was written.
    #[error("the database cannot be reached")]
    Unreachable(#[source] sqlx::Error),
    /// The database takes no writes now: it has no room on its disk or in its memory, or is a standby. Nothing was written.
    #[error("the database takes no writes now")]
    NoWrites(#[source] sqlx::Error),
    /// The connection broke while the commit was in flight: it may or may not have happened.
    #[error("the connection broke during the commit")]
    CommitInDoubt(#[source] sqlx::Error),
    /// A stored row cannot be what it is.
    #[error("table `{table}`, column `{column}`, key `{key}` holds a value that cannot be")]
    CorruptRow {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's key.
        key: String,
    },
    /// The database has no such role: it was never migrated, or not by this version.
    #[error("the role `{0}` does not exist: run `makegood migrate` first")]
    NoRole(&'static str),
    /// The login may not act as the role.
    #[error("the login may not act as `{0}`: an administrator must grant it that role")]
    NotMember(&'static str),
    /// The task that ran the transaction ended without an answer.
    #[error("the transaction's task ended without an answer")]
    TaskLost,
    /// The migrations could not be applied.
    #[error("the migrations could not be applied")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// Anything else the database said.
    #[error("the database refused")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => match database.code().as_deref() {
                Some("40001" | "40P01") => Self::RunAgain(error),
                Some("55P03" | "57014") => Self::TooSlow(error),
                Some("57P01" | "57P02" | "57P03" | "08000" | "08003" | "08006" | "53300") => {
                    Self::Unreachable(error)
                }
                Some("53000" | "53100" | "53200" | "25006" | "58000" | "58030") => Self::NoWrites(error),
                _ => match database.constraint().and_then(Meaning::of) {
                    Some(meaning) => Self::Refused(meaning),
                    None => Self::Database(error),
                },
            },
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::WorkerCrashed => Self::Unreachable(error),
            _ => Self::Database(error),
        }
    }
}
