//! What calls left behind, counted twice: from the journal and from the tables, by statements that know nothing of the
//! service.

use sqlx::PgConnection;
use std::collections::BTreeMap;

/// How often, or how much, by kind and key. What is nothing is not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Effects(BTreeMap<String, i64>);

/// How two counts differ.
#[derive(Debug, Clone, Default)]
pub(crate) struct Difference {
    /// Keys of which there is less than there must be.
    pub(crate) missing: Vec<String>,
    /// Keys of which there is more.
    pub(crate) surplus: Vec<String>,
}

impl Effects {
    pub(crate) fn add(&mut self, kind: &str, key: &str, amount: i64) {
        let label = format!("{kind} {key}");
        let sum = self.0.get(&label).copied().unwrap_or_default() + amount;
        if sum == 0 {
            self.0.remove(&label);
        } else {
            self.0.insert(label, sum);
        }
    }

    /// Credits of an account that go from one bucket to another.
    pub(crate) fn shift(&mut self, account_id: &str, from: &str, to: &str, credits: i64) {
        self.add(from, account_id, -credits);
        self.add(to, account_id, credits);
    }

    /// What these, which were found, have too little and too much of.
    pub(crate) fn against(&self, expected: &Self) -> Difference {
        let mut difference = Difference::default();
        let labels = self.0.keys().chain(expected.0.keys().filter(|label| !self.0.contains_key(*label)));
        for label in labels {
            let of = |effects: &Self| effects.0.get(label).copied().unwrap_or_default();
            let line = || format!("{label}: {} instead of {}", of(self), of(expected));
            match of(self).cmp(&of(expected)) {
                std::cmp::Ordering::Less => difference.missing.push(line()),
                std::cmp::Ordering::Greater => difference.surplus.push(line()),
                std::cmp::Ordering::Equal => {}
            }
        }
        difference
    }

    /// What the tables hold.
    pub(crate) async fn found(database: &mut PgConnection) -> anyhow::Result<Self> {
        let rows: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT 'purchase', payment_id, count(*) FROM purchase GROUP BY 2
             UNION ALL SELECT 'delivery', delivery_id, sum(credits)::bigint FROM delivery
                WHERE delivery_id NOT LIKE 'refund_request:%' GROUP BY 2
             UNION ALL SELECT 'grant', extract(epoch FROM expires_at)::bigint::text, sum(granted)::bigint FROM lot WHERE source = 'promotion' GROUP BY 2
             UNION ALL SELECT CASE to_bucket WHEN 'held' THEN 'held for' WHEN 'consumed' THEN 'charged for'
                    ELSE 'restored for' END, split_part(cause_id, '#', 1), sum(credits)::bigint
                FROM entry WHERE cause_kind = 'usage' GROUP BY 1, 2
             UNION ALL SELECT 'request', payment_id, count(*)
                FROM refund_request JOIN purchase USING (account_id, purchase_id) GROUP BY 2
             UNION ALL SELECT 'news', dispute_id, count(*)
                FROM chargeback_event JOIN chargeback USING (account_id, chargeback_id) GROUP BY 2
             UNION ALL SELECT 'key', request_id::text, count(*) FROM idempotency_key GROUP BY 2
             UNION ALL SELECT bucket, account_id, sum(credits)::bigint FROM lot CROSS JOIN LATERAL (VALUES
                    ('available', available), ('held', held), ('frozen', frozen), ('consumed', consumed),
                    ('expired', expired), ('revoked', revoked), ('refunded', refunded)) AS part (bucket, credits)
                GROUP BY 1, 2",
        )
        .fetch_all(database)
        .await?;
        let mut effects = Self::default();
        for (kind, key, amount) in rows {
            effects.add(&kind, &key, amount);
        }
        Ok(effects)
    }
}
