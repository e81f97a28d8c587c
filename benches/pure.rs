//! The pure rooms alone: one decision, and one operation on a book. `cargo bench --bench pure`.
//!
//! Each case is prepared outside the clock in small batches, so that what is measured is the work and neither the
//! making of its input nor the removal of its output. The median of many batches is reported, and the quickest.
#![expect(clippy::arithmetic_side_effects, reason = "counts of a measurement")]

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use makegood::clock::{Clock, new_id};
use makegood::domain::book::{Book, HoldOrder};
use makegood::domain::case_file::{
    AccountFile, AttemptEnd, AttemptFile, CaseFile, IncidentFile, NamedAttemptFile, PurchaseFile, TwinFile,
};
use makegood::domain::credits::Credits;
use makegood::domain::entry::{ChainHead, EntryCause, chain};
use makegood::domain::fault::Fault;
use makegood::domain::ids::{
    AccountId, Actor, Attempt, Cause, JobId, LotId, OrderId, PackageId, PaymentId, Provider, PurchaseId,
};
use makegood::domain::lot::{Lot, NewLot, Source};
use makegood::domain::money::{Currency, Money};
use makegood::domain::purchase::{DisputeState, Purchase, PurchaseKind};
use makegood::domain::request::{Claim, Details};
use makegood::domain::usage::{Failure, Usage};
use makegood::policy::check::check;
use makegood::policy::{Document, Facts, SHIPPED, answer, decide};
use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long each case is measured.
const TIME: Duration = Duration::from_secs(1);

/// Most operations between two looks at the clock.
const BATCH: u32 = 32;

/// Credits in each lot of a book.
const PER_LOT: i64 = 10;

/// Attempts of the worst case file: the most that are ever read.
const ATTEMPTS: usize = 1_000;

/// Twins and incidents of the worst case file.
const MANY: usize = 100;

fn main() -> anyhow::Result<()> {
    println!("{:<44}{:>12}{:>12}", "", "median ns", "least ns");
    decisions()?;
    checks()?;
    for lots in [1, 10, 1_000] {
        books(lots)?;
    }
    Ok(())
}

/// Measures `run` on inputs that `prepare` makes outside the clock.
fn measure<I, O>(
    name: &str,
    prepare: impl Fn() -> anyhow::Result<I>,
    run: impl Fn(I) -> O,
) -> anyhow::Result<()> {
    let mut batches: Vec<u128> = Vec::new();
    let mut spent = Duration::ZERO;
    let begun = Instant::now();
    // Preparing may take longer than what is measured, so the whole is bounded as well.
    while spent < TIME && begun.elapsed() < TIME * 4 {
        let inputs: Vec<I> = (0..BATCH).map(|_| prepare()).collect::<Result<_, _>>()?;
        let mut outputs = Vec::with_capacity(inputs.len());
        let started = Instant::now();
        for input in inputs {
            outputs.push(run(black_box(input)));
        }
        let took = started.elapsed();
        drop(black_box(outputs));
        spent += took;
        batches.push(took.as_nanos() / u128::from(BATCH));
    }
    batches.sort_unstable();
    let median = batches.get(batches.len() / 2).context("nothing was measured")?;
    let least = batches.first().context("nothing was measured")?;
    println!("{name:<44}{median:>12}{least:>12}");
    Ok(())
}

fn now() -> DateTime<Utc> {
    Clock::system().now()
}

fn decisions() -> anyhow::Result<()> {
    let document = Document::parse(SHIPPED).map_err(|error| anyhow::anyhow!("{error}"))?;
    let decided = |file: CaseFile| decide(&document, &Facts::observe(&file, document.parameters()));
    let typical = case_file(10, 0)?;
    measure("decision, ten attempts", || Ok(typical.clone()), decided)?;
    let worst = case_file(ATTEMPTS, MANY)?;
    measure("decision, the most that is ever read", || Ok(worst.clone()), decided)?;
    measure(
        "decision and its canonical bytes",
        || Ok(typical.clone()),
        |file| decided(file).canonical_bytes(),
    )?;
    let stored = Facts::observe(&typical, document.parameters()).canonical_json();
    let none = BTreeSet::new();
    measure(
        "answer from stored bytes, as a backtest does",
        || Ok(stored.clone()),
        |stored| {
            let facts = serde_json::from_str::<Facts>(&stored);
            facts.is_ok_and(|facts| answer(&document, &facts, &none).is_ok())
        },
    )?;
    measure(
        "decision again from stored bytes, to its bytes",
        || Ok(stored.clone()),
        |stored| {
            serde_json::from_str::<Facts>(&stored).map(|facts| decide(&document, &facts).canonical_bytes())
        },
    )
}

/// The whole proof of the shipped document, one processor.
fn checks() -> anyhow::Result<()> {
    let document = Document::parse(SHIPPED).map_err(|error| anyhow::anyhow!("{error}"))?;
    let begun = Instant::now();
    let report = black_box(check(&document, &mut |_| ()));
    let took = begun.elapsed();
    anyhow::ensure!(report.passed(), "the shipped document is broken");
    println!("check of the shipped document: {took:.2?}, {} cells in {} nodes", report.cells, report.nodes);
    Ok(())
}

/// A technical claim on a purchase that is partly used; with `many`, twins and incidents besides.
fn case_file(attempts: usize, many: usize) -> anyhow::Result<CaseFile> {
    let received_at = now();
    let before = |days: i64| received_at - TimeDelta::days(days);
    let ends = [AttemptEnd::Success, AttemptEnd::PlatformFailure, AttemptEnd::OtherFailure];
    let attempts = ends.into_iter().cycle().take(attempts).map(|end| AttemptFile { at: before(1), end });
    let twin = |_| TwinFile {
        purchase_id: PurchaseId(new_id(received_at)),
        paid_at: before(2),
        refunded: false,
        dispute: DisputeState::None,
    };
    let incident = |_| IncidentFile { started_at: before(3), ended_at: Some(before(2)) };
    Ok(CaseFile {
        received_at,
        waiting_since: None,
        decided_at: received_at,
        claim: Claim::TechnicalIssue,
        names_purchase: true,
        details: Details::default(),
        asked: BTreeSet::new(),
        evidence: BTreeSet::new(),
        evidence_reused: false,
        account: AccountFile::default(),
        purchase: Some(PurchaseFile {
            purchase: purchase(before(2))?,
            first_purchase: many == 0,
            unused: Credits::try_from(60)?,
            used: Credits::try_from(40)?,
            held: Credits::ZERO,
            failed: Credits::ZERO,
        }),
        twins: (0..many).map(twin).collect(),
        attempts: attempts.collect(),
        failed_credits: Credits::try_from(5)?,
        attempt: Some(NamedAttemptFile {
            ended: Some(AttemptFile { at: before(1), end: AttemptEnd::PlatformFailure }),
            charged: Credits::try_from(5)?,
        }),
        incidents: (0..many).map(incident).collect(),
    })
}

fn purchase(paid_at: DateTime<Utc>) -> anyhow::Result<Purchase> {
    let currency = Currency::parse("USD").map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(Purchase {
        purchase_id: PurchaseId(new_id(paid_at)),
        provider: Provider::parse("bench")?,
        payment_id: PaymentId::parse("pay-1")?,
        order_id: OrderId::parse("order-1")?,
        package_id: PackageId::parse("pack-100")?,
        kind: PurchaseKind::OneTime,
        renewal: false,
        plan: String::new(),
        price: Money::new(currency, 999).context("a price of 9.99")?,
        list_price: None,
        credits: Credits::try_from(100)?,
        bonus_credits: Credits::ZERO,
        paid_at,
        credits_expire_at: None,
        delivered_credits: Credits::try_from(100)?,
        last_delivered_at: Some(paid_at),
        undeliverable_reason: None,
        refunded_credits: Credits::ZERO,
        refunded_minor: 0,
        pending_minor: 0,
        returned_minor: 0,
        dispute: DisputeState::None,
        policy_version: "2024-12-19".to_owned(),
        attributes: BTreeMap::new(),
    })
}

/// A hold, a capture, a restore, on a book with so many lots; then those of an attempt that takes all of them.
fn books(lots: usize) -> anyhow::Result<()> {
    let at = now();
    let stock: Vec<Lot> = (0..lots).map(|_| lot(at)).collect::<Result<_, _>>()?;
    let all = PER_LOT * i64::try_from(lots)?;
    let mut costs = vec![("", 1)];
    if lots > 1 {
        costs.push((", taking all", all));
    }
    for (which, cost) in costs {
        let order = HoldOrder {
            attempt: Attempt { job_id: JobId::parse("job")?, number: 1 },
            cost: Credits::try_from(cost)?,
            outputs: 1,
            expires_at: at + TimeDelta::minutes(15),
            trace_id: None,
        };
        let open = |lots: &[Lot]| Book::open(lots.to_vec(), at, TimeDelta::days(30));
        let mut held = open(&stock);
        let usage = held.hold(order.clone())?;
        let held = held.lots().to_vec();
        let (mut captured, mut used) = (open(&held), usage.clone());
        captured.capture(&mut used, 1)?;
        let captured = captured.lots().to_vec();
        measure(
            &format!("hold, {lots} lots{which}"),
            || Ok((open(&stock), order.clone())),
            |(mut book, order)| (book.hold(order), book.balance(), book.close()),
        )?;
        measure(
            &format!("capture, {lots} lots{which}"),
            || Ok((open(&held), usage.clone())),
            |(mut book, mut usage): (Book, Usage)| {
                (book.capture(&mut usage, 1), book.balance(), book.close())
            },
        )?;
        let failure = Failure {
            cause: Cause::parse("worker_crash")?,
            fault: Fault::Platform,
            failed_at: at,
            reported_at: at,
            trace_id: None,
        };
        measure(
            &format!("restore, {lots} lots{which}"),
            || Ok((open(&captured), used.clone(), failure.clone())),
            |(mut book, mut usage, failure)| {
                (book.report_failure(&mut usage, failure), book.balance(), book.close())
            },
        )?;
        chained(&format!("chaining a hold's entries, {lots} lots{which}"), open(&stock), order)?;
    }
    Ok(())
}

/// What the hash chain adds to an operation.
fn chained(name: &str, mut book: Book, order: HoldOrder) -> anyhow::Result<()> {
    book.hold(order)?;
    let movements = book.close().movements;
    let (account_id, actor, at) = (AccountId::parse("ada")?, Actor::parse("worker:bench")?, now());
    measure(
        name,
        || Ok(movements.clone()),
        |moved| chain(&account_id, ChainHead::START, moved, &actor, None, at),
    )
}

fn lot(at: DateTime<Utc>) -> anyhow::Result<Lot> {
    let mut book = Book::open(Vec::new(), at, TimeDelta::zero());
    let new = NewLot {
        lot_id: LotId(new_id(at)),
        source: Source::Promotion,
        purchase_id: None,
        order_id: None,
        priority: Source::Promotion.default_priority(),
        granted_at: at,
        expires_at: None,
    };
    book.grant(new, Credits::try_from(PER_LOT)?, false, &EntryCause::Person(None))?;
    book.close().new_lots.pop().context("a granted lot is missing")
}
