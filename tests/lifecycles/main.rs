//! `docs/lifecycles.md` and the code say the same, stage by stage and step by step.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod dispute;
mod refund;

use chrono::{DateTime, TimeDelta, Utc};
use makegood::domain::ids::Actor;
use makegood::domain::request::{Approval, Life, RequestStage, Response, StageConflict, Step, Verdict};
use std::collections::{BTreeMap, BTreeSet};

const DOCUMENT: &str = include_str!("../../docs/lifecycles.md");

fn now() -> DateTime<Utc> {
    "2025-03-03T12:00:00Z".parse().unwrap()
}

fn days(days: i64) -> DateTime<Utc> {
    now().checked_add_signed(TimeDelta::days(days)).unwrap()
}

fn approvals() -> Vec<Approval> {
    let approver = Actor::parse("agent:maria").unwrap();
    vec![Approval { approver, approved_at: now(), proposal: "{}".to_owned() }]
}

/// A request in each stage, its question still in time.
fn life(stage: RequestStage) -> Life {
    let closed_at = now();
    match stage {
        RequestStage::Submitted => Life::Submitted,
        RequestStage::AwaitingInformation => Life::AwaitingInformation { expires_at: Some(days(1)) },
        RequestStage::InReview => Life::in_review(2),
        RequestStage::Approved => Life::Approved,
        RequestStage::Denied => Life::Denied { closed_at },
        RequestStage::Withdrawn => Life::Withdrawn { closed_at },
        RequestStage::Expired => Life::Expired { closed_at },
        RequestStage::Settled => Life::Settled { closed_at },
    }
}

/// Every verdict with its word in the drawing and the stage that it leads to.
fn verdicts() -> Vec<(&'static str, Verdict)> {
    vec![
        ("pay", Verdict::Pay),
        ("give", Verdict::Give),
        ("deny", Verdict::Deny),
        ("ask", Verdict::Ask { expires_at: Some(days(30)) }),
        ("refer", Verdict::Refer { approvals_required: 1 }),
    ]
}

/// Every step with its words in the drawing. The match makes a new step a build error here.
fn steps() -> Vec<(String, Step)> {
    let mut steps = vec![
        Step::Endorse { approvals_required: 2, approvals: approvals() },
        Step::Keep,
        Step::Withdraw,
        Step::Expire,
        Step::Settle,
        Step::Reopen,
    ];
    for (_, verdict) in verdicts() {
        steps.extend([Step::Decide, Step::Inform, Step::Resolve].map(|step| step(verdict.clone())));
    }
    let word = |verdict: &Verdict| verdicts().into_iter().find(|(_, known)| known == verdict).unwrap().0;
    let named = steps.into_iter().map(|step| {
        let name = match &step {
            Step::Decide(verdict) => format!("decide {}", word(verdict)),
            Step::Inform(verdict) => format!("inform {}", word(verdict)),
            Step::Resolve(verdict) => format!("resolve {}", word(verdict)),
            Step::Endorse { .. } => "endorse".to_owned(),
            Step::Keep => "keep".to_owned(),
            Step::Withdraw => "withdraw".to_owned(),
            Step::Expire => "expire".to_owned(),
            Step::Settle => "settle".to_owned(),
            Step::Reopen => "reopen".to_owned(),
        };
        (name, step)
    });
    named.collect()
}

/// What stands under a heading.
fn section(heading: &str) -> &'static str {
    let below = DOCUMENT.split(&format!("{heading}\n")).nth(1).unwrap();
    below.split("\n## ").next().unwrap()
}

/// The stages that the drawing under a heading marks as ends.
fn ends(heading: &str) -> BTreeSet<&'static str> {
    section(heading).lines().filter_map(|line| line.trim().strip_suffix(" --> [*]")).collect()
}

/// The drawing under a heading: from which stage which step leads where.
fn drawn(heading: &str) -> BTreeMap<(String, String), String> {
    let drawing = section(heading).split("```mermaid").nth(1).unwrap().split("```").next().unwrap();
    let mut arrows = BTreeMap::new();
    for line in drawing.lines().filter(|line| line.contains(" : ")) {
        let (arrow, steps) = line.split_once(" : ").unwrap();
        let (from, to) = arrow.split_once("-->").unwrap();
        for step in steps.split(", ") {
            let arrow = (from.trim().to_owned(), step.trim().to_owned());
            assert_eq!(arrows.insert(arrow, to.trim().to_owned()), None, "drawn twice: {line}");
        }
    }
    arrows
}

#[test]
fn every_step_from_every_stage_leads_where_it_is_drawn_and_all_others_are_refused() {
    let mut drawn = drawn("## A refund request");
    let steps = steps();
    assert_eq!((RequestStage::ALL.len(), steps.len()), (8, 21));
    let mut refused = 0;
    for stage in RequestStage::ALL {
        for (name, step) in &steps {
            // A question runs out only when its time has come.
            let at = if *name == "expire" { days(1) } else { now() };
            let after = life(*stage).after(step.clone(), at);
            let led = after.as_ref().map(|life| life.stage().name().to_owned());
            match drawn.remove(&(stage.name().to_owned(), name.clone())) {
                Some(to) => assert_eq!(led, Ok(to), "{stage}: {name}"),
                None => {
                    refused += 1;
                    assert_eq!(after, Err(StageConflict { stage: *stage }), "{stage}: {name} is not drawn");
                }
            }
        }
    }
    assert!(drawn.is_empty(), "drawn, and not known to the code: {drawn:?}");
    assert_eq!(refused, 137);
}

#[test]
fn every_stage_is_drawn_and_the_closed_ones_are_ends() {
    let closed = RequestStage::ALL.iter().filter(|stage| life(**stage).closed_at().is_some());
    let closed: BTreeSet<&str> = closed.map(|stage| stage.name()).collect();
    assert_eq!(ends("## A refund request"), closed);
    for stage in RequestStage::ALL {
        assert!(section("## A refund request").contains(stage.name()), "{stage} is not drawn");
    }
}

#[test]
fn a_question_whose_time_has_passed_takes_nothing_but_its_end() {
    let run_out = || Life::AwaitingInformation { expires_at: Some(now()) };
    for (name, step) in steps() {
        let after = run_out().after(step, now());
        match name.as_str() {
            "expire" => assert_eq!(after, Ok(Life::Expired { closed_at: now() })),
            "reopen" => assert_eq!(after.map(|life| life.stage()), Ok(RequestStage::InReview)),
            _ => assert_eq!(after, Err(StageConflict { stage: RequestStage::Expired }), "{name}"),
        }
    }
    for early in [Some(days(1)), None] {
        let waiting = Life::AwaitingInformation { expires_at: early };
        let refused = Err(StageConflict { stage: RequestStage::AwaitingInformation });
        assert_eq!(waiting.after(Step::Expire, now()), refused);
    }
}

#[test]
fn what_a_stage_knows_comes_with_its_step() {
    let at = days(2);
    let endorsed = Step::Endorse { approvals_required: 2, approvals: approvals() };
    let in_review = Life::in_review(1).after(endorsed, at).unwrap();
    assert_eq!(in_review, Life::InReview { approvals_required: 2, approvals: approvals() });
    // What a person has in hand stays as it is when a refund fails; a new decision begins anew.
    assert_eq!(in_review.clone().after(Step::Reopen, at), Ok(in_review.clone()));
    let again = in_review.after(Step::Inform(Verdict::Refer { approvals_required: 1 }), at);
    assert_eq!(again, Ok(Life::in_review(1)));
    let asked = Life::Submitted.after(Step::Decide(Verdict::Ask { expires_at: Some(days(30)) }), at).unwrap();
    assert_eq!(asked.expires_at(), Some(days(30)));
    assert_eq!(asked.after(Step::Withdraw, at).unwrap().closed_at(), Some(at));
}

#[test]
fn an_answer_is_an_approval_a_denial_or_a_question_and_nothing_else() {
    for (name, step) in steps() {
        let answered = match name.split_once(' ').map(|(_, verdict)| verdict) {
            Some("pay" | "give") => Some(Response::Approval),
            Some("deny") => Some(Response::Denial),
            Some("ask") => Some(Response::Question),
            _ => None,
        };
        assert_eq!(step.response(), answered, "{name}");
    }
}
