//! The clock of a refund request (§4.1): until when we answer, and what our first answer was.

use crate::domain::names::names;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What an answer within the response window may be (§4.1). That a person will look at the case is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// An approval with its details.
    Approval,
    /// A denial with its brief explanation.
    Denial,
    /// A request for additional information.
    Question,
}

names!(Response { Approval => "approval", Denial => "denial", Question => "question" });

/// The first answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstResponse {
    /// When it was given.
    pub at: DateTime<Utc>,
    /// What it was.
    pub kind: Response,
}

/// Until when a request must be answered. A deadline is computed once, when its wait begins, and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseClock {
    /// By when the customer who waits must be answered.
    pub respond_by: DateTime<Utc>,
    /// Since when the customer waits, when that is later than the receipt.
    #[serde(default)]
    pub waiting_since: Option<DateTime<Utc>>,
    /// The first answer, when there was one.
    #[serde(default)]
    pub first_response: Option<FirstResponse>,
}

impl ResponseClock {
    /// Begins at the receipt.
    #[must_use]
    pub const fn started(respond_by: DateTime<Utc>) -> Self {
        Self { respond_by, waiting_since: None, first_response: None }
    }

    /// Stopped by an answer; the first one is kept.
    #[must_use]
    pub fn answered(self, kind: Response, at: DateTime<Utc>) -> Self {
        Self { first_response: self.first_response.or(Some(FirstResponse { at, kind })), ..self }
    }

    /// Started anew: the customer waits again since then.
    #[must_use]
    pub const fn restarted(self, waiting_since: DateTime<Utc>, respond_by: DateTime<Utc>) -> Self {
        Self { respond_by, waiting_since: Some(waiting_since), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::{FirstResponse, Response, ResponseClock};
    use chrono::{DateTime, Utc};

    #[test]
    fn the_first_answer_is_kept_and_a_new_wait_has_a_deadline_of_its_own() {
        let at = |day: &str| format!("2025-03-{day}T10:00:00Z").parse::<DateTime<Utc>>().unwrap();
        let clock = ResponseClock::started(at("06")).answered(Response::Question, at("03"));
        let again = clock.restarted(at("20"), at("25")).answered(Response::Denial, at("21"));
        assert_eq!(again.first_response, Some(FirstResponse { at: at("03"), kind: Response::Question }));
        assert_eq!((again.respond_by, again.waiting_since), (at("25"), Some(at("20"))));
    }
}
