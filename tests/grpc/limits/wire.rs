//! HTTP/2 spelled by hand, for what no proper client would say.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::codegen::Bytes;
use tonic::codegen::http::{HeaderMap, Request};

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(super) const HOLD: &str = "/makegood.v1.CreditService/HoldCredits";

pub(super) async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// A connection that said hello.
pub(super) async fn greeted(address: SocketAddr) -> TcpStream {
    let mut stream = connect(address).await;
    stream.write_all(PREFACE).await.unwrap();
    stream.write_all(&frame(0x4, 0, 0, &[])).await.unwrap();
    stream
}

pub(super) fn frame(kind: u8, flags: u8, stream_id: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream_id.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The headers of a call, in HPACK without its tables.
pub(super) fn call_headers(path: &str) -> Vec<u8> {
    let text = |text: &str| {
        let mut bytes = vec![u8::try_from(text.len()).unwrap()];
        bytes.extend(text.as_bytes());
        bytes
    };
    let mut block = vec![0x83, 0x86]; // POST, http
    for (index, value) in [(0x04, path), (0x01, "localhost")] {
        block.push(index);
        block.extend(text(value));
    }
    for (name, value) in [("content-type", "application/grpc"), ("te", "trailers")] {
        block.push(0);
        block.extend(text(name));
        block.extend(text(value));
    }
    block
}

/// Begins calls and takes each back at once, until the connection is ended. Gives how many were begun.
pub(super) async fn reset_rapidly(mut socket: TcpStream) -> u32 {
    let headers = call_headers(HOLD);
    let mut calls = 0;
    loop {
        let mut burst = Vec::new();
        for _ in 0..500 {
            let stream_id = calls * 2 + 1;
            burst.extend(frame(0x1, 0x4, stream_id, &headers));
            burst.extend(frame(0x3, 0, stream_id, &8_u32.to_be_bytes()));
            calls += 1;
        }
        if calls > 100_000 || socket.write_all(&burst).await.is_err() {
            return calls;
        }
    }
}

/// Everything that arrives until the other side ends the connection; `None` when it does not in time.
pub(super) async fn until_closed(stream: &mut TcpStream, patience: Duration) -> Option<Vec<u8>> {
    let mut heard = Vec::new();
    let reading = async {
        let mut part = [0; 4_096];
        // A reset ends it as well.
        while let Ok(read @ 1..) = stream.read(&mut part).await {
            heard.extend(&part[..read]);
        }
    };
    tokio::time::timeout(patience, reading).await.ok()?;
    Some(heard)
}

/// A call whose message never ends, as far as the service lets it: its first bytes are `begin`, then follows one after the
/// other. Gives the headers of the answer.
pub(super) async fn endless(address: SocketAddr, begin: &'static [u8], timeout: &str) -> HeaderMap {
    let (mut client, connection) = h2::client::handshake(connect(address).await).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::post(format!("http://localhost{HOLD}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", timeout)
        .body(())
        .unwrap();
    let (mut response, mut body) = client.send_request(request, false).unwrap();
    body.send_data(Bytes::from_static(begin), false).unwrap();
    let mut pace = tokio::time::interval(Duration::from_millis(2));
    let headers = loop {
        tokio::select! {
            answered = &mut response => break answered.unwrap().headers().clone(),
            _ = pace.tick() => drop(body.send_data(Bytes::from_static(&[0]), false)),
        }
    };
    connection.abort();
    headers
}
