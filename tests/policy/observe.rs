//! Facts from case files, group by group.

use super::desk::{at, before, case_file, credits, observe, received_at, shown, usd};
use chrono::TimeDelta;
use makegood::domain::case_file::{
    AttemptEnd, AttemptFile, CaseFile, IncidentFile, NamedAttemptFile, PurchaseFile, TwinFile,
};
use makegood::domain::ids::PurchaseId;
use makegood::domain::purchase::DisputeState;
use makegood::domain::request::{Claim, Detail, EvidenceKind};
use makegood::domain::restriction::{RestrictionKind, Standing};
use makegood::policy::{FactName, Facts, Outcome, decide};
use std::collections::BTreeMap;

/// The ordinary technical claim, changed.
fn file(change: impl FnOnce(&mut CaseFile)) -> CaseFile {
    let mut file = case_file(Claim::TechnicalIssue);
    change(&mut file);
    file
}

fn facts(change: impl FnOnce(&mut CaseFile)) -> Facts {
    observe(&file(change))
}

fn fact(name: FactName, change: impl FnOnce(&mut CaseFile)) -> String {
    shown(&facts(change), name)
}

#[test]
fn every_observed_fact_fits_its_kind_and_replays() {
    let facts = facts(|file| {
        file.twins = vec![twin("1h", false, DisputeState::None)];
        file.attempts = attempts(&[("3h", 'f'), ("2h", 'f'), ("1h", 'f'), ("30m", 's')]);
        file.attempt = Some(named_attempt("1h"));
    });
    for (name, value) in facts.iter() {
        let mut copy = Facts::new(Claim::Other, received_at());
        assert!(copy.set(name, value.clone()).is_ok(), "{}", name.name());
    }
    let replayed: Facts = serde_json::from_str(&facts.canonical_json()).unwrap();
    assert_eq!(replayed, facts);
}

#[test]
fn without_a_purchase_its_facts_are_absent() {
    let facts = facts(|file| file.purchase = None);
    assert_eq!(shown(&facts, FactName::PurchaseKnown), "false");
    for name in [FactName::PurchaseAge, FactName::Dispute, FactName::Unused, FactName::RestorationPossible] {
        assert_eq!(facts.get(name), None, "{}", name.name());
    }
}

#[test]
fn details_are_missing_given_or_mismatched() {
    let name = FactName::MissingDetails;
    assert_eq!(fact(name, |_| ()), "nothing");
    assert_eq!(fact(name, |file| (file.names_purchase, file.purchase) = (false, None)), "order_id");
    // A change of mind is answered without a purchase.
    assert_eq!(
        fact(name, |file| {
            (file.names_purchase, file.purchase) = (false, None);
            file.claim = Claim::ChangeOfMind;
        }),
        "nothing"
    );
    let name = FactName::MismatchedDetails;
    assert_eq!(fact(name, |file| file.purchase = None), "order_id");
    assert_eq!(fact(name, |file| file.details.amount_paid = Some(usd(1999))), "nothing");
    assert_eq!(fact(name, |file| file.details.amount_paid = Some(usd(1998))), "amount_paid");
    // Paid two days before the request; remembered up to two days off.
    assert_eq!(fact(name, |file| file.details.purchased_at = Some(before("4d"))), "nothing");
    assert_eq!(fact(name, |file| file.details.purchased_at = Some(before("4d1us"))), "purchased_at");
    assert_eq!(fact(name, |file| file.details.purchased_at = Some(received_at())), "nothing");
}

#[test]
fn papers_count_as_the_detail_they_can_show() {
    let given = |kind| {
        fact(FactName::DetailsGiven, |file| {
            (file.names_purchase, file.purchase) = (false, None);
            file.evidence.insert(kind);
        })
    };
    assert_eq!(given(EvidenceKind::Statement), "statement");
    assert_eq!(given(EvidenceKind::Screenshot), "logs");
    assert_eq!(given(EvidenceKind::Log), "logs");
    assert_eq!(given(EvidenceKind::OrderIds), "order_id");
    assert_eq!(given(EvidenceKind::Other), "nothing");
    assert_eq!(fact(FactName::EvidenceGiven, |file| file.evidence.extend([EvidenceKind::Other])), "true");
    assert_eq!(fact(FactName::EvidenceReused, |file| file.evidence_reused = true), "true");
    assert_eq!(
        fact(FactName::InformationAsked, |file| file.asked.extend([Detail::Logs, Detail::OrderId])),
        "logs, order_id"
    );
}

#[test]
fn the_account_has_a_standing_and_a_history() {
    let standing = |kinds: &[RestrictionKind]| {
        let kinds = kinds.to_vec();
        facts(|file| file.account.standing = Standing(kinds))
    };
    assert_eq!(shown(&standing(&[]), FactName::Violation), "none");
    assert_eq!(shown(&standing(&[RestrictionKind::ViolationSuspected]), FactName::Violation), "suspected");
    let both = standing(&[RestrictionKind::ViolationSuspected, RestrictionKind::ViolationConfirmed]);
    assert_eq!(shown(&both, FactName::Violation), "confirmed");
    assert_eq!(shown(&both, FactName::Standing), "violation_confirmed, violation_suspected");

    let facts = facts(|file| {
        file.account.refunds_at = vec![before("1d"), before("90d"), before("90d1us")];
        file.account.refunds_ever = 7;
        file.account.used_credits = credits(500);
        file.account.available_credits = credits(70);
    });
    assert_eq!(shown(&facts, FactName::RecentRefunds), "2");
    assert_eq!(shown(&facts, FactName::RefundsEver), "7");
    assert_eq!(shown(&facts, FactName::AccountUsedCredits), "500");
    assert_eq!(shown(&facts, FactName::AccountAvailable), "70");
}

/// A fact of the ordinary purchase, changed.
fn of_purchase(name: FactName, change: impl FnOnce(&mut PurchaseFile)) -> String {
    fact(name, |file| change(file.purchase.as_mut().unwrap()))
}

#[test]
fn an_age_is_exact_to_the_microsecond_and_never_negative() {
    assert_eq!(of_purchase(FactName::PurchaseAge, |known| known.purchase.paid_at = before("7d")), "7d");
    assert_eq!(of_purchase(FactName::PurchaseAge, |known| known.purchase.paid_at = before("7d1us")), "7d1us");
    let tomorrow = received_at().checked_add_signed(TimeDelta::days(1)).unwrap();
    assert_eq!(of_purchase(FactName::PurchaseAge, |known| known.purchase.paid_at = tomorrow), "0s");
}

#[test]
fn refunds_count_by_money_or_credits_whichever_says_more() {
    let refunded = |settled, pending, given_up| {
        of_purchase(FactName::Refunded, |known| {
            known.purchase.refunded_minor = settled;
            known.purchase.pending_minor = pending;
            known.purchase.refunded_credits = credits(given_up);
        })
    };
    assert_eq!(refunded(0, 0, 0), "none");
    assert_eq!(refunded(0, 1, 0), "part");
    assert_eq!(refunded(0, 0, 1), "part");
    assert_eq!(refunded(1000, 998, 0), "part");
    assert_eq!(refunded(1000, 999, 0), "full");
    assert_eq!(refunded(0, 0, 100), "full");
}

#[test]
fn what_cost_nothing_is_refunded_only_by_its_credits() {
    let refunded = |given_up| {
        of_purchase(FactName::Refunded, |known| {
            known.purchase.price = usd(0);
            known.purchase.refunded_credits = credits(given_up);
        })
    };
    assert_eq!((refunded(0), refunded(1), refunded(100)), ("none".into(), "part".into(), "full".into()));
}

#[test]
fn undelivered_credits_are_those_that_are_nowhere_else() {
    let late = |change: fn(&mut PurchaseFile)| {
        facts(|file| {
            let known = file.purchase.as_mut().unwrap();
            known.purchase.delivered_credits = credits(40);
            known.unused = credits(0);
            change(known);
        })
    };
    let facts = late(|_| ());
    assert_eq!(shown(&facts, FactName::Undelivered), "60");
    assert_eq!(shown(&facts, FactName::UndeliveredFor), "48h");
    assert_eq!(shown(&facts, FactName::RestorationPossible), "true");
    // Refunded as undelivered: they are not missing a second time.
    let facts = late(|known| known.purchase.refunded_credits = credits(60));
    assert_eq!(shown(&facts, FactName::Undelivered), "0");
    assert_eq!(facts.get(FactName::UndeliveredFor), None);
}

#[test]
fn restoration_ends_with_the_account_the_delivery_the_refund_or_the_dispute() {
    let possible = |change: fn(&mut CaseFile)| fact(FactName::RestorationPossible, change);
    let dispute = |state| of_purchase(FactName::RestorationPossible, |known| known.purchase.dispute = state);
    assert_eq!(possible(|_| ()), "true");
    assert_eq!(possible(|file| file.account.standing.0.push(RestrictionKind::Suspended)), "true");
    assert_eq!(possible(|file| file.account.standing.0.push(RestrictionKind::Terminated)), "false");
    assert_eq!(possible(|file| file.account.standing.0.push(RestrictionKind::PurchaseBlocked)), "false");
    let gone =
        |known: &mut PurchaseFile| known.purchase.undeliverable_reason = Some("retired".to_owned().into());
    assert_eq!(of_purchase(FactName::RestorationPossible, gone), "false");
    assert_eq!(
        of_purchase(FactName::RestorationPossible, |known| known.purchase.refunded_minor = 1999),
        "false"
    );
    assert_eq!(dispute(DisputeState::Won), "true");
    assert_eq!(dispute(DisputeState::Open), "false");
    assert_eq!(dispute(DisputeState::Lost), "false");
}

#[test]
fn use_is_counted_by_credits_and_by_share() {
    assert_eq!(of_purchase(FactName::UsedShare, |_| ()), "40%");
    assert_eq!(of_purchase(FactName::Untouched, |_| ()), "false");
    let fresh = |known: &mut PurchaseFile| (known.used, known.unused) = (credits(0), credits(100));
    assert_eq!(of_purchase(FactName::Untouched, fresh), "true");
    let held = |known: &mut PurchaseFile| {
        (known.used, known.unused, known.held) = (credits(0), credits(99), credits(1));
    };
    assert_eq!(of_purchase(FactName::Untouched, held), "false");
    assert_eq!(of_purchase(FactName::Held, held), "1");
    assert_eq!(of_purchase(FactName::FailedOfPurchase, |known| known.failed = credits(7)), "7");
}

#[test]
fn a_reduction_is_known_only_with_a_list_price() {
    assert_eq!(of_purchase(FactName::PriceReduced, |_| ()), "");
    assert_eq!(of_purchase(FactName::ListPriceMinor, |_| ()), "");
    assert_eq!(
        of_purchase(FactName::ListPriceMinor, |known| known.purchase.list_price = Some(usd(2499))),
        "2499"
    );
    assert_eq!(
        of_purchase(FactName::PriceReduced, |known| known.purchase.list_price = Some(usd(1999))),
        "false"
    );
    assert_eq!(
        of_purchase(FactName::PriceReduced, |known| known.purchase.list_price = Some(usd(2499))),
        "true"
    );
    let german = |known: &mut PurchaseFile| {
        known.purchase.attributes = BTreeMap::from([("country".to_owned(), "DE".to_owned())]);
    };
    assert_eq!(of_purchase(FactName::Attributes, german), "country=DE");
}

/// Another payment, so long before the ordinary purchase (which is two days old).
fn twin(earlier: &str, refunded: bool, dispute: DisputeState) -> TwinFile {
    let micros = makegood::policy::span::Span::parse(earlier).unwrap().micros();
    TwinFile {
        purchase_id: PurchaseId::parse("018f2b1c-5f0e-7c3a-9d53-2b6f6a0f1c12").unwrap(),
        paid_at: before("2d").checked_sub_signed(TimeDelta::microseconds(micros)).unwrap(),
        refunded,
        dispute,
    }
}

#[test]
fn a_duplicate_is_near_and_stands() {
    let found = |twin: TwinFile| {
        let facts = facts(|file| file.twins = vec![twin]);
        (shown(&facts, FactName::DuplicatesFound), shown(&facts, FactName::TwinDisputed))
    };
    let is = |found: &str, disputed: &str| (found.to_owned(), disputed.to_owned());
    assert_eq!(found(twin("2s", false, DisputeState::None)), is("1", "false"));
    assert_eq!(found(twin("24h", false, DisputeState::None)), is("1", "false"));
    assert_eq!(found(twin("24h1us", false, DisputeState::None)), is("0", "false"));
    assert_eq!(found(twin("2s", true, DisputeState::None)), is("0", "false"));
    assert_eq!(found(twin("2s", false, DisputeState::Won)), is("1", "false"));
    assert_eq!(found(twin("2s", false, DisputeState::Open)), is("0", "true"));
    assert_eq!(found(twin("24h1us", false, DisputeState::Open)), is("0", "false"));
    assert_eq!(found(twin("2s", false, DisputeState::Lost)), is("0", "false"));
    // The second click counts as well when it is the first that is claimed.
    let later = TwinFile { paid_at: before("1d"), ..twin("2s", false, DisputeState::None) };
    assert_eq!(found(later), is("1", "false"));
}

/// Attempts that ended so long before the request: `f` our failure, `o` another failure, `s` a success.
fn attempts(ends: &[(&str, char)]) -> Vec<AttemptFile> {
    let end = |kind| match kind {
        'f' => AttemptEnd::PlatformFailure,
        'o' => AttemptEnd::OtherFailure,
        _ => AttemptEnd::Success,
    };
    ends.iter().map(|(span, kind)| AttemptFile { at: before(span), end: end(*kind) }).collect()
}

/// Outage, how long it lasted, since when it is over.
fn outage(change: impl FnOnce(&mut CaseFile)) -> [String; 3] {
    let facts = facts(change);
    [FactName::Outage, FactName::OutageLasted, FactName::OutageEndedAgo].map(|name| shown(&facts, name))
}

#[test]
fn an_outage_is_failures_of_ours_in_a_row() {
    let seen = |ends: &[(&str, char)]| outage(|file| file.attempts = attempts(ends));
    assert_eq!(seen(&[("5h", 'f'), ("4h", 'f')]), ["none", "", ""]);
    assert_eq!(seen(&[("5h", 'f'), ("4h", 'f'), ("3h", 'f')]), ["open", "5h", ""]);
    assert_eq!(seen(&[("5h", 'f'), ("4h", 'f'), ("3h", 'o'), ("2h", 'f')]), ["open", "5h", ""]);
    assert_eq!(seen(&[("5h", 'f'), ("4h", 'f'), ("3h", 's'), ("2h", 'f')]), ["none", "", ""]);
    assert_eq!(seen(&[("5h", 'f'), ("4h", 'f'), ("3h", 'f'), ("2h", 's')]), ["over", "3h", "2h"]);
    // A later run that is too short does not hide the outage before it.
    let two_runs = [("9h", 'f'), ("8h", 'f'), ("7h", 'f'), ("6h", 's'), ("1h", 'f')];
    assert_eq!(seen(&two_runs), ["over", "3h", "6h"]);
}

#[test]
fn failures_before_the_payment_do_not_concern_the_purchase() {
    let early = || attempts(&[("5d", 'f'), ("4d", 'f'), ("3d", 'f'), ("1d", 'f')]);
    assert_eq!(outage(|file| file.attempts = early()), ["none", "", ""]);
    assert_eq!(fact(FactName::PlatformFailures, |file| file.attempts = early()), "1");
    let unknown = |file: &mut CaseFile| (file.purchase, file.attempts) = (None, early());
    assert_eq!(outage(unknown), ["open", "5d", ""]);
    assert_eq!(fact(FactName::PlatformFailures, unknown), "4");
}

#[test]
fn a_declared_incident_is_an_outage_and_the_gravest_counts() {
    let incident =
        |from: &str, to: Option<&str>| IncidentFile { started_at: before(from), ended_at: to.map(before) };
    let declared = |incidents: Vec<IncidentFile>| outage(|file| file.incidents = incidents);
    assert_eq!(declared(vec![incident("30h", None)]), ["open", "30h", ""]);
    assert_eq!(declared(vec![incident("30h", Some("6h"))]), ["over", "24h", "6h"]);
    assert_eq!(declared(vec![incident("30h", Some("6h")), incident("1h", None)]), ["open", "1h", ""]);
    assert_eq!(
        declared(vec![incident("9h", Some("6h")), incident("40h", Some("10h"))]),
        ["over", "30h", "10h"]
    );
    // Over before the purchase was paid, or not begun yet.
    assert_eq!(declared(vec![incident("5d", Some("48h1us"))]), ["none", "", ""]);
    assert_eq!(declared(vec![incident("3d", Some("2d"))]), ["over", "24h", "48h"]);
    let announced = IncidentFile { started_at: at("2025-03-20T00:00:00Z"), ended_at: None };
    assert_eq!(declared(vec![announced]), ["none", "", ""]);
    // An end that is still to come.
    let ending = IncidentFile { ended_at: Some(at("2025-03-14T12:00:00Z")), ..incident("1h", None) };
    assert_eq!(declared(vec![ending]), ["open", "1h", ""]);
}

/// An attempt that succeeded so long before the request and was charged 7 credits.
fn named_attempt(ended: &str) -> NamedAttemptFile {
    let [ended] = attempts(&[(ended, 's')]).try_into().unwrap();
    NamedAttemptFile { ended: Some(ended), charged: credits(7) }
}

#[test]
fn a_compensation_counts_for_the_outage_that_it_came_after() {
    let compensated = |at: &str, outage: bool| {
        facts(|file| {
            file.account.compensated_at = vec![before(at)];
            if outage {
                file.incidents =
                    vec![IncidentFile { started_at: before("30h"), ended_at: Some(before("6h")) }];
            }
        })
    };
    let since = |at| shown(&compensated(at, true), FactName::OutageCompensated);
    assert_eq!((since("30h"), since("30h1us"), since("1h")), ("true".into(), "false".into(), "true".into()));
    assert_eq!(shown(&compensated("1h", false), FactName::OutageCompensated), "");
    let recent = |at| shown(&compensated(at, false), FactName::RecentCompensations);
    assert_eq!((recent("90d"), recent("90d1us")), ("1".into(), "0".into()));
}

#[test]
fn lost_credits_and_the_attempt_named_are_facts() {
    assert_eq!(fact(FactName::FailedCredits, |file| file.failed_credits = credits(12)), "12");
    let named = |name| fact(name, |file| file.attempt = Some(named_attempt("3h")));
    assert_eq!(named(FactName::AttemptAge), "3h");
    assert_eq!(named(FactName::AttemptKnown), "true");
    assert_eq!(named(FactName::AttemptResult), "success");
    assert_eq!(named(FactName::AttemptCredits), "7");
    let runs = |name| {
        fact(name, |file| file.attempt = Some(NamedAttemptFile { ended: None, ..named_attempt("3h") }))
    };
    assert_eq!(runs(FactName::AttemptResult), "running");
    assert_eq!(runs(FactName::AttemptAge), "");
    assert_eq!(fact(FactName::AttemptKnown, |_| ()), "false");
    for name in [FactName::AttemptAge, FactName::AttemptResult, FactName::AttemptCredits] {
        assert_eq!(fact(name, |_| ()), "", "{}", name.name());
    }
}

#[test]
fn a_case_file_is_decided_from_end_to_end() {
    let mut file = case_file(Claim::DuplicatePurchase);
    let known = file.purchase.as_mut().unwrap();
    (known.used, known.unused) = (credits(0), credits(100));
    file.twins = vec![twin("2s", false, DisputeState::None)];
    let decision = decide(super::desk::shipped(), &observe(&file));
    assert_eq!((decision.outcome, decision.row.as_str()), (Outcome::Approve, "14"));
    assert_eq!(decision.money(), Some(usd(1999)));
    assert_eq!(decision.respond_by, at("2025-03-19T10:00:00Z"));
}

#[test]
fn a_reply_starts_a_new_clock_and_leaves_the_customers_own_time_limits_alone() {
    assert_eq!(fact(FactName::WaitingSince, |_| ()), "");
    let mut file = case_file(Claim::Other);
    let age = shown(&observe(&file), FactName::PurchaseAge);
    let replied_at = at("2025-04-01T08:00:00Z");
    (file.waiting_since, file.decided_at) = (Some(replied_at), replied_at);
    let facts = observe(&file);
    assert_eq!(shown(&facts, FactName::WaitingSince), "2025-04-01T08:00:00.000000Z");
    assert_eq!(shown(&facts, FactName::PurchaseAge), age);
    assert_eq!(decide(super::desk::shipped(), &facts).respond_by, at("2025-04-04T08:00:00Z"));
}
