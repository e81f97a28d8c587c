//! What HTTP/1.1 may cost: without the flag nothing, with it no more than HTTP/2.

use super::page::{Browser, NOON, SHOP, framed};
use super::{HOLD, PURCHASE};
use crate::service::{Service, hold, purchase};
use makegood::proto::makegood::v1;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a head may take, and how long a connection may be silent between calls; the rest is for a busy machine.
const SILENT_FOR: Duration = Duration::from_secs(15);
const CLOSED_WITHIN: Duration = Duration::from_secs(25);

async fn connect(service: &Service) -> TcpStream {
    TcpStream::connect(service.running.local_addr()).await.unwrap()
}

/// A call's head by hand, so that its body may be wrong.
fn head(method: &str, more: &str) -> Vec<u8> {
    let head = format!(
        "POST /makegood.v1.{method} HTTP/1.1\r\nHost: localhost\r\nOrigin: {SHOP}\r\n\
         Content-Type: application/grpc-web+proto\r\nmakegood-test-clock: {NOON}\r\n{more}\r\n"
    );
    head.into_bytes()
}

/// Everything that arrives until the service ends the connection.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    // A reset ends it as well.
    let reading = async { while matches!(stream.read_buf(&mut heard).await, Ok(1..)) {} };
    tokio::time::timeout(CLOSED_WITHIN, reading).await.unwrap();
    String::from_utf8_lossy(&heard).into_owned()
}

#[tokio::test]
async fn without_the_flag_http_1_is_closed_unanswered() {
    let service = Service::start().await;
    let before = service.rows().await;
    let message = framed(&purchase("ada", "pay-1", NOON));
    let mut stream = connect(&service).await;
    let mut call = head(PURCHASE, &format!("Content-Length: {}\r\n", message.len()));
    call.extend(message);
    stream.write_all(&call).await.unwrap();
    assert_eq!(until_closed(&mut stream).await, "");
    assert_eq!(service.rows().await, before);
    service.stop().await;
}

#[tokio::test]
async fn a_head_that_trickles_in_is_closed() {
    let service = Service::for_pages_of(&[SHOP]).await;
    let (mut reader, mut writer) = connect(&service).await.into_split();
    let begun = Instant::now();
    writer.write_all(&head(HOLD, "")[..40]).await.unwrap();
    let trickle = async {
        let mut pace = tokio::time::interval(Duration::from_secs(1));
        loop {
            pace.tick().await;
            if writer.write_all(b"x").await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = trickle => {}
        _ = async { tokio::io::copy(&mut reader, &mut tokio::io::sink()).await } => {}
    }
    assert!(begun.elapsed() < CLOSED_WITHIN, "{:?}", begun.elapsed());
    service.stop().await;
}

#[tokio::test]
async fn silence_before_a_call_and_after_it_is_closed() {
    let service = Service::for_pages_of(&[SHOP]).await;
    let (mut mute, mut talked) = (connect(&service).await, connect(&service).await);
    let message = framed(&hold("ada", "job-1", 5));
    let mut call = head(HOLD, &format!("Content-Length: {}\r\n", message.len()));
    call.extend(message);
    talked.write_all(&call).await.unwrap();
    let begun = Instant::now();
    assert_eq!(until_closed(&mut mute).await, "");
    assert!(begun.elapsed() < SILENT_FOR, "who never spoke has five seconds");
    let heard = until_closed(&mut talked).await;
    assert!(heard.starts_with("HTTP/1.1 200 OK\r\n"), "{heard}");
    assert!(begun.elapsed() > Duration::from_secs(10), "a page may pause between its calls");
    service.stop().await;
}

#[tokio::test]
async fn a_message_that_never_ends_is_given_up_at_its_deadline_and_the_latest_one_at_the_services() {
    let service = Service::for_pages_of(&[SHOP]).await;
    for (more, least) in [("grpc-timeout: 400m\r\n", 400), ("grpc-timeout: 90S\r\n", 2_000), ("", 2_000)] {
        let mut stream = connect(&service).await;
        let begun = Instant::now();
        stream.write_all(&head(HOLD, &format!("{more}Content-Length: 200000\r\n"))).await.unwrap();
        stream.write_all(&[0, 0, 3, 13, 59]).await.unwrap();
        let heard = until_closed(&mut stream).await;
        assert!(heard.contains("grpc-status: 4\r\n") || heard.contains("grpc-status:4\r\n"), "{heard}");
        let took = begun.elapsed();
        assert!(took > Duration::from_millis(least) && took < Duration::from_secs(8), "{more}: {took:?}");
    }
    service.stop().await;
}

/// Reflection is a stream of questions, and has no answer of its own to give up: the questions have a time to come.
#[tokio::test]
async fn a_stream_of_questions_that_never_come_ends() {
    let service = Service::for_pages_of(&[SHOP]).await;
    let mut stream = connect(&service).await;
    let begun = Instant::now();
    let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let head = head("", "Transfer-Encoding: chunked\r\n");
    let head = String::from_utf8(head).unwrap().replace("/makegood.v1.", path);
    stream.write_all(head.as_bytes()).await.unwrap();
    until_closed(&mut stream).await;
    assert!(begun.elapsed() > Duration::from_secs(2), "{:?}", begun.elapsed());
    service.stop().await;
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let service = Service::for_pages_of(&[SHOP]).await;
    let mut stream = connect(&service).await;
    let more = format!("x-long: {}\r\nContent-Length: 0\r\n", "x".repeat(20_000));
    stream.write_all(&head(HOLD, &more)).await.unwrap();
    assert!(until_closed(&mut stream).await.starts_with("HTTP/1.1 431 "));
    service.stop().await;
}

/// A page that asks and asks, and never takes an answer: its connection ends, and nobody else waits.
#[tokio::test]
async fn answers_that_nobody_takes_end_their_connection() {
    let service = Service::for_pages_of(&[SHOP]).await;
    let mut greedy = connect(&service).await;
    let message = framed(&v1::GetPolicyRequest::default());
    let mut call = head("PolicyService/GetPolicy", &format!("Content-Length: {}\r\n", message.len()));
    call.extend(message);
    let asking = async {
        loop {
            if greedy.write_all(&call).await.is_err() {
                return;
            }
        }
    };
    let begun = Instant::now();
    tokio::time::timeout(Duration::from_secs(90), asking).await.unwrap();
    assert!(begun.elapsed() > Duration::from_secs(30), "{:?}", begun.elapsed());
    let mut other = Browser::open(&service).await;
    other.call(PURCHASE, &purchase("ada", "pay-1", NOON)).await.message::<v1::RecordPurchaseResponse>();
    service.stop().await;
}

#[tokio::test]
async fn a_page_does_not_keep_a_server_from_ending() {
    let service = Service::for_pages_of(&[SHOP]).await;
    let mut idle = Browser::open(&service).await;
    idle.call(HOLD, &hold("ada", "job-1", 5)).await.refusal();
    let begun = Instant::now();
    drop(service.channel);
    service.running.stop(Duration::from_secs(20)).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
