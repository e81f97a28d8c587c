//! A bank's dispute: every stage with every event, in time and late.

use super::{days, drawn, now, section};
use chrono::{DateTime, Utc};
use makegood::domain::chargeback::{Chargeback, ChargebackEvent, ChargebackPhase, ChargebackStage};
use makegood::domain::credits::Credits;
use makegood::domain::ids::{ChargebackId, DisputeId, PaymentId, Provider};
use makegood::domain::money::{Currency, Money};

const HEADING: &str = "## A dispute";

/// A dispute in a stage that it has reached now.
fn dispute(stage: ChargebackStage) -> Chargeback {
    Chargeback {
        chargeback_id: ChargebackId::parse("0195aaaa-0000-7000-8000-000000000000").unwrap(),
        purchase_id: None,
        provider: Provider::parse("stripe").unwrap(),
        dispute_id: DisputeId::parse("dp-1").unwrap(),
        payment_id: PaymentId::parse("pay-1").unwrap(),
        stage,
        phase: ChargebackPhase::Chargeback,
        provider_status: String::new(),
        reason_code: String::new(),
        amount: Money { currency: Currency::parse("USD").unwrap(), minor_units: 999 },
        losses: Vec::new(),
        frozen_credits: Credits::ZERO,
        opened_at: days(-7),
        closed_at: (stage != ChargebackStage::Open).then(now),
        last_event_at: now(),
        determined: None,
    }
}

#[test]
fn every_event_in_every_stage_leads_where_it_is_drawn() {
    let mut drawn = drawn(HEADING);
    let mut led = |from: &str, name: &str, to: ChargebackStage| {
        let drawn = drawn.remove(&(from.to_owned(), name.to_owned()));
        assert_eq!(drawn.as_deref(), Some(to.name()), "{from}: {name}");
    };
    for event in ChargebackEvent::ALL {
        led("[*]", event.name(), event.first_stage());
        for stage in ChargebackStage::ALL {
            let after = |at: DateTime<Utc>| dispute(*stage).stage_after(*event, at);
            led(stage.name(), event.name(), after(days(1)));
            if *stage == ChargebackStage::Open {
                // No end is known that an event could be earlier than.
                assert_eq!(after(days(-1)), after(days(1)));
                continue;
            }
            led(stage.name(), &format!("late {event}"), after(days(-1)));
            // Of two ends of one instant the one that is heard later counts.
            assert_eq!(after(now()), after(days(1)));
        }
    }
    assert!(drawn.is_empty(), "drawn, and not known to the code: {drawn:?}");
    for stage in ChargebackStage::ALL {
        assert!(section(HEADING).contains(stage.name()), "{stage} is not drawn");
    }
}
