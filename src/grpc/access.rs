//! Who may call what: the one table. What is not in it, nobody may call.

use crate::domain::role::Role;
use crate::domain::role::Role::{Admin, Agent, Auditor, Frontend, Payments, Worker};

/// Everybody who is recognised.
const EVERY_ROLE: &[Role] = Role::ALL;

/// Each method of `makegood.v1`, as `Service/Method`, with the roles that may call it. The comments of the protos, and
/// the table of `docs/access.md`, say the same; tests hold all three together.
pub const METHODS: &[(&str, &[Role])] = &[
    ("RefundService/EvaluateRequest", &[Frontend, Agent, Admin]),
    ("RefundService/ProvideInformation", &[Frontend, Agent, Admin]),
    ("RefundService/WithdrawRefundRequest", &[Frontend, Agent, Admin]),
    ("RefundService/ResolveRefundRequest", &[Agent, Admin]),
    ("RefundService/GetRefundRequest", &[Frontend, Agent, Admin, Auditor]),
    ("RefundService/ListRefundRequests", &[Frontend, Agent, Admin, Auditor]),
    ("RefundService/GetRefund", &[Frontend, Payments, Agent, Admin, Auditor]),
    ("RefundService/ListRefunds", &[Frontend, Payments, Agent, Admin, Auditor]),
    ("RefundService/RecordRefundResult", &[Payments, Admin]),
    ("RefundService/RecordChargeback", &[Payments, Admin]),
    ("RefundService/DetermineChargeback", &[Admin]),
    ("RefundService/CompileChargebackEvidence", &[Payments, Agent, Admin]),
    ("RefundService/GetChargeback", &[Payments, Agent, Admin, Auditor]),
    ("RefundService/ListChargebacks", &[Payments, Agent, Admin, Auditor]),
    ("CreditService/RecordPurchase", &[Payments, Admin]),
    ("CreditService/DeliverCredits", &[Payments, Admin]),
    ("CreditService/GrantCredits", &[Payments, Admin]),
    ("CreditService/HoldCredits", &[Worker]),
    ("CreditService/CaptureCredits", &[Worker]),
    ("CreditService/ReleaseCredits", &[Worker]),
    ("CreditService/RestoreCredits", &[Worker]),
    ("CreditService/RevokeCredits", &[Admin]),
    ("CreditService/GetBalance", EVERY_ROLE),
    ("CreditService/GetUsage", EVERY_ROLE),
    ("CreditService/ListLots", &[Frontend, Payments, Agent, Admin, Auditor]),
    ("CreditService/ListEntries", &[Frontend, Payments, Agent, Admin, Auditor]),
    ("AccountService/GetAccount", EVERY_ROLE),
    ("AccountService/ImposeRestriction", &[Agent, Admin]),
    ("AccountService/LiftRestriction", &[Admin]),
    ("AccountService/EraseAccount", &[Admin]),
    ("IncidentService/DeclareIncident", &[Agent, Admin]),
    ("IncidentService/ResolveIncident", &[Agent, Admin]),
    ("IncidentService/ListIncidents", EVERY_ROLE),
    ("IncidentService/RestoreIncident", &[Admin]),
    ("PolicyService/GetPolicy", EVERY_ROLE),
    ("PolicyService/ListPolicies", EVERY_ROLE),
    ("PolicyService/CheckPolicy", &[Agent, Admin, Auditor]),
    ("PolicyService/PublishPolicy", &[Admin]),
    ("PolicyService/BacktestPolicy", &[Admin, Auditor]),
    ("PolicyService/ReplayDecision", &[Agent, Admin, Auditor]),
];

/// Health says whether the service works, and nothing else: probes have no credentials.
const HEALTH: &str = "/grpc.health.v1.Health/";

/// The API describes itself to whoever may call any of it.
const REFLECTION: [&str; 2] =
    ["/grpc.reflection.v1.ServerReflection/", "/grpc.reflection.v1alpha.ServerReflection/"];

/// Who may call a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Everybody, recognised or not.
    Anybody,
    /// Who has one of these roles. The method is named as the table does.
    Roles(&'static str, &'static [Role]),
}

/// The rule of a path such as `/makegood.v1.CreditService/HoldCredits`; `None` where there is nothing to call.
pub(super) fn rule_of(path: &str) -> Option<Rule> {
    if let Some(asked) = path.strip_prefix("/makegood.v1.") {
        let row = METHODS.iter().find(|(method, _)| *method == asked);
        return row.map(|(method, roles)| Rule::Roles(method, roles));
    }
    if path.starts_with(HEALTH) {
        return Some(Rule::Anybody);
    }
    let is_reflection = REFLECTION.iter().any(|service| path.starts_with(service));
    is_reflection.then_some(Rule::Roles("reflection", EVERY_ROLE))
}
