//! The life of the process: find or start a database, migrate what is ours, serve, and end in order.

use crate::clock::Clock;
use crate::command::Policies;
use crate::config::{
    self, AccessSettings, DatabaseSettings, KeysAt, MigrateSettings, ServerSettings, Settings, TokenSettings,
};
use crate::grpc::Gate;
use crate::policy::SHIPPED;
use crate::postgres::{Cluster, Options};
use crate::server::{self, Access, Running, TlsFiles};
use crate::store::{self, Limits, Schema, Store};
use crate::telemetry;
use crate::trust::{self, Certificates, Claims, KeyPace, KeySource, TokenRules, Trust};
use anyhow::{Context, bail};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The database inside a private cluster.
const DATABASE: &str = "makegood";

/// How often the files of certificates and keys are looked at: soon enough for whoever replaces one and waits.
const LOOK_AT_FILES_EVERY: Duration = Duration::from_secs(10);

/// How soon an issuer that did not answer is asked again, and how often at most because of unknown keys.
const RETRY_KEYS_AFTER: Duration = Duration::from_secs(10);

/// What a process ends with that did not wait for what it was doing.
const ENDED_AT_ONCE: i32 = 1;

/// Serves until the process is told to end.
///
/// # Errors
/// A sentence for the person who started it.
pub async fn serve(settings: Settings) -> anyhow::Result<()> {
    // Listened to from the first moment on, so that an early Ctrl-C ends what was started, too.
    let mut end = End::listen()?;
    let telemetry = telemetry::start(&settings.telemetry)?;
    let served = run(&settings, &mut end).await;
    telemetry.shutdown().await;
    served
}

async fn run(settings: &Settings, end: &mut End) -> anyhow::Result<()> {
    let opened = tokio::select! {
        signal = end.wait() => {
            announce(&format!("{signal}: stopped before it served"));
            return Ok(());
        }
        opened = open_all(settings) => opened,
    };
    let (cluster, mut running) = opened?;
    announce(&if settings.access.is_guarded() {
        serving(running.local_addr(), &settings.access)
    } else {
        greeting(running.local_addr())
    });
    let signal = tokio::select! {
        signal = end.wait() => signal,
        ended = running.ended() => return Ok(ended?),
    };
    announce(&format!("{signal}: finishing what runs, at most {:?}", settings.server.drain_timeout));
    tokio::select! {
        stopped = running.stop(settings.server.drain_timeout) => stopped?,
        signal = end.wait() => at_once(signal),
    }
    if let Some(cluster) = cluster {
        cluster.stop().await?;
        announce("the private database is stopped");
    }
    Ok(())
}

async fn open_all(settings: &Settings) -> anyhow::Result<(Option<Cluster>, Running)> {
    let access = access(&settings.access).await?;
    access.check(settings.server.listen)?;
    let (cluster, store) = open(&settings.database).await?;
    let policies = Policies::parse(SHIPPED).context("the shipped policy cannot be read")?;
    policies.publish(&store, Clock::system()).await.context("the policy cannot be stored")?;
    announce(&format!("policy     {}", policies.version()));
    let options = server::Options {
        listen: settings.server.listen,
        access,
        limits: server::Limits {
            request_timeout: settings.server.request_timeout,
            max_connections: settings.server.connection_limit.into(),
            calls_per_second: settings.server.rate_limit,
        },
        grpc_web: settings.web.origins(),
        store,
        policies,
    };
    let running = server::start(options).await?.sweeping_every(settings.server.sweep_interval);
    Ok((cluster, with_listeners(running, &settings.server).await?))
}

/// The listeners beside the API's, where they were asked for.
async fn with_listeners(mut running: Running, settings: &ServerSettings) -> anyhow::Result<Running> {
    if let Some(listen) = settings.health_listen {
        running = running.with_health(listen).await?;
    }
    if let Some(listen) = settings.metrics_listen {
        running = running.with_metrics(listen, settings.metrics_interval).await?;
    }
    if let Some(address) = running.health_addr() {
        announce(&format!("health     http://{address}"));
    }
    if let Some(address) = running.metrics_addr() {
        announce(&format!("figures    http://{address}/metrics"));
    }
    Ok(running)
}

/// How callers are recognised and connections protected.
async fn access(settings: &AccessSettings) -> anyhow::Result<Access> {
    if !settings.is_guarded() {
        return Ok(Access::development());
    }
    let tokens = settings.tokens().map(|tokens| token_rules(settings, tokens)).transpose()?;
    let trust = Trust::new(tokens, Certificates::new(settings.clients.iter().cloned())).await?;
    let tls = settings.tls().map(|paths| TlsFiles {
        certificate: paths.certificate.to_owned(),
        key: paths.key.to_owned(),
        client_ca: paths.client_ca.map(ToOwned::to_owned),
        look_every: LOOK_AT_FILES_EVERY,
    });
    Ok(Access { gate: Gate::Guarded(Arc::new(trust)), tls, plaintext: settings.plaintext })
}

fn token_rules(settings: &AccessSettings, tokens: TokenSettings<'_>) -> anyhow::Result<TokenRules> {
    let TokenSettings { keys, issuer, audience } = tokens;
    let (keys, refresh) = match keys {
        KeysAt::File(path) => (KeySource::File(path.to_owned()), LOOK_AT_FILES_EVERY),
        KeysAt::Url(url, authorities) => {
            let url = url.parse().context("--jwt-keys is no URL")?;
            (KeySource::Url(url, authorities.map(ToOwned::to_owned)), settings.jwt_keys_refresh)
        }
    };
    let claims = Claims {
        issuer: issuer.to_owned(),
        audience: audience.to_owned(),
        role: settings.jwt_role_claim.clone(),
        account: settings.jwt_account_claim.clone(),
    };
    let names = settings.jwt_algorithms.iter().map(String::as_str);
    let algorithms =
        trust::algorithms(names).map_err(|name| anyhow::anyhow!("there is no algorithm `{name}`"))?;
    let pace = KeyPace { refresh, retry: RETRY_KEYS_AFTER.min(refresh), max_age: settings.jwt_keys_max_age };
    Ok(TokenRules { claims, algorithms, keys, pace })
}

/// Brings a real database up to date.
///
/// # Errors
/// A sentence for the person who started it.
pub async fn migrate(settings: MigrateSettings) -> anyhow::Result<()> {
    let telemetry = telemetry::start(&settings.telemetry)?;
    let Some(url) = settings.database.url() else {
        bail!("name the database with --database-url or DATABASE_URL; a private one is migrated by `serve`");
    };
    let schema = store::migrate(url.expose()).await.context("the migrations could not be applied")?;
    announce(match schema {
        Schema::Newer => "a later version has migrated the database already: nothing is left to do",
        Schema::Same | Schema::Missing => "the database is up to date",
    });
    telemetry.shutdown().await;
    Ok(())
}

/// The caller's database, which must be up to date, or a private one, which is brought up to date.
async fn open(settings: &DatabaseSettings) -> anyhow::Result<(Option<Cluster>, Store)> {
    if let Some(url) = settings.url() {
        let store = connect(url.expose(), settings).await?;
        match store.schema().await? {
            Schema::Missing => {
                bail!("the database is not at this version's schema: run `makegood migrate` first");
            }
            Schema::Same => announce("database   the one of --database-url"),
            // While an upgrade rolls out, or after one was rolled back.
            Schema::Newer => announce("database   the one of --database-url, migrated by a later version"),
        }
        return Ok((None, store));
    }
    let data_dir = settings.data_dir().map_err(anyhow::Error::msg)?;
    let options = Options {
        data_dir: Some(data_dir),
        durable: true,
        bin_dir: settings.pg_bin_dir().map(ToOwned::to_owned),
        search_path: config::search_path(),
    };
    let cluster = Cluster::start(options).await?;
    cluster.create_database(DATABASE).await?;
    let url = cluster.url(DATABASE);
    store::migrate(&url).await.context("the private database could not be migrated")?;
    let store = connect(&url, settings).await?;
    let made = if cluster.is_new() { "new" } else { "kept" };
    announce(&format!(
        "database   private PostgreSQL {}, {made}, in {}\n           psql -h {} -U postgres {DATABASE}",
        cluster.version(),
        cluster.data_dir().display(),
        cluster.socket_dir().display(),
    ));
    Ok((Some(cluster), store))
}

async fn connect(url: &str, settings: &DatabaseSettings) -> anyhow::Result<Store> {
    let limits = Limits { max_connections: u32::from(settings.max_connections), ..Limits::default() };
    Store::connect(url, limits).await.context("the database does not answer")
}

/// What a newcomer reads first: where it serves, and a decision to paste.
fn greeting(address: SocketAddr) -> String {
    let now = Clock::system().now();
    let paid_at = now.format("%Y-%m-%dT%H:%M:%SZ");
    let (purchase_call, evaluate_call) = (crate::clock::new_id(now), crate::clock::new_id(now));
    let call = |service: &str, body: &str| {
        format!("  grpcurl -plaintext -d '{body}' \\\n    {address} makegood.v1.{service}")
    };
    let purchase = format!(
        "{{\"request_id\":\"{purchase_call}\",\"account_id\":\"zoe\",\"provider\":\"demo\",\"payment_id\":\"pay-{paid_at}\",\
         \"order_id\":\"order-{paid_at}\",\"package_id\":\"pack-100\",\"kind\":\"PURCHASE_KIND_ONE_TIME\",\
         \"price\":{{\"currency_code\":\"USD\",\"minor_units\":999}},\"credits\":100,\"paid_at\":\"{paid_at}\"}}"
    );
    let evaluate = format!(
        "{{\"request_id\":\"{evaluate_call}\",\"account_id\":\"zoe\",\"claim\":\"CLAIM_CREDITS_NOT_DELIVERED\",\
         \"purchase\":{{\"order_id\":\"order-{paid_at}\"}}}}"
    );
    format!(
        "serving    http://{address} (development: loopback only, no authentication, test clock allowed)\n\n\
         A purchase whose credits never arrived, and the decision on it:\n\n{}\n{}\n\nCtrl-C stops it.",
        call("CreditService/RecordPurchase", &purchase),
        call("RefundService/EvaluateRequest", &evaluate),
    )
}

/// What an operator reads first: where it serves, and for whom.
fn serving(address: SocketAddr, settings: &AccessSettings) -> String {
    let scheme = if settings.tls().is_some() { "https" } else { "http" };
    let mut by = Vec::new();
    if settings.tokens().is_some() {
        by.push("tokens");
    }
    if !settings.clients.is_empty() {
        by.push("client certificates");
    }
    format!(
        "serving    {scheme}://{address} (callers are recognised by {})\n\nCtrl-C stops it.",
        by.join(" and ")
    )
}

/// Ends the process without waiting for anything: what was acknowledged is stored, and what was not is rolled back.
fn at_once(signal: &str) -> ! {
    announce(&format!("{signal} again: ended at once"));
    std::process::exit(ENDED_AT_ONCE)
}

/// Tells the person at the terminal; logs go elsewhere.
#[expect(clippy::print_stdout, reason = "this is what the person who typed the command reads")]
fn announce(text: &str) {
    println!("{text}");
}

/// The two ways in which a process is told to end.
struct End {
    interrupt: Signal,
    terminate: Signal,
}

impl End {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn wait(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "Ctrl-C",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
