//! `makegood policy backtest`: what a document would have made of past decisions, for a person.

use crate::command::{
    Backtest, BacktestAnswer, BacktestExample, BacktestQuery, BacktestReport, Candidate, Flip, Reference,
    Sums,
};
use crate::config::BacktestSettings;
use crate::domain::money::{Currency, Money};
use crate::records::Records;
use anyhow::Context;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// Kinds of flips that are printed; a person reads no more, and a program asks over gRPC.
const MOST_FLIPS: usize = 40;

/// Backtests the decisions of a database.
pub(super) async fn run(settings: BacktestSettings) -> anyhow::Result<()> {
    let candidate = if Path::new(&settings.policy).is_file() {
        let text = std::fs::read_to_string(&settings.policy);
        Candidate::Document(text.with_context(|| format!("`{}` cannot be read", settings.policy))?)
    } else {
        Candidate::Version(settings.policy.clone())
    };
    let records = Records::open(&settings.database).await?;
    let done = backtest(&records, &settings, candidate).await;
    records.close().await?;
    super::print(&done?)
}

async fn backtest(
    records: &Records,
    settings: &BacktestSettings,
    candidate: Candidate,
) -> anyhow::Result<String> {
    let query = BacktestQuery {
        candidate,
        from: settings.from,
        until: settings.to,
        decided_under: settings.decided_under.clone(),
    };
    let begun = Instant::now();
    let mut backtest = Backtest::begin(&records.store, query).await?;
    let shows_progress = std::io::stderr().is_terminal();
    let status = |text: &str| {
        if shows_progress {
            // Progress that cannot be shown is no failure of the backtest.
            let _ = write!(std::io::stderr(), "\r\x1b[K{text}");
        }
    };
    while backtest.step().await? {
        let (done, total) = backtest.progress();
        status(&format!("{done} of {total}"));
    }
    status("");
    let (done, _) = backtest.progress();
    Ok(told(&backtest.report(), done, begun.elapsed()))
}

/// The report as a person reads it.
fn told(report: &BacktestReport, done: u64, took: Duration) -> String {
    let BacktestReport { tally, candidate_version, candidate_sha256 } = report;
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "candidate       {candidate_version}, sha256 {candidate_sha256}");
    let _ = writeln!(text, "replayed        {}", tally.replayed);
    let _ = writeln!(text, "unchanged       {}", tally.unchanged);
    let _ = writeln!(text, "changed         {}", tally.replayed.saturating_sub(tally.unchanged));
    let _ = writeln!(text, "not replayable  {}", tally.not_replayable);
    for (fact, decisions) in &tally.missing_facts {
        let _ = writeln!(text, "                {decisions} for want of `{}`", fact.name());
    }
    let _ = writeln!(text, "credits given   {:+}", tally.credits_difference);
    let _ = writeln!(text, "rate            {}", rate(done, took));
    money(&mut text, tally.money.iter());
    flips(&mut text, &tally.flips());
    largest(&mut text, tally.largest());
    text
}

fn rate(done: u64, took: Duration) -> String {
    let millis = took.as_millis().max(1);
    let each_second = u128::from(done).saturating_mul(1_000).checked_div(millis).unwrap_or(0);
    format!("{each_second} decisions a second ({done} in {took:.1?})")
}

fn money<'a>(text: &mut String, sums: impl Iterator<Item = (&'a Currency, &'a Sums)>) {
    let mut heading = "\nmoney             approved      candidate     difference\n";
    for (currency, Sums { stored_minor, candidate_minor }) in sums {
        text.push_str(std::mem::take(&mut heading));
        let amount = |minor_units: i64| Money { currency: *currency, minor_units }.to_string();
        let difference = candidate_minor.saturating_sub(*stored_minor);
        let sign = match difference {
            0 => "",
            1.. => "+",
            _ => "-",
        };
        let difference = format!("{sign}{}", amount(difference.saturating_abs()));
        let [stored, candidate] = [stored_minor, candidate_minor].map(|minor| amount(*minor));
        let _ = writeln!(text, "{stored:>26} {candidate:>14} {difference:>14}");
    }
}

fn answer(answered: &BacktestAnswer) -> String {
    format!("{} by row {}", answered.outcome, answered.row)
}

fn named(reference: &Reference) -> String {
    format!("{}/{}", reference.account_id, reference.refund_request_id)
}

fn flips(text: &mut String, flips: &[Flip]) {
    let mut heading = "\n decisions  from -> to, and some of their requests\n";
    for Flip { from, to, decisions, examples } in flips.iter().take(MOST_FLIPS) {
        text.push_str(std::mem::take(&mut heading));
        let examples: Vec<String> = examples.iter().take(2).map(named).collect();
        let _ = writeln!(text, "{decisions:>10}  {} -> {}", answer(from), answer(to));
        let _ = writeln!(text, "            {}", examples.join(", "));
    }
    if let Some(more) = flips.len().checked_sub(MOST_FLIPS).filter(|more| *more > 0) {
        let _ = writeln!(text, "            and {more} other kinds");
    }
}

fn largest(text: &mut String, examples: &[BacktestExample]) {
    let amount =
        |money: &Option<Money>| money.map_or_else(|| "nothing".to_owned(), |money| money.to_string());
    let mut heading = "\nlargest     approved -> candidate, credits: from -> to\n";
    for BacktestExample { reference, from, to, stored, candidate, credits_difference } in examples {
        text.push_str(std::mem::take(&mut heading));
        let _ = writeln!(
            text,
            "            {} -> {}, {credits_difference:+}: {} -> {}",
            amount(stored),
            amount(candidate),
            answer(from),
            answer(to),
        );
        let _ = writeln!(text, "            {}", named(reference));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{AccountId, DecisionId, RefundRequestId};
    use crate::policy::backtest::Tally;
    use crate::policy::facts::{CATALOGUE, Carrier};
    use crate::policy::{Document, Outcome, SHIPPED};
    use uuid::Uuid;

    #[test]
    fn a_report_tells_counts_money_flips_and_the_largest_of_them() {
        let document = Document::parse(SHIPPED).unwrap();
        let carrier = Carrier::new(document.parameters(), document.parameters());
        let mut tally = Tally::default();
        let reference = Reference {
            account_id: AccountId::parse("ada").unwrap(),
            refund_request_id: RefundRequestId(Uuid::from_u128(7)),
            decision_id: DecisionId(Uuid::from_u128(8)),
        };
        let past = crate::policy::backtest::Past {
            reference,
            outcome: Outcome::Approve,
            row: "14".to_owned(),
            remedies: "refund_full".to_owned(),
            money: Money::new(Currency::parse("USD").unwrap(), 1_999),
            credits: crate::domain::credits::Credits::ZERO,
            facts: r#"{"claim":"change_of_mind","received_at":"2025-03-03T12:00:00Z"}"#.to_owned(),
            catalogue: CATALOGUE,
        };
        tally.add(&document, &carrier, past);
        let report = BacktestReport {
            tally,
            candidate_version: "2024-12-19".to_owned(),
            candidate_sha256: "ab".to_owned(),
        };
        let wanted = "\
candidate       2024-12-19, sha256 ab
replayed        1
unchanged       0
changed         1
not replayable  0
credits given   +0
rate            2 decisions a second (1 in 500.0ms)

money             approved      candidate     difference
                 19.99 USD       0.00 USD     -19.99 USD

 decisions  from -> to, and some of their requests
         1  APPROVE by row 14 -> DENY by row 5
            ada/00000000-0000-0000-0000-000000000007

largest     approved -> candidate, credits: from -> to
            19.99 USD -> nothing, +0: APPROVE by row 14 -> DENY by row 5
            ada/00000000-0000-0000-0000-000000000007
";
        assert_eq!(told(&report, 1, Duration::from_millis(500)), wanted);
    }
}
