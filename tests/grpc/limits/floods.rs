//! Those who send too much.

use super::wire::{HOLD, call_headers, endless, frame, greeted, reset_rapidly, until_closed};
use super::{Duration, Instant, undisturbed};
use crate::service::Service;
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn a_message_that_never_ends_is_given_up_at_its_deadline() {
    let service = Service::start().await;
    let begun = Instant::now();
    // A message of 200,000 bytes that comes by one at a time.
    let answer =
        undisturbed(&service, endless(service.running.local_addr(), &[0, 0, 3, 13, 64], "400m")).await;
    assert_eq!(answer["grpc-status"], "4", "{answer:?}");
    assert!(begun.elapsed() > Duration::from_millis(400));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    service.stop().await;
}

#[tokio::test]
async fn a_message_that_announces_four_gigabytes_is_refused_unread() {
    let service = Service::start().await;
    let begun = Instant::now();
    let answer =
        undisturbed(&service, endless(service.running.local_addr(), &[0, 255, 255, 255, 255], "10S")).await;
    assert_eq!(answer["grpc-status"], "8", "{answer:?}");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_begun_only_to_be_taken_back_end_their_connection() {
    let service = Service::start().await;
    let flood = async {
        let mut begun = Vec::new();
        for _ in 0..10 {
            begun.push(reset_rapidly(greeted(service.running.local_addr()).await).await);
        }
        begun
    };
    let begun = undisturbed(&service, flood).await;
    assert!(begun.iter().all(|calls| *calls < 100_000), "{begun:?}");
    service.audited().await;
}

#[tokio::test]
async fn more_metadata_than_may_be_is_refused() {
    let service = Service::start().await;
    let mut socket = greeted(service.running.local_addr()).await;
    // Header blocks that go on and on.
    let flood = async {
        socket.write_all(&frame(0x1, 0, 1, &call_headers(HOLD))).await?;
        let mut field = vec![0, 4];
        field.extend(b"long");
        field.push(100);
        field.extend([b'x'; 100]);
        for _ in 0..100_000 {
            socket.write_all(&frame(0x9, 0, 1, &field)).await?;
        }
        Ok::<_, std::io::Error>(())
    };
    let ended = undisturbed(&service, flood).await;
    let closed = until_closed(&mut socket, Duration::from_secs(5)).await.is_some();
    assert!(ended.is_err() || closed);
    service.stop().await;
}
