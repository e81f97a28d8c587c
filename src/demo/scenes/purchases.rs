//! Payments and deliveries that went wrong (§2.1, §2.3).

use crate::demo::desk::{Batch, Desk, Owed, Pack};
use crate::proto::makegood::v1::Claim;

pub(super) async fn a_double_click(desk: &mut Desk<'_>) -> anyhow::Result<()> {
    desk.open("Ada", "clicks twice within four seconds (§2.1)")?;
    desk.at("2025-03-03T09:00:00Z")?;
    desk.buy("A-1001", Pack::BONUS, 100).await?;
    desk.at("2025-03-03T09:00:04Z")?;
    desk.buy("A-1002", Pack::BONUS, 100).await?;
    desk.at("2025-03-03T09:10:00Z")?;
    desk.generate(Batch { job: "portrait", attempt: 1, credits: 8, images: 4 }, 4).await?;
    desk.at("2025-03-03T09:30:00Z")?;
    let ask = desk.ask(Claim::DuplicatePurchase, "A-1002", "I clicked twice.");
    desk.preview(&ask, Owed::just("APPROVE §2.1 row 14")).await?;
    let refunds = desk.claim(&ask, Owed::money("APPROVE §2.1 row 14", -110, "+9.99 USD")).await?;
    desk.claim_again(&ask, Owed::just("REPLAYED APPROVE §2.1 row 14")).await?;
    desk.at("2025-03-04T08:00:00Z")?;
    desk.settle(&refunds, Owed::just("SETTLED §4.2")).await?;
    desk.close().await
}

pub(super) async fn a_lost_delivery(desk: &mut Desk<'_>) -> anyhow::Result<()> {
    desk.open("Cleo", "gets less than she paid for (§2.3)")?;
    desk.at("2025-03-03T09:40:00Z")?;
    desk.buy("C-1001", Pack::HUNDRED, 60).await?;
    desk.at("2025-03-03T09:55:00Z")?;
    let ask = desk.ask(Claim::CreditsNotDelivered, "C-1001", "40 credits are missing.");
    desk.claim(&ask, Owed::credits("APPROVE §2.3 row 10", 40)).await?;
    let ask = desk.ask(Claim::CreditsNotDelivered, "C-1001", "They are still missing.");
    desk.at("2025-03-03T09:56:00Z")?;
    desk.claim(&ask, Owed::just("DENY §2.3 row 13")).await?;
    desk.close().await
}

pub(super) async fn a_delivery_that_never_comes(desk: &mut Desk<'_>) -> anyhow::Result<()> {
    desk.open("Dan", "pays for credits that can never be delivered (§2.3)")?;
    desk.at("2025-03-01T18:00:00Z")?;
    desk.buy("D-1001", Pack::YEN, 0).await?;
    desk.at("2025-03-02T10:00:00Z")?;
    desk.give_up_delivery("D-1001").await?;
    desk.at("2025-03-03T10:05:00Z")?;
    let ask = desk.ask(Claim::CreditsNotDelivered, "D-1001", "Nothing arrived.");
    let refunds = desk.claim(&ask, Owed::money("APPROVE §2.3 row 11", 0, "+1500 JPY")).await?;
    desk.at("2025-03-04T08:00:00Z")?;
    desk.settle(&refunds, Owed::just("SETTLED §4.2")).await?;
    desk.close().await
}
