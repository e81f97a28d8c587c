//! Attempts that failed, and through whose fault (§2.2).

use crate::demo::desk::{Batch, Desk, Owed, Pack};
use crate::proto::makegood::v1::Claim;

pub(super) async fn a_failed_batch(desk: &mut Desk<'_>) -> anyhow::Result<()> {
    desk.open("Ben", "has a batch fail (§2.2)")?;
    desk.at("2025-03-03T10:10:00Z")?;
    desk.buy("B-1001", Pack::HUNDRED, 100).await?;
    let first = Batch { job: "banners", attempt: 1, credits: 40, images: 4 };
    desk.at("2025-03-03T10:12:00Z")?;
    desk.generate(first, 4).await?;
    desk.at("2025-03-03T10:13:00Z")?;
    desk.fail(first, "corrupt_output", Owed::credits("RESTORED §2.2", 40)).await?;
    desk.fail(first, "corrupt_output", Owed::just("ALREADY RESTORED §2.2")).await?;
    desk.at("2025-03-03T10:14:00Z")?;
    desk.crash(Batch { attempt: 2, ..first }, "worker_crash", Owed::just("RELEASED §2.2")).await?;
    desk.at("2025-03-03T10:16:00Z")?;
    desk.generate(Batch { attempt: 3, ..first }, 3).await?;
    let blocked = Batch { job: "poster", attempt: 1, credits: 10, images: 1 };
    desk.at("2025-03-03T10:18:00Z")?;
    desk.generate(blocked, 1).await?;
    desk.fail(blocked, "content_blocked", Owed::just("NOT RESTORABLE §3.1")).await?;
    desk.close().await
}

pub(super) async fn a_long_outage(desk: &mut Desk<'_>) -> anyhow::Result<()> {
    desk.open("Eve", "cannot use the service for more than a day (§2.2)")?;
    desk.at("2025-03-01T09:00:00Z")?;
    desk.buy("E-1001", Pack::HUNDRED, 100).await?;
    let batch = Batch { job: "album", attempt: 1, credits: 20, images: 2 };
    desk.at("2025-03-01T09:05:00Z")?;
    desk.generate(batch, 2).await?;
    let failures = [("2025-03-02T08:00:00Z", 2), ("2025-03-02T15:00:00Z", 3), ("2025-03-03T10:20:00Z", 4)];
    for (instant, attempt) in failures {
        desk.at(instant)?;
        desk.crash(Batch { attempt, ..batch }, "model_unavailable", Owed::just("RELEASED §2.2")).await?;
    }
    desk.at("2025-03-03T10:30:00Z")?;
    let ask = desk.ask(Claim::TechnicalIssue, "E-1001", "Nothing works since Sunday.");
    let refunds = desk.claim(&ask, Owed::money("APPROVE §2.2 row 21", -80, "+7.99 USD")).await?;
    desk.at("2025-03-04T08:00:00Z")?;
    desk.settle(&refunds, Owed::just("SETTLED §4.2")).await?;
    desk.close().await
}
