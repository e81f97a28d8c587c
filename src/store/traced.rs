//! A span for each statement of a call that is traced, by the semantic conventions for databases: what is done, to which
//! table, how it ended. Never its text, and nothing of its arguments.

use super::patience::{Patience, Rows};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgConnection, PgQueryResult, PgRow, PgStatement, PgTypeInfo, Postgres};
use sqlx::{Describe, Either, Error, Execute, Executor, SqlStr};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio_stream::Stream;
use tracing::field::Empty;
use tracing::{Instrument, Level, Span};

/// Where telemetry looks for the spans of statements. It lets them through below a call that is traced.
const TARGET: &str = "makegood::statement";

type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A connection whose statements are waited for in bounded time, and traced where their call is.
#[derive(Debug)]
pub struct Traced<'c> {
    pub(super) connection: &'c mut PgConnection,
    pub(super) patience: Patience,
}

/// The span of a statement that is no query, such as `COMMIT`.
pub(super) fn span_of(operation: &'static str) -> Span {
    if is_traced() { span(operation, None) } else { Span::none() }
}

/// Whether there is anybody to see a statement's span.
fn is_traced() -> bool {
    tracing::span_enabled!(target: TARGET, Level::DEBUG)
}

fn span(operation: &str, table: Option<&str>) -> Span {
    let summary = match table {
        Some(table) => format!("{operation} {table}"),
        None => operation.to_owned(),
    };
    tracing::debug_span!(
        target: TARGET,
        "statement",
        otel.name = summary,
        otel.kind = "client",
        otel.status_code = Empty,
        db.system.name = "postgresql",
        db.operation.name = operation,
        db.collection.name = table,
        db.query.summary = summary,
        db.response.status_code = Empty,
        "error.type" = Empty,
    )
}

/// Writes on a statement's span why it failed: the database's code, or that there was no answer.
fn tell_failure(span: &Span, error: &Error) {
    let database = error.as_database_error();
    let code = database.and_then(sqlx::error::DatabaseError::code);
    if let Some(code) = code.as_deref() {
        span.record("db.response.status_code", code);
    }
    span.record("error.type", code.as_deref().unwrap_or("no_answer"));
    span.record("otel.status_code", "ERROR");
}

/// What a statement does, and the first table that it names.
fn gist(sql: &str) -> (&str, Option<&str>) {
    let code = sql.lines().filter(|line| !line.trim_start().starts_with("--"));
    let is_sign = |letter: char| letter.is_whitespace() || matches!(letter, '(' | ')' | ',' | ';');
    let mut words = code.flat_map(|line| line.split(is_sign)).filter(|word| !word.is_empty());
    let operation = words.next().unwrap_or_default();
    let before = match operation {
        "INSERT" => "INTO",
        "UPDATE" => return (operation, words.next()),
        _ => "FROM",
    };
    (operation, words.skip_while(|word| *word != before).nth(1))
}

/// A query of which the text was looked at.
struct Read {
    sql: SqlStr,
    arguments: Option<Result<Option<PgArguments>, BoxDynError>>,
    persistent: bool,
}

impl Read {
    fn of<'q>(mut query: impl Execute<'q, Postgres>) -> Self {
        let (arguments, persistent) = (Some(query.take_arguments()), query.persistent());
        Self { sql: query.sql(), arguments, persistent }
    }

    fn span(&self) -> Span {
        let (operation, table) = gist(self.sql.as_str());
        span(operation, table)
    }
}

impl Execute<'_, Postgres> for Read {
    fn sql(self) -> SqlStr {
        self.sql
    }

    fn statement(&self) -> Option<&PgStatement> {
        None
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        self.arguments.take().unwrap_or(Ok(None))
    }

    fn persistent(&self) -> bool {
        self.persistent
    }
}

/// Rows that are read within a span.
struct Reading<'e> {
    rows: Rows<'e>,
    span: Span,
}

impl Stream for Reading<'_> {
    type Item = Result<Either<PgQueryResult, PgRow>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let span = self.span.clone();
        let polled = span.in_scope(|| self.rows.as_mut().poll_next(cx));
        if let Poll::Ready(Some(Err(error))) = &polled {
            tell_failure(&span, error);
        }
        polled
    }
}

impl<'c> Executor<'c> for Traced<'c> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> Rows<'e>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        if !is_traced() {
            return self.patience.for_rows(self.connection.fetch_many(query));
        }
        let query = Read::of(query);
        let span = query.span();
        Box::pin(Reading { rows: self.patience.for_rows(self.connection.fetch_many(query)), span })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> Later<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        if !is_traced() {
            return Box::pin(self.patience.with(self.connection.fetch_optional(query)));
        }
        let query = Read::of(query);
        let span = query.span();
        let row = self.patience.with(self.connection.fetch_optional(query));
        let told = span.clone();
        let row = async move { row.await.inspect_err(|error| tell_failure(&told, error)) };
        Box::pin(row.instrument(span))
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> Later<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        self.connection.prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> Later<'e, Result<Describe<Postgres>, Error>>
    where
        'c: 'e,
    {
        self.connection.describe(sql)
    }
}

#[cfg(test)]
mod tests {
    use super::gist;

    #[test]
    fn a_statement_is_named_by_what_it_does_and_its_first_table() {
        for (sql, named) in [
            (
                "SELECT revision FROM account WHERE account_id = $1 FOR NO KEY UPDATE",
                ("SELECT", Some("account")),
            ),
            ("INSERT INTO refund (a) VALUES ($1)", ("INSERT", Some("refund"))),
            ("INSERT INTO refund(a) VALUES ($1)", ("INSERT", Some("refund"))),
            ("UPDATE lot SET available = 0", ("UPDATE", Some("lot"))),
            ("\n  WITH due AS (\n SELECT 1 FROM usage) SELECT 2", ("WITH", Some("usage"))),
            ("-- FROM here\nUPDATE lot SET a = 1", ("UPDATE", Some("lot"))),
            ("SELECT set_config('a', $1, true)", ("SELECT", None)),
            ("", ("", None)),
        ] {
            assert_eq!(gist(sql), named, "{sql}");
        }
    }
}
