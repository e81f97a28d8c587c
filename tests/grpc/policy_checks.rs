//! `CheckPolicy`: a document proved, broken, or not readable; and nothing written.

use crate::service::{Service, fields, reason, when};
use makegood::policy::SHIPPED;
use makegood::proto::makegood::v1;
use tonic::Code;
use v1::policy_service_client::PolicyServiceClient;
use v1::{Outcome, PolicyFindingKind as Kind, PolicyFindingSeverity as Severity};

const NOON: &str = "2025-03-05T12:00:00Z";

/// The shipped document with these rows instead of its own.
fn with_rows(rows: &str) -> String {
    let head = SHIPPED.split("[[rows]]").next().unwrap();
    format!("{head}\n{rows}")
}

async fn checked(service: &Service, document: String) -> v1::PolicyCheck {
    let mut policies = PolicyServiceClient::new(service.channel());
    let answer = policies.check_policy(when(NOON, v1::CheckPolicyRequest { document })).await.unwrap();
    answer.into_inner().check.unwrap()
}

#[tokio::test]
async fn the_shipped_document_passes_and_nothing_is_written() {
    let service = Service::start().await;
    let before = service.rows().await;
    let check = checked(&service, SHIPPED.to_owned()).await;
    assert!(check.passed);
    assert_eq!((check.version.as_str(), check.document_sha256.len()), ("2024-12-19", 64));
    assert!(check.cells_checked > 1_000_000_000_000);
    assert!(!check.findings.is_empty());
    for warning in &check.findings {
        assert_eq!((warning.severity(), warning.kind()), (Severity::Warning, Kind::OrderDecides));
        assert_eq!((warning.rows.len(), warning.counterexample[0].name.as_str()), (2, "claim"));
        assert_eq!(warning.decision, None);
    }
    assert_eq!(service.rows().await, before);
    service.stop().await;
}

#[tokio::test]
async fn a_broken_document_is_an_answer_with_its_smallest_case() {
    let service = Service::start().await;
    let rows = r#"
[[rows]]
row = "1"
clauses = ["3.2"]
claims = ["change_of_mind"]
when = [{ used = 0, dispute = "none", refunded = "none", violation = "none", standing = { lacks = "terminated" } }]
outcome = "APPROVE"
remedies = ["refund_unused"]
sentence = "We give you {amount} (§3.2)."
why = "Because."

[[rows]]
row = "2"
clauses = ["3.2"]
when = [{ evidence_given = false }]
outcome = "DENY"
sentence = "No (§3.2)."
why = "Because."
"#;
    let check = checked(&service, with_rows(rows)).await;
    assert!(!check.passed);
    let [gap, paid, order] = check.findings.as_slice() else { panic!("{:#?}", check.findings) };
    assert_eq!((gap.severity(), gap.kind()), (Severity::Error, Kind::NotTotal));
    let told = |finding: &v1::PolicyFinding| {
        let facts = finding.counterexample.iter().map(|fact| format!("{} = {}", fact.name, fact.value));
        facts.collect::<Vec<_>>()
    };
    assert_eq!(told(gap), ["claim = other", "evidence_given = true"]);
    assert_eq!(gap.decision, None);
    assert_eq!((paid.severity(), paid.kind()), (Severity::Error, Kind::DeclaredGuardrail));
    assert_eq!(
        (paid.guardrail.as_str(), paid.rows.as_slice()),
        ("pay_for_change_of_mind", &["1".to_owned()][..])
    );
    assert_eq!(told(paid), ["claim = change_of_mind"]);
    assert_eq!((order.severity(), order.kind()), (Severity::Warning, Kind::OrderDecides));
    let decision = paid.decision.as_ref().unwrap();
    assert_eq!((decision.outcome(), decision.row.as_str()), (Outcome::Approve, "1"));
    assert_eq!(decision.sentence, "We give you 10.00 USD (§3.2).");
    service.stop().await;
}

#[tokio::test]
async fn a_document_that_cannot_be_read_is_an_answer_that_says_where() {
    let service = Service::start().await;
    let check = checked(&service, SHIPPED.replacen("unused = 0, undelivered = 0", "unusd = 0", 1)).await;
    assert!(!check.passed);
    let [finding] = check.findings.as_slice() else { panic!("{:#?}", check.findings) };
    assert_eq!((finding.severity(), finding.kind()), (Severity::Error, Kind::Malformed));
    assert_eq!(finding.message, "there is no fact `unusd` (did you mean `unused`?)");
    assert_eq!((finding.rows.as_slice(), finding.line > 300), (&["20".to_owned()][..], true));
    assert!(finding.field.ends_with("when[0].unusd"), "{}", finding.field);
    assert_eq!((check.version.as_str(), check.cells_checked), ("", 0));
    service.stop().await;
}

#[tokio::test]
async fn no_document_or_too_long_a_one_is_refused_by_field() {
    let service = Service::start().await;
    let mut policies = PolicyServiceClient::new(service.channel());
    for document in [String::new(), " \n".to_owned()] {
        let refused = policies.check_policy(when(NOON, v1::CheckPolicyRequest { document })).await;
        assert_eq!(reason(refused), (Code::InvalidArgument, "INVALID_FIELD".to_owned()));
    }
    for (length, field) in [(262_144, None), (262_145, Some("document"))] {
        let document = "#".repeat(length);
        let answer = policies.check_policy(when(NOON, v1::CheckPolicyRequest { document })).await;
        match field {
            Some(field) => assert_eq!(fields(answer), [field]),
            // Long enough, and no document.
            None => assert!(!answer.unwrap().into_inner().check.unwrap().passed),
        }
    }
    service.stop().await;
}
