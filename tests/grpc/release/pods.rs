//! The objects of a release, and their containers as processes of this machine.

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// Longest that a container may take to serve, and to end.
const LIMIT: Duration = Duration::from_mins(1);

/// Where containers find their files.
const MOUNTED: &str = "/etc/makegood/";

/// The objects of a release, and what was there before it.
pub(super) struct Release {
    objects: Vec<Value>,
    given: BTreeMap<(String, String), String>,
}

/// A container, ready to be run.
pub(super) struct Container {
    pub(super) spec: Value,
    environment: BTreeMap<String, String>,
    files: tempfile::TempDir,
}

/// A container that serves.
pub(super) struct Served {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub(super) greeting: Vec<String>,
    _files: tempfile::TempDir,
}

impl Release {
    /// A golden render.
    pub(super) fn read(name: &str, given: &BTreeMap<(&'static str, &'static str), String>) -> Self {
        let path = format!("tests/deploy/golden/{name}.json");
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let mut golden: Value = serde_json::from_str(&text).unwrap();
        let Value::Array(objects) = golden["objects"].take() else { panic!("no objects") };
        let mut given: BTreeMap<(String, String), String> = given
            .iter()
            .map(|((object, key), value)| (((*object).to_owned(), (*key).to_owned()), value.clone()))
            .collect();
        // What the release itself makes.
        for object in &objects {
            for data in ["data", "stringData"] {
                let Some(data) = object[data].as_object() else { continue };
                let name = object["metadata"]["name"].as_str().unwrap();
                let values = data
                    .iter()
                    .map(|(key, value)| ((name.to_owned(), key.clone()), value.as_str().unwrap().to_owned()));
                given.extend(values);
            }
        }
        Self { objects, given }
    }

    /// The same, with its own database at another place; logins stay.
    pub(super) fn with_database_at(mut self, url: &str) -> Self {
        let place = url.strip_prefix("postgres://postgres@").unwrap();
        for value in self.given.values_mut() {
            if let Some((login, _)) = value.strip_prefix("postgres://").and_then(|rest| rest.split_once('@'))
            {
                *value = format!("postgres://{}@{place}", login.split(':').next().unwrap());
            }
        }
        self
    }

    /// Every container.
    pub(super) fn containers(&self) -> Vec<Container> {
        self.objects.iter().filter_map(|object| pod_of(object)).map(|pod| self.container_of(pod)).collect()
    }

    /// The container of one object.
    pub(super) fn container(&self, kind: &str, name: &str) -> Container {
        let is_it = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == name;
        self.container_of(pod_of(self.objects.iter().find(is_it).unwrap()).unwrap())
    }

    fn value(&self, object: &Value, key: &Value) -> Option<&str> {
        let place = (object.as_str()?.to_owned(), key.as_str()?.to_owned());
        self.given.get(&place).map(String::as_str)
    }

    fn container_of(&self, pod: &Value) -> Container {
        let spec = &pod["containers"][0];
        assert_eq!(pod["containers"].as_array().unwrap().len(), 1);
        assert_eq!((&spec["command"], &spec["image"].is_string()), (&Value::Null, &true));
        let files = tempfile::tempdir().unwrap();
        for mount in list(&spec["volumeMounts"]) {
            let is_it = |volume: &&Value| volume["name"] == mount["name"];
            let volume = list(&pod["volumes"]).iter().find(is_it).unwrap();
            let below = mount["mountPath"].as_str().unwrap().strip_prefix(MOUNTED).unwrap();
            let folder = files.path().join(below);
            fs::create_dir_all(&folder).unwrap();
            let (source, object) = if volume["secret"].is_object() {
                (&volume["secret"], &volume["secret"]["secretName"])
            } else {
                (&volume["configMap"], &volume["configMap"]["name"])
            };
            for item in source["items"].as_array().unwrap() {
                let value =
                    self.value(object, &item["key"]).unwrap_or_else(|| panic!("{object} has no {item}"));
                fs::write(folder.join(item["path"].as_str().unwrap()), value).unwrap();
            }
        }
        let mut environment = BTreeMap::new();
        for from in list(&spec["envFrom"]) {
            let name = from["configMapRef"]["name"].as_str().unwrap();
            let told = self.given.iter().filter(|((object, _), _)| object == name);
            environment.extend(told.map(|((_, key), value)| (key.clone(), value.clone())));
        }
        for told in list(&spec["env"]) {
            let secret = &told["valueFrom"]["secretKeyRef"];
            let value = told["value"].as_str().or_else(|| self.value(&secret["name"], &secret["key"]));
            // A render that is not run may refer to what nobody gave.
            environment
                .insert(told["name"].as_str().unwrap().to_owned(), value.unwrap_or_default().to_owned());
        }
        Container { spec: spec.clone(), environment, files }
    }
}

/// The pod that an object makes.
fn pod_of(object: &Value) -> Option<&Value> {
    let spec = &object["spec"];
    let places = [spec, &spec["template"]["spec"], &spec["jobTemplate"]["spec"]["template"]["spec"]];
    places.into_iter().find(|pod| pod["containers"].is_array())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

impl Container {
    /// The names of what it is told by its environment.
    pub(super) fn environment_names(&self) -> impl Iterator<Item = &String> {
        self.environment.keys()
    }

    /// Its command. Its files lie elsewhere, and it listens on any free port of loopback: a machine has one network, and a
    /// test keeps to itself.
    fn command(&self, instead: &BTreeMap<&str, String>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_makegood"));
        command.args(list(&self.spec["args"]).iter().map(|argument| argument.as_str().unwrap()));
        command.env_clear().current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
        for (name, value) in &self.environment {
            let value = match value.strip_prefix(MOUNTED) {
                Some(below) => self.path(below).to_str().unwrap().to_owned(),
                None if value.starts_with("0.0.0.0:") || value.starts_with("[::]:") => {
                    "127.0.0.1:0".to_owned()
                }
                None => instead.get(name.as_str()).unwrap_or(value).clone(),
            };
            command.env(name, value);
        }
        command
    }

    fn path(&self, below: &str) -> PathBuf {
        self.files.path().join(below)
    }

    /// Runs it to its end.
    pub(super) async fn run(&self, instead: &BTreeMap<&str, String>) -> Output {
        timeout(LIMIT, self.command(instead).output()).await.unwrap().unwrap()
    }

    /// Runs it until it serves.
    pub(super) async fn serve(self) -> Served {
        let mut child = self.command(&BTreeMap::new()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut greeting = Vec::new();
        let serving = async {
            while !greeting.iter().any(|line: &String| line.starts_with("serving")) {
                greeting.push(lines.next_line().await.unwrap().unwrap());
            }
        };
        timeout(LIMIT, serving).await.unwrap();
        Served { child, lines, greeting, _files: self.files }
    }
}

impl Served {
    /// The address that it says after a word.
    pub(super) fn said(&self, word: &str) -> &str {
        let line = self.greeting.iter().find(|line| line.starts_with(word)).unwrap();
        line.split_whitespace().nth(1).unwrap()
    }

    /// The port of its API.
    pub(super) fn port(&self) -> &str {
        self.said("serving").rsplit(':').next().unwrap()
    }

    /// Ends it as the kubelet does.
    pub(super) async fn stop(mut self) {
        let pid = Pid::from_raw(self.child.id().unwrap().try_into().unwrap());
        signal::kill(pid, Signal::SIGTERM).unwrap();
        while let Ok(Some(_)) = self.lines.next_line().await {}
        let status = timeout(LIMIT, self.child.wait()).await.unwrap().unwrap();
        assert!(status.success(), "{status}");
    }
}
