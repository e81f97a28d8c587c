"""The image without an image: what the Dockerfile copies is there and is enough, and compose.yaml is what Docker Compose reads.

Its arguments are that program and a built `makegood`, whose settings all others must be.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import yaml

from checks import Checks

ROOT = Path(__file__).resolve().parents[2]
check = Checks("image")


def instructions():
    """The Dockerfile's instructions with their arguments, in order."""
    text = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", (ROOT / "Dockerfile").read_text()))
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def stages():
    """The instructions of each stage."""
    found = []
    for name, rest in instructions():
        if name == "FROM":
            found.append([])
        found[-1].append((name, rest))
    return found


def tracked(path):
    """Whether git keeps something there."""
    return bool(subprocess.run(["git", "ls-files", "--", path], cwd=ROOT, check=True, capture_output=True).stdout)


def what_is_copied_is_enough(build):
    copied = [word for name, rest in build if name == "COPY" for word in rest.split()[:-1]]
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    check(set(copied) == kept, f"the Dockerfile copies {sorted(copied)}, .dockerignore keeps {sorted(kept)}")
    for path in copied:
        check((ROOT / path).exists() and tracked(path), f"{path} is not in the repository")
    for source in [ROOT / "build.rs", *(ROOT / "src").rglob("*.rs"), *(ROOT / "benches").rglob("*.rs")]:
        for included in re.findall(r'(?:include_str|include_bytes)!\(\s*"([^"]+)"', source.read_text()):
            path = (source.parent / included).resolve().relative_to(ROOT)
            check(path.parts[0] in copied, f"{source.name} includes {path}, which is not copied")
        for folder in re.findall(r'migrate!\("\./([^"]+)"\)', source.read_text()):
            check(folder in copied, f"{source.name} reads {folder}, which is not copied")
    with tempfile.TemporaryDirectory() as there:
        for path in copied:
            target = Path(there) / path
            (shutil.copytree if (ROOT / path).is_dir() else shutil.copy)(ROOT / path, target)
        # Every target of the manifest must have its file, or the build stops at once.
        told = subprocess.run(["cargo", "metadata", "--locked", "--no-deps", "--format-version=1"], cwd=there,
                              capture_output=True, text=True)
        check(told.returncode == 0, f"cargo, with what is copied alone: {told.stderr}")
        return json.loads(told.stdout)["packages"][0]


def one_program_is_shipped(build, ship, package):
    binaries = {target["name"] for target in package["targets"] if "bin" in target["kind"]}
    run = next(rest for name, rest in build if name == "RUN")
    built = set(re.findall(r"--bin (\S+)", run))
    check(built == binaries == {"makegood"}, f"the Dockerfile builds {built} of {binaries}")
    check("--locked" in run and "--release" in run, "the build is not of Cargo.lock, or no release")
    entry = json.loads(next(rest for name, rest in ship if name == "ENTRYPOINT"))
    health = json.loads(next(rest for name, rest in ship if name == "HEALTHCHECK").split("CMD ", 1)[1])
    copied = next(rest for name, rest in ship if name == "COPY").split()
    check(copied == ["--from=build", "/makegood", entry[0]], f"{copied} is not what {entry} starts")
    check(health[0] == entry[0], f"the health check asks {health[0]}")
    user = next(rest for name, rest in ship if name == "USER")
    check(user.split(":")[0].isdigit() and not user.startswith("0"), "Kubernetes cannot see that the user is not root")
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["rust-version"]
    image = re.match(r"rust:(\d+\.\d+)\.\d+-", build[0][1])
    check(image and tuple(map(int, image[1].split("."))) >= tuple(map(int, version.split("."))),
          f"{build[0][1]} is older than Rust {version}, or not pinned")


def compose_is_read(program):
    told = subprocess.run([program, "--profile", "*", "config", "--format", "json"], cwd=ROOT, capture_output=True,
                          text=True, env={"PATH": ""})
    check(told.returncode == 0, f"compose.yaml: {told.stderr}")
    check(not told.stderr, f"compose.yaml: {told.stderr}")
    services = json.loads(told.stdout)["services"]
    for name, service in services.items():
        check(service["image"] == "makegood" or re.search(r":\d+\.\d+", service["image"]), f"{name} is not pinned")
        for volume in service.get("volumes", []):
            mounted = Path(volume["source"])
            if volume["type"] == "bind" and mounted.name != "keys.json":
                check(mounted.is_file() and tracked(str(mounted)), f"{name} mounts {mounted}, which is not there")
        for port in service.get("ports", []):
            check(port["host_ip"] == "127.0.0.1", f"{name} can be reached by others without TLS")
    passwords = services["postgres"]["environment"]
    wanted = set(re.findall(r"\\getenv \w+ (\w+)", (ROOT / "compose" / "roles.sql").read_text()))
    check(wanted == {key for key in passwords if key.startswith("MAKEGOOD_")}, f"roles.sql reads {wanted}")
    for name in ("migrate", "makegood", "audit"):
        login, password = re.match(r"postgres://(\w+):(\w+)@postgres:5432/makegood$",
                                   services[name]["environment"]["DATABASE_URL"]).groups()
        check(passwords[login.upper() + "_PASSWORD"] == password, f"{name} knows another password than {login}")
    return services


def every_setting_exists(program, ship, services):
    """What containers of ours are told by the environment, the program reads."""
    told = [(entry.split("=")[0], "serve") for name, rest in ship if name == "ENV" for entry in rest.split()]
    for service in services.values():
        if service["image"] == "makegood":
            told += [(name, service["command"][0]) for name in service["environment"]]
    for name, command in told:
        helped = subprocess.run([program, command, "--help"], check=True, capture_output=True, text=True, env={})
        check(re.search(rf"\[env: {name}[=\]]", " ".join(helped.stdout.split())), f"`makegood {command}` does not read {name}")


def the_collector_is_wired(services):
    config = yaml.safe_load((ROOT / "compose" / "collector.yaml").read_text())
    for name, pipeline in config["service"]["pipelines"].items():
        for kind, used in pipeline.items():
            check(set(used) <= set(config[kind]), f"the pipeline {name} uses {kind} that are not there: {used}")
    port = config["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"].rsplit(":", 1)[1]
    environment = services["makegood"]["environment"]
    check(environment["OTEL_EXPORTER_OTLP_ENDPOINT"] == f"http://collector:{port}", "traces go elsewhere")
    scraped = config["receivers"]["prometheus"]["config"]["scrape_configs"][0]["static_configs"][0]["targets"]
    check(scraped == ["makegood:" + environment["MAKEGOOD_METRICS_LISTEN"].rsplit(":", 1)[1]], f"{scraped} is read")


build, ship = stages()
one_program_is_shipped(build, ship, what_is_copied_is_enough(build))
services = compose_is_read(sys.argv[1])
the_collector_is_wired(services)
every_setting_exists(sys.argv[2], ship, services)
check.done()
