//! The chart's release, run: every container of a golden render is started as it stands there, with its command, its
//! environment and its files, in the order in which Helm and Kubernetes would. tests/deploy holds the renders against the
//! templates.

mod pods;

use crate::trust::{authority::Authority, issuer::Issuer, issuer::key_set};
use makegood::config;
use makegood::postgres::{Cluster, Options};
use pods::{Container, Release};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use tokio::process::Command;

/// A server of its own, whose roles an administrator made as compose/roles.sql says.
async fn database() -> Cluster {
    let (bin_dir, search_path) = (config::pg_bin_dir(), config::search_path());
    // Durable, since the audit has something to say about one that is not.
    let cluster =
        Cluster::start(Options { data_dir: None, durable: true, bin_dir, search_path }).await.unwrap();
    let mut psql = Command::new(cluster.bin_dir().join("psql"));
    psql.args(["--no-psqlrc", "--quiet", "--username=postgres", "--file"]);
    psql.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("compose/roles.sql"));
    psql.arg("--host").arg(cluster.socket_dir());
    for login in ["MIGRATE", "SERVE", "AUDIT"] {
        psql.env(format!("MAKEGOOD_{login}_PASSWORD"), "secret");
    }
    let made = psql.output().await.unwrap();
    assert!(made.status.success(), "{}", text(&made));
    cluster
}

fn text(output: &Output) -> String {
    String::from_utf8([&output.stdout[..], &output.stderr[..]].concat()).unwrap()
}

/// What the objects of a release refer to and do not hold: secrets and the like that were there before, by name and key.
struct Given {
    issuer: Issuer,
    values: BTreeMap<(&'static str, &'static str), String>,
}

impl Given {
    fn new(cluster: &Cluster) -> Self {
        let (issuer, authority) = (Issuer::new("key-1"), Authority::new());
        let (certificate, key) = authority.certificate(&["localhost", "makegood.shop.svc"]);
        let url = |login: &str| cluster.url("makegood").replace("//postgres@", &format!("//{login}@"));
        let values = BTreeMap::from([
            (("database", "owner"), url("makegood_migrate")),
            (("database", "app"), url("makegood_serve")),
            (("database", "auditor"), url("makegood_audit")),
            (("database-ca", "ca.crt"), authority.pem.clone()),
            (("issuer-keys", "keys.json"), key_set(&[&issuer])),
            (("makegood-tls", "tls.crt"), certificate),
            (("makegood-tls", "tls.key"), key),
            (("makegood-tls", "ca.crt"), authority.pem.clone()),
            (("shop-ca", "ca.crt"), authority.pem),
            (("makegood-test-token", "token"), issuer.token("admin", "helm")),
        ]);
        Self { issuer, values }
    }
}

fn release(name: &str, given: &Given) -> Release {
    Release::read(name, &given.values)
}

#[tokio::test]
async fn the_whole_release_migrates_serves_decides_and_is_audited() {
    let cluster = database().await;
    let mut given = Given::new(&cluster);
    let whole = release("whole", &given);

    // Before the migration nothing is served; after it the service works, over TLS, with a health of its own in plain text.
    let refused = whole.container("Deployment", "makegood").run(&BTreeMap::new()).await;
    assert!(
        !refused.status.success() && text(&refused).contains("run `makegood migrate` first"),
        "{}",
        text(&refused)
    );
    let migrated = whole.container("Job", "makegood-migration").run(&BTreeMap::new()).await;
    assert!(migrated.status.success(), "{}", text(&migrated));
    let served = whole.container("Deployment", "makegood").serve().await;
    assert!(served.said("serving").starts_with("https://"), "{:?}", served.greeting);
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let port = whole.container("Deployment", "makegood").spec[probe]["grpc"]["port"].as_u64().unwrap();
        assert_eq!(port, 50_052, "{probe}");
        health(served.said("health")).await;
    }
    let figures = served.said("figures");
    assert!(figures.ends_with("/metrics"), "{figures}");

    // `helm test`, with a token that may, twice, and with one that may not.
    let endpoint = format!("https://localhost:{}", served.port());
    let asked = BTreeMap::from([("MAKEGOOD_ENDPOINT", endpoint)]);
    for _ in 0..2 {
        let tried = whole.container("Pod", "makegood-test-decision").run(&asked).await;
        assert!(tried.status.success(), "{}", text(&tried));
        assert!(text(&tried).contains("decides: APPROVE by row 10, clause 2.3"), "{}", text(&tried));
    }
    for (role, allowed) in [("agent", true), ("auditor", false)] {
        let token = given.issuer.token(role, "helm");
        given.values.insert(("makegood-test-token", "token"), token);
        let tried = release("whole", &given).container("Pod", "makegood-test-decision").run(&asked).await;
        assert_eq!(tried.status.success(), allowed, "{role}: {}", text(&tried));
    }
    served.stop().await;
    let audited = whole.container("CronJob", "makegood-audit").run(&BTreeMap::new()).await;
    assert!(audited.status.success(), "{}", text(&audited));
    let told: Value = serde_json::from_str(text(&audited).lines().last().unwrap()).unwrap();
    assert!(told["violations"] == 0 && told["rows"].as_u64().unwrap() > 0, "{told}");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_trial_of_one_replica_runs_with_the_secrets_that_the_chart_makes() {
    let cluster = database().await;
    let given = Given::new(&cluster);
    let trial = release("trial", &given).with_database_at(&cluster.url("makegood"));
    let migrated = trial.container("Job", "desk-migration").run(&BTreeMap::new()).await;
    assert!(migrated.status.success(), "{}", text(&migrated));
    let served = trial.container("Deployment", "desk").serve().await;
    let asked = BTreeMap::from([("MAKEGOOD_ENDPOINT", format!("http://localhost:{}", served.port()))]);
    let tried = trial.container("Pod", "desk-test-decision").run(&asked).await;
    assert!(tried.status.success(), "{}", text(&tried));
    served.stop().await;
    cluster.stop().await.unwrap();
}

async fn health(endpoint: &str) {
    let asked =
        Command::new(env!("CARGO_BIN_EXE_makegood")).args(["health", "--endpoint", endpoint]).output().await;
    let asked = asked.unwrap();
    assert!(asked.status.success() && text(&asked).contains("serves"), "{}", text(&asked));
}

/// A container's command, as the program's help names its settings.
async fn help(container: &Container) -> String {
    let command = container.spec["args"][0].as_str().unwrap();
    let mut help = Command::new(env!("CARGO_BIN_EXE_makegood"));
    help.args([command, "--help"]).env_clear();
    // Long names are broken over lines.
    text(&help.output().await.unwrap()).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn every_setting_of_every_container_exists() {
    let cluster = database().await;
    let given = Given::new(&cluster);
    let mut seen = 0;
    for name in ["mesh", "trial", "whole"] {
        let release = release(name, &given).with_database_at(&cluster.url("makegood"));
        for container in release.containers() {
            let help = help(&container).await;
            for argument in container.spec["args"].as_array().unwrap().iter().skip(1) {
                assert!(help.contains(argument.as_str().unwrap()), "{name}: {argument}");
            }
            for variable in container.environment_names() {
                let is_read = ["=", "]"].iter().any(|end| help.contains(&format!("[env: {variable}{end}")));
                assert!(is_read, "{name}: nothing reads {variable}");
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "{seen}");
    cluster.stop().await.unwrap();
}
