//! Policy versions: published once, never changed, found by name and by time (§8).

use crate::canary::words;
use crate::service::{Service, fields, instant, is_replayed, reason, request_id, timestamp, when};
use makegood::clock::Clock;
use makegood::command::Policies;
use makegood::policy::SHIPPED;
use makegood::proto::makegood::v1;
use makegood::proto::makegood::v1::policy_service_client::PolicyServiceClient;
use makegood::store::{Limits, Store};
use sha2::{Digest, Sha256};
use tonic::Code;
use tonic::transport::Channel;
use tonic_types::StatusExt;
use v1::get_policy_request::Selector;

pub(crate) const NOON: &str = "2025-03-03T12:00:00Z";
const JUNE: &str = "2025-06-01T00:00:00Z";

/// The shipped policy under another version, with one line changed.
pub(crate) fn version(name: &str, from: &str, to: &str) -> String {
    assert!(SHIPPED.contains(from), "{from}");
    SHIPPED.replace(r#"version = "2024-12-19""#, &format!("version = \"{name}\"")).replace(from, to)
}

/// The shipped policy under another version, with a claim window of two weeks instead of one.
pub(crate) fn two_weeks(name: &str) -> String {
    version(name, r#"claim_window = "7d""#, r#"claim_window = "14d""#)
}

pub(crate) fn publish(document: &str, effective_from: Option<&str>) -> v1::PublishPolicyRequest {
    v1::PublishPolicyRequest {
        request_id: request_id(),
        document: document.to_owned(),
        effective_from: effective_from.map(timestamp),
        approver: "legal:sam".to_owned(),
        reason: words("two weeks are fairer"),
        validate_only: false,
    }
}

impl Service {
    pub(crate) fn policies(&self) -> PolicyServiceClient<Channel> {
        PolicyServiceClient::new(self.channel())
    }

    /// Publishes a version, called at an instant.
    pub(crate) async fn published(&self, at: &str, request: v1::PublishPolicyRequest) -> v1::Policy {
        self.policies().publish_policy(when(at, request)).await.unwrap().into_inner().policy.unwrap()
    }

    async fn policy(&self, selector: Option<Selector>) -> v1::Policy {
        let request = v1::GetPolicyRequest { selector };
        self.policies().get_policy(when(NOON, request)).await.unwrap().into_inner().policy.unwrap()
    }

    async fn version_as_of(&self, at: &str) -> String {
        self.policy(Some(Selector::AsOf(timestamp(at)))).await.version
    }
}

#[tokio::test]
async fn a_version_is_kept_as_it_was_published_and_never_changes() {
    let service = Service::start().await;
    let text = two_weeks("2025-06-01");
    let request = publish(&text, Some(JUNE));
    let published = service.published(NOON, request.clone()).await;
    let wanted = v1::Policy {
        version: "2025-06-01".to_owned(),
        title: "Z-Image.win Refund Policy".to_owned(),
        effective_from: Some(timestamp(JUNE)),
        effective_until: None,
        document: text.clone(),
        document_sha256: hex::encode(Sha256::digest(&text)),
        published_at: Some(timestamp(NOON)),
        published_by: "development".to_owned(),
        approver: "legal:sam".to_owned(),
        reason: words("two weeks are fairer"),
    };
    assert_eq!(published, wanted);
    assert_eq!(service.policy(Some(Selector::Version("2025-06-01".to_owned()))).await, wanted);

    let again = service.policies().publish_policy(when(JUNE, request.clone())).await.unwrap();
    assert!(is_replayed(&again));
    assert_eq!(again.into_inner().policy.unwrap(), wanted, "the same request id");
    // The same version is the same publication, whoever repeats it and under which request id.
    let repeated = v1::PublishPolicyRequest { approver: "legal:kim".to_owned(), ..publish(&text, None) };
    assert_eq!(service.published(JUNE, repeated).await, wanted);

    let otherwise = v1::PublishPolicyRequest { reason: words("another"), ..request };
    let twice = service.policies().publish_policy(when(NOON, otherwise)).await;
    assert_eq!(reason(twice), (Code::FailedPrecondition, "IDEMPOTENCY_KEY_REUSED".to_owned()));
    let other_text = version("2025-06-01", r#"claim_window = "7d""#, r#"claim_window = "21d""#);
    for other in [publish(&other_text, Some(JUNE)), publish(&text, Some("2025-07-01T00:00:00Z"))] {
        let refused = service.policies().publish_policy(when(NOON, other)).await;
        assert_eq!(reason(refused), (Code::AlreadyExists, "POLICY_VERSION_EXISTS".to_owned()));
    }
    assert_eq!(service.policy(Some(Selector::Version("2025-06-01".to_owned()))).await, wanted);
    service.audited().await;
}

#[tokio::test]
async fn the_version_of_a_time_is_the_one_that_began_last() {
    let service = Service::start().await;
    service.published(NOON, publish(&two_weeks("2025-06-01"), Some(JUNE))).await;
    service.published(NOON, publish(&two_weeks("2025-05-01"), Some("2025-05-01T00:00:00Z"))).await;
    assert_eq!(service.version_as_of("2024-12-19T00:00:00Z").await, "2024-12-19");
    assert_eq!(service.version_as_of("2025-04-30T23:59:59.999999Z").await, "2024-12-19");
    assert_eq!(service.version_as_of("2025-05-01T00:00:00Z").await, "2025-05-01");
    assert_eq!(service.version_as_of("2025-05-31T23:59:59.999999Z").await, "2025-05-01");
    assert_eq!(service.version_as_of(JUNE).await, "2025-06-01");
    assert_eq!(service.version_as_of("2099-01-01T00:00:00Z").await, "2025-06-01");
    let now = service.policy(None).await;
    assert_eq!((now.version.as_str(), now.document.as_str()), ("2024-12-19", SHIPPED), "in force at noon");
    assert_eq!(now.effective_until, Some(timestamp("2025-05-01T00:00:00Z")));
    assert_eq!((now.published_by.as_str(), now.approver.as_str()), ("system", ""));

    let early = v1::GetPolicyRequest { selector: Some(Selector::AsOf(timestamp("2024-12-18T23:59:59Z"))) };
    let unknown = v1::GetPolicyRequest { selector: Some(Selector::Version("2023".to_owned())) };
    for request in [early, unknown] {
        let refused = service.policies().get_policy(when(NOON, request)).await;
        assert_eq!(reason(refused), (Code::NotFound, "POLICY_NOT_FOUND".to_owned()));
    }
    service.audited().await;
}

#[tokio::test]
async fn versions_are_listed_page_by_page_whatever_is_published_meanwhile() {
    let service = Service::start().await;
    for month in 1..=4 {
        let start = format!("2026-0{month}-01T00:00:00Z");
        service.published(NOON, publish(&two_weeks(&format!("v{month}")), Some(&start))).await;
    }
    let mut names = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListPoliciesRequest { page_size: 2, page_token };
        let page = service.policies().list_policies(request).await.unwrap().into_inner();
        assert!(page.policies.len() <= 2);
        assert!(page.policies.iter().all(|policy| policy.document.is_empty() && !policy.title.is_empty()));
        names.extend(page.policies.into_iter().map(|policy| policy.version));
        if names.len() == 2 {
            service.published(NOON, publish(&two_weeks("v5"), Some("2026-05-01T00:00:00Z"))).await;
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["v4", "v3", "v2", "v1", "2024-12-19"]);
    let forged = v1::ListPoliciesRequest { page_size: 2, page_token: "00".to_owned() };
    let refused = service.policies().list_policies(forged).await;
    assert_eq!(reason(refused), (Code::InvalidArgument, "INVALID_PAGE_TOKEN".to_owned()));
    let negative = v1::ListPoliciesRequest { page_size: -1, page_token: String::new() };
    assert_eq!(fields(service.policies().list_policies(negative).await), ["page_size"]);
    service.stop().await;
}

#[tokio::test]
async fn a_preview_answers_the_same_and_writes_nothing() {
    let service = Service::start().await;
    let before = service.rows().await;
    let text = two_weeks("2025-06-01");
    let nameless = v1::PublishPolicyRequest {
        request_id: String::new(),
        validate_only: true,
        ..publish(&text, Some(JUNE))
    };
    let previewed = service.published(NOON, nameless).await;
    assert_eq!(service.rows().await, before);
    assert_eq!(service.published(NOON, publish(&text, Some(JUNE))).await, previewed);
    let broken = v1::PublishPolicyRequest { validate_only: true, ..publish("version = 1", None) };
    let refused = service.policies().publish_policy(when(NOON, broken)).await;
    assert_eq!(reason(refused), (Code::InvalidArgument, "POLICY_MALFORMED".to_owned()));
    service.stop().await;
}

#[tokio::test]
async fn without_a_beginning_a_version_begins_as_it_states_or_as_soon_as_can_be() {
    let service = Service::start().await;
    let stated = version("stated", "2024-12-19T00:00:00Z", "2025-09-01T00:00:00Z");
    let begins = service.published(NOON, publish(&stated, None)).await.effective_from;
    assert_eq!(begins, Some(timestamp("2025-09-01T00:00:00Z")));
    // What states a past beginning begins now, and of two of the same moment the later one a little later.
    let first = service.published(NOON, publish(&two_weeks("now"), None)).await.effective_from;
    let second = service.published(NOON, publish(&two_weeks("then"), None)).await.effective_from;
    assert_eq!(first, Some(timestamp(NOON)));
    assert_eq!(second, Some(timestamp("2025-03-03T12:00:00.000001Z")));
    service.audited().await;
}

#[tokio::test]
async fn what_cannot_be_published_is_refused_with_its_place_and_changes_nothing() {
    let service = Service::start().await;
    let before = service.rows().await;
    let misspelt = version("2025-06-01", "{ dispute = \"open\" }", "{ disputte = \"open\" }");
    let status = service.policies().publish_policy(when(NOON, publish(&misspelt, None))).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.get_details_error_info().unwrap().reason, "POLICY_MALFORMED");
    let violation = &status.get_details_bad_request().unwrap().field_violations[0];
    assert_eq!(violation.field, "document");
    assert!(violation.description.contains("row `8`"), "{violation:?}");
    assert!(violation.description.contains("did you mean `dispute`?"), "{violation:?}");

    let text = two_weeks("2025-06-01");
    let past = publish(&text, Some("2025-03-03T11:59:59.999999Z"));
    let status = service.policies().publish_policy(when(NOON, past)).await.unwrap_err();
    let info = status.get_details_error_info().unwrap();
    assert_eq!((info.reason.as_str(), info.metadata["field"].as_str()), ("INVALID_FIELD", "effective_from"));
    assert_eq!(instant(&info.metadata["earliest"]), instant(NOON));
    service.published(NOON, publish(&two_weeks("v1"), Some(JUNE))).await;
    let together = service.policies().publish_policy(when(NOON, publish(&text, Some(JUNE)))).await;
    assert_eq!(fields(together), ["effective_from"]);

    let empty = service.policies().publish_policy(when(NOON, v1::PublishPolicyRequest::default())).await;
    assert_eq!(fields(empty), ["request_id", "document", "approver", "reason"]);
    let long = v1::PublishPolicyRequest {
        document: "#".repeat(262_145),
        effective_from: Some(timestamp("1999-01-01T00:00:00Z")),
        approver: "x".repeat(129),
        reason: "x".repeat(1_001),
        ..publish(&text, None)
    };
    let long = service.policies().publish_policy(when(NOON, long)).await;
    assert_eq!(fields(long), ["document", "effective_from", "approver", "reason"]);
    let bounds = v1::PublishPolicyRequest {
        document: format!("{text}\n{}", "#".repeat(262_143 - text.len())),
        approver: "x".repeat(128),
        reason: "x".repeat(1_000),
        ..publish(&text, None)
    };
    service.published(NOON, bounds).await;
    assert_eq!(service.rows().await, before + 2, "the two that were published");
    service.stop().await;
}

#[tokio::test]
async fn the_shipped_document_is_published_only_where_nothing_is() {
    let service = Service::start_with(&two_weeks("mine")).await;
    assert_eq!(service.policy(None).await.version, "mine");
    let store = Store::connect(&service.url, Limits::default()).await.unwrap();
    Policies::parse(SHIPPED).unwrap().publish(&store, Clock::system()).await.unwrap();
    let listed = service.policies().list_policies(v1::ListPoliciesRequest::default()).await.unwrap();
    let names: Vec<_> = listed.into_inner().policies.into_iter().map(|policy| policy.version).collect();
    assert_eq!(names, ["mine"], "whoever starts a newer program changes no policy");
    let other = version("mine", r#"claim_window = "7d""#, r#"claim_window = "21d""#);
    let error = Policies::parse(&other).unwrap().publish(&store, Clock::system()).await.unwrap_err();
    assert!(error.to_string().contains("never changes"), "{error}");
    store.close().await;
    service.stop().await;
}

#[tokio::test]
async fn only_what_passes_its_check_is_published() {
    let service = Service::start().await;
    let before = service.rows().await;
    let head = SHIPPED.split("[[rows]]").next().unwrap().replace("2024-12-19\"\n", "unsound\"\n");
    let gap = format!(
        "{head}\n[[rows]]\nrow = \"1\"\nclauses = [\"3.2\"]\nwhen = [{{ evidence_given = false }}]\noutcome = \"DENY\"\n\
         sentence = \"No (§3.2).\"\nwhy = \"Because.\"\n"
    );
    for validate_only in [true, false] {
        let request = v1::PublishPolicyRequest { validate_only, ..publish(&gap, None) };
        let status = service.policies().publish_policy(when(NOON, request)).await.unwrap_err();
        let info = status.get_details_error_info().unwrap();
        assert_eq!((status.code(), info.reason.as_str()), (Code::FailedPrecondition, "POLICY_UNSOUND"));
        assert_eq!(info.metadata["errors"], "1");
        assert!(status.message().contains("no row answers this case"), "{}", status.message());
    }
    assert_eq!(service.rows().await, before);
    let request = when(NOON, publish(&two_weeks("sound"), None));
    let check = service.policies().publish_policy(request).await.unwrap().into_inner().check.unwrap();
    assert!(check.passed && !check.findings.is_empty(), "with its warnings");
    assert_eq!((check.version.as_str(), check.document_sha256.len()), ("sound", 64));
    service.stop().await;
}
