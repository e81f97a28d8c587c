//! What the server shows of itself: services, methods, health, its test clock, and how it ends.

mod clock;
mod examples;

use crate::service::Service;
use makegood::proto::DESCRIPTOR;
use prost::Message;
use prost_types::FileDescriptorSet;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

const SERVICES: [&str; 5] =
    ["AccountService", "CreditService", "IncidentService", "PolicyService", "RefundService"];

/// Every method of the API.
const METHODS: &str = "
    RefundService: EvaluateRequest ProvideInformation WithdrawRefundRequest ResolveRefundRequest GetRefundRequest
        ListRefundRequests GetRefund ListRefunds RecordRefundResult RecordChargeback DetermineChargeback
        CompileChargebackEvidence GetChargeback ListChargebacks
    CreditService: RecordPurchase DeliverCredits GrantCredits HoldCredits CaptureCredits ReleaseCredits RestoreCredits
        RevokeCredits GetBalance GetUsage ListLots ListEntries
    AccountService: GetAccount ImposeRestriction LiftRestriction EraseAccount
    IncidentService: DeclareIncident ResolveIncident ListIncidents RestoreIncident
    PolicyService: GetPolicy ListPolicies CheckPolicy PublishPolicy BacktestPolicy ReplayDecision";

/// Those that need no arguments.
const UNCONDITIONAL: [&str; 6] = [
    "IncidentService/ListIncidents",
    "PolicyService/GetPolicy",
    "PolicyService/ListPolicies",
    "RefundService/ListRefundRequests",
    "RefundService/ListRefunds",
    "RefundService/ListChargebacks",
];

/// `Service/Method` of everything that `METHODS` names.
fn promised() -> BTreeSet<String> {
    let mut methods = BTreeSet::new();
    let mut service = "";
    for word in METHODS.split_whitespace() {
        match word.strip_suffix(':') {
            Some(name) => service = name,
            None => _ = methods.insert(format!("{service}/{word}")),
        }
    }
    methods
}

/// `Service/Method` of everything in the descriptor of our package.
fn described() -> BTreeSet<String> {
    let set = FileDescriptorSet::decode(DESCRIPTOR).unwrap();
    let files = set.file.into_iter().filter(|file| file.package() == "makegood.v1");
    let services = files.flat_map(|file| file.service);
    services
        .flat_map(|service| {
            let name = service.name().to_owned();
            service.method.into_iter().map(move |method| format!("{name}/{}", method.name()))
        })
        .collect()
}

/// Calls a method by its path with an empty message; what it answers is not read.
async fn call_empty(service: &Service, method: &str) -> Result<(), Status> {
    let mut client = tonic::client::Grpc::new(service.channel());
    client.ready().await.unwrap();
    let path: PathAndQuery = format!("/makegood.v1.{method}").parse().unwrap();
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    client.unary(Request::new(()), path, codec).await.map(|_| ())
}

#[test]
fn the_descriptor_has_every_promised_method_and_no_other() {
    assert_eq!(described(), promised());
}

#[tokio::test]
async fn every_method_answers_and_names_what_it_lacks() {
    let service = Service::start().await;
    for method in described() {
        let answer = call_empty(&service, &method).await;
        if UNCONDITIONAL.contains(&method.as_str()) {
            assert!(answer.is_ok(), "{method}: {answer:?}");
            continue;
        }
        let status = answer.unwrap_err();
        let info = status.get_details_error_info().unwrap();
        assert_eq!(info.domain, "makegood.v1", "{method}");
        let told = (status.code(), info.reason.as_str());
        assert_eq!(told, (Code::InvalidArgument, "INVALID_FIELD"), "{method}");
    }
    assert_eq!(service.rows().await, 1, "the policy's version is all there is");
    service.stop().await;
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented() {
    let service = Service::start().await;
    for method in ["RefundService/PayEverybody", "NoService/EvaluateRequest"] {
        assert_eq!(call_empty(&service, method).await.unwrap_err().code(), Code::Unimplemented);
    }
    service.stop().await;
}

/// Asks one version of the reflection service for all services.
macro_rules! listed {
    ($pb:ident, $service:expr) => {{
        use pb::server_reflection_request::MessageRequest;
        use pb::server_reflection_response::MessageResponse;
        use tonic_reflection::pb::$pb as pb;
        let mut client = pb::server_reflection_client::ServerReflectionClient::new($service.channel());
        let request = pb::ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let answers = client.server_reflection_info(tokio_stream::iter([request])).await.unwrap();
        let answer = answers.into_inner().message().await.unwrap().unwrap();
        let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
            panic!("{answer:?}");
        };
        list.service.into_iter().map(|service| service.name).collect::<BTreeSet<String>>()
    }};
}

#[tokio::test]
async fn both_versions_of_reflection_list_every_service() {
    let service = Service::start().await;
    let mut wanted: BTreeSet<String> = SERVICES.iter().map(|name| format!("makegood.v1.{name}")).collect();
    wanted.insert("grpc.health.v1.Health".to_owned());
    for listed in [listed!(v1, service), listed!(v1alpha, service)] {
        let missing: Vec<_> = wanted.difference(&listed).collect();
        assert!(missing.is_empty(), "{missing:?} not in {listed:?}");
    }
    service.stop().await;
}

#[tokio::test]
async fn health_says_that_the_server_serves() {
    let service = Service::start().await;
    let request = HealthCheckRequest { service: String::new() };
    let answer = HealthClient::new(service.channel()).check(request).await.unwrap();
    assert_eq!(answer.into_inner().status(), ServingStatus::Serving);
    service.stop().await;
}

#[tokio::test]
async fn a_connection_that_never_spoke_does_not_keep_the_server_from_ending() {
    let Service { running, channel, .. } = Service::start().await;
    let silent = TcpStream::connect(running.local_addr()).await.unwrap();
    drop(channel);
    let begun = Instant::now();
    running.stop(Duration::from_millis(500)).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    drop(silent);
}
