//! The databases inside a cluster.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::{Cluster, Error};

/// The longest name PostgreSQL keeps whole.
const NAME_BYTES: usize = 63;

/// `duplicate_database`: PostgreSQL's documentation, appendix A, class 42.
const DUPLICATE: &str = "42P04";

impl Cluster {
    /// Makes an empty database and says whether it is new: `false` where it was there.
    ///
    /// # Errors
    /// [`Error::BadDatabaseName`], or [`Error::Database`] with the server's answer.
    pub async fn create_database(&self, name: &str) -> Result<bool, Error> {
        check(name)?;
        match self.run(format!("CREATE DATABASE {name} TEMPLATE template0")).await {
            Ok(()) => Ok(true),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(DUPLICATE) => Ok(false),
            Err(source) => Err(Error::Database { what: "make", name: name.to_owned(), source }),
        }
    }

    /// Makes a database that is a copy of `template`, to which nobody may be connected.
    ///
    /// # Errors
    /// [`Error::BadDatabaseName`], or [`Error::Database`] with the server's answer,
    /// also where the name is taken.
    pub async fn clone_database(&self, name: &str, template: &str) -> Result<(), Error> {
        check(name)?;
        check(template)?;
        let made = self.run(format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        made.map_err(|source| Error::Database { what: "make", name: name.to_owned(), source })
    }

    /// Removes a database, ending its connections. One that is not there is fine.
    ///
    /// # Errors
    /// [`Error::BadDatabaseName`], or [`Error::Database`] with the server's answer.
    pub async fn drop_database(&self, name: &str) -> Result<(), Error> {
        check(name)?;
        let dropped = self.run(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        dropped.map_err(|source| Error::Database { what: "remove", name: name.to_owned(), source })
    }

    async fn run(&self, statement: String) -> Result<(), sqlx::Error> {
        let mut connection = PgConnection::connect(&self.url("postgres")).await?;
        connection.execute(AssertSqlSafe(statement)).await?;
        connection.close().await
    }
}

/// Names are written into statements, which take no parameters there: so only names
/// that need no quoting.
fn check(name: &str) -> Result<(), Error> {
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let fits = name.len() <= NAME_BYTES && name.bytes().all(letters);
    if fits && name.bytes().next().is_some_and(|first| first.is_ascii_lowercase()) {
        return Ok(());
    }
    Err(Error::BadDatabaseName)
}
