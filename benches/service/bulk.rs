//! Many operations in one statement and one commit, by the only writer of its accounts: the ceiling of what the
//! database can do, and the quick way to attempts that can be restored. The chains it writes are whole.

use crate::hand::{COST, Move};
use crate::load::Job;
use crate::seed::actor;
use anyhow::Context;
use makegood::clock::Clock;
use makegood::domain::credits::Credits;
use makegood::domain::entry::{ChainHead, Entry, EntryCause, Movement, chain};
use makegood::domain::ids::{AccountId, Attempt, JobId, LotId};
use makegood::domain::lot::Bucket;
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

const LOAD: &str = "
    SELECT account_id, last_seq, last_hash, lot_id FROM account JOIN lot USING (account_id)
    WHERE account_id = ANY($1)";

const HOLD: &str = "
    WITH moved AS (
        UPDATE account SET revision = revision + 1, last_seq = new.seq, last_hash = new.hash, last_at = $11
        FROM unnest($1::text[], $2::bigint[], $3::bytea[]) AS new (account_id, seq, hash)
        WHERE account.account_id = new.account_id
    ), taken AS (
        UPDATE lot SET available = available - new.credits, held = held + new.credits
        FROM unnest($1::text[], $4::uuid[], $5::bigint[]) AS new (account_id, lot_id, credits)
        WHERE lot.account_id = new.account_id AND lot.lot_id = new.lot_id
    ), used AS (
        INSERT INTO usage (account_id, job_id, attempt, stage, cost, outputs, held_at, hold_expires_at)
        SELECT account_id, job_id, 1, 'held', $12, 1, $11, $11 + interval '15 minutes'
        FROM unnest($6::text[], $7::text[]) AS new (account_id, job_id)
    ), kept AS (
        INSERT INTO allocation (account_id, job_id, attempt, position, lot_id, taken, captured, released, restored)
        SELECT account_id, job_id, 1, 1, lot_id, $12, 0, 0, 0
        FROM unnest($6::text[], $7::text[], $13::uuid[]) AS new (account_id, job_id, lot_id)
    )
    INSERT INTO entry (account_id, seq, lot_id, from_bucket, to_bucket, credits, cause_kind, cause_id, actor, at,
        prev_hash, hash)
    SELECT account_id, seq, lot_id, 'available', 'held', $12, 'usage', job_id || '#1', $14, $11, prev_hash, hash
    FROM unnest($6::text[], $7::text[], $13::uuid[], $8::bigint[], $9::bytea[], $10::bytea[])
        AS new (account_id, job_id, lot_id, seq, prev_hash, hash)";

const CAPTURE: &str = "
    WITH moved AS (
        UPDATE account SET revision = revision + 1, last_seq = new.seq, last_hash = new.hash, last_at = $11
        FROM unnest($1::text[], $2::bigint[], $3::bytea[]) AS new (account_id, seq, hash)
        WHERE account.account_id = new.account_id
    ), taken AS (
        UPDATE lot SET held = held - new.credits, consumed = consumed + new.credits
        FROM unnest($1::text[], $4::uuid[], $5::bigint[]) AS new (account_id, lot_id, credits)
        WHERE lot.account_id = new.account_id AND lot.lot_id = new.lot_id
    ), used AS (
        UPDATE usage SET stage = 'captured', delivered_outputs = outputs, ended_at = $11
        FROM unnest($6::text[], $7::text[]) AS new (account_id, job_id)
        WHERE usage.account_id = new.account_id AND usage.job_id = new.job_id AND attempt = 1
    ), kept AS (
        UPDATE allocation SET captured = taken FROM unnest($6::text[], $7::text[]) AS new (account_id, job_id)
        WHERE allocation.account_id = new.account_id AND allocation.job_id = new.job_id AND attempt = 1
            AND position = 1
    )
    INSERT INTO entry (account_id, seq, lot_id, from_bucket, to_bucket, credits, cause_kind, cause_id, actor, at,
        prev_hash, hash)
    SELECT account_id, seq, lot_id, 'held', 'consumed', $12, 'usage', job_id || '#1', $14, $11, prev_hash, hash
    FROM unnest($6::text[], $7::text[], $13::uuid[], $8::bigint[], $9::bytea[], $10::bytea[])
        AS new (account_id, job_id, lot_id, seq, prev_hash, hash)";

/// The end of one account's chain, and its lot.
struct Ledger {
    account_id: AccountId,
    head: ChainHead,
    lot_id: Uuid,
}

/// The only writer of some accounts, on a connection of its own.
pub(crate) struct Bulk {
    connection: PgConnection,
    ledgers: Vec<Ledger>,
    at: BTreeMap<AccountId, usize>,
    turn: usize,
}

impl Bulk {
    /// Takes accounts over. Nobody else may write to them meanwhile.
    pub(crate) async fn open(mut connection: PgConnection, accounts: &[AccountId]) -> anyhow::Result<Self> {
        let ids: Vec<&str> = accounts.iter().map(AccountId::as_str).collect();
        let rows: Vec<(String, i64, Vec<u8>, Uuid)> =
            sqlx::query_as(LOAD).bind(ids).fetch_all(&mut connection).await?;
        let mut ledgers = Vec::new();
        for (account_id, seq, hash, lot_id) in rows {
            let hash = hash.try_into().ok().context("a hash has another length")?;
            let account_id = AccountId::parse(account_id)?;
            ledgers.push(Ledger { account_id, head: ChainHead { seq, hash }, lot_id });
        }
        let at = ledgers.iter().enumerate().map(|(at, one)| (one.account_id.clone(), at)).collect();
        Ok(Self { connection, ledgers, at, turn: 0 })
    }

    /// The accounts of the next attempts, in turn.
    pub(crate) fn next_accounts(&mut self, count: usize) -> Vec<AccountId> {
        let from = self.turn;
        self.turn += count;
        let ledgers = self.ledgers.iter().cycle().skip(from % self.ledgers.len().max(1));
        ledgers.take(count).map(|ledger| ledger.account_id.clone()).collect()
    }

    /// Moves the credits of many attempts in one statement: a hold or a capture.
    pub(crate) async fn shift(&mut self, jobs: &[Job], movement: Move) -> anyhow::Result<()> {
        let (statement, from, to) = match movement {
            Move::Hold => (HOLD, Bucket::Available, Bucket::Held),
            Move::Capture => (CAPTURE, Bucket::Held, Bucket::Consumed),
            Move::Restore => anyhow::bail!("restores are not written in bulk"),
        };
        let (now, actor, cost) = (Clock::system().now(), actor()?, Credits::try_from(COST)?);
        let (mut entries, mut lots, mut touched): (Vec<Entry>, Vec<Uuid>, BTreeMap<usize, i64>) =
            Default::default();
        for job in jobs {
            let at = *self.at.get(&job.account_id).context("an account of another writer")?;
            let ledger = self.ledgers.get_mut(at).context("an account of another writer")?;
            let attempt = Attempt { job_id: JobId::parse(job.job_id.clone())?, number: 1 };
            let cause = EntryCause::Usage(attempt);
            let step = Movement { lot_id: LotId(ledger.lot_id), from, to, credits: cost, cause };
            let (chained, head) = chain(&ledger.account_id, ledger.head, vec![step], &actor, None, now);
            ledger.head = head;
            lots.push(ledger.lot_id);
            entries.extend(chained);
            *touched.entry(at).or_default() += COST;
        }
        let sums: Vec<i64> = touched.values().copied().collect();
        let touched: Vec<&Ledger> = touched.keys().filter_map(|&at| self.ledgers.get(at)).collect();
        sqlx::query(statement)
            .bind(touched.iter().map(|one| one.account_id.as_str()).collect::<Vec<_>>())
            .bind(touched.iter().map(|one| one.head.seq).collect::<Vec<_>>())
            .bind(touched.iter().map(|one| one.head.hash.to_vec()).collect::<Vec<_>>())
            .bind(touched.iter().map(|one| one.lot_id).collect::<Vec<_>>())
            .bind(sums)
            .bind(jobs.iter().map(|job| job.account_id.as_str()).collect::<Vec<_>>())
            .bind(jobs.iter().map(|job| job.job_id.as_str()).collect::<Vec<_>>())
            .bind(entries.iter().map(|entry| entry.seq).collect::<Vec<_>>())
            .bind(entries.iter().map(|entry| entry.prev_hash.to_vec()).collect::<Vec<_>>())
            .bind(entries.iter().map(|entry| entry.hash.to_vec()).collect::<Vec<_>>())
            .bind(now)
            .bind(COST)
            .bind(lots)
            .bind(actor.as_str())
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }
}
