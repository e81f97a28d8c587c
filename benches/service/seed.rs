//! Accounts that have bought credits, written in bulk as the service would have written them one by one.

use chrono::{DateTime, Utc};
use makegood::clock::{Clock, new_id};
use makegood::domain::credits::Credits;
use makegood::domain::entry::{ChainHead, Entry, EntryCause, Movement, chain};
use makegood::domain::ids::{AccountId, Actor, LotId, PurchaseId};
use makegood::domain::lot::Bucket;
use sqlx::{Connection, PgConnection};
use std::sync::Arc;
use uuid::Uuid;

/// How many ordinary accounts there are.
pub(crate) const ACCOUNTS: usize = 10_000;

/// Credits that each account has bought: more than any run can spend.
const CREDITS: i64 = 1_000_000_000;

/// Accounts in one statement.
const CHUNK: usize = 1_000;

/// Who did it, as entries name it.
pub(crate) fn actor() -> anyhow::Result<Actor> {
    Ok(Actor::parse("worker:bench")?)
}

/// Plants accounts, each with one purchase, delivered whole, in one lot.
pub(crate) async fn plant(
    connection: &mut PgConnection,
    prefix: &str,
    count: usize,
) -> anyhow::Result<Arc<[AccountId]>> {
    let now = Clock::system().now();
    let accounts: Vec<AccountId> = (0..count)
        .map(|number| AccountId::parse(format!("{prefix}-{number:05}")))
        .collect::<Result<_, _>>()?;
    for chunk in accounts.chunks(CHUNK) {
        let grown: Vec<Grown> = chunk.iter().map(|id| Grown::new(id, now)).collect::<Result<_, _>>()?;
        let mut tx = connection.begin().await?;
        for table in [INSERT_ACCOUNTS, INSERT_EXTERNAL_KEYS, INSERT_PURCHASES, INSERT_DELIVERIES, INSERT_LOTS]
        {
            insert(&mut tx, table, &grown, now).await?;
        }
        insert_entries(&mut tx, &grown, now).await?;
        tx.commit().await?;
    }
    Ok(accounts.into())
}

/// One account as it will stand.
struct Grown {
    account_id: AccountId,
    purchase_id: Uuid,
    lot_id: Uuid,
    entry: Entry,
}

impl Grown {
    fn new(account_id: &AccountId, now: DateTime<Utc>) -> anyhow::Result<Self> {
        let (purchase_id, lot_id) = (new_id(now), new_id(now));
        let movement = Movement {
            lot_id: LotId(lot_id),
            from: Bucket::Granted,
            to: Bucket::Available,
            credits: Credits::try_from(CREDITS)?,
            cause: EntryCause::Purchase(PurchaseId(purchase_id)),
        };
        let (entries, _) = chain(account_id, ChainHead::START, vec![movement], &actor()?, None, now);
        let entry = entries.into_iter().next().ok_or_else(|| anyhow::anyhow!("a chain lost its movement"))?;
        Ok(Self { account_id: account_id.clone(), purchase_id, lot_id, entry })
    }
}

const INSERT_ACCOUNTS: &str = "
    INSERT INTO account (account_id, last_seq, last_hash, last_at, created_at)
    SELECT account_id, 1, hash, $5, $5 FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::bytea[])
        AS new (account_id, purchase_id, lot_id, hash)";

const INSERT_EXTERNAL_KEYS: &str = "
    INSERT INTO external_key (kind, provider, external_id, account_id)
    SELECT 'payment', 'bench', 'pay-' || account_id, account_id
    FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::bytea[])
        AS new (account_id, purchase_id, lot_id, hash)";

const INSERT_PURCHASES: &str = "
    INSERT INTO purchase (account_id, purchase_id, provider, payment_id, order_id, package_id, kind, renewal, plan,
        currency, price_minor, credits, bonus_credits, paid_at, recorded_at, delivered_credits, last_delivered_at,
        policy_version, attributes)
    SELECT account_id, purchase_id, 'bench', 'pay-' || account_id, 'order-' || account_id, 'pack', 'one_time', false,
        '', 'USD', 999, $6, 0, $5, $5, $6, $5, '2024-12-19', '{}'
    FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::bytea[]) AS new (account_id, purchase_id, lot_id, hash)";

const INSERT_DELIVERIES: &str = "
    INSERT INTO delivery (account_id, purchase_id, delivery_id, credits, bonus_credits, delivered_at, recorded_at)
    SELECT account_id, purchase_id, 'delivery', $6, 0, $5, $5
    FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::bytea[]) AS new (account_id, purchase_id, lot_id, hash)";

const INSERT_LOTS: &str = "
    INSERT INTO lot (account_id, lot_id, source, purchase_id, order_id, priority, granted_at, granted, available,
        held, frozen, consumed, expired, revoked, refunded, owed, disputed)
    SELECT account_id, lot_id, 'purchase', purchase_id, 'order-' || account_id, 1000, $5, $6, $6,
        0, 0, 0, 0, 0, 0, 0, false
    FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::bytea[]) AS new (account_id, purchase_id, lot_id, hash)";

const INSERT_ENTRIES: &str = "
    INSERT INTO entry (account_id, seq, lot_id, from_bucket, to_bucket, credits, cause_kind, cause_id, actor, at,
        prev_hash, hash)
    SELECT account_id, 1, lot_id, 'granted', 'available', $6, 'purchase', purchase_id::text, $7, $5, $8, hash
    FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::bytea[]) AS new (account_id, purchase_id, lot_id, hash)";

/// The columns that every statement above unpacks.
fn columns(grown: &[Grown]) -> (Vec<String>, Vec<Uuid>, Vec<Uuid>, Vec<Vec<u8>>) {
    let texts = grown.iter().map(|one| one.account_id.as_str().to_owned()).collect();
    let purchases = grown.iter().map(|one| one.purchase_id).collect();
    let lots = grown.iter().map(|one| one.lot_id).collect();
    let hashes = grown.iter().map(|one| one.entry.hash.to_vec()).collect();
    (texts, purchases, lots, hashes)
}

async fn insert(
    connection: &mut PgConnection,
    statement: &'static str,
    grown: &[Grown],
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let (accounts, purchases, lots, hashes) = columns(grown);
    sqlx::query(statement)
        .bind(accounts)
        .bind(purchases)
        .bind(lots)
        .bind(hashes)
        .bind(now)
        .bind(CREDITS)
        .execute(connection)
        .await?;
    Ok(())
}

async fn insert_entries(
    connection: &mut PgConnection,
    grown: &[Grown],
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let (accounts, purchases, lots, hashes) = columns(grown);
    sqlx::query(INSERT_ENTRIES)
        .bind(accounts)
        .bind(purchases)
        .bind(lots)
        .bind(hashes)
        .bind(now)
        .bind(CREDITS)
        .bind(actor()?.as_str())
        .bind(ChainHead::START.hash.as_slice())
        .execute(connection)
        .await?;
    Ok(())
}
