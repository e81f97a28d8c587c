//! Those who connect and say nothing, or next to nothing.

use super::wire::{PREFACE, call_headers, connect, frame, greeted, until_closed};
use super::{Duration, Instant, undisturbed};
use crate::service::Service;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

const SOCKETS: usize = 2_000;

/// Both ends of every socket are in this process, and others test beside us.
const FILES: u64 = 8_000;

/// A silent connection has five seconds; the rest is for a busy machine.
const CLOSED_WITHIN: Duration = Duration::from_secs(9);

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_silent_sockets_keep_nobody_out_and_are_closed() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(FILES.min(hard)), hard).unwrap();
    let service = Service::start().await;
    let silent = async {
        let mut silent = JoinSet::new();
        for _ in 0..SOCKETS {
            let mut socket = connect(service.running.local_addr()).await;
            silent.spawn(async move { until_closed(&mut socket, CLOSED_WITHIN).await });
        }
        silent.join_all().await
    };
    let ends = undisturbed(&service, silent).await;
    let closed = ends.iter().filter(|ends| ends.as_deref() == Some(&[])).count();
    assert_eq!(closed, SOCKETS);
    service.audited().await;
}

#[tokio::test]
async fn a_hello_that_trickles_in_is_closed_as_silence_is() {
    let service = Service::start().await;
    let (mut reader, mut writer) = connect(service.running.local_addr()).await.into_split();
    let begun = Instant::now();
    let trickle = async {
        let mut pace = tokio::time::interval(Duration::from_secs(1));
        for letter in PREFACE {
            pace.tick().await;
            if writer.write_all(&[*letter]).await.is_err() {
                return;
            }
        }
    };
    let closed = async { tokio::io::copy(&mut reader, &mut tokio::io::sink()).await };
    tokio::select! {
        () = trickle => {}
        _ = closed => {}
    }
    assert!(begun.elapsed() < CLOSED_WITHIN, "{:?}", begun.elapsed());
    service.stop().await;
}

#[tokio::test]
async fn another_protocol_is_closed_at_once() {
    let service = Service::start().await;
    let begun = Instant::now();
    let mut socket = connect(service.running.local_addr()).await;
    socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert!(until_closed(&mut socket, CLOSED_WITHIN).await.is_some());
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    service.stop().await;
}

/// Headers begun and never finished: the connection does not answer whether it lives, which is asked after half a minute.
#[tokio::test]
async fn headers_that_never_end_disturb_nobody_and_end_their_connection() {
    let service = Service::start().await;
    let slow = async {
        let mut attackers = JoinSet::new();
        for _ in 0..20 {
            let mut socket = greeted(service.running.local_addr()).await;
            // Without the flag that ends the headers.
            let block = call_headers(super::wire::HOLD);
            socket.write_all(&frame(0x1, 0, 1, &block[..10])).await.unwrap();
            attackers.spawn(async move { until_closed(&mut socket, Duration::from_secs(50)).await });
        }
        attackers.join_all().await
    };
    assert!(undisturbed(&service, slow).await.iter().all(Option::is_some));
    service.stop().await;
}
