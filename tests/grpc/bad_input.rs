//! What a caller can get wrong: every field of every call, one at a time, is refused by its name and writes nothing.

mod accounts;
mod conflicts;
mod credits;
mod reads;
mod refunds;
mod whole_message;

use crate::service::{Service, instant, when};
use makegood::proto::makegood::v1;
use prost_types::Timestamp;
use std::fmt::Debug;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;

const NOON: &str = "2025-03-03T12:00:00Z";

/// The most credits or minor units of one operation.
const MOST: i64 = 1_000_000_000_000;

/// One way to spoil a message.
struct Case<Q> {
    field: String,
    how: String,
    spoil: Box<dyn Fn(&mut Q)>,
}

/// The ways to spoil a message, each with the one field that must be named.
struct Cases<Q>(Vec<Case<Q>>);

impl<Q: Clone + Debug + 'static> Cases<Q> {
    const fn new() -> Self {
        Self(Vec::new())
    }

    fn wrong(&mut self, field: &str, how: &str, spoil: impl Fn(&mut Q) + 'static) {
        self.0.push(Case { field: field.to_owned(), how: how.to_owned(), spoil: Box::new(spoil) });
    }

    /// An id or a key of a caller: not over long, and without control characters.
    fn text(&mut self, field: &str, max_bytes: usize, get: fn(&mut Q) -> &mut String) {
        let long = "x".repeat(max_bytes + 1);
        // Bytes count, not characters.
        let wide = "ü".repeat(max_bytes / 2 + 1);
        for (how, text) in [("over long", long), ("wide", wide), ("NUL", "a\0b".to_owned())] {
            self.wrong(field, how, move |message| get(message).clone_from(&text));
        }
        for (how, text) in [("escape", "a\u{1b}[31mb"), ("delete", "a\u{7f}"), ("C1", "a\u{85}b")] {
            self.wrong(field, how, move |message| text.clone_into(get(message)));
        }
    }

    fn required_id(&mut self, field: &str, max_bytes: usize, get: fn(&mut Q) -> &mut String) {
        self.wrong(field, "empty", move |message| get(message).clear());
        self.text(field, max_bytes, get);
    }

    /// An id of ours.
    fn own_id(&mut self, field: &str, get: fn(&mut Q) -> &mut String) {
        for text in ["", "1", "not-a-uuid", "0195561f-9b1c-7000-8000-00000000000g", "a\0b"] {
            self.wrong(field, text, move |message| text.clone_into(get(message)));
        }
    }

    fn request_id(&mut self, get: fn(&mut Q) -> &mut String) {
        self.own_id("request_id", get);
        let nil = "00000000-0000-0000-0000-000000000000";
        self.wrong("request_id", "nil", move |message| nil.clone_into(get(message)));
    }

    fn word(&mut self, field: &str, get: fn(&mut Q) -> &mut i32) {
        for number in [0, 99, -1, i32::MAX, i32::MIN] {
            self.wrong(field, &number.to_string(), move |message| *get(message) = number);
        }
    }

    fn number<N: Copy + Debug + 'static>(&mut self, field: &str, wrong: &[N], set: fn(&mut Q, N)) {
        for number in wrong.iter().copied() {
            self.wrong(field, &format!("{number:?}"), move |message| set(message, number));
        }
    }

    fn credits(&mut self, field: &str, set: fn(&mut Q, i64)) {
        self.number(field, &[0, -1, i64::MIN, MOST + 1, i64::MAX], set);
    }

    fn attempt(&mut self, field: &str, set: fn(&mut Q, i32)) {
        self.number(field, &[0, -1, 1_001, i32::MAX, i32::MIN], set);
    }

    fn money(&mut self, field: &str, set: fn(&mut Q, Option<v1::Money>)) {
        let currency = format!("{field}.currency_code");
        for code in ["", "usd", "US", "USDX", "ZZZ", "U\0D", "$", " USD"] {
            self.wrong(&currency, code, move |message| {
                set(message, Some(v1::Money { currency_code: code.to_owned(), minor_units: 999 }));
            });
        }
        let units = format!("{field}.minor_units");
        for minor_units in [-1, i64::MIN, MOST + 1, i64::MAX] {
            self.wrong(&units, &minor_units.to_string(), move |message| {
                set(message, Some(v1::Money { currency_code: "USD".to_owned(), minor_units }));
            });
        }
    }

    fn required_money(&mut self, field: &str, set: fn(&mut Q, Option<v1::Money>)) {
        self.wrong(field, "missing", move |message| set(message, None));
        self.money(field, set);
    }

    /// When something happened.
    fn past(&mut self, field: &str, set: fn(&mut Q, Option<Timestamp>)) {
        let noon = instant(NOON).timestamp();
        for (seconds, nanos) in [
            (instant("2019-12-31T23:59:59Z").timestamp(), 999_999_999),
            (noon + 300, 1_000),
            (noon + 86_400, 0),
            (noon, -1),
            (noon, 1_000_000_000),
            (noon, i32::MAX),
            (i64::MAX, 0),
            (i64::MIN, 0),
        ] {
            self.wrong(field, &format!("{seconds} s {nanos} ns"), move |message| {
                set(message, Some(Timestamp { seconds, nanos }));
            });
        }
    }

    fn required_past(&mut self, field: &str, set: fn(&mut Q, Option<Timestamp>)) {
        self.wrong(field, "missing", move |message| set(message, None));
        self.past(field, set);
    }

    /// Sends every spoiled message, then the good one: had that been refused too, the others would prove nothing.
    async fn refused<R: Debug>(
        self,
        service: &Service,
        good: Q,
        call: impl AsyncFn(Request<Q>) -> Result<Response<R>, Status>,
    ) {
        let before = written(service).await;
        for Case { field, how, spoil } in self.0 {
            let mut message = good.clone();
            spoil(&mut message);
            let answer = call(when(NOON, message)).await;
            assert!(answer.is_err(), "{field}: {how}: {answer:?}");
            let status = answer.unwrap_err();
            assert_eq!(violated(&status), [field.as_str()], "{field}: {how}: {status:?}");
        }
        assert_eq!(written(service).await, before, "a refused call writes nothing");
        call(when(NOON, good)).await.unwrap();
    }
}

/// Every row there is, keys of idempotency among them.
async fn written(service: &Service) -> (i64, i64) {
    let mut database = service.database().await;
    let keys = sqlx::query_scalar("SELECT count(*) FROM idempotency_key");
    (service.rows().await, keys.fetch_one(&mut database).await.unwrap())
}

/// The fields that a refusal names, after everything else about it was found in order.
fn violated(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let info = status.get_details_error_info().unwrap();
    assert_eq!((info.domain.as_str(), info.reason.as_str()), ("makegood.v1", "INVALID_FIELD"));
    let violations = status.get_details_bad_request().unwrap().field_violations;
    for violation in &violations {
        assert!(status.message().contains(&violation.field), "{status:?}");
        assert!(!violation.description.is_empty());
        speaks_of_itself_only(&violation.description);
    }
    speaks_of_itself_only(status.message());
    violations.into_iter().map(|violation| violation.field).collect()
}

/// A message must not show how the service is built.
fn speaks_of_itself_only(text: &str) {
    for inside in ["sqlx", "postgres", "SELECT", "INSERT", "panicked", "::", "constraint", "Error("] {
        assert!(!text.contains(inside), "`{inside}` in `{text}`");
    }
}
