//! Each role and each method: the table, the protos, the documentation and the running service say the same.

use super::{Code, Issuer, Method, Request, Service, StatusExt, guarded, methods, unrecognised, with};
use makegood::domain::role::Role;
use makegood::grpc::access::METHODS;
use std::collections::BTreeSet;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;

fn roles_of(method: &str) -> BTreeSet<Role> {
    let (_, roles) = METHODS.iter().find(|(name, _)| *name == method).unwrap();
    roles.iter().copied().collect()
}

/// Whether a frontend calls it for one account.
fn is_for_an_account(method: &Method) -> bool {
    roles_of(&method.name).contains(&Role::Frontend) && !method.asking(&[("account_id", "ada")]).0.is_empty()
}

#[test]
fn every_method_has_a_row_and_every_row_a_method() {
    let described: BTreeSet<String> = methods().into_iter().map(|method| method.name).collect();
    let rows: BTreeSet<String> = METHODS.iter().map(|(method, _)| (*method).to_owned()).collect();
    assert_eq!(rows, described);
    assert_eq!(METHODS.len(), rows.len(), "a method has two rows");
    for (method, roles) in METHODS {
        assert!(!roles.is_empty(), "nobody may call {method}");
        assert!(roles.is_sorted_by(|one, next| one < next), "the roles of {method} are not in order");
    }
}

/// The roles that a comment names after `Callers:`, and whether a frontend acts for one account.
fn told(comment: &str) -> (BTreeSet<Role>, bool) {
    let (_, told) = comment.split_once("Callers: ").unwrap();
    let (told, _) = told.split_once('.').unwrap();
    let bound = told.contains("acting account only");
    let (roles, _) = told.split_once(';').unwrap_or((told, ""));
    if roles.trim() == "every role" {
        return (Role::ALL.iter().copied().collect(), bound);
    }
    let words = roles.split(',').map(|word| word.replace("(acting account only)", ""));
    (words.map(|word| Role::parse(word.trim()).unwrap()).collect(), bound)
}

#[test]
fn the_protos_name_the_callers_of_the_table() {
    for method in methods() {
        let (roles, bound) = told(&method.comment);
        assert_eq!(roles, roles_of(&method.name), "{}", method.name);
        let is_filter = method.name == "IncidentService/ListIncidents";
        assert_eq!(bound || is_filter, is_for_an_account(&method), "{}", method.name);
    }
}

/// The table as people read it.
fn page() -> String {
    let described = methods();
    let row = |name: &str| {
        let method = described.iter().find(|method| method.name == name).unwrap();
        let cells = Role::ALL.iter().map(|role| match (roles_of(name).contains(role), role) {
            (false, _) => "",
            (true, Role::Frontend) if is_for_an_account(method) => "own",
            (true, _) => "yes",
        });
        format!("| `{name}` | {} |", cells.collect::<Vec<_>>().join(" | "))
    };
    let heads: Vec<&str> = Role::ALL.iter().map(|role| role.name()).collect();
    let head = format!("| method | {} |\n|---|{}", heads.join(" | "), "---|".repeat(heads.len()));
    let rows: Vec<String> = std::iter::once(head).chain(METHODS.iter().map(|(name, _)| row(name))).collect();
    rows.join("\n") + "\n"
}

#[test]
fn the_documented_table_is_the_table() {
    let document = include_str!("../../../docs/access.md");
    assert!(document.contains(&page()), "docs/access.md should have:\n\n{}", page());
}

/// Calls a method in a role; whether it was denied to that role, by a status that says so.
async fn is_denied(service: &Service, method: &Method, request: Request<super::Texts>, role: Role) -> bool {
    let Err(status) = method.call(service, request).await else { return false };
    assert_ne!(status.code(), Code::Unauthenticated, "{} as {role}: {status:?}", method.name);
    if status.code() != Code::PermissionDenied {
        return false;
    }
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.reason, "PERMISSION_DENIED", "{} as {role}", method.name);
    assert_eq!(info.metadata["role"], role.name());
    assert_eq!(info.metadata["method"], method.name);
    true
}

#[tokio::test]
async fn every_role_may_call_what_the_table_says_and_nothing_else() {
    let (service, issuer) = guarded().await;
    let rows = service.rows().await;
    let mut denied = 0;
    for method in methods() {
        for role in Role::ALL {
            let token = match role {
                Role::Frontend => issuer.for_account("ada"),
                role => issuer.token(role.name(), "somebody"),
            };
            let is_denied = is_denied(&service, &method, with(&token, method.asking(&[])), *role).await;
            assert_eq!(is_denied, !roles_of(&method.name).contains(role), "{} as {role}", method.name);
            denied += usize::from(is_denied);
        }
        let nobody = method.call(&service, Request::new(method.asking(&[]))).await.unwrap_err();
        assert!(unrecognised(&nobody), "{}: {nobody:?}", method.name);
    }
    let allowed: usize = METHODS.iter().map(|(_, roles)| roles.len()).sum();
    assert_eq!(denied + allowed, METHODS.len() * Role::ALL.len());
    assert_eq!(service.rows().await, rows);
    service.stop().await;
}

#[tokio::test]
async fn on_a_development_server_a_role_that_is_played_may_do_no_more() {
    let service = Service::start().await;
    for method in methods() {
        for role in Role::ALL {
            let mut request = Request::new(method.asking(&[]));
            let caller = format!("{role}:somebody").parse().unwrap();
            request.metadata_mut().insert("makegood-test-caller", caller);
            let is_denied = is_denied(&service, &method, request, *role).await;
            assert_eq!(is_denied, !roles_of(&method.name).contains(role), "{} as {role}", method.name);
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn health_is_for_everybody_and_reflection_for_whoever_is_recognised() {
    let (service, issuer) = guarded().await;
    let health = HealthCheckRequest::default();
    HealthClient::new(service.channel()).check(health).await.unwrap();
    let ask = |token: Option<String>| {
        let mut client = ServerReflectionClient::new(service.channel());
        async move {
            let asked = ServerReflectionRequest {
                host: String::new(),
                message_request: Some(MessageRequest::ListServices(String::new())),
            };
            let asked = tokio_stream::once(asked);
            let request = match token {
                Some(token) => with(&token, asked),
                None => Request::new(asked),
            };
            client.server_reflection_info(request).await?.into_inner().message().await
        }
    };
    assert!(unrecognised(&ask(None).await.unwrap_err()));
    assert!(unrecognised(&ask(Some(Issuer::new("key-1").token("admin", "mallory"))).await.unwrap_err()));
    for role in Role::ALL {
        assert!(ask(Some(issuer.token(role.name(), "somebody"))).await.unwrap().is_some(), "{role}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_method_that_is_none_leads_nowhere() {
    let (service, issuer) = guarded().await;
    let token = issuer.token("admin", "maria");
    for name in ["CreditService/MintCredits", "CreditService/holdCredits", "SecretService/Get"] {
        let nowhere = Method { name: name.to_owned(), ..methods().remove(0) };
        let status = nowhere.call(&service, with(&token, nowhere.asking(&[]))).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{name}");
    }
    service.stop().await;
}
