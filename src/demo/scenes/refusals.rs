//! Requests that are denied, asked about, or left to a person (§3, §5).

use crate::demo::desk::{Batch, Desk, Owed, Pack};
use crate::proto::makegood::v1::Claim;

pub(super) async fn a_change_of_mind(desk: &mut Desk<'_>) -> anyhow::Result<()> {
    desk.open("Finn", "changes his mind (§3.2)")?;
    desk.at("2025-03-03T11:00:00Z")?;
    desk.buy("F-1001", Pack::BONUS, 100).await?;
    desk.at("2025-03-03T11:20:00Z")?;
    let ask = desk.ask(Claim::ChangeOfMind, "F-1001", "I do not need them.");
    desk.claim(&ask, Owed::just("DENY §3.2 row 5")).await?;
    desk.close().await
}

pub(super) async fn a_matter_of_taste(desk: &mut Desk<'_>) -> anyhow::Result<()> {
    desk.open("Gwen", "does not like what she got (§3.1)")?;
    desk.at("2025-03-02T16:00:00Z")?;
    desk.buy("G-1001", Pack::HUNDRED, 100).await?;
    desk.at("2025-03-02T16:10:00Z")?;
    desk.generate(Batch { job: "sunset", attempt: 1, credits: 60, images: 6 }, 6).await?;
    desk.at("2025-03-03T11:30:00Z")?;
    let ask = desk.ask(Claim::Dissatisfied, "G-1001", "The colours are dull.");
    desk.claim(&ask, Owed::just("DENY §3.1 §3.2 row 4a")).await?;
    desk.close().await
}

pub(super) async fn a_late_request(desk: &mut Desk<'_>) -> anyhow::Result<()> {
    desk.open("Hal", "comes late (§5.3)")?;
    desk.at("2025-02-10T12:00:00Z")?;
    desk.buy("H-1001", Pack::HUNDRED, 100).await?;
    desk.at("2025-02-11T12:00:00Z")?;
    desk.generate(Batch { job: "leaflet", attempt: 1, credits: 80, images: 8 }, 8).await?;
    desk.at("2025-03-03T11:45:00Z")?;
    let ask = desk.ask(Claim::Other, "H-1001", "Can I have the rest back?");
    desk.claim(&ask, Owed::just("REVIEW §5.3 row 27a")).await?;
    desk.close().await
}

pub(super) async fn a_question(desk: &mut Desk<'_>) -> anyhow::Result<()> {
    desk.open("Jo", "speaks of a second payment that nobody knows (§2.1)")?;
    desk.at("2025-03-03T12:00:00Z")?;
    desk.buy("J-1001", Pack::HUNDRED, 100).await?;
    desk.at("2025-03-03T12:05:00Z")?;
    let ask = desk.ask(Claim::DuplicatePurchase, "J-1001", "I was charged twice.");
    desk.claim(&ask, Owed::just("REQUEST INFORMATION §2.1 row 17")).await?;
    desk.close().await
}
