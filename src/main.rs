//! The `makegood` binary: reads the settings and does what was asked.

use makegood::config::{self, Command};
use makegood::{audit, demo, policy_command, probe, serve};
use mimalloc::MiMalloc;
use std::process::ExitCode;

/// A call makes and drops hundreds of short texts and lists; this takes a fifth of the service's processor time less
/// than the system's own allocator (`cargo bench --bench service`).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let done = match config::load() {
        Command::Serve(settings) => serve::serve(*settings).await,
        Command::Migrate(settings) => serve::migrate(settings).await,
        Command::Audit(settings) => match audit::audit(settings).await {
            Ok(true) => Ok(()),
            // The violations were printed; they are the answer.
            Ok(false) => return ExitCode::FAILURE,
            Err(error) => Err(error),
        },
        Command::Policy(command) => match policy_command::run(command).await {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        Command::Demo(settings) => demo::run(&settings).await,
        Command::Health(settings) => probe::health(&settings).await,
        Command::Try(settings) => probe::decision(&settings).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("makegood: {error:#}");
            ExitCode::FAILURE
        }
    }
}
