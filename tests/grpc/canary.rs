//! Whatever a test writes in words has a canary in it, and everything that is logged meanwhile is searched for it.
//!
//! Words of persons belong into the database and into the answers to who may read them, and nowhere else. So:
//!
//! - tests write by [`words`];
//! - one [`Ear`] listens to every span and every event of this process, at every level of ours, which is all that logs and
//!   exported spans are made of; other processes' logs, exported spans, figures and errors are searched where a test gets
//!   hold of them ([`is_free_of_words`]);
//! - a test in which anything was heard fails at its end (`cluster.rs`): a test and the servers in it share a thread, whose name
//!   is the test's. What other threads said fails whoever ends next.

use std::fmt::{Debug, Write};
use std::sync::{Mutex, Once};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};

/// A word that nobody says but a test.
pub(crate) const CANARY: &str = "kestrel-canary";

/// A record with the canary in it.
struct Heard {
    thread: String,
    record: String,
}

/// What was heard so far.
static HEARD: Mutex<Vec<Heard>> = Mutex::new(Vec::new());

/// Words as a person writes them, with the canary in them.
pub(crate) fn words(text: &str) -> String {
    format!("{text} {CANARY}")
}

/// Fails if something that a test got hold of has words of persons in it.
#[track_caller]
pub(crate) fn is_free_of_words(told: impl Debug) {
    let told = format!("{told:?}");
    assert!(!told.contains(CANARY), "words of persons in {told}");
}

/// The same for what is told in the background, where nobody can fail at once.
pub(crate) fn overhear(told: impl Debug) {
    let told = format!("{told:?}");
    if told.contains(CANARY) {
        HEARD.lock().unwrap().push(Heard { thread: "in the background".to_owned(), record: told });
    }
}

/// Listens from now on to everything that this process logs.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let heard = Targets::new()
            .with_target("makegood", LevelFilter::TRACE)
            .with_target("sqlx", LevelFilter::DEBUG)
            .with_default(LevelFilter::INFO);
        let listening = tracing_subscriber::registry().with(Ear(&HEARD).with_filter(heard));
        tracing::subscriber::set_global_default(listening).unwrap();
    });
}

/// What was heard of this test, or of nobody in particular, since this was asked last.
pub(crate) fn heard() -> Vec<String> {
    let mine = this_thread();
    let is_others = |heard: &mut Heard| heard.thread.contains("::") && heard.thread != mine;
    let mut all = HEARD.lock().unwrap();
    let others: Vec<Heard> = all.extract_if(.., is_others).collect();
    let own = std::mem::replace(&mut *all, others);
    own.into_iter().map(|Heard { thread, record }| format!("{thread}: {record}")).collect()
}

fn this_thread() -> String {
    std::thread::current().name().unwrap_or("nameless").to_owned()
}

/// Writes down every record with the canary in it.
struct Ear(&'static Mutex<Vec<Heard>>);

struct Written(String);

impl Visit for Written {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Ear {
    fn hear(&self, place: &str, record: impl FnOnce(&mut Written)) {
        let mut written = Written(place.to_owned());
        record(&mut written);
        if written.0.contains(CANARY) {
            self.0.lock().unwrap().push(Heard { thread: this_thread(), record: written.0 });
        }
    }
}

impl<S: Subscriber> Layer<S> for Ear {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        self.hear(attributes.metadata().name(), |written| attributes.record(written));
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        self.hear("recorded later", |written| values.record(written));
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.hear(event.metadata().target(), |written| event.record(written));
    }
}

#[test]
fn what_is_logged_of_a_persons_words_is_heard() {
    static MINE: Mutex<Vec<Heard>> = Mutex::new(Vec::new());
    let listening = tracing_subscriber::registry().with(Ear(&MINE));
    tracing::subscriber::with_default(listening, || {
        tracing::info!(account_id = "ada", "nothing of note");
        tracing::info!(reason = words("she asked"), "an event");
        let span = tracing::debug_span!("a span", reason = words("she asked"), later = tracing::field::Empty);
        span.record("later", words("she asked"));
        tracing::trace!("{}", words("in the text itself"));
    });
    let heard = std::mem::take(&mut *MINE.lock().unwrap());
    let places: Vec<&str> = heard.iter().map(|it| it.record.split([' ', '=']).next().unwrap()).collect();
    assert_eq!(places, ["grpc::canary", "a", "recorded", "grpc::canary"]);
    assert!(heard.iter().all(|it| it.thread == this_thread()));
}
