//! `makegood demo`: one day at the desk, played against a running service as its callers would.
//!
//! Every call carries the development mode's test clock, so that a day and the weeks of a dispute take seconds.
//! Accounts are new in every run; it can be run any number of times.

mod caller;
mod desk;
mod scenes;
mod teller;
mod till;
mod words;

use crate::config::DemoSettings;
use caller::Caller;
use desk::Desk;
use std::io::{IsTerminal, Write};
use teller::Teller;

/// Plays the day and prints it to the standard output, in colours where a person reads it.
///
/// # Errors
/// A sentence for the person who started it: nothing answers at the endpoint, the service refuses the test clock, or
/// a decision or a balance is not the expected one.
pub async fn run(settings: &DemoSettings) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let colours = out.is_terminal() && !settings.no_color;
    play(&settings.endpoint, &mut out, colours).await
}

/// Plays the day against the service at `endpoint`, as `http://127.0.0.1:50051`, and prints it to `out`.
///
/// # Errors
/// As [`run`].
pub async fn play(endpoint: &str, out: &mut dyn Write, colours: bool) -> anyhow::Result<()> {
    let caller = Caller::connect(endpoint).await?;
    let mut desk = Desk::new(caller, Teller::new(out, colours));
    desk.begin()?;
    scenes::play(&mut desk).await?;
    desk.end()
}
