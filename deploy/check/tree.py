#!/usr/bin/env python3
"""Checks what no program here can load as a whole: YAML and JSON against schemas, references between files, and times that depend on each other.

    tree.py [RENDERED]

RENDERED is the output of `kubectl kustomize` for kubernetes/example, if kubectl is installed. Prints one line for each error, and then exits 1.
"""
import json
import re
import sys
from pathlib import Path

import jsonschema
import yaml

DEPLOY = Path(__file__).resolve().parent.parent
wrong = []


def complain(place, words):
    wrong.append(f"{place}: {words}")


def load(path):
    """All documents of a YAML file. A duplicate key is an error; YAML parsers accept it."""
    class Loader(yaml.SafeLoader):
        pass

    def mapping(loader, node):
        keys = [loader.construct_object(key) for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for key in {key for key in keys if keys.count(key) > 1}:
            complain(path.relative_to(DEPLOY), f"the key {key} is there twice")
        loader.flatten_mapping(node)
        return loader.construct_mapping(node, deep=True)

    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    try:
        return [document for document in yaml.load_all(path.read_text(), Loader) if document is not None]
    except yaml.YAMLError as error:
        complain(path.relative_to(DEPLOY), f"is no YAML: {error}")
        return []


def schema_of(name):
    """A schema in which an object allows only the properties that it lists."""
    def close(value):
        if isinstance(value, list):
            return [close(item) for item in value]
        if not isinstance(value, dict):
            return value
        value = {key: close(item) for key, item in value.items()}
        if "properties" in value:
            value = {"type": "object", "additionalProperties": False, **value}
        return value

    return close(yaml.safe_load((DEPLOY / "check/schemas" / name).read_text()))


def hold(document, schema, place):
    for error in jsonschema.Draft7Validator(schema).iter_errors(document):
        complain(place, f"{'/'.join(map(str, error.absolute_path)) or '(top)'}: {error.message[:200]}")


def seconds(text):
    return int(re.match(r"\d+", str(text)).group())


def check_compose():
    path = DEPLOY / "compose/compose.yml"
    [compose] = load(path)
    hold(compose, schema_of("compose.yml"), "compose.yml")
    made = set(re.findall(r">(secrets/[\w.-]+)", (path.parent / "prepare.sh").read_text()))
    subnet = compose["networks"]["wasmnet"]["ipam"]["config"][0]["subnet"]
    if f'trusted_proxies = ["{subnet}"]' not in (path.parent / "policy.toml").read_text():
        complain("compose/policy.toml", f"does not trust the network of compose.yml, {subnet}")
    for name, service in compose["services"].items():
        place = f"compose.yml, {name}"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                if "secrets/" in source:
                    if source.removeprefix("./") not in made:
                        complain(place, f"prepare.sh does not make {source}")
                elif not (path.parent / source).exists():
                    complain(place, f"there is no {source}")
            elif source not in compose["volumes"]:
                complain(place, f"there is no volume {source}")
        for other in service.get("depends_on", []):
            if other not in compose["services"]:
                complain(place, f"depends on {other}, which is not there")
        for secret in service.get("secrets", []):
            if secret not in compose["secrets"]:
                complain(place, f"there is no secret {secret}")
        drain = service.get("environment", {}).get("WASMNET_DRAIN_TIMEOUT")
        if drain and seconds(service.get("stop_grace_period", 10)) <= seconds(drain):
            complain(place, "stop_grace_period is not above WASMNET_DRAIN_TIMEOUT")


def kubernetes_documents(rendered):
    for path in sorted((DEPLOY / "kubernetes").glob("*/*.yaml")):
        if path.name.endswith("-values.yaml"):
            load(path)
            continue
        for document in load(path):
            yield f"kubernetes/{path.parent.name}/{path.name}", document
    if rendered:
        for document in yaml.safe_load_all(Path(rendered).read_text()):
            document["metadata"].pop("namespace", None)
            if document["kind"] not in ("ConfigMap", "Secret"):
                yield f"kubernetes, rendered {document['kind']}", document


def check_kubernetes(rendered):
    schema = schema_of("kubernetes.yml")
    found = {}
    for place, document in kubernetes_documents(rendered):
        kind = document.get("kind")
        if kind not in schema["definitions"]:
            complain(place, f"the kind {kind} has no schema")
            continue
        hold(document, {**schema["definitions"][kind], "definitions": schema["definitions"]}, place)
        if kind != "Kustomization":
            found.setdefault(kind, document)
    generated = set()
    for folder in ("base", "example"):
        [kustomization] = load(DEPLOY / f"kubernetes/{folder}/kustomization.yaml")
        for resource in kustomization["resources"]:
            if not (DEPLOY / "kubernetes" / folder / resource).exists():
                complain(f"kubernetes/{folder}", f"there is no {resource}")
        for item in kustomization.get("configMapGenerator", []) + kustomization.get("secretGenerator", []):
            generated.add(item["name"])
            for file in item.get("files", []) + item.get("envs", []):
                if not (DEPLOY / "kubernetes" / folder / file).exists():
                    complain(f"kubernetes/{folder}", f"there is no {file}")
    pod = found["Deployment"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    ports = {port["name"] for port in container["ports"]}
    environment = {item["name"]: item["value"] for item in container["env"]}
    used = {source["secretRef"]["name"] for source in container["envFrom"]}
    for volume in pod["volumes"]:
        used.add(volume.get("configMap", {}).get("name") or volume.get("secret", {}).get("secretName"))
    for name in used - generated:
        complain("deployment.yaml", f"nothing makes {name}")
    if {m["name"] for m in container["volumeMounts"]} != {v["name"] for v in pod["volumes"]}:
        complain("deployment.yaml", "volumes and volumeMounts differ")
    grace = pod["terminationGracePeriodSeconds"]
    if grace <= container["lifecycle"]["preStop"]["sleep"]["seconds"] + int(environment["WASMNET_DRAIN_TIMEOUT"]):
        complain("deployment.yaml", "terminationGracePeriodSeconds is not above preStop and WASMNET_DRAIN_TIMEOUT together")
    named = [p["targetPort"] for p in found["Service"]["spec"]["ports"]]
    named += [container[probe]["httpGet"]["port"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")]
    named += [p["port"] for rule in found["NetworkPolicy"]["spec"]["ingress"] for p in rule["ports"]]
    for port in named:
        if port not in ports:
            complain("kubernetes", f"the pod has no port {port}")
    if found["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] != found["Deployment"]["metadata"]["name"]:
        complain("hpa.yaml", "does not name the Deployment")


def check_systemd():
    unit = (DEPLOY / "systemd/wasmnet-node.service").read_text()
    drain = re.search(r"^WASMNET_DRAIN_TIMEOUT=(\d+)", (DEPLOY / "systemd/wasmnet-node.env").read_text(), re.M)
    stop = re.search(r"^TimeoutStopSec=(\d+)", unit, re.M)
    if int(stop.group(1)) <= int(drain.group(1)):
        complain("systemd/wasmnet-node.service", "TimeoutStopSec is not above WASMNET_DRAIN_TIMEOUT")


def check_alerts():
    [rules] = load(DEPLOY / "prometheus/wasmnet.rules.yml")
    [tests] = load(DEPLOY / "prometheus/wasmnet.rules.test.yml")
    guide = (DEPLOY.parent / "docs/operating.md").read_text()
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule}
    fired, silent = set(), set()
    for test in tests["tests"]:
        for check in test["alert_rule_test"]:
            (fired if check.get("exp_alerts") else silent).add(check["alertname"])
    for name in sorted(alerts):
        if name not in fired or name not in silent:
            complain("wasmnet.rules.test.yml", f"no test in which {name} fires, and one in which it does not")
        if f"### {name}\n" not in guide:
            complain("docs/operating.md", f"no section \"{name}\"")
    for name in sorted(set(re.findall(r"^### (Wasmnet\w+)$", guide, re.M)) - alerts):
        complain("docs/operating.md", f"there is no alert {name}")


def check_grafana():
    for name in ("datasource.yml", "provider.yml"):
        load(DEPLOY / "grafana" / name)
    for path in (DEPLOY / "grafana/dashboards").glob("*.json"):
        board = json.loads(path.read_text())
        ids, places = [], set()
        for panel in board["panels"]:
            ids.append(panel["id"])
            grid = panel["gridPos"]
            cells = {(x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])}
            if cells & places or grid["x"] + grid["w"] > 24:
                complain(path.name, f"panel \"{panel['title']}\" lies over another")
            places |= cells
            if panel["type"] != "row" and not panel.get("targets"):
                complain(path.name, f"panel \"{panel['title']}\" shows nothing")
            if panel["type"] != "row" and panel["datasource"]["uid"] != "${datasource}":
                complain(path.name, f"panel \"{panel['title']}\" has a data source of its own")
        if len(set(ids)) != len(ids):
            complain(path.name, "two panels have one id")


def main():
    for path in sorted((DEPLOY / "prometheus").glob("**/*.yml")):
        load(path)
    check_compose()
    check_kubernetes(sys.argv[1] if len(sys.argv) > 1 else None)
    check_systemd()
    check_alerts()
    check_grafana()
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
