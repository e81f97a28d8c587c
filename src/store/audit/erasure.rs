//! Erasures as an audit reads them: what each took, and what is empty in its name.

use super::super::Error;
use super::{Snapshot, visit_rows};
use chrono::{DateTime, Utc};

/// An erasure's count of one table, beside the rows that are empty in its name.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns' names")]
pub struct AuditErasure {
    pub account_id: String,
    pub ordinal: i32,
    pub of_table: String,
    pub recorded: i64,
    pub erased: i64,
}

/// A row that lives on, whose words are gone though its account was never erased.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns' names")]
pub struct AuditEmptied {
    pub of_table: String,
    pub of_key: String,
}

impl Snapshot {
    /// Every count of every erasure that is not that of its rows.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn each_miscounted_erasure(
        &mut self,
        since: Option<DateTime<Utc>>,
        mut visit: impl FnMut(AuditErasure),
    ) -> Result<(), Error> {
        let counts = sqlx::query_as!(
            AuditErasure,
            r#"SELECT e.account_id AS "account_id!", e.ordinal AS "ordinal!", c.of_table AS "of_table!",
                c.recorded::bigint AS "recorded!", coalesce(t.erased, 0) AS "erased!"
             FROM account_erasure e
             CROSS JOIN LATERAL (VALUES ('request_text', request_texts), ('request_note', request_notes),
                ('evidence', evidence), ('account_note', account_notes), ('operator_note', operator_notes),
                ('failure_text', failure_texts)) AS c (of_table, recorded)
             LEFT JOIN (
                SELECT 'request_text' AS of_table, account_id, erasure, count(*) AS erased FROM request_text GROUP BY 2, 3
                UNION ALL SELECT 'request_note', account_id, erasure, count(*) FROM request_note GROUP BY 2, 3
                UNION ALL SELECT 'evidence', account_id, erasure, count(*) FROM evidence GROUP BY 2, 3
                UNION ALL SELECT 'account_note', account_id, erasure, count(*) FROM account_note GROUP BY 2, 3
                UNION ALL SELECT 'operator_note', account_id, erasure, count(*) FROM operator_note GROUP BY 2, 3
                UNION ALL SELECT 'failure_text', account_id, erasure, count(*) FROM failure_text GROUP BY 2, 3
             ) AS t ON t.of_table = c.of_table AND t.account_id = e.account_id AND t.erasure = e.ordinal
             WHERE c.recorded <> coalesce(t.erased, 0) AND ($1::timestamptz IS NULL
                OR e.account_id IN (SELECT account_id FROM account WHERE last_at >= $1))
             ORDER BY e.account_id, e.ordinal, c.of_table"#,
            since,
        );
        visit_rows!(self, counts, visit)
    }

    /// Every refund and purchase that should say why and does not, and every call that is no longer compared, in an
    /// account that was never erased.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn each_unrecorded_erasure(
        &mut self,
        since: Option<DateTime<Utc>>,
        mut visit: impl FnMut(AuditEmptied),
    ) -> Result<(), Error> {
        let emptied = sqlx::query_as!(
            AuditEmptied,
            r#"SELECT of_table AS "of_table!", account_id || '/' || id AS "of_key!" FROM (
                SELECT 'refund' AS of_table, account_id, refund_id::text AS id FROM refund
                WHERE stage = 'failed' AND failure_reason = ''
                UNION ALL SELECT 'purchase', account_id, purchase_id::text FROM purchase
                WHERE undeliverable_reason = ''
                UNION ALL SELECT 'idempotency_key', account_id, concat_ws('/', caller, method, request_id)
                FROM idempotency_key WHERE fingerprint LIKE 'erased:%') AS emptied
             WHERE account_id NOT IN (SELECT account_id FROM account_erasure) AND ($1::timestamptz IS NULL
                OR account_id IN (SELECT account_id FROM account WHERE last_at >= $1))
             ORDER BY 1, 2"#,
            since,
        );
        visit_rows!(self, emptied, visit)
    }
}
