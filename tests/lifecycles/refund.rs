//! A refund at the processor: every stage with every news, in time and late.

use super::{days, drawn, ends, now, section};
use chrono::{DateTime, Utc};
use makegood::domain::refund::{ExpectedWindow, News, RefundConflict, RefundLife, RefundResult, RefundStage};
use std::collections::BTreeSet;

const HEADING: &str = "## A refund at the processor";

const WINDOW: fn() -> Option<ExpectedWindow> = || Some(ExpectedWindow { from: days(3), until: days(14) });

fn news(result: RefundResult, occurred_at: DateTime<Utc>) -> News {
    let failure_reason = if result == RefundResult::Failed { "account closed" } else { "" };
    News { result, occurred_at, failure_reason: failure_reason.to_owned().into(), expected: WINDOW() }
}

/// A refund in each stage, as it is known since now.
fn life(stage: RefundStage) -> RefundLife {
    let (submitted_at, since, settled_at, expected) = (days(-1), now(), now(), WINDOW());
    match stage {
        RefundStage::Pending => RefundLife::Pending,
        RefundStage::Submitted => RefundLife::Submitted { submitted_at, since, expected },
        RefundStage::Unknown => RefundLife::Unknown { submitted_at, since, expected },
        RefundStage::Succeeded => RefundLife::Succeeded { submitted_at, settled_at, expected },
        RefundStage::Failed => RefundLife::Failed {
            submitted_at,
            settled_at,
            failure_reason: "account closed".to_owned().into(),
        },
        RefundStage::Canceled => RefundLife::Canceled { settled_at },
    }
}

#[test]
fn every_news_in_every_stage_leads_where_it_is_drawn_and_all_others_are_contradictions() {
    let mut drawn = drawn(HEADING);
    let (mut tried, mut contradictions) = (0, 0);
    for stage in RefundStage::ALL {
        for result in RefundResult::ALL {
            for (prefix, at) in [("", days(1)), ("late ", days(-1))] {
                if *stage == RefundStage::Pending && prefix == "late " {
                    // Nothing is known yet that news could be later than.
                    continue;
                }
                tried += 1;
                let name = format!("{prefix}{result}");
                let after = life(*stage).after(news(*result, at));
                match drawn.remove(&(stage.name().to_owned(), name.clone())) {
                    Some(to) => assert_eq!(after.unwrap().stage().name(), to, "{stage}: {name}"),
                    None => {
                        contradictions += 1;
                        let conflict = RefundConflict { stage: *stage, result: *result };
                        assert_eq!(after, Err(conflict), "{stage}: {name} is not drawn");
                    }
                }
            }
        }
        let stopped = life(*stage).stopped(days(1)).stage();
        let to = drawn.remove(&(stage.name().to_owned(), "stop".to_owned()));
        assert_eq!(to.as_deref(), Some(stopped.name()), "{stage}: stop");
    }
    assert!(drawn.is_empty(), "drawn, and not known to the code: {drawn:?}");
    assert_eq!((tried, contradictions), (44, 10));
}

#[test]
fn what_is_drawn_to_stay_where_it_is_changes_nothing_that_is_shown() {
    for ((from, name), to) in drawn(HEADING) {
        let stage = RefundStage::parse(&from).unwrap();
        let (at, result) = match name.strip_prefix("late ") {
            Some(result) => (days(-1), RefundResult::parse(result)),
            None => (days(1), RefundResult::parse(&name)),
        };
        let Some(result) = result.filter(|_| from == to) else { continue };
        let (before, after) = (life(stage), life(stage).after(news(result, at)).unwrap());
        let shown = |life: &RefundLife| {
            (life.submitted_at(), life.settled_at(), life.expected(), life.failure_reason().cloned())
        };
        assert_eq!(shown(&after), shown(&before), "{from}: {name}");
    }
}

#[test]
fn the_stages_whose_money_can_move_no_more_are_ends() {
    let over = RefundStage::ALL.iter().filter(|stage| life(**stage).settled_at().is_some());
    assert_eq!(ends(HEADING), over.map(|stage| stage.name()).collect::<BTreeSet<_>>());
    for stage in RefundStage::ALL {
        assert!(section(HEADING).contains(stage.name()), "{stage} is not drawn");
    }
}

#[test]
fn unless_news_contradict_each_other_their_order_does_not_change_the_stage() {
    let all: Vec<News> =
        RefundResult::ALL.iter().flat_map(|result| (1..=3).map(|day| news(*result, days(day)))).collect();
    let told = |told: &[&News]| {
        let first = Ok(RefundLife::Pending);
        told.iter().fold(first, |life, news| life.and_then(|life| life.after((*news).clone())))
    };
    let mut agreed = 0;
    for a in &all {
        for b in &all {
            for c in &all {
                let orders = [[a, b, c], [a, c, b], [b, a, c], [b, c, a], [c, a, b], [c, b, a]]
                    .map(|order| told(&order));
                if orders.iter().any(Result::is_err) {
                    continue;
                }
                let stages: BTreeSet<_> = orders.into_iter().map(|life| life.unwrap().stage()).collect();
                assert_eq!(stages.len(), 1, "{a:?} {b:?} {c:?}: {stages:?}");
                agreed += 1;
            }
        }
    }
    assert!(agreed > 1_000, "only {agreed} were free of contradictions");
}

#[test]
fn a_stage_knows_when_the_processor_was_called_and_when_the_money_can_be_expected() {
    for result in RefundResult::ALL {
        let life = RefundLife::Pending.after(news(*result, now())).unwrap();
        let expected = if *result == RefundResult::Failed { None } else { WINDOW() };
        assert_eq!((life.submitted_at(), life.expected()), (Some(now()), expected), "{result}");
    }
    let submitted = RefundLife::Pending.after(news(RefundResult::Submitted, now())).unwrap();
    let settled = submitted.after(news(RefundResult::Succeeded, days(2))).unwrap();
    assert_eq!((settled.submitted_at(), settled.settled_at()), (Some(now()), Some(days(2))));
    let bounced = settled.after(news(RefundResult::Failed, days(5))).unwrap();
    assert_eq!(
        (bounced.settled_at(), bounced.failure_reason()),
        (Some(days(5)), Some(&"account closed".to_owned().into()))
    );
    assert_eq!(bounced.expected(), None, "no money is coming any more");
    assert_eq!(RefundLife::Pending.stopped(now()).submitted_at(), None);
}
