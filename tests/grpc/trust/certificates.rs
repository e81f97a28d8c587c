//! TLS and client certificates: who is let in, and files that are replaced while the service runs.

use super::authority::Authority;
use super::issuer::{Issuer, KeyServer};
use super::{
    Access, Arc, Certificates, Code, Duration, Gate, KeyPace, NEVER, Trust, policies, rules, unrecognised,
    with,
};
use crate::cluster::{Watch, database};
use crate::service::{fields, purchase, reason, run};
use makegood::domain::role::Role;
use makegood::policy::SHIPPED;
use makegood::proto::makegood::v1;
use makegood::server::{Running, TlsFiles};
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Request;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use v1::credit_service_client::CreditServiceClient;
use v1::policy_service_client::PolicyServiceClient;

const NOON: &str = "2025-03-03T12:00:00Z";
const PATIENCE: Duration = Duration::from_secs(20);

/// A service with TLS, the files that it reads, and those who vouch for both sides.
struct Protected {
    running: Running,
    folder: TempDir,
    servers: Authority,
    clients: Authority,
    tokens: Issuer,
    _keys: KeyServer,
    _watch: Watch,
}

impl Protected {
    async fn start() -> Self {
        let (folder, servers, clients) = (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
        let tokens = Issuer::new("key-1");
        let keys = KeyServer::start(&[&tokens]).await;
        let file = |name: &str| folder.path().join(name);
        write(folder.path(), &servers.certificate(&["localhost"]));
        fs::write(file("ca.crt"), &clients.pem).unwrap();
        let files = TlsFiles {
            certificate: file("tls.crt"),
            key: file("tls.key"),
            client_ca: Some(file("ca.crt")),
            look_every: Duration::from_millis(20),
        };
        let known = [
            ("spiffe://shop/render", Role::Worker),
            ("spiffe://shop/webhooks", Role::Payments),
            ("shop.example", Role::Frontend),
            ("desk.example", Role::Admin),
        ];
        let known = Certificates::new(known.map(|(name, role)| (name.to_owned(), role)));
        let pace = KeyPace { refresh: NEVER, retry: NEVER, max_age: NEVER };
        let trust = Trust::new(Some(rules(keys.source(), pace)), known).await.unwrap();
        let access = Access { gate: Gate::Guarded(Arc::new(trust)), tls: Some(files), plaintext: false };
        let (url, watch) = database().await;
        let running = run(&url, SHIPPED, access).await;
        Self { running, folder, servers, clients, tokens, _keys: keys, _watch: watch }
    }

    async fn stop(self) {
        self.running.stop(Duration::from_secs(5)).await.unwrap();
    }

    fn endpoint(&self) -> Endpoint {
        Channel::from_shared(format!("https://localhost:{}", self.running.local_addr().port())).unwrap()
    }

    /// A connection that trusts an authority, with a certificate or without.
    async fn connect(
        &self,
        trusted: &Authority,
        identity: Option<Identity>,
    ) -> Result<Channel, tonic::transport::Error> {
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&trusted.pem));
        if let Some(identity) = identity {
            tls = tls.identity(identity);
        }
        self.endpoint().tls_config(tls)?.connect().await
    }

    /// A connection with a good certificate of these names.
    async fn named(&self, names: &[&str]) -> Channel {
        self.connect(&self.servers, Some(self.clients.identity(names))).await.unwrap()
    }
}

fn write(folder: &Path, (certificate, key): &(String, String)) {
    fs::write(folder.join("tls.key"), key).unwrap();
    fs::write(folder.join("tls.crt"), certificate).unwrap();
}

async fn list(channel: &Channel) -> Result<(), tonic::Status> {
    PolicyServiceClient::new(channel.clone()).list_policies(policies()).await.map(|_| ())
}

#[tokio::test]
async fn a_certificate_is_a_role_by_its_name() {
    let service = Protected::start().await;
    let pays = service.named(&["spiffe://shop/webhooks"]).await;
    let mut credits = CreditServiceClient::new(pays.clone());
    let bought = credits.record_purchase(purchase("ada", "pay-1", NOON)).await.unwrap();
    assert_eq!(bought.into_inner().purchase.unwrap().payment_id, "pay-1");
    let works = service.named(&["spiffe://shop/render", "render-7.shop.example"]).await;
    let denied =
        CreditServiceClient::new(works.clone()).record_purchase(purchase("ada", "pay-2", NOON)).await;
    assert_eq!(reason(denied), (Code::PermissionDenied, "PERMISSION_DENIED".to_owned()));
    list(&works).await.unwrap();
    service.stop().await;
}

#[tokio::test]
async fn a_certificate_of_nobody_here_is_nobody() {
    let service = Protected::start().await;
    for names in [
        &[][..],
        &["spiffe://shop/other"],
        &["spiffe://shop/render/"],
        &["SPIFFE://shop/render"],
        &["*.example"],
        &["spiffe://shop/render", "spiffe://shop/webhooks"],
    ] {
        let refused = list(&service.named(names).await).await.unwrap_err();
        assert!(unrecognised(&refused), "{names:?}: {refused:?}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_not_let_in() {
    let service = Protected::start().await;
    let strangers = Authority::new();
    for identity in [strangers.identity(&["desk.example"]), service.servers.identity(&["desk.example"])] {
        // What refuses it comes after the client's own half of the handshake.
        if let Ok(channel) = service.connect(&service.servers, Some(identity)).await {
            let refused = list(&channel).await.unwrap_err();
            assert!(
                refused.code() != Code::Unauthenticated && refused.message().contains("transport"),
                "{refused:?}"
            );
        }
    }
    list(&service.named(&["desk.example"]).await).await.unwrap();
    service.stop().await;
}

#[tokio::test]
async fn without_a_certificate_there_are_tokens_and_health() {
    let service = Protected::start().await;
    let plain = service.connect(&service.servers, None).await.unwrap();
    assert!(unrecognised(&list(&plain).await.unwrap_err()));
    HealthClient::new(plain.clone()).check(HealthCheckRequest::default()).await.unwrap();
    let token = service.tokens.token("agent", "kim");
    let mut client = PolicyServiceClient::new(plain);
    client.list_policies(with(&token, policies())).await.unwrap();
    // A token decides, also beside a certificate: a wrong one is not forgiven.
    let mut client = PolicyServiceClient::new(service.named(&["desk.example"]).await);
    client.list_policies(with(&token, policies())).await.unwrap();
    let forged = Issuer::new("key-1").token("agent", "kim");
    assert!(unrecognised(&client.list_policies(with(&forged, policies())).await.unwrap_err()));
    // Nobody reads along.
    let unprotected = format!("http://{}", service.running.local_addr());
    let answer = match Channel::from_shared(unprotected).unwrap().connect().await {
        Ok(channel) => list(&channel).await.is_err(),
        Err(_) => true,
    };
    assert!(answer, "a connection without TLS was served");
    service.stop().await;
}

#[tokio::test]
async fn a_frontend_with_a_certificate_says_for_whom_it_acts() {
    let service = Protected::start().await;
    let mut pays = CreditServiceClient::new(service.named(&["spiffe://shop/webhooks"]).await);
    for account_id in ["ada", "bob"] {
        pays.record_purchase(purchase(account_id, &format!("pay-{account_id}"), NOON)).await.unwrap();
    }
    let mut shop = CreditServiceClient::new(service.named(&["shop.example"]).await);
    let balance = |account_id: &str, acting: &[&str]| {
        let mut request = Request::new(v1::GetBalanceRequest { account_id: account_id.to_owned() });
        for account_id in acting {
            request.metadata_mut().append("makegood-account", account_id.parse().unwrap());
        }
        request
    };
    shop.get_balance(balance("ada", &["ada"])).await.unwrap();
    let strangers = shop.get_balance(balance("bob", &["ada"])).await;
    assert_eq!(reason(strangers), (Code::NotFound, "ACCOUNT_NOT_FOUND".to_owned()));
    let unsaid = shop.get_balance(balance("ada", &[])).await;
    assert_eq!(reason(unsaid), (Code::PermissionDenied, "ACTING_ACCOUNT_MISSING".to_owned()));
    for wrong in [&[""][..], &["ada", "bob"], &["ada", "ada"]] {
        assert_eq!(fields(shop.get_balance(balance("ada", wrong)).await), ["makegood-account"], "{wrong:?}");
    }
    assert_eq!(fields(pays.get_balance(balance("ada", &["ada"])).await), ["makegood-account"]);
    service.stop().await;
}

/// Connects with trust in an authority until the server's certificate is of it.
async fn until_served_by(service: &Protected, authority: &Authority) -> Channel {
    let connecting = async {
        loop {
            if let Ok(channel) =
                service.connect(authority, Some(service.clients.identity(&["desk.example"]))).await
            {
                return channel;
            }
        }
    };
    tokio::time::timeout(PATIENCE, connecting).await.unwrap()
}

#[tokio::test]
async fn a_new_certificate_is_served_without_a_restart_and_old_connections_go_on() {
    let service = Protected::start().await;
    let before = service.named(&["desk.example"]).await;
    list(&before).await.unwrap();
    let next = Authority::new();
    assert!(service.connect(&next, None).await.is_err());
    write(service.folder.path(), &next.certificate(&["localhost"]));
    list(&until_served_by(&service, &next).await).await.unwrap();
    assert!(service.connect(&service.servers, None).await.is_err());
    list(&before).await.unwrap();
    service.stop().await;
}

#[tokio::test]
async fn files_that_cannot_be_used_leave_the_certificate_as_it_was() {
    let service = Protected::start().await;
    let folder = service.folder.path();
    let (next, last) = (Authority::new(), Authority::new());
    let (certificate, key) = next.certificate(&["localhost"]);
    fs::write(folder.join("tls.key"), "-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n")
        .unwrap();
    list(&service.named(&["desk.example"]).await).await.unwrap();
    // The certificate of another key.
    fs::write(folder.join("tls.key"), key).unwrap();
    list(&service.named(&["desk.example"]).await).await.unwrap();
    fs::remove_file(folder.join("tls.crt")).unwrap();
    list(&service.named(&["desk.example"]).await).await.unwrap();
    fs::write(folder.join("tls.crt"), certificate).unwrap();
    list(&until_served_by(&service, &next).await).await.unwrap();
    write(folder, &last.certificate(&["localhost"]));
    list(&until_served_by(&service, &last).await).await.unwrap();
    service.stop().await;
}

#[tokio::test]
async fn an_authority_that_is_replaced_vouches_for_nobody_any_more() {
    let service = Protected::start().await;
    let next = Authority::new();
    fs::write(service.folder.path().join("ca.crt"), &next.pem).unwrap();
    let connecting = async {
        loop {
            let identity = Some(next.identity(&["desk.example"]));
            if let Ok(channel) = service.connect(&service.servers, identity).await
                && list(&channel).await.is_ok()
            {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, connecting).await.unwrap();
    let old = service.connect(&service.servers, Some(service.clients.identity(&["desk.example"]))).await;
    if let Ok(channel) = old {
        assert!(list(&channel).await.is_err());
    }
    service.stop().await;
}

#[tokio::test]
async fn who_does_not_shake_hands_is_shown_out() {
    let service = Protected::start().await;
    let address = service.running.local_addr();
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut babbling = TcpStream::connect(address).await.unwrap();
    babbling.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let (mut said, mut answered) = (Vec::new(), Vec::new());
    // Either end will do: closed, or reset.
    let ends = async { tokio::join!(silent.read_to_end(&mut said), babbling.read_to_end(&mut answered)) };
    drop(tokio::time::timeout(Duration::from_secs(15), ends).await.unwrap());
    list(&service.named(&["desk.example"]).await).await.unwrap();
    service.stop().await;
}
