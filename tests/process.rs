//! The process as a person runs it: it starts from nothing, says what it did, keeps what it acknowledged, and ends
//! in order.
#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use makegood::proto::makegood::v1;
use makegood::proto::makegood::v1::credit_service_client::CreditServiceClient;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tonic::transport::Channel;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// A running `makegood`.
struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
    greeting: String,
    endpoint: String,
    data_dir: PathBuf,
}

impl Process {
    fn start(data_dir: &Path) -> Self {
        Self::start_by(&mut command(data_dir), data_dir)
    }

    fn start_by(command: &mut Command, data_dir: &Path) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut greeting = String::new();
        while !greeting.contains("Ctrl-C stops it.") {
            assert!(output.read_line(&mut greeting).unwrap() > 0, "it ended early: {greeting}");
        }
        let serving = greeting.lines().find_map(|line| line.strip_prefix("serving")).unwrap();
        let address =
            serving.split("http://").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
        let endpoint = format!("http://{address}");
        Self { child, output, greeting, endpoint, data_dir: data_dir.to_owned() }
    }

    fn signal(&self, signal: Signal) {
        signal::kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits for its end; gives its status and its last words. Its transactions never waited for each other.
    fn end(mut self) -> (ExitStatus, String) {
        let mut last_words = String::new();
        self.output.read_to_string(&mut last_words).unwrap();
        let log = fs::read_to_string(self.data_dir.join("postgres.log")).unwrap();
        assert!(!log.contains("deadlock detected"), "{log}");
        (self.child.wait().unwrap(), last_words)
    }

    async fn record(&self, purchase: v1::RecordPurchaseRequest) -> v1::Purchase {
        let mut credits = CreditServiceClient::connect(self.endpoint.clone()).await.unwrap();
        credits.record_purchase(purchase).await.unwrap().into_inner().purchase.unwrap()
    }
}

fn command(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_makegood"));
    command.env("MAKEGOOD_LISTEN", "127.0.0.1:0").arg("--data-dir").arg(data_dir);
    command.env_remove("DATABASE_URL").stderr(Stdio::inherit());
    command
}

/// A folder that the database's unprivileged user can enter.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    dir
}

fn purchase() -> v1::RecordPurchaseRequest {
    v1::RecordPurchaseRequest {
        request_id: "018f2b1c-5f0e-7c3a-9d53-2b6f6a0f1c11".to_owned(),
        account_id: "ada".to_owned(),
        provider: "stripe".to_owned(),
        payment_id: "pay-1".to_owned(),
        order_id: "order-1".to_owned(),
        package_id: "pack-100".to_owned(),
        kind: v1::PurchaseKind::OneTime.into(),
        price: Some(v1::Money { currency_code: "USD".to_owned(), minor_units: 999 }),
        credits: 100,
        paid_at: Some(prost_types::Timestamp { seconds: 1_741_003_200, nanos: 0 }),
        ..Default::default()
    }
}

#[tokio::test]
async fn it_says_what_it_did_and_ends_in_order_on_ctrl_c() {
    let data_dir = folder();
    let process = Process::start(&data_dir.path().join("data"));
    for said in ["private PostgreSQL", "policy     2024-12-19", "development", "grpcurl -plaintext"] {
        assert!(process.greeting.contains(said), "{}", process.greeting);
    }
    // Who pasted its calls and then follows the README meets an account of the README's whose time has not begun.
    assert!(!process.greeting.contains("\"ada\""), "{}", process.greeting);
    process.signal(Signal::SIGINT);
    let (status, last_words) = process.end();
    assert!(status.success(), "{status}: {last_words}");
    assert!(last_words.contains("the private database is stopped"), "{last_words}");
}

/// A process whose drain cannot end by itself: somebody watches its health, and somebody else says nothing.
async fn watched(
    data_dir: &Path,
    drain: &str,
) -> (Process, tonic::Streaming<HealthCheckResponse>, TcpStream) {
    let process = Process::start_by(command(data_dir).args(["--drain-timeout", drain]), data_dir);
    let channel = Channel::from_shared(process.endpoint.clone()).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel);
    let mut watched = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let silent = TcpStream::connect(process.endpoint.trim_start_matches("http://")).await.unwrap();
    (process, watched, silent)
}

#[tokio::test]
async fn a_drain_ends_in_time_whoever_stays_connected() {
    let folder = folder();
    let (process, mut watched, _silent) = watched(&folder.path().join("data"), "1s").await;
    let begun = Instant::now();
    process.signal(Signal::SIGTERM);
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    let (status, last_words) = process.end();
    assert!(status.success() && last_words.contains("the private database is stopped"), "{last_words}");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let folder = folder();
    let (process, mut watched, _silent) = watched(&folder.path().join("data"), "10m").await;
    process.signal(Signal::SIGTERM);
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    process.signal(Signal::SIGTERM);
    let (status, last_words) = process.end();
    assert_eq!(status.code(), Some(1), "{last_words}");
    assert!(last_words.contains("SIGTERM again: ended at once"), "{last_words}");
}

#[tokio::test]
async fn what_it_acknowledged_survives_a_kill() {
    let folder = folder();
    let data_dir = folder.path().join("data");
    let first = Process::start(&data_dir);
    let recorded = first.record(purchase()).await;
    first.signal(Signal::SIGKILL);
    let (status, _) = first.end();
    assert!(!status.success());
    let second = Process::start(&data_dir);
    assert!(second.greeting.contains("kept"), "{}", second.greeting);
    assert_eq!(second.record(purchase()).await, recorded);
    second.signal(Signal::SIGTERM);
    assert!(second.end().0.success());
}

#[test]
fn a_second_process_on_the_same_data_is_refused_with_a_sentence() {
    let folder = folder();
    let data_dir = folder.path().join("data");
    let first = Process::start(&data_dir);
    let second = command(&data_dir).stderr(Stdio::piped()).output().unwrap();
    assert!(!second.status.success());
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("another makegood") && said.contains("--data-dir"), "{said}");
    first.signal(Signal::SIGINT);
    assert!(first.end().0.success());
}

#[test]
fn an_address_that_others_can_reach_is_refused_without_authentication() {
    let folder = folder();
    let mut command = Command::new(env!("CARGO_BIN_EXE_makegood"));
    command.args(["--listen", "0.0.0.0:0", "--data-dir"]).arg(folder.path().join("data"));
    let refused = command.env_remove("DATABASE_URL").output().unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("no authentication is configured") && said.contains("--jwt-keys"), "{said}");
}

/// A set with a public key, whose private one nobody has.
const KEYS: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

#[tokio::test]
async fn where_tokens_are_recognised_nobody_is_served_without_one() {
    let folder = folder();
    let keys = folder.path().join("keys.json");
    fs::write(&keys, KEYS).unwrap();
    let guarded = |data_dir: &Path, listen: &str| {
        let mut command = command(data_dir);
        command.args([
            "--listen",
            listen,
            "--jwt-issuer",
            "https://login.example",
            "--jwt-audience",
            "makegood",
        ]);
        command.arg("--jwt-keys").arg(&keys);
        command
    };
    let process = Process::start_by(
        &mut guarded(&folder.path().join("data"), "127.0.0.1:0"),
        &folder.path().join("data"),
    );
    assert!(process.greeting.contains("callers are recognised by tokens"), "{}", process.greeting);
    let mut credits = CreditServiceClient::connect(process.endpoint.clone()).await.unwrap();
    let refused = credits.record_purchase(purchase()).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    process.signal(Signal::SIGTERM);
    assert!(process.end().0.success());

    // Where others can reach it, their tokens must not be read on the way.
    let refused = guarded(&folder.path().join("data"), "0.0.0.0:0").stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("--tls-certificate"), "{said}");
    fs::write(&keys, "[]").unwrap();
    let refused =
        guarded(&folder.path().join("data"), "127.0.0.1:0").stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("keys.json"), "{said}");
}

#[test]
fn a_named_folder_without_the_programs_is_refused_with_a_sentence() {
    let folder = folder();
    let mut command = command(&folder.path().join("data"));
    let refused = command.args(["--pg-bin-dir"]).arg(folder.path()).stderr(Stdio::piped()).output().unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("does not hold an `initdb` and a `postgres`"), "{said}");
}

#[tokio::test]
async fn a_private_database_is_audited_when_nothing_serves_it() {
    let dir = folder();
    let audit = || {
        let mut audit = Command::new(env!("CARGO_BIN_EXE_makegood"));
        audit.args(["audit", "--data-dir"]).arg(dir.path()).env_remove("DATABASE_URL");
        let ended = audit.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (ended.status.code(), text(ended.stdout), text(ended.stderr))
    };
    let (code, _, said) = audit();
    assert!(code == Some(1) && said.contains("there is no private database"), "{said}");
    assert!(!dir.path().join("postgres").exists(), "an audit made a database");
    let process = Process::start(dir.path());
    process.record(purchase()).await;
    let (code, _, said) = audit();
    assert!(code == Some(1) && said.contains("another makegood"), "{said}");
    process.signal(Signal::SIGTERM);
    assert!(process.end().0.success());
    let (code, printed, said) = audit();
    assert!(printed.contains("every promise is kept"), "{printed}{said}");
    assert_eq!(code, Some(0));
}

#[test]
fn a_policy_check_says_by_its_exit_code_what_came_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/2024-12-19.toml");
    let text = fs::read_to_string(&shipped).unwrap();
    let head = text.split("[[rows]]").next().unwrap();
    let row = "[[rows]]\nrow = \"1\"\nclauses = [\"2.1\"]\nclaims = [\"other\"]\noutcome = \"DENY\"\n\
               sentence = \"No (§2.1).\"\nwhy = \"Because.\"\n";
    let (broken, unreadable) = (folder.path().join("broken.toml"), folder.path().join("unreadable.toml"));
    fs::write(&broken, format!("{head}{row}")).unwrap();
    fs::write(&unreadable, "version = 7\n").unwrap();
    let checked = |file: &Path, flags: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_makegood"));
        let ran = command.args(["policy", "check"]).arg(file).args(flags).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (ran.status.code(), text(ran.stdout), text(ran.stderr))
    };

    let (code, said, progress) = checked(&broken, &[]);
    assert_eq!((code, progress.as_str()), (Some(1), ""));
    assert!(said.contains("error: no row answers this case"), "{said}");
    assert!(said.contains("\n    claim = duplicate_purchase\n"), "{said}");
    let (code, said, _) = checked(&broken, &["--json"]);
    let told: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, told["passed"].as_bool()), (Some(1), Some(false)));

    let (code, said, complaint) = checked(&unreadable, &[]);
    assert_eq!((code, said.as_str()), (Some(2), ""));
    assert!(complaint.contains("is no policy"), "{complaint}");
    let (code, _, complaint) = checked(&folder.path().join("nowhere.toml"), &[]);
    assert_eq!(code, Some(2));
    assert!(complaint.contains("cannot be read"), "{complaint}");

    let (code, said, _) = checked(&shipped, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("\npassed: "), "{said}");
}

#[test]
fn a_policy_is_shown_from_a_file_by_its_version_and_on_a_help_page() {
    let show = |arguments: &[&str]| {
        let mut show = Command::new(env!("CARGO_BIN_EXE_makegood"));
        show.args(["policy", "show"]).args(arguments).env_remove("DATABASE_URL");
        let ended = show.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (ended.status.success(), text(ended.stdout), text(ended.stderr))
    };
    let (shown, shipped, _) = show(&[]);
    assert!(shown && shipped.contains("Z-Image.win Refund Policy\nVersion 2024-12-19,"), "{shipped}");
    assert_eq!(show(&["2024-12-19"]), (true, shipped, String::new()));
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/examples/14-days.toml");
    let (shown, page, _) = show(&["--markdown", example]);
    assert!(shown && page.starts_with("# Fourteen Days to Change Your Mind\n"), "{page}");
    let (shown, nothing, said) = show(&["2031-01-01"]);
    assert!(!shown && nothing.is_empty(), "{nothing}");
    assert!(said.contains("there is no file `2031-01-01`, and no version of this name"), "{said}");
    let folder = folder();
    let broken = folder.path().join("broken.toml");
    fs::write(&broken, "version = \"1\"\ntitel = \"none\"\n").unwrap();
    let (shown, _, said) = show(&[broken.to_str().unwrap()]);
    assert!(
        !shown && said.contains("line 2, `titel`: unknown field `titel` (did you mean `title`?)"),
        "{said}"
    );
}

#[tokio::test]
async fn health_has_an_address_of_its_own_until_the_end() {
    let folder = folder();
    let data_dir = folder.path().join("data");
    let mut command = command(&data_dir);
    command.args(["--health-listen", "127.0.0.1:0", "--drain-timeout", "10m"]);
    let process = Process::start_by(&mut command, &data_dir);
    let told =
        process.greeting.lines().find_map(|line| line.strip_prefix("health")).unwrap().trim().to_owned();
    let ask = |command: &str, endpoint: &str| {
        let mut ask = Command::new(env!("CARGO_BIN_EXE_makegood"));
        let asked = ask.args([command, "--endpoint", endpoint]).output().unwrap();
        (asked.status.success(), String::from_utf8([asked.stdout, asked.stderr].concat()).unwrap())
    };
    for endpoint in [&told, &process.endpoint] {
        let (works, said) = ask("health", endpoint);
        assert!(works && said.contains("serves"), "{said}");
    }
    // There is nothing else at that address.
    let (decides, said) = ask("try", &told);
    assert!(!decides && said.contains("refused EvaluateRequest") && said.contains("Unimplemented"), "{said}");
    let (decides, said) = ask("try", &process.endpoint);
    assert!(decides && said.contains("APPROVE by row 10, clause 2.3"), "{said}");

    // While it drains, which takes as long as somebody stays, it says so there.
    let channel = Channel::from_shared(process.endpoint.clone()).unwrap().connect().await.unwrap();
    let mut watched =
        HealthClient::new(channel).watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    process.signal(Signal::SIGTERM);
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    let (works, said) = ask("health", &told);
    assert!(!works && said.contains("NOT_SERVING"), "{said}");
    drop(watched);
    // Waited for elsewhere, so that the connection can be taken leave of here.
    let ended = tokio::task::spawn_blocking(|| process.end().0).await.unwrap();
    assert!(ended.success(), "{ended}");
    let (works, said) = ask("health", &told);
    assert!(!works && said.contains("nothing answers"), "{said}");
}
