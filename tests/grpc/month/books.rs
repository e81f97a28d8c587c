//! The money as the processor sees it, who knows nothing of the service: what came in, what is still there, what was paid
//! back, and what a bank took.

use std::collections::BTreeMap;
use std::ops::AddAssign;

/// One account's payments at the processor.
#[derive(Debug, Default)]
pub(crate) struct Books {
    /// What is there: it follows every movement.
    balance: i64,
    /// What each payment brought.
    payments: BTreeMap<String, i64>,
    /// What was paid back of a payment and stayed with the customer, by the key that it was sent with.
    refunds: BTreeMap<String, (String, i64)>,
    /// What a bank took of a payment, by dispute.
    disputes: BTreeMap<String, (String, i64)>,
}

/// Sums in the minor unit of one currency.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) paid: i64,
    pub(crate) kept: i64,
    pub(crate) refunded: i64,
    pub(crate) charged_back: i64,
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        let Self { paid, kept, refunded, charged_back } = other;
        self.paid += paid;
        self.kept += kept;
        self.refunded += refunded;
        self.charged_back += charged_back;
    }
}

impl Books {
    pub(crate) fn pay(&mut self, payment_id: &str, minor: i64) {
        assert_eq!(self.payments.insert(payment_id.to_owned(), minor), None, "paid twice");
        self.balance += minor;
    }

    /// Sends money back. The same key sends once.
    pub(crate) fn pay_back(&mut self, key: &str, payment_id: &str, minor: i64) {
        if self.refunds.insert(key.to_owned(), (payment_id.to_owned(), minor)).is_none() {
            self.balance -= minor;
        }
        assert!(self.left_of(payment_id) >= 0, "{payment_id}: more went back than was paid");
    }

    /// Money that was sent back comes home.
    pub(crate) fn bounce(&mut self, key: &str) {
        let (_, minor) = self.refunds.remove(key).unwrap();
        self.balance += minor;
    }

    /// A bank takes what was disputed, less what the customer has already; answers how much.
    pub(crate) fn lose(&mut self, dispute_id: &str, payment_id: &str, minor: i64) -> i64 {
        let taken = minor.min(self.left_of(payment_id));
        if taken > 0 {
            self.disputes.insert(dispute_id.to_owned(), (payment_id.to_owned(), taken));
            self.balance -= taken;
        }
        taken
    }

    /// A bank gives back what it took.
    pub(crate) fn win(&mut self, dispute_id: &str) {
        if let Some((_, minor)) = self.disputes.remove(dispute_id) {
            self.balance += minor;
        }
    }

    fn left_of(&self, payment_id: &str) -> i64 {
        let gone = self.refunds.values().chain(self.disputes.values());
        let gone: i64 = gone.filter(|(of, _)| of == payment_id).map(|(_, minor)| minor).sum();
        self.payments[payment_id] - gone
    }

    pub(crate) fn sums(&self) -> Sums {
        Sums {
            paid: self.payments.values().sum(),
            kept: self.balance,
            refunded: self.refunds.values().map(|(_, minor)| minor).sum(),
            charged_back: self.disputes.values().map(|(_, minor)| minor).sum(),
        }
    }
}
