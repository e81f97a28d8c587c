//! What a check found of a policy document.

use super::decision::{as_written, outcome, recommendation, remedy, review_reason};
use super::{text_or_empty, timestamp};
use crate::command::{
    CheckedPolicy, Decision, Document, DocumentError, Example, Finding, FindingKind, Report,
};
use crate::proto::makegood::v1;

pub(in crate::grpc) fn check_policy(checked: &CheckedPolicy) -> v1::CheckPolicyResponse {
    v1::CheckPolicyResponse { check: Some(policy_check(checked)) }
}

pub(super) fn policy_check(checked: &CheckedPolicy) -> v1::PolicyCheck {
    let passed = checked.passed();
    let CheckedPolicy { document, report } = checked;
    let findings = match (document, report) {
        (Err(error), _) => vec![malformed(error)],
        (Ok(_), Some(Report { findings, .. })) => findings.iter().map(finding).collect(),
        (Ok(_), None) => Vec::new(),
    };
    let document = document.as_ref().ok();
    v1::PolicyCheck {
        passed,
        findings,
        version: text_or_empty(document.map(Document::version)),
        document_sha256: text_or_empty(document.map(Document::sha256)),
        cells_checked: report.as_ref().map_or(0, |report| i64::try_from(report.cells).unwrap_or(i64::MAX)),
    }
}

fn malformed(error: &DocumentError) -> v1::PolicyFinding {
    let DocumentError { line, row, field, problem } = error;
    v1::PolicyFinding {
        severity: v1::PolicyFindingSeverity::Error.into(),
        kind: v1::PolicyFindingKind::Malformed.into(),
        message: problem.clone(),
        rows: row.iter().cloned().collect(),
        field: field.clone(),
        line: line.and_then(|line| i32::try_from(line).ok()).unwrap_or_default(),
        guardrail: String::new(),
        counterexample: Vec::new(),
        decision: None,
    }
}

fn finding(finding: &Finding) -> v1::PolicyFinding {
    let Finding { kind, message, rows, guardrail, example } = finding;
    let severity =
        if kind.is_error() { v1::PolicyFindingSeverity::Error } else { v1::PolicyFindingSeverity::Warning };
    // Of a warning the rows are the point; of a case that no row answers there is no decision.
    let decided = kind.is_error() && *kind != FindingKind::NotTotal;
    v1::PolicyFinding {
        severity: severity.into(),
        kind: finding_kind(*kind).into(),
        message: message.clone(),
        rows: rows.clone(),
        field: String::new(),
        line: 0,
        guardrail: text_or_empty(guardrail.as_ref()),
        counterexample: example.iter().flat_map(counterexample).collect(),
        decision: example.as_ref().filter(|_| decided).map(|example| decision(&example.decision)),
    }
}

fn counterexample(example: &Example) -> Vec<v1::Fact> {
    let told = example.telling.iter().map(|(name, _)| v1::Fact {
        name: name.name().to_owned(),
        value: example.facts.get(*name).map(as_written).unwrap_or_default(),
    });
    told.collect()
}

/// The decision without what would make a report of many findings too long: the other rows, the facts, the bytes.
fn decision(decision: &Decision) -> v1::Decision {
    let Decision {
        outcome: answer,
        row,
        clauses,
        remedies,
        recommendation: recommended,
        review_reason: reason,
        requested_details,
        sentence,
        advice,
        rows: _,
        policy_version,
        document_sha256,
        facts_sha256,
        respond_by,
    } = decision;
    v1::Decision {
        outcome: outcome(*answer).into(),
        row: row.clone(),
        clauses: clauses.clone(),
        remedies: remedies.iter().map(remedy).collect(),
        requested_details: requested_details.iter().map(ToString::to_string).collect(),
        review_reason: reason.map_or(v1::ReviewReason::Unspecified, review_reason).into(),
        recommendation: recommended.as_ref().map(recommendation),
        sentence: sentence.clone(),
        advice: advice.clone(),
        policy_version: policy_version.clone(),
        document_sha256: document_sha256.clone(),
        facts_sha256: facts_sha256.clone(),
        respond_by: Some(timestamp(*respond_by)),
        ..v1::Decision::default()
    }
}

const fn finding_kind(kind: FindingKind) -> v1::PolicyFindingKind {
    match kind {
        FindingKind::NotTotal => v1::PolicyFindingKind::NotTotal,
        FindingKind::UnreachableRow => v1::PolicyFindingKind::UnreachableRow,
        FindingKind::ShadowedRow => v1::PolicyFindingKind::ShadowedRow,
        FindingKind::EngineGuardrail => v1::PolicyFindingKind::EngineGuardrail,
        FindingKind::DeclaredGuardrail => v1::PolicyFindingKind::DeclaredGuardrail,
        FindingKind::TooIntricate => v1::PolicyFindingKind::TooIntricate,
        FindingKind::OrderDecides => v1::PolicyFindingKind::OrderDecides,
    }
}
