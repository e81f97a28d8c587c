//! Many clients on few accounts, with `seq` as the witness: the entries are dense, they explain every answer, and what
//! began after something else had ended comes behind it.

use crate::history::entries;
use crate::service::{Service, capture, hold, reason, release, restore, when};
use makegood::proto::makegood::v1;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::task::JoinSet;
use v1::Bucket;
use v1::entry_cause::Cause;

const NOON: &str = "2025-03-03T12:00:00Z";
const ACCOUNTS: usize = 3;
const CLIENTS: usize = 24;
const TURNS: usize = 12;

/// An answer, and when it was asked for and given by a clock that every client looks at.
#[derive(Debug)]
struct Witnessed {
    began: usize,
    ended: usize,
    account: usize,
    /// The job that moved; empty for a look.
    job_id: String,
    balance: v1::Balance,
}

/// A client with its way to one of the replicas.
struct Client {
    service: Arc<Service>,
    clock: Arc<AtomicUsize>,
    account: usize,
    seen: Vec<Witnessed>,
}

fn account(index: usize) -> String {
    format!("account-{index}")
}

/// Makes a call at the client and keeps what it witnessed; gives the reason when it was refused.
macro_rules! witness {
    ($client:expr, $method:ident, $request:expr, $job_id:expr) => {{
        let mut credits = $client.service.credits();
        let began = $client.clock.fetch_add(1, Ordering::SeqCst);
        let answer = credits.$method(when(NOON, $request)).await;
        let ended = $client.clock.fetch_add(1, Ordering::SeqCst);
        match answer {
            Ok(answer) => {
                let balance = answer.into_inner().balance.unwrap();
                let (account, job_id) = ($client.account, $job_id.to_owned());
                $client.seen.push(Witnessed { began, ended, account, job_id, balance });
                None
            }
            refused => Some(reason(refused).1),
        }
    }};
}

impl Client {
    /// One attempt from its hold to its end, and a look between.
    async fn turn(&mut self, client: usize, turn: usize) {
        let account_id = account(self.account);
        let job_id = format!("job-{client}-{turn}");
        let cost = i64::try_from(1 + (client * 5 + turn * 3) % 9).unwrap();
        let request = v1::HoldCreditsRequest { outputs: Some(3), ..hold(&account_id, &job_id, cost) };
        if let Some(refused) = witness!(self, hold_credits, request, job_id) {
            assert_eq!(refused, "INSUFFICIENT_CREDITS");
            return;
        }
        let refused = match (client + turn) % 4 {
            0 => witness!(self, release_credits, release(&account_id, &job_id), job_id),
            1 => {
                let request = restore(&account_id, &job_id, "worker_crash", NOON);
                witness!(self, restore_credits, request, job_id)
            }
            delivered => {
                let delivered_outputs = Some(i32::try_from(delivered).unwrap());
                let request =
                    v1::CaptureCreditsRequest { delivered_outputs, ..capture(&account_id, &job_id) };
                witness!(self, capture_credits, request, job_id)
            }
        };
        assert_eq!(refused, None);
        let request = v1::GetBalanceRequest { account_id: account_id.clone() };
        assert_eq!(witness!(self, get_balance, request, ""), None);
        if (client + turn) % 4 == 3 {
            let request = restore(&account_id, &job_id, "gpu_error", NOON);
            assert_eq!(witness!(self, restore_credits, request, job_id), None);
        }
    }
}

/// What an account had after each of its entries, from 0 entries on: available, held, frozen.
fn replayed(entries: &[v1::Entry]) -> Vec<[i64; 3]> {
    let mut sums: BTreeMap<Bucket, i64> = BTreeMap::new();
    let mut states = vec![[0; 3]];
    for entry in entries {
        *sums.entry(entry.from_bucket()).or_default() -= entry.credits;
        *sums.entry(entry.to_bucket()).or_default() += entry.credits;
        let sum = |bucket| sums.get(&bucket).copied().unwrap_or(0);
        states.push([sum(Bucket::Available), sum(Bucket::Held), sum(Bucket::Frozen)]);
    }
    states
}

fn job_of(entry: &v1::Entry) -> &str {
    match entry.cause.as_ref().and_then(|cause| cause.cause.as_ref()) {
        Some(Cause::Usage(usage)) => &usage.job_id,
        _ => "",
    }
}

/// Holds what was witnessed of one account against its entries.
fn explains(entries: &[v1::Entry], seen: &[&Witnessed], granted: usize) {
    let seqs: Vec<i64> = entries.iter().map(|entry| entry.seq).collect();
    assert!(seqs.iter().copied().eq((1..).take(entries.len())), "the entries are not dense: {seqs:?}");
    let states = replayed(entries);
    let place = |of: &Witnessed| usize::try_from(of.balance.last_seq).unwrap();
    for of in seen {
        let told = [of.balance.available, of.balance.held, of.balance.frozen];
        assert_eq!(told, states[place(of)], "{of:?}");
    }
    let mut moved: Vec<&&Witnessed> = seen.iter().filter(|of| !of.job_id.is_empty()).collect();
    moved.sort_by_key(|of| of.balance.last_seq);
    let mut begin = granted;
    for of in &moved {
        let own = &entries[begin..place(of)];
        assert!(!own.is_empty(), "two answers claim the same entries: {of:?}");
        assert!(own.iter().all(|entry| job_of(entry) == of.job_id), "{of:?} claims {own:?}");
        begin = place(of);
    }
    assert_eq!(begin, entries.len(), "entries that no answer told of");
    // A look may see the same entry as another; a movement has its own.
    for earlier in seen {
        for later in seen.iter().filter(|later| earlier.ended < later.began) {
            let (before, after) = (earlier.balance.last_seq, later.balance.last_seq);
            let in_order = if later.job_id.is_empty() { before <= after } else { before < after };
            assert!(in_order, "{later:?} began after {earlier:?} had ended");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_a_moment_of_one_history_in_the_order_of_time() {
    let service = Arc::new(Service::start().await);
    let replica = Arc::new(service.replica().await);
    for index in 0..ACCOUNTS {
        service.bought(&account(index), &format!("pay-{index}-1"), NOON).await;
        service.bought(&account(index), &format!("pay-{index}-2"), NOON).await;
    }
    let clock = Arc::new(AtomicUsize::new(0));
    let clients: JoinSet<Vec<Witnessed>> = (0..CLIENTS)
        .map(|index| {
            let service = if index % 2 == 0 { service.clone() } else { replica.clone() };
            let (clock, account) = (clock.clone(), index / 2 % ACCOUNTS);
            let mut client = Client { service, clock, account, seen: Vec::new() };
            async move {
                for turn in 0..TURNS {
                    client.turn(index, turn).await;
                }
                client.seen
            }
        })
        .collect();
    let seen: Vec<Witnessed> = clients.join_all().await.into_iter().flatten().collect();
    assert!(seen.len() > CLIENTS * TURNS, "too little was done to prove anything");
    for index in 0..ACCOUNTS {
        let question = v1::ListEntriesRequest { account_id: account(index), ..Default::default() };
        let of_account: Vec<&Witnessed> = seen.iter().filter(|of| of.account == index).collect();
        // Two deliveries of one lot each came before the clients.
        explains(&entries(&service, question).await, &of_account, 2);
    }
    Arc::into_inner(replica).unwrap().stop().await;
    Arc::into_inner(service).unwrap().audited().await;
}
