//! The store by itself, at the moments when a transaction can be lost.

use crate::rig::proxy::{Moment, Proxy, Snare};
use anyhow::Context;
use makegood::clock::{Clock, new_id};
use makegood::config;
use makegood::domain::ids::{AccountId, RequestId};
use makegood::postgres::{Cluster, Options};
use makegood::store::{self, Error, Fault, Key, Limits, Store, StoredAnswer, Tx, Work};
use sqlx::{Connection, PgConnection};
use std::sync::atomic::{AtomicU32, Ordering};

const DATABASE: &str = "makegood";

struct Ground {
    cluster: Cluster,
    proxy: Proxy,
    store: Store,
}

impl Ground {
    async fn prepare() -> anyhow::Result<Self> {
        let (bin_dir, search_path) = (config::pg_bin_dir(), config::search_path());
        let cluster =
            Cluster::start(Options { data_dir: None, durable: false, bin_dir, search_path }).await?;
        cluster.create_database(DATABASE).await?;
        store::migrate(&cluster.url(DATABASE)).await?;
        let proxy = Proxy::start(cluster.socket_dir()).await?;
        // One for browsing, one for everything else: whoever comes next has the connection of who was before.
        let limits = Limits { max_connections: 2, ..Limits::default() };
        let store = Store::connect(&proxy.url(DATABASE), limits).await?;
        Ok(Self { cluster, proxy, store })
    }

    /// The accounts that are there.
    async fn end(self) -> anyhow::Result<Vec<String>> {
        let mut superuser = PgConnection::connect(&self.cluster.url(DATABASE)).await?;
        let accounts = sqlx::query_scalar("SELECT account_id FROM account ORDER BY account_id");
        let accounts = accounts.fetch_all(&mut superuser).await?;
        self.cluster.stop().await?;
        Ok(accounts)
    }
}

/// Why work failed.
#[derive(Debug)]
enum Failure {
    Store(Error),
    /// No failure of the store, and no answer.
    Other,
    /// An answer.
    Refused,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl Fault for Failure {
    fn store_error(&self) -> Option<&Error> {
        match self {
            Self::Store(error) => Some(error),
            Self::Other | Self::Refused => None,
        }
    }

    fn is_answer(&self) -> bool {
        matches!(self, Self::Refused)
    }
}

/// Opens an account; when it is done once more, fails in this way.
struct Open {
    account_id: AccountId,
    runs: AtomicU32,
    fails: fn() -> Failure,
}

impl Open {
    fn new(account_id: &str, fails: fn() -> Failure) -> anyhow::Result<Self> {
        let account_id = AccountId::parse(account_id).ok().context("no account id")?;
        Ok(Self { account_id, runs: AtomicU32::new(0), fails })
    }
}

impl Work for Open {
    type Output = ();
    type Error = Failure;

    async fn run(&self, tx: &mut Tx) -> Result<(), Failure> {
        if self.runs.fetch_add(1, Ordering::SeqCst) > 0 {
            return Err((self.fails)());
        }
        let now = Clock::system().now();
        tx.insert_account_if_missing(&self.account_id, now).await?;
        // As every call does, and as the trap expects it.
        let (account_id, request_id) = (&self.account_id, RequestId(new_id(now)));
        let key = Key { account_id, caller: "system", method: "Open", request_id };
        let answer = StoredAnswer { fingerprint: "1:".to_owned(), refused: false, answer: "{}".to_owned() };
        Ok(tx.insert_answer(key, &answer, now).await?)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doubt_stays_one_whatever_fails_after_it_and_only_an_answer_ends_it() -> anyhow::Result<()> {
    let ground = Ground::prepare().await?;
    let doubtful = async |account_id: &str, fails: fn() -> Failure| {
        ground.proxy.set_trap(Moment::Commit, Snare::AnswerLostAlone);
        anyhow::Ok(ground.store.transact(Open::new(account_id, fails)?).await)
    };
    let is_in_doubt =
        |done: &Result<(), Failure>| matches!(done, Err(Failure::Store(Error::CommitInDoubt(_))));
    let done = doubtful("ada", || Failure::Other).await?;
    assert!(is_in_doubt(&done), "{done:?}");
    let done = doubtful("bob", || Failure::Store(Error::Late)).await?;
    assert!(is_in_doubt(&done), "{done:?}");
    let done = doubtful("eve", || Failure::Refused).await?;
    assert!(matches!(done, Err(Failure::Refused)), "{done:?}");
    assert_eq!(ground.end().await?, ["ada", "bob", "eve"]);
    Ok(())
}

/// Opens an account, and is lost before it is done.
struct Lost(AccountId);

impl Work for Lost {
    type Output = ();
    type Error = Failure;

    #[expect(clippy::panic, reason = "a task is lost when it panics")]
    async fn run(&self, tx: &mut Tx) -> Result<(), Failure> {
        tx.insert_account_if_missing(&self.0, Clock::system().now()).await?;
        panic!("the task of a transaction is lost, as this test wants it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_whose_task_is_lost_leaves_nothing_and_takes_nobody_elses_write() -> anyhow::Result<()>
{
    let ground = Ground::prepare().await?;
    for number in 0..5 {
        let lost = AccountId::parse(format!("lost-{number}")).ok().context("no account id")?;
        let done = ground.store.transact(Lost(lost)).await;
        assert!(matches!(done, Err(Failure::Store(Error::TaskLost))), "{done:?}");
        let kept = ground.store.transact(Open::new(&format!("kept-{number}"), || Failure::Other)?).await;
        assert!(kept.is_ok(), "{kept:?}");
    }
    assert_eq!(ground.end().await?, ["kept-0", "kept-1", "kept-2", "kept-3", "kept-4"]);
    Ok(())
}
