//! The faults that matter, briefly: each happens to the real program under load. `cargo bench --bench faults` lets them happen
//! many times.

mod doubt;
mod rig;

use rig::{Fault, heading};

/// Lets a fault happen a few times, and fails unless every promise was kept.
async fn survives(fault: Fault, rounds: u32) -> anyhow::Result<()> {
    let outcome = fault.happen(rounds).await?;
    println!("{:<34}{}\n{:<34}{outcome}", "", heading(), fault.name());
    outcome.check()
}

macro_rules! faults {
    ($($name:ident: $fault:ident * $rounds:literal;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() -> anyhow::Result<()> {
                survives(Fault::$fault, $rounds).await
            }
        )*

        #[test]
        fn every_fault_happens() {
            let happens = [$(Fault::$fault),*];
            assert!(Fault::ALL.iter().all(|fault| happens.contains(fault)) && happens.len() == Fault::ALL.len());
        }
    };
}

faults! {
    a_killed_service_loses_nothing: ServiceKilled * 2;
    a_killed_service_loses_nothing_with_its_own_database: ServiceKilledWithItsDatabase * 1;
    an_immediate_stop_of_the_database_loses_nothing: DatabaseStopped * 1;
    a_backend_killed_at_commit_leaves_a_doubt_that_a_replay_ends: BackendKilledAtCommit * 1;
    a_commit_whose_answer_is_lost_is_found_by_a_replay: CutAfterCommit * 1;
    calls_to_frozen_backends_end_and_are_good_again: BackendsFrozen * 1;
    a_network_that_falls_silent_keeps_nobody_waiting_for_ever: NetworkSilent * 1;
    a_crowd_for_few_connections_is_refused_and_reads_go_on: PoolExhausted * 1;
    callers_that_leave_at_random_moments_leave_nothing_half_done: CallsCancelled * 1;
    a_full_disk_refuses_and_loses_nothing: DiskFull * 1;
    clocks_that_jump_turn_no_time_back: ClockJumps * 1;
    attacks_by_http2_are_hardly_noticed: Http2Attacks * 1;
    a_crowd_of_silent_sockets_is_hardly_noticed: SilentSockets * 1;
}
