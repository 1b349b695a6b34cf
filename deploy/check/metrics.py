#!/usr/bin/env python3
"""Checks every PromQL expression of the deployment against the metrics that a node exposes.

    metrics.py SOURCE EXPRESSIONS

SOURCE is the list metrics.txt, a file with /metrics output, or the URL of a node's /metrics; the node must use Redis, otherwise it has no metrics
about it. A name or label that alerts, dashboard or autoscaler use and a node does not have is an error. The expressions are written to EXPRESSIONS
as a rule file, for promtool to parse. Prints one line for each error, and then exits 1.
"""
import json
import os
import re
import sys
import urllib.request
from pathlib import Path

import yaml

DEPLOY = Path(__file__).resolve().parent.parent
SUFFIXES = ("_bucket", "_sum", "_count")
# Labels that Prometheus adds to each series, and labels from functions and adapters.
ADDED_LABELS = {"job", "instance", "le", "alertstate", "alertname", "namespace", "pod"}
ADDED_METRICS = {"up", "ALERTS"}
SELECTOR = re.compile(r"([A-Za-z_:][A-Za-z0-9_:]*)\s*(?:\{([^}]*)\})?")
WORDS = set(
    "by without on ignoring group_left group_right offset and or unless bool sum max min count avg rate increase changes absent "
    "scalar vector time histogram_quantile predict_linear delta label_values quantile topk".split())


def read(source):
    """The labels of each of the node's metrics, by name; None if the source does not show the labels."""
    if source.startswith(("http://", "https://")):
        request = urllib.request.Request(source)
        if token := os.environ.get("WASMNET_ADMIN_TOKEN"):
            request.add_header("Authorization", "Bearer " + token)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                text = response.read().decode()
        except OSError as error:
            sys.exit(f"{source} cannot be read: {error}")
    else:
        try:
            text = Path(source).read_text()
        except OSError as error:
            sys.exit(f"{source} cannot be read: {error.strerror}")
    metrics = {}
    if "# TYPE " not in text:
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, kind, *labels = line.split()
                metrics[name] = set(labels[0].split(",")) if labels else set()
                if kind == "histogram":
                    metrics.update({name + suffix: metrics[name] for suffix in SUFFIXES})
        return metrics
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            metrics.setdefault(name, set())
            if kind == "histogram":
                metrics.update({name + suffix: set() for suffix in SUFFIXES})
        elif line and not line.startswith("#"):
            name = re.match(r"[A-Za-z0-9_:]+", line).group()
            labels = line[len(name):].split("}")[0] if line[len(name):].startswith("{") else ""
            metrics.setdefault(name, set()).update(re.findall(r'([A-Za-z_]\w*)="', labels))
    # A metric that has no series yet does not show its labels.
    return {name: labels or None if name.endswith("_total") else labels for name, labels in metrics.items()}


def expressions():
    """Each expression with its location."""
    rules = yaml.safe_load((DEPLOY / "prometheus/wasmnet.rules.yml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            yield "rule " + rule.get("alert", rule.get("record")), rule["expr"], rule.get("record")
    for path in sorted((DEPLOY / "grafana/dashboards").glob("*.json")):
        board = json.loads(path.read_text())
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                yield f"{path.name}, panel \"{panel['title']}\"", target["expr"], None
        for note in board["annotations"]["list"]:
            yield f"{path.name}, annotation {note['name']}", note["expr"], None
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                yield f"{path.name}, variable {variable['name']}", variable["query"]["query"], None
    for document in yaml.safe_load_all((DEPLOY / "kubernetes/base/hpa.yaml").read_text()):
        for metric in document["spec"]["metrics"]:
            if metric["type"] == "Pods":
                yield "hpa.yaml", metric["pods"]["metric"]["name"], None
    adapter = yaml.safe_load((DEPLOY / "kubernetes/example/prometheus-adapter-values.yaml").read_text())
    for rule in adapter["rules"]["custom"]:
        yield "prometheus-adapter-values.yaml", rule["seriesQuery"], None


def plain(expression):
    """The expression as Prometheus gets it: with Grafana's variables filled in."""
    expression = expression.replace("$__rate_interval", "1m").replace("$instance", ".*")
    match = re.fullmatch(r"label_values\((.*), \w+\)", expression)
    return match.group(1) if match else expression


def main():
    source, output = sys.argv[1:]
    metrics = read(source)
    recorded, wrong, rules, seen = set(), [], [], set()
    everything = list(expressions())
    recorded = {record for _, _, record in everything if record}
    for place, expression, _ in everything:
        expression = plain(expression)
        rules.append({"record": f"check:{len(rules)}", "expr": expression})
        text = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)", "", expression)
        grouped = {
            label.strip() for labels in re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", expression)
            for label in labels.split(",")}
        text = re.sub(r"\[[^\]]*\]|\b\d+(\.\d+)?(e\d+)?[smhd]?\b", " ", text)
        known = set(ADDED_LABELS)
        is_known = True
        for name, matchers in SELECTOR.findall(text):
            if name in WORDS:
                continue
            if name in ADDED_METRICS or name in recorded:
                labels = set()
                is_known = is_known and name in ADDED_METRICS
            elif name not in metrics:
                wrong.append(f"{place}: a node has no metric {name}")
                continue
            else:
                seen.add(name)
                labels = metrics[name]
            if labels is None:
                is_known = False
                continue
            known |= labels
            if name in recorded:
                continue
            for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers):
                if label not in labels | ADDED_LABELS:
                    wrong.append(f"{place}: {name} has no label {label}")
        for label in sorted(grouped - known) if is_known else []:
            if label:
                wrong.append(f"{place}: groups by {label}, which none of its metrics has")
    Path(output).write_text(yaml.safe_dump({"groups": [{"name": "check", "rules": rules}]}))
    for line in wrong:
        print(line)
    if not seen:
        print("no metric was found in any expression")
        wrong.append("")
    if not wrong:
        print(f"{len(everything)} expressions use {len(seen)} of a node's metrics")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
