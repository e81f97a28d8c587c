//! What a caller is, and so what it may do.

use super::ids::{Actor, InvalidId};
use super::names::names;

/// What a caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The web frontend's backend, for one customer at a time.
    Frontend,
    /// A generation worker.
    Worker,
    /// Who speaks with payment processors.
    Payments,
    /// Support.
    Agent,
    /// Support with the last word.
    Admin,
    /// Who proves that nothing was lost.
    Auditor,
}

names!(Role {
    Frontend => "frontend",
    Worker => "worker",
    Payments => "payments",
    Agent => "agent",
    Admin => "admin",
    Auditor => "auditor",
});

impl Role {
    /// Who acts in this role under a name, as `agent:maria`.
    ///
    /// # Errors
    /// [`InvalidId`] when the name is empty, over long or has control characters.
    pub fn played_by(self, subject: &str) -> Result<Actor, InvalidId> {
        if subject.is_empty() {
            return Err(InvalidId::Empty);
        }
        Actor::parse(format!("{self}:{subject}"))
    }
}
