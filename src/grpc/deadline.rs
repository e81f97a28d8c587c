//! How long a call may take: as long as its caller waits, and never longer than the service allows.

use http::HeaderMap;
use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;

/// How much later the whole call is given up than its work: the work's own answer says more.
const MARGIN: Duration = Duration::from_millis(50);

/// When an answer is of no use any more. It counts from the call's first words, so that a message that trickles in takes
/// its time from nobody else.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Instant);

impl Deadline {
    /// The caller's deadline, at most the longest that a call may take.
    pub(super) fn of(headers: &HeaderMap, longest: Duration) -> Self {
        let told = headers.get("grpc-timeout").and_then(|value| value.to_str().ok()).and_then(read_timeout);
        let now = Instant::now();
        // No sum of an instant and a quarter of an hour leaves the range of instants.
        Self(now.checked_add(told.map_or(longest, |told| told.min(longest))).unwrap_or(now))
    }

    /// What is left of it.
    pub(super) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Waits for a whole call; `None` when it took too long.
    pub(super) async fn bound<T>(self, call: impl Future<Output = T>) -> Option<T> {
        let until = self.0.checked_add(MARGIN).unwrap_or(self.0);
        tokio::time::timeout_at(until, call).await.ok()
    }
}

/// Reads gRPC's own notation: up to eight digits and a unit.
fn read_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => count.checked_mul(3_600).map(Duration::from_secs),
        "M" => count.checked_mul(60).map(Duration::from_secs),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::read_timeout;
    use std::time::Duration;

    #[test]
    fn deadlines_are_read_in_every_unit_of_grpc() {
        assert_eq!(read_timeout("2H"), Some(Duration::from_hours(2)));
        assert_eq!(read_timeout("3M"), Some(Duration::from_mins(3)));
        assert_eq!(read_timeout("15S"), Some(Duration::from_secs(15)));
        assert_eq!(read_timeout("250m"), Some(Duration::from_millis(250)));
        assert_eq!(read_timeout("99u"), Some(Duration::from_micros(99)));
        assert_eq!(read_timeout("7n"), Some(Duration::from_nanos(7)));
        for wrong in ["", "S", "15", "15s", "123456789S", "-1S", "1.5S"] {
            assert_eq!(read_timeout(wrong), None, "{wrong}");
        }
    }
}
