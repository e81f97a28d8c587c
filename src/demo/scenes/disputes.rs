//! A bank takes the money, keeps it, and gives it back (§6).

use crate::demo::desk::{Batch, Desk, Owed, Pack};
use crate::proto::makegood::v1::{ChargebackEventKind as Event, Claim};

pub(super) async fn lost_and_won_after_all(desk: &mut Desk<'_>) -> anyhow::Result<()> {
    desk.open("Ivy", "disputes her payment, and the bank changes its mind (§6)")?;
    desk.at("2025-03-02T20:00:00Z")?;
    desk.buy("I-1001", Pack::HUNDRED, 100).await?;
    let batch = Batch { job: "sketches", attempt: 1, credits: 30, images: 3 };
    desk.at("2025-03-02T20:10:00Z")?;
    desk.generate(batch, 3).await?;
    desk.at("2025-03-03T13:00:00Z")?;
    let open = Owed::credits("OPEN §6, suspended", -70);
    desk.dispute("I-1001", Event::Opened, "a dispute over I-1001 is opened", open).await?;
    desk.at("2025-03-03T13:05:00Z")?;
    let more = Batch { job: "comics", ..batch };
    desk.refused(more, Owed::just("ACCOUNT_SUSPENDED")).await?;
    let ask = desk.ask(Claim::TechnicalIssue, "I-1001", "It does not work.");
    desk.claim(&ask, Owed::just("REVIEW §6 row 8")).await?;
    desk.at("2025-03-18T09:00:00Z")?;
    let lost = Owed::just("LOST §6, suspended");
    desk.dispute("I-1001", Event::Lost, "the bank decides for the customer", lost).await?;
    desk.at("2025-04-07T09:00:00Z")?;
    let won = Owed::credits("WON §6, may spend", 70);
    desk.dispute("I-1001", Event::Won, "the appeal is won: the money stays", won).await?;
    desk.at("2025-04-07T10:00:00Z")?;
    desk.generate(more, 3).await?;
    desk.close().await
}
