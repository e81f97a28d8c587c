//! The script: one scene for each customer of the day, with the answers that the policy owes them.

mod disputes;
mod failures;
mod purchases;
mod refusals;

use super::desk::Desk;

/// Plays all scenes.
pub(super) async fn play(desk: &mut Desk<'_>) -> anyhow::Result<()> {
    purchases::a_double_click(desk).await?;
    purchases::a_lost_delivery(desk).await?;
    purchases::a_delivery_that_never_comes(desk).await?;
    failures::a_failed_batch(desk).await?;
    failures::a_long_outage(desk).await?;
    refusals::a_change_of_mind(desk).await?;
    refusals::a_matter_of_taste(desk).await?;
    refusals::a_late_request(desk).await?;
    refusals::a_question(desk).await?;
    disputes::lost_and_won_after_all(desk).await
}
