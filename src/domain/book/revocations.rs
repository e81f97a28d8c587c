//! Revocations by a person: for a violation (§3.3), or to correct a mistake.

use super::{Book, BookError};
use crate::domain::credits::Credits;
use crate::domain::entry::EntryCause;
use crate::domain::ids::{LotId, PurchaseId};
use crate::domain::lot::{Bucket, Lot};

/// Which lots a revocation reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// One lot.
    Lot(LotId),
    /// The lots of one purchase, the bonus one too.
    Purchase(PurchaseId),
    /// Every lot of the account.
    Everything,
}

impl Reach {
    fn has(self, lot: &Lot) -> bool {
        match self {
            Self::Lot(lot_id) => lot.lot_id == lot_id,
            Self::Purchase(purchase_id) => lot.purchase_id == Some(purchase_id),
            Self::Everything => true,
        }
    }
}

impl Book {
    /// Takes credits that could be spent, in the reverse of the burn order: so many, or all within reach. Held
    /// ones stay with their attempts and frozen ones with their dispute; what ran out is left to expire.
    ///
    /// # Errors
    /// [`BookError::RevocationExceedsAvailable`]; the book is then unchanged.
    pub fn revoke(
        &mut self,
        reach: Reach,
        credits: Option<Credits>,
        cause: &EntryCause,
    ) -> Result<Credits, BookError> {
        let within: Vec<(LotId, Credits)> = self
            .lots
            .iter()
            .rev()
            .filter(|lot| reach.has(lot))
            .map(|lot| (lot.lot_id, lot.spendable(self.now)))
            .collect();
        let available = Credits::sum(within.iter().map(|(_, spendable)| *spendable))?;
        let asked = credits.unwrap_or(available);
        if asked > available {
            return Err(BookError::RevocationExceedsAvailable { asked, available });
        }
        let mut left = asked;
        for (lot_id, spendable) in within {
            let taken = spendable.min(left);
            left = left.minus(taken)?;
            self.shift(lot_id, Bucket::Available, Bucket::Revoked, taken, cause)?;
        }
        Ok(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lot::{NewLot, Source};
    use chrono::{DateTime, TimeDelta, Utc};
    use uuid::Uuid;

    const PURCHASE: PurchaseId = PurchaseId(Uuid::from_u128(7));

    fn credits(credits: i64) -> Credits {
        Credits::new(credits).unwrap()
    }

    fn lot(id: u128, source: Source, available: i64) -> Lot {
        let bought = matches!(source, Source::Purchase | Source::Bonus);
        let mut lot = Lot::empty(NewLot {
            lot_id: LotId(Uuid::from_u128(id)),
            source,
            purchase_id: bought.then_some(PURCHASE),
            order_id: None,
            priority: source.default_priority(),
            granted_at: DateTime::UNIX_EPOCH,
            expires_at: None,
        });
        lot.shift(Bucket::Granted, Bucket::Available, credits(available)).unwrap();
        lot
    }

    /// A promotion of 20, a bonus of 10 and two paid lots of 50 and 30, in burn order.
    fn lots() -> Vec<Lot> {
        vec![
            lot(1, Source::Promotion, 20),
            lot(2, Source::Bonus, 10),
            lot(3, Source::Purchase, 50),
            lot(4, Source::Purchase, 30),
        ]
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(86_400, 0).unwrap()
    }

    /// What a revocation took, as lot and credits.
    fn taken(lots: Vec<Lot>, reach: Reach, asked: Option<i64>) -> Result<Vec<(u128, i64)>, BookError> {
        let mut book = Book::open(lots, now(), TimeDelta::zero());
        let revoked = book.revoke(reach, asked.map(credits), &EntryCause::Person(None))?;
        let movements = book.close().movements;
        assert!(movements.iter().all(|moved| (moved.from, moved.to) == (Bucket::Available, Bucket::Revoked)));
        let parts: Vec<(u128, i64)> =
            movements.iter().map(|moved| (moved.lot_id.0.as_u128(), moved.credits.get())).collect();
        assert_eq!(parts.iter().map(|(_, part)| part).sum::<i64>(), revoked.get());
        Ok(parts)
    }

    #[test]
    fn the_last_to_burn_is_revoked_first() {
        assert_eq!(taken(lots(), Reach::Everything, Some(85)).unwrap(), [(4, 30), (3, 50), (2, 5)]);
    }

    #[test]
    fn unless_told_all_within_reach_is_revoked() {
        let all = [(4, 30), (3, 50), (2, 10), (1, 20)];
        assert_eq!(taken(lots(), Reach::Everything, None).unwrap(), all);
        assert_eq!(taken(lots(), Reach::Purchase(PURCHASE), None).unwrap(), all[..3]);
        assert_eq!(taken(lots(), Reach::Lot(LotId(Uuid::from_u128(3))), None).unwrap(), all[1..2]);
    }

    #[test]
    fn one_more_than_is_within_reach_is_refused() {
        let purchase = Reach::Purchase(PURCHASE);
        assert_eq!(taken(lots(), purchase, Some(90)).unwrap().len(), 3);
        let refused = taken(lots(), purchase, Some(91)).unwrap_err();
        let (asked, available) = (credits(91), credits(90));
        assert_eq!(refused, BookError::RevocationExceedsAvailable { asked, available });
    }

    #[test]
    fn held_and_frozen_credits_and_those_that_ran_out_are_out_of_reach() {
        let mut lots = lots();
        lots[0].shift(Bucket::Available, Bucket::Held, credits(15)).unwrap();
        lots[1].expires_at = Some(now());
        lots[2].shift(Bucket::Available, Bucket::Frozen, credits(50)).unwrap();
        lots[3].shift(Bucket::Available, Bucket::Consumed, credits(29)).unwrap();
        assert_eq!(taken(lots, Reach::Everything, None).unwrap(), [(4, 1), (1, 5)]);
    }

    #[test]
    fn where_nothing_is_available_nothing_is_revoked() {
        assert_eq!(taken(Vec::new(), Reach::Everything, None).unwrap(), []);
        assert!(taken(Vec::new(), Reach::Everything, Some(1)).is_err());
    }
}
