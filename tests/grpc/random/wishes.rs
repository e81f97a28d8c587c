//! What may be wished: abstract, so that proptest can make it and shrink it.

use super::calls::PACKAGES;
use proptest::prelude::*;

/// A wish. Small numbers choose among what is there, by remainder.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Buy {
        payment: u8,
        other_facts: bool,
    },
    BuyOfAnother,
    Deliver {
        payment: u8,
        part: i64,
        delivery: u8,
    },
    GiveUp {
        payment: u8,
    },
    Grant {
        source: u8,
        credits: i64,
        days: Option<i64>,
        priority: Option<i32>,
    },
    Revoke {
        target: u8,
        credits: Option<i64>,
    },
    Hold {
        again: Option<u8>,
        credits: i64,
        outputs: i32,
        seconds: i64,
    },
    Capture {
        usage: u8,
        delivered: Option<i32>,
    },
    Release {
        usage: u8,
    },
    Fail {
        usage: u8,
        cause: u8,
    },
    Dispute {
        payment: u8,
        number: u8,
        event: u8,
        part: i64,
        late: bool,
    },
    Ask {
        payment: u8,
        claim: u8,
    },
    Settle {
        refund: u8,
        result: u8,
    },
    /// Suspends the account, and now and then revokes what is left.
    Impose {
        revokes: bool,
    },
    Lift {
        choice: u8,
    },
    Look,
    /// A call once more: under its own id, with another body under its id, or under a new id.
    Repeat {
        call: u8,
        how: u8,
    },
}

/// How an account begins: with nothing, or with payments that are delivered or not.
pub(crate) fn beginning() -> impl Strategy<Value = Vec<Act>> {
    let bought = |payments: &'static [u8], is_delivered: bool| {
        let of = move |payment: &u8| {
            let buy = Act::Buy { payment: *payment, other_facts: false };
            let part = PACKAGES[usize::from(payment % 2)].0;
            // The choice of a payment by its number.
            let deliver = Act::Deliver { payment: payment * 2, part, delivery: 0 };
            if is_delivered { vec![buy, deliver] } else { vec![buy] }
        };
        payments.iter().flat_map(of).collect::<Vec<_>>()
    };
    prop_oneof![
        1 => Just(Vec::new()),
        2 => Just(bought(&[0, 2], true)),
        2 => Just(bought(&[0, 1, 2, 3], true)),
        1 => Just(bought(&[0, 1, 2, 3], false)),
    ]
}

/// Any wish, the frequent ones more often.
pub(crate) fn act() -> impl Strategy<Value = Act> {
    let seconds = prop_oneof![Just(60_i64), Just(900), Just(7_200)];
    let again = prop_oneof![4 => Just(None), 1 => any::<u8>().prop_map(Some)];
    let credits = prop_oneof![1 => Just(None), 2 => (1_i64..60).prop_map(Some)];
    let days = prop_oneof![Just(None), (1_i64..40).prop_map(Some)];
    let priority = prop_oneof![3 => Just(None), 1 => (0_i32..1_200).prop_map(Some)];
    let delivered = prop_oneof![2 => Just(None), 3 => (0_i32..=4).prop_map(Some)];
    prop_oneof![
        6 => (any::<u8>(), proptest::bool::weighted(0.1))
            .prop_map(|(payment, other_facts)| Act::Buy { payment, other_facts }),
        1 => Just(Act::BuyOfAnother),
        9 => (any::<u8>(), prop_oneof![Just(100_i64), Just(37), Just(60), Just(20)], 0_u8..8)
            .prop_map(|(payment, part, delivery)| Act::Deliver { payment, part, delivery }),
        1 => any::<u8>().prop_map(|payment| Act::GiveUp { payment }),
        4 => (any::<u8>(), 1_i64..40, days, priority)
            .prop_map(|(source, credits, days, priority)| Act::Grant { source, credits, days, priority }),
        2 => (any::<u8>(), credits).prop_map(|(target, credits)| Act::Revoke { target, credits }),
        20 => (again, 1_i64..50, 1_i32..4, seconds).prop_map(|(again, credits, outputs, seconds)| {
            Act::Hold { again, credits, outputs, seconds }
        }),
        12 => (any::<u8>(), delivered).prop_map(|(usage, delivered)| Act::Capture { usage, delivered }),
        5 => any::<u8>().prop_map(|usage| Act::Release { usage }),
        8 => (any::<u8>(), any::<u8>()).prop_map(|(usage, cause)| Act::Fail { usage, cause }),
        6 => (any::<u8>(), any::<u8>(), any::<u8>(), 0_i64..=4, proptest::bool::weighted(0.2)).prop_map(
            |(payment, number, event, part, late)| Act::Dispute { payment, number, event, part, late }
        ),
        7 => (any::<u8>(), any::<u8>()).prop_map(|(payment, claim)| Act::Ask { payment, claim }),
        6 => (any::<u8>(), any::<u8>()).prop_map(|(refund, result)| Act::Settle { refund, result }),
        2 => proptest::bool::weighted(0.2).prop_map(|revokes| Act::Impose { revokes }),
        5 => any::<u8>().prop_map(|choice| Act::Lift { choice }),
        3 => Just(Act::Look),
        8 => (any::<u8>(), any::<u8>()).prop_map(|(call, how)| Act::Repeat { call, how }),
    ]
}
