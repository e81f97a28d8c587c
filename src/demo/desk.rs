//! The desk: makes each call of the day, compares the answer with the one that the policy owes, and has it printed.

mod credits;
mod refunds;

pub(super) use credits::{Batch, Pack};

use super::caller::{self, Caller};
use super::teller::{Line, Mood, Teller, Total, grouped};
use super::till::Till;
use super::words;
use crate::clock::{Clock, new_id};
use crate::proto::makegood::v1::{self, Bucket};
use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use tonic::Request;

/// The processor that took every payment of the day.
const PROVIDER: &str = "stripe";

/// Letters of a run's mark: 48 bits of chance, so that runs do not meet.
const MARK_LETTERS: usize = 12;

/// The answer that the policy owes, as it is printed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owed {
    decision: &'static str,
    credits: i64,
    money: &'static str,
}

impl Owed {
    /// A decision that moves nothing.
    pub(super) const fn just(decision: &'static str) -> Self {
        Self { decision, credits: 0, money: "" }
    }

    /// A decision that changes what can be spent by so many credits.
    pub(super) const fn credits(decision: &'static str, credits: i64) -> Self {
        Self { decision, credits, money: "" }
    }

    /// A decision that pays, and takes credits for it.
    pub(super) const fn money(decision: &'static str, credits: i64, money: &'static str) -> Self {
        Self { decision, credits, money }
    }
}

/// The desk on one day.
pub(super) struct Desk<'a> {
    caller: Caller,
    teller: Teller<'a>,
    till: Till,
    now: DateTime<Utc>,
    /// What tells this run's accounts and payments from those of every other.
    mark: String,
    totals: Vec<Total>,
    surprises: Vec<String>,
    decided_by: String,
}

impl<'a> Desk<'a> {
    pub(super) fn new(caller: Caller, teller: Teller<'a>) -> Self {
        let id = new_id(Clock::system().now()).simple().to_string();
        let mark = id.chars().skip(id.len().saturating_sub(MARK_LETTERS)).collect();
        Self {
            caller,
            teller,
            till: Till::new("", String::new()),
            now: DateTime::UNIX_EPOCH,
            mark,
            totals: Vec::new(),
            surprises: Vec::new(),
            decided_by: String::new(),
        }
    }

    /// Prints the head of the table.
    pub(super) fn begin(&mut self) -> anyhow::Result<()> {
        let about = format!(
            "Every line is a call to the running service, which is told the time of that day, and its answer; below \
             it stands what the customer reads. Credits (free to be spent) and money are the customer's. Accounts of \
             this run end in -{}.",
            self.mark
        );
        Ok(self.teller.heading("One day at the refund desk: Monday, 3 March 2025", &about)?)
    }

    /// A customer's story begins, with an account of their own.
    pub(super) fn open(&mut self, name: &'static str, title: &str) -> anyhow::Result<()> {
        let account_id = format!("{}-{}", name.to_lowercase(), self.mark);
        self.till = Till::new(name, account_id);
        Ok(self.teller.scene(&format!("{name} {title}"))?)
    }

    /// It is now another time.
    pub(super) fn at(&mut self, instant: &str) -> anyhow::Result<()> {
        self.now = instant.parse().with_context(|| format!("`{instant}` is no time"))?;
        Ok(())
    }

    /// A customer's story ends: the service's balance must be what the answers come to.
    pub(super) async fn close(&mut self) -> anyhow::Result<()> {
        let request = v1::GetBalanceRequest { account_id: self.till.account_id.clone() };
        let answer = self.caller.credits().get_balance(self.stamped(request)?).await;
        let answer = self.caller.answer("GetBalance", answer)?.message;
        let balance = answer.balance.context("GetBalance answered without a balance")?;
        let difference = self.till.difference(&balance);
        let till = &self.till;
        let arrived = till
            .count(Bucket::Granted)
            .checked_neg()
            .and_then(|granted| granted.checked_sub(till.delivered_late));
        self.totals.push(Total {
            name: till.name,
            credits: [
                till.bought,
                arrived.context("a total is too small to be counted")?,
                till.used,
                till.restored,
                till.count(Bucket::Refunded),
                till.count(Bucket::Available),
            ],
            paid: words::amount(till.paid, &till.currency),
            paid_back: words::amount(till.paid_back, &till.currency),
            check: match &difference {
                None => format!("{} ok", grouped(balance.available)),
                Some(_) => format!("{} DIFFERS", grouped(balance.available)),
            },
            confirmed: difference.is_none(),
        });
        self.surprises.extend(difference);
        Ok(())
    }

    /// The day ends: the totals, and whether everything was as it should be.
    pub(super) fn end(mut self) -> anyhow::Result<()> {
        self.teller.totals(&self.totals)?;
        self.teller.closing(
            "to spend = arrived - used + restored - refunded credits, counted from the answers above.",
        )?;
        if self.surprises.is_empty() {
            let text = format!(
                "Every decision was the one that policy {} owes, and GetBalance confirms all {} accounts.",
                self.decided_by,
                self.totals.len()
            );
            return Ok(self.teller.closing(&text)?);
        }
        bail!("not everything was as the policy owes it:\n  {}", self.surprises.join("\n  "))
    }

    fn stamped<T>(&self, message: T) -> anyhow::Result<Request<T>> {
        caller::stamped(self.now, message)
    }

    fn payment_id(&self, order_id: &str) -> String {
        format!("pay-{order_id}-{}", self.mark)
    }

    fn line(&self, who: &'static str, what: &str) -> Line {
        Line {
            at: self.now,
            who,
            what: what.to_owned(),
            decision: String::new(),
            mood: Mood::Plain,
            credits: 0,
            money: String::new(),
            sentence: String::new(),
            note: String::new(),
        }
    }

    /// By how much the credits that can be spent changed since there were `before`.
    fn gained(&self, before: i64) -> anyhow::Result<i64> {
        let available = self.till.count(Bucket::Available);
        available.checked_sub(before).context("a total is too large to be counted")
    }

    /// Prints an answer, and what the policy owes instead when it is another.
    fn tell(&mut self, line: &Line, owed: Owed) -> anyhow::Result<()> {
        self.teller.line(line)?;
        if (line.decision.as_str(), line.credits, line.money.as_str())
            == (owed.decision, owed.credits, owed.money)
        {
            return Ok(());
        }
        let spell = |decision: &str, credits: i64, money: &str| {
            let money = if money.is_empty() { "no money" } else { money };
            format!("`{decision}` with {credits} credits and {money}")
        };
        let surprise = format!(
            "the policy owes {}, the service answered {}",
            spell(owed.decision, owed.credits, owed.money),
            spell(&line.decision, line.credits, &line.money)
        );
        self.teller.wrong(&surprise)?;
        self.surprises.push(format!("{}, {} ({}): {surprise}", self.till.name, line.what, line.at));
        Ok(())
    }
}

/// A new idempotency key.
fn request_id() -> String {
    new_id(Clock::system().now()).to_string()
}
