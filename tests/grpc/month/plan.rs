//! Who the customers are: what each buys, how it goes wrong, and what they ask for.

use super::life::{Ends, Event, Life};
use super::shop::prices;
use chrono::{DateTime, TimeDelta, Utc};
use makegood::proto::makegood::v1::Claim;

const CURRENCIES: [&str; 3] = ["USD", "JPY", "KWD"];

/// Every claim, and what goes before it.
const CLAIMS: [Claim; 9] = [
    Claim::DuplicatePurchase,
    Claim::TechnicalIssue,
    Claim::CreditsNotDelivered,
    Claim::UnintendedRenewal,
    Claim::Dissatisfied,
    Claim::ChangeOfMind,
    Claim::UnauthorisedPayment,
    Claim::DefectiveOutput,
    Claim::Other,
];

pub(crate) fn currency(number: u64) -> &'static str {
    CURRENCIES[usize::try_from(number % 3).unwrap()]
}

impl Life {
    /// Fills the agenda: four customers in ten ask for a refund, some more than once; one in eight turns to the bank.
    pub(crate) fn plan(&mut self, begins: DateTime<Utc>) {
        let bought = begins + self.chance.hours(0, 20 * 24);
        let is_asking = self.chance.percent(40);
        let claim = self.chance.pick(&CLAIMS);
        let payment = self.plan_purchase(bought, is_asking.then_some(claim));
        self.plan_work(bought, is_asking.then_some(claim));
        if self.chance.percent(10) {
            self.note(bought + TimeDelta::hours(2), Event::Gift);
        }
        if is_asking {
            self.plan_claim(bought, claim, payment);
        }
        if self.chance.percent(if claim == Claim::UnauthorisedPayment { 50 } else { 12 }) {
            self.plan_disputes(bought, payment);
        }
        self.now = begins;
    }

    fn plan_purchase(&mut self, at: DateTime<Utc>, claim: Option<Claim>) -> usize {
        self.now = at;
        let minor = self.chance.pick(&prices(self.currency));
        let lasts_days = self.chance.percent(30).then(|| 3 + self.chance.below(25));
        let payment = self.pay(minor, claim == Some(Claim::UnintendedRenewal), lasts_days);
        // The webhook is late now and then, by hours or by days.
        let late = match self.chance.below(100) {
            0..80 => TimeDelta::minutes(1),
            80..95 => self.chance.hours(1, 12),
            _ => self.chance.hours(24, 96),
        };
        let told = at + late;
        if claim == Some(Claim::CreditsNotDelivered) && self.chance.percent(80) {
            self.note(told, Event::Record { payment });
            self.note(told + TimeDelta::minutes(1), Event::Deliver { payment, credits: 60 });
            if self.chance.percent(50) {
                self.note(told + TimeDelta::minutes(9), Event::GiveUp { payment });
            }
        } else {
            self.note_delivery(told, payment, 100);
        }
        if self.chance.percent(15) {
            let again = told + self.chance.hours(1, 100);
            self.note(again, Event::Record { payment });
        }
        payment
    }

    fn plan_work(&mut self, bought: DateTime<Utc>, claim: Option<Claim>) {
        let jobs = self.chance.below(4);
        for job in 0..jobs {
            let at = bought + self.chance.hours(1, 200);
            let ends = match self.chance.below(100) {
                0..60 => Ends::Charged,
                60..75 => Ends::Failed,
                75..88 => Ends::Released,
                _ => Ends::Forgotten,
            };
            self.note(at, Event::Work { job, ends });
        }
        if claim == Some(Claim::TechnicalIssue) && self.chance.percent(60) {
            // An outage, for this customer: failures in a row, for longer than is reasonable.
            for (job, hours) in (100..).zip([1, 14, 40]) {
                self.note(bought + TimeDelta::hours(hours), Event::Work { job, ends: Ends::Failed });
            }
        }
    }

    fn plan_claim(&mut self, bought: DateTime<Utc>, claim: Claim, payment: usize) {
        let mut asked = payment;
        if claim == Claim::DuplicatePurchase && self.chance.percent(70) {
            // A double click; the second payment is asked back.
            self.now = bought + self.chance.hours(0, 2);
            let minor = self.payments[payment].minor;
            asked = self.pay(minor, false, None);
            let told = self.now + TimeDelta::minutes(2);
            self.note_delivery(told, asked, 100);
        }
        let soon = if claim == Claim::TechnicalIssue { (41, 90) } else { (5, 60) };
        let (from, to) = if self.chance.percent(75) { soon } else { (170, 300) };
        let at = bought + self.chance.hours(from, to);
        let named = (!self.chance.percent(8)).then_some(asked);
        self.note(at, Event::Ask { claim, payment: named });
        if self.chance.percent(25) {
            let again = at + self.chance.hours(1, 150);
            let claim = self.chance.pick(&[claim, Claim::Other]);
            self.note(again, Event::Ask { claim, payment: Some(asked) });
        }
    }

    /// One dispute over all, or two over a half each.
    fn plan_disputes(&mut self, bought: DateTime<Utc>, payment: usize) {
        let minor = self.payments[payment].minor;
        let parts = if self.chance.percent(30) { vec![minor / 2, minor - minor / 2] } else { vec![minor] };
        for minor in parts {
            // Some banks are faster than the shop's own webhook.
            let (from, to) = if self.chance.percent(15) { (0, 8) } else { (0, 220) };
            let at = bought + self.chance.hours(from, to);
            let quarrel = self.quarrel(payment, minor);
            self.note(at, Event::Dispute { quarrel });
        }
    }
}
