use super::{Command, Settings, duration, read};
use std::ffi::OsString;
use std::time::Duration;

fn args(words: &[&str]) -> Vec<OsString> {
    std::iter::once("makegood").chain(words.iter().copied()).map(OsString::from).collect()
}

fn serve(words: &[&str]) -> Settings {
    match read(args(words)).unwrap() {
        Command::Serve(settings) => *settings,
        other => panic!("expected serve, got {other:?}"),
    }
}

fn refused(words: &[&str]) -> String {
    read(args(words)).unwrap_err().to_string()
}

#[test]
fn no_command_means_serve_and_its_flags_need_no_command() {
    assert_eq!(serve(&["--listen", "127.0.0.1:6000"]).server.listen.port(), 6000);
    assert_eq!(serve(&["serve", "--listen", "127.0.0.1:6000"]).server.listen.port(), 6000);
}

#[test]
fn the_defaults_serve_on_loopback() {
    let settings = serve(&["--database-url", ""]);
    assert!(settings.server.listen.ip().is_loopback());
    assert_eq!(settings.server.request_timeout, Duration::from_secs(15));
    assert_eq!(settings.server.metrics_listen, None);
    assert_eq!(settings.database.max_connections, 16);
    assert_eq!(settings.server.sweep_interval, Duration::from_secs(10));
}

#[test]
fn an_empty_database_url_is_none() {
    assert!(serve(&["--database-url", ""]).database.url().is_none());
    assert!(serve(&["--database-url", "postgres://host/name"]).database.url().is_some());
}

#[test]
fn a_wrong_database_url_is_refused_without_its_secret() {
    let message = refused(&["--database-url", "mysql://me:s3cret@host/name"]);
    assert!(message.contains("postgres://") && !message.contains("s3cret"), "{message}");
}

#[test]
fn settings_are_never_printed_with_a_secret() {
    let settings = serve(&["--database-url", "postgres://me:s3cret@host/name"]);
    assert!(!format!("{settings:?}").contains("s3cret"));
}

#[test]
fn times_are_written_with_a_unit() {
    assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
    assert_eq!(duration("15s"), Ok(Duration::from_secs(15)));
    assert_eq!(duration("2m"), Ok(Duration::from_mins(2)));
    assert_eq!(duration("60m"), Ok(Duration::from_hours(1)));
    for wrong in ["", "15", "s", "-1s", "1.5s", "0s", "61m", "15 s", "15h", "99999999999999999999s"] {
        assert!(duration(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_setting_outside_its_bounds_names_itself() {
    assert!(refused(&["--trace-ratio", "1.5"]).contains("--trace-ratio"));
    assert!(refused(&["--trace-ratio", "NaN"]).contains("--trace-ratio"));
    assert!(refused(&["--max-connections", "1"]).contains("--max-connections"));
    assert!(refused(&["--max-connections", "100000"]).contains("--max-connections"));
    assert!(refused(&["--sweep-interval", "0s"]).contains("--sweep-interval"));
    assert!(refused(&["--listen", "nowhere"]).contains("--listen"));
    assert!(refused(&["--otlp-endpoint", "collector:4317"]).contains("http://"));
    for command in ["demo", "health", "try"] {
        assert!(refused(&[command, "--endpoint", "127.0.0.1:50051"]).contains("http://"));
    }
    for wrong in [&["--endpoint", "https://desk"][..], &["--ca", "ca.crt"]] {
        let words = [&["try"], wrong].concat();
        assert!(refused(&words).contains("--ca and an endpoint that begins with https:// go together"));
    }
}

#[test]
fn the_help_lists_every_variable_and_no_secret() {
    let help = refused(&["--help"]);
    for variable in
        ["DATABASE_URL", "MAKEGOOD_DATA_DIR", "MAKEGOOD_PG_BIN_DIR", "MAKEGOOD_LISTEN", "MAKEGOOD_LOG"]
    {
        assert!(help.contains(variable), "{variable}");
    }
    assert!(help.contains("Examples:"));
}

#[test]
fn the_demo_prints_in_colours_unless_it_is_told_otherwise() {
    let no_color = |words: &[&str]| match read(args(words)).unwrap() {
        Command::Demo(settings) => settings.no_color,
        other => panic!("expected demo, got {other:?}"),
    };
    assert!(no_color(&["demo", "--no-color"]));
    // The environment may say it too, with any word: `NO_COLOR=0` is set as well.
    assert_eq!(["0", "1", "false"].map(super::client::is_set), [Ok(true), Ok(true), Ok(false)]);
}

#[test]
fn browsers_may_call_only_where_it_is_asked_for_and_from_pages_that_are_named() {
    assert_eq!(serve(&[]).web.origins(), None);
    assert_eq!(serve(&["--grpc-web"]).web.origins(), Some(Vec::new()));
    let words = ["--grpc-web", "--grpc-web-origin", "https://shop.example,http://localhost:5173"];
    assert_eq!(serve(&words).web.origins().unwrap(), ["https://shop.example", "http://localhost:5173"]);
    assert!(refused(&["--grpc-web-origin", "https://shop.example"]).contains("--grpc-web"));
    assert!(refused(&["--grpc-web", "--grpc-web-origin", "*"]).contains("no `*`"));
}
