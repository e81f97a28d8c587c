//! A frontend acts for one account: whatever is another's does not exist for it.

use super::{Code, Issuer, Method, Request, Service, StatusExt, guarded, methods, request_id, with};
use crate::canary::words;
use crate::service::{capture, delivery, evaluate, fields, hold, purchase, reason};
use makegood::domain::role::Role;
use makegood::grpc::access::METHODS;
use makegood::proto::makegood::v1;
use tonic::Status;
use v1::Claim;
use v1::incident_service_client::IncidentServiceClient;
use v1::resolve_refund_request_request::{Keep, Resolution};

const NOON: &str = "2025-03-03T12:00:00Z";

/// An id that nothing has.
const NOTHING: &str = "0192f0c1-0000-7000-8000-000000000000";

/// Two customers, each with a purchase, an attempt and a request in review; and the ids of these, hers and his.
struct Two {
    service: Service,
    issuer: Issuer,
    hers: Things,
    his: Things,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Things {
    payment: String,
    job: String,
    request: String,
}

impl Two {
    async fn start() -> Self {
        let (service, issuer) = guarded().await;
        let hers = things_of(&service, &issuer, "ada").await;
        let his = things_of(&service, &issuer, "bob").await;
        Self { service, issuer, hers, his }
    }

    /// Ends the service, and proves its records by one that answers without a token.
    async fn audited(self) {
        let replica = self.service.replica().await;
        self.service.stop().await;
        replica.audited().await;
    }

    /// A call of Ada's frontend.
    fn ada<T>(&self, message: T) -> Request<T> {
        with(&self.issuer.for_account("ada"), message)
    }
}

async fn things_of(service: &Service, issuer: &Issuer, account_id: &str) -> Things {
    let (pays, works) = (issuer.token("payments", "stripe"), issuer.token("worker", "render"));
    let payment_id = format!("pay-{account_id}");
    let job_id = format!("job-{account_id}");
    let mut credits = service.credits();
    credits.record_purchase(with(&pays, purchase(account_id, &payment_id, NOON))).await.unwrap();
    credits.deliver_credits(with(&pays, delivery(account_id, &payment_id, 100, NOON))).await.unwrap();
    credits.hold_credits(with(&works, hold(account_id, &job_id, 30))).await.unwrap();
    credits.capture_credits(with(&works, capture(account_id, &job_id))).await.unwrap();
    let asked =
        with(&issuer.for_account(account_id), evaluate(account_id, &payment_id, Claim::UnauthorisedPayment));
    let answer = service.refunds().evaluate_request(asked).await.unwrap().into_inner();
    let opened = answer.refund_request.unwrap();
    assert_eq!(opened.stage(), v1::RefundRequestStage::InReview);
    assert_eq!(opened.opened_by, "frontend:shop");
    Things { payment: payment_id, job: job_id, request: opened.refund_request_id }
}

/// Everything that a refusal tells.
fn told(status: &Status) -> (Code, String, Vec<u8>) {
    (status.code(), status.message().to_owned(), status.details().to_vec())
}

/// What a frontend may call for an account.
fn for_an_account() -> Vec<Method> {
    let frontends = |method: &Method| {
        let (_, roles) = METHODS.iter().find(|(name, _)| *name == method.name).unwrap();
        roles.contains(&Role::Frontend)
    };
    let methods = methods().into_iter().filter(frontends);
    methods.filter(|method| !method.asking(&[("account_id", "ada")]).0.is_empty()).collect()
}

#[tokio::test]
async fn another_account_is_answered_as_one_that_does_not_exist_whatever_is_asked() {
    let two = Two::start().await;
    let rows = two.service.rows().await;
    let methods = for_an_account();
    assert!(methods.len() >= 12, "{}", methods.len());
    for method in methods {
        let ask = |account_id: &'static str, things: &Things, id: &str| {
            let request_id = request_id();
            let texts = [
                ("account_id", account_id),
                ("request_id", &request_id),
                ("refund_request_id", &things.request),
                ("job_id", &things.job),
                ("refund_id", id),
            ];
            two.ada(method.asking(&texts))
        };
        let nowhere = Things { payment: String::new(), job: "job-0".to_owned(), request: NOTHING.to_owned() };
        let his = method.call(&two.service, ask("bob", &two.his, NOTHING)).await.unwrap_err();
        let nobodys = method.call(&two.service, ask("nobody", &nowhere, NOTHING)).await.unwrap_err();
        let malformed = method.call(&two.service, ask("bob", &nowhere, "?")).await.unwrap_err();
        assert_eq!(his.get_details_error_info().unwrap().reason, "ACCOUNT_NOT_FOUND", "{}", method.name);
        assert_eq!(his.code(), Code::NotFound, "{}", method.name);
        assert_eq!(told(&his), told(&nobodys), "{}", method.name);
        assert_eq!(told(&his), told(&malformed), "{}", method.name);
    }
    // As her own account is answered before it exists.
    let newcomer = with(&two.issuer.for_account("eve"), balance("eve"));
    let unknown = two.service.credits().get_balance(newcomer).await.unwrap_err();
    let his = two.service.credits().get_balance(two.ada(balance("bob"))).await.unwrap_err();
    assert_eq!(told(&unknown), told(&his));
    assert_eq!(two.service.rows().await, rows);
    two.service.stop().await;
}

fn balance(account_id: &str) -> v1::GetBalanceRequest {
    v1::GetBalanceRequest { account_id: account_id.to_owned() }
}

#[tokio::test]
async fn anothers_thing_is_not_found_among_ones_own() {
    let two = Two::start().await;
    let (refunds, credits) = (two.service.refunds(), two.service.credits());
    let not_found = |his: Status, nothing: Status| {
        assert_eq!(his.code(), Code::NotFound, "{his:?}");
        assert_eq!(told(&his), told(&nothing));
    };
    let request = |id: &str| {
        two.ada(v1::GetRefundRequestRequest {
            account_id: "ada".to_owned(),
            refund_request_id: id.to_owned(),
        })
    };
    let get = async |id: &str| refunds.clone().get_refund_request(request(id)).await;
    not_found(get(&two.his.request).await.unwrap_err(), get(NOTHING).await.unwrap_err());
    get(&two.hers.request).await.unwrap();

    let usage = |job_id: &str| {
        two.ada(v1::GetUsageRequest { account_id: "ada".to_owned(), job_id: job_id.to_owned(), attempt: 1 })
    };
    let get = async |id: &str| credits.clone().get_usage(usage(id)).await;
    not_found(get(&two.his.job).await.unwrap_err(), get("job-0").await.unwrap_err());
    get(&two.hers.job).await.unwrap();

    let back = |id: &str| {
        two.ada(v1::WithdrawRefundRequestRequest {
            request_id: request_id(),
            account_id: "ada".to_owned(),
            refund_request_id: id.to_owned(),
            reason: String::new(),
        })
    };
    let withdraw = async |id: &str| refunds.clone().withdraw_refund_request(back(id)).await;
    not_found(withdraw(&two.his.request).await.unwrap_err(), withdraw(NOTHING).await.unwrap_err());

    let more = |id: &str| {
        let details = Some(v1::RequestDetails { explanation: words("please"), ..Default::default() });
        two.ada(v1::ProvideInformationRequest {
            request_id: request_id(),
            account_id: "ada".to_owned(),
            refund_request_id: id.to_owned(),
            details,
            ..Default::default()
        })
    };
    let provide = async |id: &str| refunds.clone().provide_information(more(id)).await;
    not_found(provide(&two.his.request).await.unwrap_err(), provide(NOTHING).await.unwrap_err());
    provide(&two.hers.request).await.unwrap();
    withdraw(&two.hers.request).await.unwrap();
    two.audited().await;
}

#[tokio::test]
async fn anothers_purchase_is_as_unknown_as_none() {
    let two = Two::start().await;
    let preview = async |payment_id: &str| {
        let asked = v1::EvaluateRequestRequest {
            validate_only: true,
            ..evaluate("ada", payment_id, Claim::DuplicatePurchase)
        };
        let answer = two.service.refunds().evaluate_request(two.ada(asked)).await.unwrap();
        let decision = answer.into_inner().decision.unwrap();
        (decision.row, decision.outcome, decision.sentence)
    };
    assert_eq!(preview(&two.his.payment).await, preview("pay-0").await);
    // Her own is known, with what became of it.
    let again = evaluate("ada", &two.hers.payment, Claim::DuplicatePurchase);
    let refused = two.service.refunds().evaluate_request(two.ada(again)).await;
    assert_eq!(reason(refused), (Code::AlreadyExists, "OPEN_REQUEST_EXISTS".to_owned()));
    two.service.stop().await;
}

#[tokio::test]
async fn lists_hold_ones_own_alone_and_need_a_name() {
    let two = Two::start().await;
    let queue = |account_id: &str| {
        two.ada(v1::ListRefundRequestsRequest { account_id: account_id.to_owned(), ..Default::default() })
    };
    let mut refunds = two.service.refunds();
    let listed = refunds.list_refund_requests(queue("ada")).await.unwrap().into_inner().refund_requests;
    let accounts: Vec<&str> = listed.iter().map(|request| request.account_id.as_str()).collect();
    assert_eq!(accounts, ["ada"]);
    assert_eq!(fields(refunds.list_refund_requests(queue("")).await), ["account_id"]);
    // The desk sees both.
    let all = with(&two.issuer.token("agent", "kim"), v1::ListRefundRequestsRequest::default());
    assert_eq!(refunds.list_refund_requests(all).await.unwrap().into_inner().refund_requests.len(), 2);
    two.service.stop().await;
}

#[tokio::test]
async fn a_page_token_of_another_account_leads_nowhere() {
    let two = Two::start().await;
    let page = |account_id: &str, page_token: String| v1::ListEntriesRequest {
        account_id: account_id.to_owned(),
        page_size: 1,
        page_token,
        ..Default::default()
    };
    let bob = with(&two.issuer.for_account("bob"), page("bob", String::new()));
    let mut credits = two.service.credits();
    let token = credits.list_entries(bob).await.unwrap().into_inner().next_page_token;
    assert!(!token.is_empty());
    let refused = credits.list_entries(two.ada(page("ada", token))).await;
    assert_eq!(reason(refused), (Code::InvalidArgument, "INVALID_PAGE_TOKEN".to_owned()));
    two.service.stop().await;
}

#[tokio::test]
async fn a_frontend_that_acts_for_nobody_sees_what_is_nobodys() {
    let two = Two::start().await;
    let token = two.issuer.token("frontend", "shop");
    for method in for_an_account() {
        let asked = method.asking(&[("account_id", "ada")]);
        let refused = method.call(&two.service, with(&token, asked)).await.unwrap_err();
        let reason = refused.get_details_error_info().unwrap().reason;
        assert_eq!((refused.code(), reason.as_str()), (Code::PermissionDenied, "ACTING_ACCOUNT_MISSING"));
    }
    let mut incidents = IncidentServiceClient::new(two.service.channel());
    incidents.list_incidents(with(&token, v1::ListIncidentsRequest::default())).await.unwrap();
    two.service.stop().await;
}

#[tokio::test]
async fn on_a_development_server_a_frontend_may_play_for_whom_it_acts() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("bob", "pay-2", NOON).await;
    let ask = async |caller: Option<&str>, acting: Option<&str>, account_id: &str| {
        let mut request = Request::new(balance(account_id));
        for (key, value) in [("makegood-test-caller", caller), ("makegood-account", acting)] {
            if let Some(value) = value {
                request.metadata_mut().insert(key, value.parse().unwrap());
            }
        }
        service.credits().get_balance(request).await
    };
    ask(Some("frontend:shop"), Some("ada"), "ada").await.unwrap();
    let his = ask(Some("frontend:shop"), Some("ada"), "bob").await;
    assert_eq!(reason(his), (Code::NotFound, "ACCOUNT_NOT_FOUND".to_owned()));
    // Who plays nothing of the kind is bound by nothing.
    ask(Some("frontend:shop"), None, "bob").await.unwrap();
    ask(None, None, "bob").await.unwrap();
    for caller in [None, Some("agent:kim")] {
        assert_eq!(fields(ask(caller, Some("ada"), "ada").await), ["makegood-account"], "{caller:?}");
    }
    service.stop().await;
}

#[tokio::test]
async fn what_support_wrote_and_who_else_was_concerned_is_not_for_customers() {
    let two = Two::start().await;
    let kim = two.issuer.token("agent", "kim");
    let id = &two.hers.request;
    let get = || v1::GetRefundRequestRequest { account_id: "ada".to_owned(), refund_request_id: id.clone() };
    let mut refunds = two.service.refunds();
    let read =
        refunds.get_refund_request(with(&kim, get())).await.unwrap().into_inner().refund_request.unwrap();
    let noted = v1::ResolveRefundRequestRequest {
        request_id: request_id(),
        account_id: "ada".to_owned(),
        refund_request_id: id.clone(),
        etag: read.etag,
        reason: words("looks like her brother"),
        resolution: Some(Resolution::Keep(Keep::default())),
        ..Default::default()
    };
    refunds.resolve_refund_request(with(&kim, noted)).await.unwrap();
    let desk =
        refunds.get_refund_request(with(&kim, get())).await.unwrap().into_inner().refund_request.unwrap();
    assert_eq!(desk.notes.len(), 1);
    let hers = refunds.get_refund_request(two.ada(get())).await.unwrap().into_inner();
    assert!(!format!("{hers:?}").contains("brother"), "{hers:?}");
    assert!(hers.refund_request.unwrap().notes.is_empty());

    let mut incidents = IncidentServiceClient::new(two.service.channel());
    let scope =
        v1::IncidentScope { account_ids: vec!["ada".to_owned(), "bob".to_owned()], causes: Vec::new() };
    let declared = v1::DeclareIncidentRequest {
        request_id: request_id(),
        title: words("no pictures"),
        start_time: Some(crate::service::timestamp(NOON)),
        scope: Some(scope.clone()),
        reason: words("a disk was full"),
        ..Default::default()
    };
    incidents.declare_incident(with(&kim, declared)).await.unwrap();
    let list = |account_id: &str| v1::ListIncidentsRequest {
        account_id: account_id.to_owned(),
        ..Default::default()
    };
    let seen = incidents.list_incidents(with(&kim, list("bob"))).await.unwrap().into_inner().incidents;
    assert_eq!(seen[0].scope.as_ref(), Some(&scope));
    let seen = incidents.list_incidents(two.ada(list("ada"))).await.unwrap().into_inner().incidents;
    assert_eq!(seen.len(), 1);
    assert!(seen[0].scope.as_ref().unwrap().account_ids.is_empty());
    let his = incidents.list_incidents(two.ada(list("bob"))).await;
    assert_eq!(reason(his), (Code::NotFound, "ACCOUNT_NOT_FOUND".to_owned()));
    two.service.stop().await;
}
