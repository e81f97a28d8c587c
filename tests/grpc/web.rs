//! gRPC-Web: pages in browsers, those that were named and others.

mod bounds;
mod page;

use crate::service::{Service, evaluate, hold, purchase, request_id, when};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http_body_util::Full;
use makegood::proto::makegood::v1;
use page::{Browser, NOON, SHOP, framed, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::codegen::http::{Method, Request, StatusCode};

const PURCHASE: &str = "CreditService/RecordPurchase";
const HOLD: &str = "CreditService/HoldCredits";
const EVALUATE: &str = "RefundService/EvaluateRequest";

fn refused(code: &str, reason: &str) -> (String, String) {
    (code.to_owned(), reason.to_owned())
}

#[tokio::test]
async fn a_page_asks_and_is_answered_with_its_status_behind_the_message() {
    let service = Service::for_pages_of(&["https://admin.example", SHOP]).await;
    let mut browser = Browser::open(&service).await;
    let bought = browser.call(PURCHASE, &purchase("ada", "pay-1", NOON)).await;
    assert_eq!(bought.message::<v1::RecordPurchaseResponse>().purchase.unwrap().payment_id, "pay-1");
    let asked = evaluate("ada", "pay-1", v1::Claim::CreditsNotDelivered);
    let answer = browser.call(EVALUATE, &asked).await;
    let decision = answer.message::<v1::EvaluateRequestResponse>().decision.unwrap();
    assert_eq!((decision.row.as_str(), decision.outcome()), ("10", v1::Outcome::Approve));
    // What the page may read of it, and for whom that is meant.
    assert_eq!(answer.headers["access-control-allow-origin"], SHOP);
    assert!(answer.headers["vary"].to_str().unwrap().contains("origin"));
    assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    let exposed = answer.headers["access-control-expose-headers"].to_str().unwrap().to_owned();
    for name in ["grpc-status", "grpc-message", "grpc-status-details-bin", "idempotency-replayed"] {
        assert!(exposed.split(',').any(|exposed| exposed == name), "{name}: {exposed}");
    }
    let again = browser.call(EVALUATE, &asked).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.message::<v1::EvaluateRequestResponse>().decision, Some(decision));
    service.audited().await;
}

#[tokio::test]
async fn a_refusal_reaches_the_page_whoever_refuses() {
    let service = Service::for_pages_of(&[SHOP]).await;
    let mut browser = Browser::open(&service).await;
    // The desk.
    let answer = browser.call(HOLD, &hold("ada", "job-1", 5)).await;
    assert_eq!(answer.refusal(), refused("5", "ACCOUNT_NOT_FOUND"));
    assert_eq!(answer.headers["access-control-allow-origin"], SHOP);
    // The decoder.
    let answer = browser.call(HOLD, &hold("", "job-1", 5)).await;
    assert_eq!(answer.refusal(), refused("3", "INVALID_FIELD"));
    // The gate.
    let request = post(HOLD, SHOP).header("makegood-test-caller", "frontend:shop");
    let answer = browser.send(request.body(Full::new(framed(&hold("ada", "job-1", 5)))).unwrap()).await;
    assert_eq!(answer.refusal(), refused("7", "PERMISSION_DENIED"));
    assert_eq!(answer.headers["access-control-allow-origin"], SHOP);
    // The table of what may be called.
    let answer = browser.call("CreditService/MintCredits", &hold("ada", "job-1", 5)).await;
    assert_eq!(answer.refusal(), refused("12", "NOT_IMPLEMENTED"));
    service.audited().await;
}

#[tokio::test]
async fn a_page_that_sends_nonsense_is_told_so_and_the_next_call_is_answered() {
    let service = Service::for_pages_of(&[SHOP]).await;
    let whole = framed(&purchase("ada", "pay-1", NOON));
    let mut long = vec![0, 0, 16, 0, 0];
    long.resize(1_048_581, 0);
    for (what, body, code) in [
        ("no message", Vec::new(), None),
        ("half a message", whole[..20].to_vec(), None),
        ("another message", vec![0, 0, 0, 0, 2, 255, 255], None),
        ("a message of a megabyte", long, Some("8")),
    ] {
        // Whoever sends more than is read finds the connection closed.
        let mut browser = Browser::open(&service).await;
        let answer = browser.send(post(PURCHASE, SHOP).body(Full::new(body.into())).unwrap()).await;
        let (messages, trailers) = answer.read::<()>();
        let told = answer.headers.get("grpc-status").map(|value| value.to_str().unwrap().to_owned());
        let told = told.or_else(|| trailers.get("grpc-status").cloned()).unwrap();
        assert!(messages.is_empty() && told != "0", "{what}: {told}");
        assert!(code.is_none_or(|code| code == told), "{what}: {told}");
    }
    let mut browser = Browser::open(&service).await;
    let json = Request::post(format!("/makegood.v1.{PURCHASE}"))
        .header("origin", SHOP)
        .header("content-type", "application/json");
    assert_eq!(browser.send(json.body(Full::default()).unwrap()).await.status, StatusCode::BAD_REQUEST);
    let get = Request::get("/metrics").header("origin", SHOP);
    assert_eq!(browser.send(get.body(Full::default()).unwrap()).await.status, StatusCode::BAD_REQUEST);
    let get = post(PURCHASE, SHOP).method(Method::GET);
    let status = browser.send(get.body(Full::default()).unwrap()).await.status;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(service.rows().await, 1, "the policy alone");
    browser.call(PURCHASE, &purchase("ada", "pay-1", NOON)).await.message::<v1::RecordPurchaseResponse>();
    service.audited().await;
}

#[tokio::test]
async fn a_page_may_speak_in_text() {
    let service = Service::for_pages_of(&[SHOP]).await;
    let mut browser = Browser::open(&service).await;
    let text = |body: &str| {
        let request = Request::post(format!("/makegood.v1.{PURCHASE}"))
            .header("origin", SHOP)
            .header("content-type", "application/grpc-web-text")
            .header("accept", "application/grpc-web-text")
            .header("makegood-test-clock", NOON);
        request.body(Full::new(body.to_owned().into())).unwrap()
    };
    let message = BASE64_STANDARD.encode(framed(&purchase("ada", "pay-1", NOON)));
    let answer = browser.send(text(&message)).await;
    assert_eq!(answer.headers["content-type"], "application/grpc-web-text+proto");
    assert!(answer.message::<v1::RecordPurchaseResponse>().purchase.is_some());
    let answer = browser.send(text("AAA?AA==")).await;
    let (messages, _) = answer.read::<()>();
    assert!(messages.is_empty());
    service.audited().await;
}

/// What a browser asks before it lets a page ask.
fn preflight(origin: &str, headers: &str) -> Request<Full<tonic::codegen::Bytes>> {
    Request::options(format!("/makegood.v1.{EVALUATE}"))
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", headers)
        .body(Full::default())
        .unwrap()
}

#[tokio::test]
async fn a_browser_is_told_what_a_page_may_send() {
    let service = Service::for_pages_of(&[SHOP]).await.with_metrics().await;
    let mut browser = Browser::open(&service).await;
    let wanted = "authorization,content-type,grpc-timeout,traceparent,x-grpc-web,x-user-agent";
    let answer = browser.send(preflight(SHOP, wanted)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers["access-control-allow-origin"], SHOP);
    assert_eq!(answer.headers["access-control-allow-methods"], "POST");
    assert_eq!(answer.headers["access-control-max-age"], "600");
    let allowed = answer.headers["access-control-allow-headers"].to_str().unwrap();
    for name in wanted.split(',') {
        assert!(allowed.split(',').any(|allowed| allowed == name), "{name}: {allowed}");
    }
    assert!(!allowed.contains('*') && !allowed.contains("cookie"));
    assert!(answer.body.is_empty());
    service.stop().await;
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused_and_nothing_is_done_for_it() {
    let service = Service::for_pages_of(&[SHOP]).await;
    let before = service.rows().await;
    let mut browser = Browser::open(&service).await;
    let address = service.endpoint().to_owned();
    for origin in [
        "https://evil.example",
        "http://shop.example",
        "https://shop.example:8443",
        "https://shop.example.evil.example",
        "https://SHOP.example",
        "null",
        // What a name that was made to point here calls itself.
        address.as_str(),
    ] {
        let request =
            post(PURCHASE, origin).body(Full::new(framed(&purchase("ada", "pay-1", NOON)))).unwrap();
        for request in [preflight(origin, "content-type"), request] {
            let answer = browser.send(request).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{origin}");
            assert!(!answer.headers.contains_key("access-control-allow-origin"), "{origin}");
        }
    }
    let both = post(PURCHASE, SHOP).header("origin", "https://evil.example");
    let both = both.body(Full::new(framed(&purchase("ada", "pay-1", NOON)))).unwrap();
    assert_eq!(browser.send(both).await.status, StatusCode::FORBIDDEN);
    assert_eq!(service.rows().await, before);
    // The same connection serves a page that may.
    browser.call(PURCHASE, &purchase("ada", "pay-1", NOON)).await.message::<v1::RecordPurchaseResponse>();
    service.audited().await;
}

#[tokio::test]
async fn calls_of_pages_have_their_place_among_the_figures() {
    let service = Service::for_pages_of(&[SHOP]).await.with_metrics().await;
    let mut browser = Browser::open(&service).await;
    let request = post(HOLD, SHOP).header("makegood-test-caller", "worker:w1");
    browser.send(request.body(Full::new(framed(&hold("ada", "job-1", 5)))).unwrap()).await;
    browser.send(preflight(SHOP, "content-type")).await;
    let mut page = TcpStream::connect(service.running.metrics_addr().unwrap()).await.unwrap();
    page.write_all(b"GET /metrics HTTP/1.1\r\nHost: figures\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut figures = String::new();
    page.read_to_string(&mut figures).await.unwrap();
    let counted: Vec<&str> =
        figures.lines().filter(|line| line.starts_with("makegood_rpc_requests_total")).collect();
    let expected = "makegood_rpc_requests_total{service=\"CreditService\",method=\"HoldCredits\",role=\"worker\",\
                    code=\"NOT_FOUND\"} 1";
    // A preflight is no call.
    assert_eq!(counted, [expected]);
    service.stop().await;
}

#[tokio::test]
async fn a_grpc_client_is_served_beside_pages_as_ever() {
    let service = Service::for_pages_of(&[SHOP]).await;
    let answer = service.credits().record_purchase(when(NOON, purchase("ada", "pay-1", NOON))).await.unwrap();
    assert!(!answer.metadata().contains_key("vary"), "{:?}", answer.metadata());
    // A page whose browser speaks HTTP/2.
    let stream = TcpStream::connect(service.running.local_addr()).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    for (origin, expected) in [(SHOP, StatusCode::OK), ("https://evil.example", StatusCode::FORBIDDEN)] {
        let call = Request::post(format!("http://localhost/makegood.v1.{HOLD}"))
            .header("origin", origin)
            .header("content-type", "application/grpc-web+proto");
        let (answer, mut body) = client.send_request(call.body(()).unwrap(), false).unwrap();
        body.send_data(framed(&hold("ada", &request_id(), 5)), true).unwrap();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), expected);
        assert_eq!(answer.headers().contains_key("access-control-allow-origin"), expected == StatusCode::OK);
    }
    connection.abort();
    service.stop().await;
}
