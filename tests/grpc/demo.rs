//! The demo, against a service that decides as the policy says and one that does not.

use crate::service::Service;
use makegood::demo;
use makegood::policy::SHIPPED;

async fn played(service: &Service) -> (Result<(), String>, String) {
    let mut out = Vec::new();
    let done = demo::play(service.endpoint(), &mut out, false).await;
    (done.map_err(|error| format!("{error:#}")), String::from_utf8(out).unwrap())
}

/// Whether one row of the table holds all of these.
fn has_row(table: &str, cells: &[&str]) -> bool {
    table.lines().any(|row| cells.iter().all(|cell| row.contains(cell)))
}

#[tokio::test]
async fn a_day_at_the_desk_ends_as_the_policy_owes_it_and_can_be_played_again() {
    let service = Service::start().await;
    for _ in 0..2 {
        let (done, table) = played(&service).await;
        assert_eq!(done, Ok(()), "{table}");
        for cells in [
            ["03 Mar 09:30", "APPROVE §2.1 row 14", "-110", "+9.99 USD"],
            ["03 Mar 10:05", "APPROVE §2.3 row 11", "frontend", "+1500 JPY"],
            ["03 Mar 10:13", "RESTORED §2.2", "worker", "+40"],
            ["03 Mar 10:30", "APPROVE §2.2 row 21", "-80", "+7.99 USD"],
            ["03 Mar 11:20", "DENY §3.2 row 5", "frontend", "F-1001, change_of_mind"],
            ["03 Mar 13:00", "OPEN §6, suspended", "payments", "-70"],
            ["07 Apr 09:00", "WON §6, may spend", "payments", "+70"],
            ["Ivy", "100", "60", "40 ok"],
        ] {
            assert!(has_row(&table, &cells), "no row with {cells:?} in\n{table}");
        }
        assert!(table.contains("Every decision was the one that policy 2024-12-19 owes"), "{table}");
        assert!(table.lines().all(|row| row.chars().count() <= 100), "{table}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_decision_that_the_policy_does_not_owe_is_named_and_the_demo_fails() {
    let deaf = SHIPPED.replace("outage_failures = 3", "outage_failures = 9");
    let service = Service::start_with(&deaf).await;
    let (done, table) = played(&service).await;
    let told = done.unwrap_err();
    assert!(told.contains("Eve") && told.contains("`APPROVE §2.2 row 21` with -80 credits"), "{told}");
    assert!(told.contains("REQUEST INFORMATION §2.2 row 26"), "{told}");
    assert!(table.contains("NOT EXPECTED") && !table.contains("GetBalance confirms"), "{table}");
    service.stop().await;
}

#[tokio::test]
async fn where_nothing_answers_the_demo_says_how_to_start_it() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let told = demo::play(&endpoint, &mut Vec::new(), false).await.unwrap_err();
    assert_eq!(format!("{told:#}"), format!("nothing answers at {endpoint}; start it with `cargo run`"));
}
