//! A backtest over a long history, from the database to the report. `cargo bench --bench backtest`, and with `-- --quick`
//! a short look. To see what one core does, bind everything to one: `taskset -c 0 cargo bench --bench backtest`.
//!
//! The history is made first: decisions of the shipped policy about some hundreds of different cases, stored again and
//! again on a private database that is not durable. What is measured is what `makegood policy backtest` does: reading
//! page by page, deciding again, counting.
#![expect(clippy::arithmetic_side_effects, reason = "counts of a measurement")]

use anyhow::Context;
use clap::Parser;
use makegood::command::{Backtest, BacktestQuery, Candidate};
use makegood::config;
use makegood::policy::{Document, Facts, SHIPPED, decide};
use makegood::postgres::{Cluster, Options};
use makegood::store::{self, Store};
use sqlx::{Connection, Executor, PgConnection};
use std::time::{Duration, Instant};

const DATABASE: &str = "backtest";

/// Stored decisions of a whole run, and of a quick look.
const MANY: i64 = 1_000_000;
const FEW: i64 = 50_000;

/// Decisions on one request, so that accounts and requests are many, too.
const EACH: i64 = 50;

/// Measures a backtest over many stored decisions.
#[derive(Debug, Parser)]
struct Arguments {
    /// A short look: fifty thousand decisions instead of a million
    #[arg(long)]
    quick: bool,
    /// How many decisions
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=100_000_000))]
    decisions: Option<i64>,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let decisions = arguments.decisions.unwrap_or(if arguments.quick { FEW } else { MANY });
    let options = Options {
        data_dir: None,
        durable: false,
        bin_dir: config::pg_bin_dir(),
        search_path: config::search_path(),
    };
    let cluster = Cluster::start(options).await?;
    let measured = measure(&cluster, decisions).await;
    cluster.stop().await?;
    measured
}

async fn measure(cluster: &Cluster, decisions: i64) -> anyhow::Result<()> {
    cluster.create_database(DATABASE).await?;
    let url = cluster.url(DATABASE);
    store::migrate(&url).await?;
    let begun = Instant::now();
    let different = load(&url, decisions).await?;
    println!("{decisions} decisions about {different} cases stored in {:.1?}", begun.elapsed());
    for (name, candidate) in [
        ("the same rules", SHIPPED.to_owned()),
        ("another claim window", changed(r#"claim_window = "7d""#, r#"claim_window = "3d""#)),
        ("another duplicate window", changed(r#"duplicate_window = "24h""#, r#"duplicate_window = "12h""#)),
    ] {
        backtest(&url, name, candidate).await?;
    }
    Ok(())
}

fn changed(from: &str, to: &str) -> String {
    SHIPPED.replace(from, to).replace(r#"version = "2024-12-19""#, r#"version = "candidate""#)
}

async fn backtest(url: &str, name: &str, candidate: String) -> anyhow::Result<()> {
    let store = Store::connect_to_audit(url).await?;
    let query = BacktestQuery {
        candidate: Candidate::Document(candidate),
        from: None,
        until: None,
        decided_under: None,
    };
    let begun = Instant::now();
    let mut backtest = Backtest::begin(&store, query).await?;
    while backtest.step().await? {}
    let took = begun.elapsed();
    let (done, total) = backtest.progress();
    anyhow::ensure!(done == total, "{done} of {total} were replayed");
    let tally = backtest.report().tally;
    store.close().await;
    println!(
        "{name:<26} {:>8} a second, {took:>6.1?} for {done}: {} unchanged, {} not replayable; a million in {:.0?}",
        rate(done, took),
        tally.unchanged,
        tally.not_replayable,
        million(done, took),
    );
    Ok(())
}

fn rate(done: u64, took: Duration) -> u128 {
    u128::from(done) * 1_000_000 / took.as_micros().max(1)
}

fn million(done: u64, took: Duration) -> Duration {
    let micros = took.as_micros() * 1_000_000 / u128::from(done.max(1));
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

/// Stores decisions and says about how many different cases they are.
async fn load(url: &str, decisions: i64) -> anyhow::Result<usize> {
    let document = Document::parse(SHIPPED).map_err(|error| anyhow::anyhow!("{error}"))?;
    let mut database = PgConnection::connect(url).await?;
    sqlx::query(
        "INSERT INTO policy_version (version, effective_from, document, document_sha256, published_at)
         VALUES ($1, $2, $3, $4, $2)",
    )
    .bind(document.version())
    .bind(document.effective_from())
    .bind(SHIPPED)
    .bind(document.sha256())
    .execute(&mut database)
    .await?;
    database
        .execute(
            "CREATE TEMPORARY TABLE made (n bigint, outcome text, row text, facts text, body text, facts_sha256 text,
                decision_sha256 text)",
        )
        .await?;
    let cases = cases()?;
    for (facts, n) in cases.iter().zip(0_i64..) {
        let decision = decide(&document, facts);
        sqlx::query("INSERT INTO made VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(n)
            .bind(decision.outcome.name())
            .bind(&decision.row)
            .bind(facts.canonical_json())
            .bind(String::from_utf8(decision.canonical_bytes())?)
            .bind(facts.sha256())
            .bind(decision.sha256())
            .execute(&mut database)
            .await?;
    }
    let requests = decisions / EACH + 1;
    let (version, sha256, different) = (document.version(), document.sha256(), cases.len());
    let statements = format!(
        "INSERT INTO account (account_id, last_at, created_at)
            SELECT 'account-' || n, now(), now() FROM generate_series(0, {requests}) n;
         INSERT INTO refund_request (account_id, refund_request_id, names_purchase, claim, stage, received_at, respond_by,
                policy_version, revision, opened_by, closed_at)
            SELECT 'account-' || n, lpad(to_hex(n), 32, '0')::uuid, true, 'other', 'denied', now(), now(), '{version}', 1,
                'bench', now()
            FROM generate_series(0, {requests}) n;
         INSERT INTO decision (account_id, refund_request_id, ordinal, decision_id, outcome, row, policy_version,
                document_sha256, facts_sha256, decision_sha256, facts, body, decided_at)
            SELECT 'account-' || i / {EACH}, lpad(to_hex(i / {EACH}), 32, '0')::uuid, i % {EACH} + 1, gen_random_uuid(),
                outcome, row, '{version}', '{sha256}', facts_sha256, decision_sha256, facts, body,
                timestamptz '2025-01-01' + i * interval '1 second'
            FROM generate_series(0, {decisions} - 1) i JOIN made ON made.n = i % {different}
            ORDER BY i;
         VACUUM ANALYZE decision"
    );
    for statement in statements.split(';') {
        database.execute(sqlx::AssertSqlSafe(statement.to_owned())).await?;
    }
    database.close().await?;
    Ok(different)
}

/// Cases of every claim, young and old, untouched and used, with and without what the rows ask for.
fn cases() -> anyhow::Result<Vec<Facts>> {
    let mut cases = Vec::new();
    for claim in makegood::policy::facts::CLAIMS {
        for age in ["3h", "40h", "5d", "9d"] {
            for (used, duplicates, undelivered, failed) in
                [(0, 1, 0, 0), (0, 0, 40, 0), (30, 1, 0, 5), (60, 0, 0, 20), (100, 0, 0, 0), (10, 2, 0, 0)]
            {
                for standing in ["[]", "[]", "[]", r#"["suspended"]"#] {
                    let unused = 100 - used - undelivered;
                    let facts = format!(
                        r#"{{"account_available":{unused},"account_used_credits":{used},"attributes":{{"country":"DE"}},
                        "bought":100,"claim":"{claim}","credits_refunded":0,"currency":"USD","delivered":{},
                        "delivered_at":"2025-03-03T12:00:00.000000Z","details_given":["explanation","order_id"],
                        "dispute":"none","duplicates_found":{duplicates},"evidence_given":false,"evidence_reused":false,
                        "failed_credits":{failed},"failed_of_purchase":{failed},"first_purchase":false,"held":0,
                        "information_asked":[],"mismatched_details":[],"missing_details":[],"order_id":"order-1234567",
                        "outage":"none","paid_at":"2025-03-03T12:00:00.000000Z","pending_minor":0,"plan":"",
                        "platform_failures":2,"price_minor":1999,"purchase_age":"{age}","purchase_kind":"one_time",
                        "purchase_known":true,"received_at":"2025-03-09T12:00:00.000000Z","recent_refunds":0,
                        "refunded":"none","refunded_minor":0,"refunds_ever":1,"renewal":false,
                        "restoration_possible":true,"returned_minor":0,"standing":{standing},"twin_disputed":false,
                        "undelivered":{undelivered},"untouched":{},"unused":{unused},"used":{used},
                        "used_share":"{used}%","violation":"none"}}"#,
                        100 - undelivered,
                        used == 0,
                    );
                    cases.push(serde_json::from_str(&facts).context("the facts of a case")?);
                }
            }
        }
    }
    Ok(cases)
}
