//! A page in a browser, as far as a service sees it: gRPC-Web over HTTP/1.1, spelled by hand.

use crate::cluster::database;
use crate::running::run_for_pages;
use crate::service::Service;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use makegood::server::Access;
use prost::Message;
use std::collections::BTreeMap;
use tokio::net::TcpStream;
use tonic::codegen::Bytes;
use tonic::codegen::http::{HeaderMap, Request, StatusCode, request};

pub(super) const SHOP: &str = "https://shop.example";

pub(super) const NOON: &str = "2025-03-03T12:00:00Z";

impl Service {
    /// A service that pages of these origins may call.
    pub(super) async fn for_pages_of(origins: &[&'static str]) -> Self {
        let (url, watch) = database().await;
        let running = run_for_pages(&url, Access::development(), origins).await;
        Self::known(running, url, watch).await
    }
}

/// A connection of a browser.
pub(super) struct Browser(SendRequest<Full<Bytes>>);

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Browser {
    pub(super) async fn open(service: &Service) -> Self {
        let stream = TcpStream::connect(service.running.local_addr()).await.unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> Answer {
        self.0.ready().await.unwrap();
        let response = self.0.send_request(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status, headers: head.headers, body }
    }

    /// A call as a page of the shop makes it.
    pub(super) async fn call(&mut self, method: &str, message: &impl Message) -> Answer {
        self.send(post(method, SHOP).body(Full::new(framed(message))).unwrap()).await
    }
}

/// The head of a call from a page of an origin.
pub(super) fn post(method: &str, origin: &str) -> request::Builder {
    Request::post(format!("/makegood.v1.{method}"))
        .header("host", "makegood.shop.example")
        .header("origin", origin)
        .header("content-type", "application/grpc-web+proto")
        .header("x-grpc-web", "1")
        .header("makegood-test-clock", NOON)
}

/// A message behind its length.
pub(super) fn framed(message: &impl Message) -> Bytes {
    let message = message.encode_to_vec();
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend(message);
    frame.into()
}

impl Answer {
    /// The messages, and what stands behind them: the trailers, as a frame of their own.
    pub(super) fn read<M: Message + Default>(&self) -> (Vec<M>, BTreeMap<String, String>) {
        assert_eq!(self.status, StatusCode::OK);
        let content_type = self.headers["content-type"].to_str().unwrap();
        let mut body = match content_type {
            "application/grpc-web+proto" => self.body.to_vec(),
            "application/grpc-web-text+proto" => decoded(&self.body),
            other => panic!("{other}"),
        };
        let (mut messages, mut trailers) = (Vec::new(), BTreeMap::new());
        while !body.is_empty() {
            let length = usize::try_from(u32::from_be_bytes(body[1..5].try_into().unwrap())).unwrap();
            let rest = body.split_off(5 + length);
            match body[0] {
                0 => messages.push(M::decode(&body[5..]).unwrap()),
                0x80 => {
                    let lines = String::from_utf8(body[5..].to_vec()).unwrap();
                    let pairs = lines.lines().map(|line| line.split_once(':').unwrap());
                    trailers.extend(pairs.map(|(name, value)| (name.to_owned(), value.trim().to_owned())));
                    assert!(rest.is_empty(), "nothing comes behind the trailers");
                }
                flag => panic!("{flag}"),
            }
            body = rest;
        }
        (messages, trailers)
    }

    /// The only message of a call that was answered.
    pub(super) fn message<M: Message + Default>(&self) -> M {
        let (mut messages, trailers) = self.read::<M>();
        assert_eq!(trailers["grpc-status"], "0", "{trailers:?}");
        assert_eq!(messages.len(), 1);
        messages.remove(0)
    }

    /// Code and reason of a refusal, wherever its status stands.
    pub(super) fn refusal(&self) -> (String, String) {
        let (messages, trailers) = self.read::<()>();
        assert!(messages.is_empty());
        let told = |name: &str| {
            let header = self.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            header.or_else(|| trailers.get(name).cloned()).unwrap()
        };
        let details = base64::prelude::BASE64_STANDARD_NO_PAD
            .decode(told("grpc-status-details-bin").trim_end_matches('='))
            .unwrap();
        let details = tonic_types::pb::Status::decode(details.as_slice()).unwrap();
        let info = details.details.iter().find(|detail| detail.type_url.ends_with("ErrorInfo")).unwrap();
        let info = tonic_types::pb::ErrorInfo::decode(info.value.as_slice()).unwrap();
        (told("grpc-status"), info.reason)
    }
}

/// Base64, frame by frame, each of which may have its own padding.
fn decoded(text: &[u8]) -> Vec<u8> {
    let chunks = text.chunks(4).map(|four| BASE64_STANDARD.decode(four).unwrap());
    chunks.flatten().collect()
}
