"""The chart as Helm itself reads it: linted, rendered, compared, and held against the schemas of Kubernetes.

With --renew the golden renders are written anew first. tests/grpc/release.rs runs them.
"""

import copy
import json
import re
import sys
from pathlib import Path

import helm_python as helm
import jsonschema
import kubernetes_validate
import yaml

from checks import Checks

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "makegood"
GOLDEN = Path(__file__).resolve().parent / "golden"

# The oldest that Chart.yaml allows, and the latest that the validator knows.
KUBERNETES = ["1.30.0", kubernetes_validate.latest_version()]
# Of the Prometheus operator: their shape is its own.
FOREIGN = {
    "ServiceMonitor": {"selector", "endpoints"},
    "PrometheusRule": {"groups"},
}

check = Checks("chart")


def load(path):
    return yaml.safe_load(path.read_text())


def merged(base, over):
    """Values as Helm merges them: mappings key by key, all else whole."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return copy.deepcopy(over)
    return {key: merged(base.get(key), over[key]) if key in over else copy.deepcopy(base[key])
            for key in [*base, *(key for key in over if key not in base)]}


def render(values):
    with helm.Chart.load(CHART) as chart:
        return chart.render(values, name="makegood", namespace="shop")


def documents(rendered):
    """The objects of a render, in order, and what the chart tells the person who installed it."""
    notes, objects = "", []
    for path, text in sorted(rendered.items()):
        if path.endswith("NOTES.txt"):
            notes = text
        elif not path.endswith(".tpl"):
            objects += [found for found in yaml.safe_load_all(text) if found]
    return notes, objects


def golden(notes, objects):
    """What is compared: the objects as they are, but for the dashboard, which is a file of its own."""
    board = (CHART / "dashboards" / "makegood.json").read_text().rstrip("\n")
    shown = copy.deepcopy(objects)
    for found in shown:
        if "makegood.json" in found.get("data", {}):
            check(found["data"]["makegood.json"].rstrip("\n") == board, "the dashboard is not the file's")
            found["data"]["makegood.json"] = "(dashboards/makegood.json)"
    return json.dumps({"notes": notes.strip().splitlines(), "objects": shown}, indent=1, ensure_ascii=False) + "\n"


def pods(found):
    """The pods that an object makes."""
    spec = found.get("spec", {})
    if found["kind"] == "Pod":
        return [spec]
    return [nested["template"]["spec"] for nested in (spec, spec.get("jobTemplate", {}).get("spec", {}))
            if "template" in nested]


def is_sound(name, found):
    """What Kubernetes' own schemas say of an object, and what they cannot."""
    what = f"{name}: {found['kind']} {found['metadata']['name']}"
    if found["kind"] in FOREIGN:
        check(set(found["spec"]) == FOREIGN[found["kind"]], f"{what} has another shape")
    else:
        for version in KUBERNETES:
            try:
                kubernetes_validate.validate(found, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                check(False, f"{what}: {error.message} ({version})")
            check(True, what)
    for pod in pods(found):
        check(pod["securityContext"]["runAsNonRoot"] is True, f"{what} may run as root")
        check(pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, f"{what}: seccomp")
        check(pod["automountServiceAccountToken"] is False, f"{what} has a token of the cluster")
        check("serviceAccountName" in pod, f"{what} has no account of its own")
        volumes = {volume["name"] for volume in pod.get("volumes", [])}
        for container in pod["containers"]:
            hardened = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]}}
            check(container["securityContext"] == hardened, f"{what}: {container['securityContext']}")
            check("memory" in container["resources"]["limits"], f"{what} has no limit of memory")
            mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
            check(mounted == volumes, f"{what}: volumes {volumes} and mounts {mounted}")


def belongs_together(name, objects):
    """Services, budgets and policies select the pods that there are, and no others."""
    labels = [found["spec"]["template"]["metadata"]["labels"] for found in objects if found["kind"] == "Deployment"]
    others = [found["spec"]["template"]["metadata"]["labels"] for found in objects if found["kind"] == "Job"]
    others += [found["metadata"]["labels"] for found in objects if found["kind"] == "Pod"]
    selectors = []
    for found in objects:
        spec = found.get("spec", {})
        if found["kind"] == "Service":
            selectors.append((found, spec["selector"]))
        elif found["kind"] == "NetworkPolicy":
            selectors.append((found, spec["podSelector"]["matchLabels"]))
        elif found["kind"] in ("Deployment", "PodDisruptionBudget"):
            selectors.append((found, spec["selector"]["matchLabels"]))
    for found, selector in selectors:
        selects = lambda pod: selector.items() <= pod.items()
        what = f"{name}: {found['kind']} {found['metadata']['name']}"
        check(all(map(selects, labels)), f"{what} selects no pod")
        check(not any(map(selects, others)), f"{what} selects pods of a job")
    services = {found["metadata"]["labels"]["app.kubernetes.io/component"]: found
                for found in objects if found["kind"] == "Service"}
    for found in objects:
        if found["kind"] == "ServiceMonitor":
            wanted = found["spec"]["selector"]["matchLabels"]
            matching = [kind for kind, service in services.items()
                        if wanted.items() <= service["metadata"]["labels"].items()]
            check(matching == ["metrics"], f"{name}: the monitor finds the services {matching}")


def hook(found):
    return found["metadata"].get("annotations", {}).get("helm.sh/hook", "")


def is_there_in_time(name, objects):
    """What a hook needs is a hook as well, or was there before: Helm makes all else later."""
    early = [found for found in objects if hook(found).startswith("pre-install")]
    late = {(found["kind"], found["metadata"]["name"]) for found in objects if not hook(found)}
    for found in early:
        for pod in pods(found):
            needed = {("ServiceAccount", pod["serviceAccountName"])}
            for container in pod["containers"]:
                check("envFrom" not in container, f"{name}: a hook reads the settings of the release")
                needed |= {("Secret", entry["valueFrom"]["secretKeyRef"]["name"])
                           for entry in container["env"] if "valueFrom" in entry}
            check(not needed & late, f"{name}: {found['metadata']['name']} comes before {needed & late}")


def renders():
    """Each set of values in ci/: linted, rendered as before, and sound."""
    sets = sorted(CHART.glob("ci/*-values.yaml"))
    check(len(sets) == 3, "there are three sets of values")
    for path in sets:
        name, values = path.name.removesuffix("-values.yaml"), load(path)
        report = helm.lint(CHART, values, strict=True, kube_version="v1.30.0")
        complaints = [told for told in report["messages"] if told["severity"] > 1]
        check(not complaints and not report["errors"], f"{name}: {complaints} {report['errors']}")
        notes, objects = documents(render(values))
        text, file = golden(notes, objects), GOLDEN / f"{name}.json"
        if sys.argv[1:] == ["--renew"]:
            file.write_text(text)
        check(file.is_file() and file.read_text() == text,
              f"{name} renders otherwise than {file.relative_to(ROOT)}: see tests/deploy/run --renew")
        for found in objects:
            is_sound(name, found)
        belongs_together(name, objects)
        is_there_in_time(name, objects)


def leaves(values, path=()):
    """Every value that is no mapping with names of its own."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def told_of(schema, path):
    """What the schema says of a value; None where it knows no such name."""
    for key in path:
        schema = resolved(schema)
        if key in schema.get("properties", {}):
            schema = schema["properties"][key]
        elif isinstance(schema.get("additionalProperties"), dict):
            schema = schema["additionalProperties"]
        else:
            return None
    return resolved(schema)


DEFINITIONS = {}


def resolved(schema):
    return DEFINITIONS[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema


def closed(schema, path=""):
    """Mappings with fixed names refuse others."""
    schema = resolved(schema)
    if "properties" in schema:
        check(schema.get("additionalProperties") is False, f"the schema lets any name into `{path}`")
        for key, nested in schema["properties"].items():
            closed(nested, f"{path}.{key}".lstrip("."))


def others(told, value):
    """Values that the schema allows beside this one."""
    kinds = {"string": ["another", "https://other.example/x", "http://other.example", "7m", "postgres://other",
                        "sha256:" + "0" * 64, "::", "40%"],
             "boolean": [True, False], "integer": [3, 7, 9000], "number": [0.5],
             "array": [[], ["PS256"], [{"name": "another"}],
                       [{"maxSkew": 2, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}],
                       [{"key": "another"}]],
             "object": [{"another": "worker"}, {"cpu": "7"}, {"nodeAffinity": {}}]}
    candidates = [*told.get("enum", []), *sum(kinds.values(), [])]
    validator = jsonschema.Draft7Validator({**told, "definitions": DEFINITIONS})
    return [candidate for candidate in candidates if candidate != value and validator.is_valid(candidate)]


# Other values that must be set, for a value to matter.
NEEDS = {
    "database.app.url": {"database": {"app": {"existingSecret": "", "url": "postgres://first"}}},
    "database.owner.url": {"database": {"owner": {"existingSecret": "", "url": "postgres://first"}}},
    "database.auditor.url": {"database": {"auditor": {"existingSecret": "", "url": "postgres://first"}}},
    "access.tokens.keysUrl": {"access": {"tokens": {"keysFrom": {"secret": ""}, "keysUrl": "https://first.example"}}},
    "access.tokens.keysFrom.configMap": {"access": {"tokens": {"keysFrom": {"secret": "", "configMap": "first"}}}},
    "access.tokens.keysCa.existingSecret": {
        "access": {"tokens": {"keysFrom": {"secret": ""}, "keysUrl": "https://other.example"}}},
    "access.tokens.keysCa.key": {
        "access": {"tokens": {"keysFrom": {"secret": ""}, "keysUrl": "https://other.example",
                              "keysCa": {"existingSecret": "ca"}}}},
    "replicas": {"autoscaling": {"enabled": False}, "podDisruptionBudget": {"minAvailable": None}},
    "image.tag": {"image": {"digest": ""}},
    "podDisruptionBudget.maxUnavailable": {"podDisruptionBudget": {"minAvailable": None}},
    "metrics.enabled": {"metrics": {"serviceMonitor": {"enabled": False}, "rules": {"enabled": False},
                                    "dashboard": {"enabled": False}}},
    "serviceAccount.create": {"serviceAccount": {"name": ""}},
}


def every_value_matters():
    """Each value is known to the schema, and another one in its place changes what is rendered."""
    defaults = load(CHART / "values.yaml")
    schema = json.loads((CHART / "values.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    DEFINITIONS.update(schema["definitions"])
    closed(schema)
    jsonschema.validate(defaults, schema)
    named = {path for path, _ in leaves(schema_defaults(schema))}
    written = {path for path, _ in leaves(defaults)}
    def is_written(path):
        return any(path[:len(other)] == other[:len(path)] for other in written)
    unwritten = sorted(path for path in named - {("global",)} if not is_written(path))
    check(not unwritten, f"values.yaml says nothing of {unwritten}")
    whole = load(CHART / "ci" / "whole-values.yaml")
    for path, _ in leaves(defaults):
        name = ".".join(path)
        told = told_of(schema, path)
        check(told is not None, f"the schema does not know {name}")
        values = merged(whole, NEEDS.get(name, {}))
        value = merged(defaults, values)
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        before = documents(render(values))
        tried = []
        for other in others(told, value):
            nested = other
            for key in reversed(path):
                nested = {key: nested}
            try:
                tried.append(documents(render(merged(values, nested))) != before)
            except helm.HelmRenderError:
                # It does not go with the others: so it was looked at.
                tried.append(True)
            except helm.HelmError:
                continue
            if tried[-1]:
                break
        check(any(tried), f"{name} changes nothing ({len(tried)} other values tried)")


def schema_defaults(schema):
    """The names that a schema has, as a mapping."""
    schema = resolved(schema)
    return {key: schema_defaults(nested) for key, nested in schema.get("properties", {}).items()}


REFUSED = [
    ({"database": {"app": {"existingSecret": ""}}}, "replicas share one PostgreSQL"),
    ({"database": {"app": {"url": "postgres://x"}}}, "not both"),
    ({"database": {"owner": {"existingSecret": ""}}}, "database.owner"),
    ({"database": {"auditor": {"existingSecret": "makegood-serve"}}}, "each must have its own"),
    ({"access": {"tokens": {"keysUrl": "", "issuer": "", "audience": ""}}}, "nobody could call"),
    ({"access": {"tokens": {"audience": ""}}}, "go together"),
    ({"access": {"tokens": {"keysFrom": {"secret": "keys"}}}}, "in one place"),
    ({"access": {"tokens": {"keysUrl": "", "keysFrom": {"secret": "keys"}, "keysCa": {"existingSecret": "ca"}}}},
     "keysCa is about keysUrl"),
    ({"plaintext": False}, "connections need"),
    ({"tls": {"existingSecret": "tls"}}, "contradicts"),
    ({"access": {"clients": {"render": "worker"}}}, "go together"),
    ({"plaintext": False, "tls": {"existingSecret": "tls", "clientCa": {"existingSecret": "ca"}}}, "go together"),
    ({"tls": {"clientCa": {"existingSecret": "ca"}}}, "needs tls.existingSecret"),
    ({"ports": {"health": 50051}}, "must differ"),
    ({"metrics": {"enabled": False, "rules": {"enabled": True}}}, "need metrics.enabled"),
    ({"autoscaling": {"enabled": True, "minReplicas": 9, "maxReplicas": 2}}, "more than"),
    ({"podDisruptionBudget": {"minAvailable": 1, "maxUnavailable": 1}}, "not both"),
    ({"podDisruptionBudget": {"minAvailable": 2}}, "no node can be drained"),
    # By the schema.
    ({"replica": 3}, "replica"),
    ({"database": {"app": {"url": "mysql://x"}}}, "url"),
    ({"access": {"clients": {"render": "king"}}}, "clients"),
    ({"access": {"tokens": {"keysUrl": "http://login.shop.example"}}}, "keysUrl"),
    ({"access": {"tokens": {"algorithms": ["HS256"]}}}, "algorithms"),
    ({"securityContext": {"runAsUser": 0}}, "runAsUser"),
    ({"server": {"requestTimeout": "15"}}, "requestTimeout"),
    ({"server": {"requestTimeout": "61m"}}, "requestTimeout"),
    ({"log": {"format": "xml"}}, "format"),
    ({"traces": {"endpoint": "https://collector"}}, "endpoint"),
    ({"podDisruptionBudget": {"maxUnavailable": "all"}}, "maxUnavailable"),
    ({"topologySpreadConstraints": [{"maxSkew": 1}]}, "topologySpreadConstraints"),
]


def bad_values_are_refused():
    mesh = load(CHART / "ci" / "mesh-values.yaml")
    for values, why in REFUSED:
        try:
            render(merged(mesh, values))
            with helm.Chart.load(CHART) as chart:
                chart.validate_schema(merged(mesh, values))
        except helm.HelmError as error:
            check(why in str(error), f"{values} is refused for another reason: {error}")
        else:
            check(False, f"{values} is not refused")


def templates_read_no_other_values():
    defaults = load(CHART / "values.yaml")
    for path in CHART.glob("templates/**/*"):
        for found in re.findall(r"\.Values\.([a-zA-Z.]+)", path.read_text() if path.is_file() else ""):
            place = defaults
            for key in found.rstrip(".").split("."):
                check(isinstance(place, dict) and key in place, f"{path.name} reads .Values.{found}")
                place = place[key]


renders()
every_value_matters()
bad_values_are_refused()
templates_read_no_other_values()
print(f"chart: Helm {helm.helm_sdk_version()}, Kubernetes {' and '.join(KUBERNETES)}")
check.done()
