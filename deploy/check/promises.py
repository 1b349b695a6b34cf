#!/usr/bin/env python3
"""Checks that deploy/ keeps what the documents promise about it.

Each check quotes the promise from a document; if the document no longer has those words, that is an error too. Checks that need a running
program are in Tests/Deploy/packages.py and Tests/Fleet/. Prints one line for each error, and then exits 1.
"""
import ipaddress
import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
PROMISES = []


def promise(document, words):
    """Registers a function that yields what is wrong, in words."""
    def add(function):
        PROMISES.append((document, words, function))
        return function
    return add


def text(path):
    return (ROOT / path).read_text()


def settings(path):
    """The lines of a file that are neither empty nor comments."""
    return "\n".join(line for line in text(path).splitlines() if line.strip() and not line.lstrip().startswith("#"))


def unit():
    pairs = [line.split("=", 1) for line in settings("deploy/systemd/wasmnet-node.service").splitlines() if "=" in line]
    return {key: value for key, value in pairs}


def environment():
    return dict(line.split("=", 1) for line in settings("deploy/systemd/wasmnet-node.env").splitlines())


def compose():
    return yaml.safe_load(text("deploy/compose/compose.yml"))["services"]


def pod():
    return yaml.safe_load(text("deploy/kubernetes/base/deployment.yaml"))["spec"]["template"]["spec"]


def container():
    return pod()["containers"][0]


def pod_environment():
    return {item["name"]: item["value"] for item in container()["env"]}


def nodes_environments():
    """A node's environment in each deployment, by the deployment's name."""
    return {"systemd": environment(), "compose": compose()["node-1"]["environment"], "Kubernetes": pod_environment()}


def haproxy():
    return settings("deploy/haproxy/haproxy.cfg")


def nginx():
    return settings("deploy/nginx/wasmnet.conf")


def ingress():
    return yaml.safe_load(text("deploy/kubernetes/example/ingress.yaml"))


def rules():
    groups = yaml.safe_load(text("deploy/prometheus/wasmnet.rules.yml"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def lacks(place, content, *wanted):
    return [f"{place} has no {words!r}" for words in wanted if words not in content]


def bytes_of(size):
    number, suffix = re.fullmatch(r"(\d+)\s*([KMGkmg]?)i?[Bb]?", str(size)).groups()
    return int(number) << {"": 0, "k": 10, "m": 20, "g": 30}[suffix.lower()]


# Ports and addresses

@promise("docs/operating.md", "pages --wss--> balancer (TLS, 443)")
def the_ports_are_those_of_the_picture():
    for name, node in nodes_environments().items():
        if node.get("WASMNET_ADMIN_PORT", "9100") != "9100" or node.get("WASMNET_PORT", "9000") != "9000":
            yield f"{name}: nodes are not on 9000 with the admin port 9100"
    yield from lacks("haproxy.cfg", haproxy(), ":443", "-node-1:9000", "_PORT_1-9100")
    yield from lacks("nginx", nginx(), "listen 443 ssl", "server node-1:9000")
    yield from lacks("prometheus/targets", text("deploy/prometheus/targets/nodes.yml"), "node-1:9100")
    if {port["containerPort"] for port in container()["ports"]} != {9000, 9100}:
        yield "deployment.yaml: ports are not 9000 and 9100"
    yield from lacks("Dockerfile", text("deploy/docker/Dockerfile"), "EXPOSE 9000 9100")


@promise("docs/operating.md", "elsewhere only with a token (`--admin-token-file`")
@promise("deploy/README.md", "Metrics and API need the admin token** wherever the port is more than loopback's")
def an_admin_port_for_others_has_a_token():
    for name, node in nodes_environments().items():
        if node.get("WASMNET_ADMIN_HOST", "127.0.0.1") != "127.0.0.1" and "WASMNET_ADMIN_TOKEN_FILE" not in node:
            yield f"{name}: the admin port is open to others without a token"
    yield from lacks("prometheus.yml", text("deploy/prometheus/prometheus.yml"), "credentials_file: admin-token")


# Balancers

@promise("docs/operating.md", "Behind HAProxy: `--proxy-protocol required` on the nodes, `send-proxy-v2` on the servers")
@promise("deploy/README.md", "TLS, PROXY v2 to the nodes, health by `/readyz`, a draining node gets no new sessions, tunnels of an hour, metrics on 8404")
def haproxy_and_its_nodes():
    yield from lacks("haproxy.cfg", haproxy(), "send-proxy-v2", "option httpchk", "uri /readyz", "http-check expect status 200",
                     "timeout tunnel 1h", "127.0.0.1:8404", "path /metrics", " ssl crt ")
    for name in ("systemd", "compose"):
        if nodes_environments()[name].get("WASMNET_PROXY_PROTOCOL") != "required":
            yield f"{name}: WASMNET_PROXY_PROTOCOL is not required"


@promise("deploy/README.md", "nothing shuts them but the node itself or the kernel's keepalive (a minute)")
def haproxy_leaves_tunnels_alone():
    if "on-marked-down" in haproxy():
        yield "haproxy.cfg ends tunnels of a node that is not ready"
    for side in ("clitcpka", "srvtcpka"):
        idle, interval, count = (int(re.search(rf"{side}-{key} (\d+)", haproxy()).group(1)) for key in ("idle", "intvl", "cnt"))
        if idle + interval * count != 60:
            yield f"haproxy.cfg: {side} takes {idle + interval * count} s"


@promise("deploy/README.md", "HTTP/1.1 only before the tunnels.")
def no_http_2():
    if "alpn http/1.1" not in haproxy() or "h2" in haproxy():
        yield "haproxy.cfg offers HTTP/2"
    if "http2" in nginx():
        yield "nginx offers HTTP/2"


@promise("docs/operating.md", "take TLS 1.2 and 1.3 and speak plain WebSocket to the nodes")
def tls_versions():
    yield from lacks("haproxy.cfg", haproxy(), "ssl-min-ver TLSv1.2")
    yield from lacks("nginx", nginx(), "ssl_protocols       TLSv1.2 TLSv1.3;", "proxy_pass http://")


@promise("docs/operating.md", "the balancer must *set* `X-Forwarded-For`")
@promise("deploy/README.md", "the same by X-Forwarded-For; nginx notices a draining node by its closed port")
def nginx_sets_the_client():
    yield from lacks("nginx", nginx(), "proxy_set_header X-Forwarded-For $remote_addr;", 'proxy_set_header Forwarded "";',
                     "proxy_next_upstream error", "max_fails=1")


@promise("docs/operating.md", "Any idle timeout on the way must be well above 30 s; the configurations here use an hour.")
def timeouts_of_an_hour():
    yield from lacks("nginx", nginx(), "proxy_read_timeout 1h;", "proxy_send_timeout 1h;")
    yield from lacks("haproxy.cfg", haproxy(), "timeout tunnel 1h")
    for key in ("proxy-read-timeout", "proxy-send-timeout"):
        if ingress()["metadata"]["annotations"][f"nginx.ingress.kubernetes.io/{key}"] != "3600":
            yield f"ingress.yaml: {key} is not an hour"


@promise("docs/operating.md", "the configurations here log paths without their query")
def no_query_in_logs():
    for line in re.findall(r"log-format (.*)", haproxy()):
        if re.search(r"%(?:\{[^}]*\})?(?:HU|HQ|r|HPO\?)\b", line):
            yield "haproxy.cfg logs the query"
    for line in re.findall(r"log_format .*", nginx()):
        if re.search(r"\$(request|request_uri|args|query_string|is_args)\b", line):
            yield "nginx logs the query"


@promise("docs/operating.md", "The balancers here pass the longest token that a node takes, 8 KiB, and a request head of 16 KiB.")
def heads_of_16_kib():
    size, rewriting = re.search(r"tune.bufsize (\d+)", haproxy()), 1024
    if not size or int(size.group(1)) - rewriting < 16 << 10:
        yield "haproxy.cfg: a head of 16 KiB does not fit into tune.bufsize"
    buffers = re.search(r"large_client_header_buffers (\d+) (\d+k);", nginx())
    if not buffers or bytes_of(buffers.group(2)) < 16 << 10:
        yield "nginx: a header field of 16 KiB does not fit into large_client_header_buffers"
    if "large-client-header-buffers" not in text("deploy/kubernetes/example/ingress.yaml"):
        yield "ingress.yaml does not say how long tokens may be"


@promise("docs/threat-model.md", "`WASMNET_LB_CONN_RATE` limits them by address")
def connection_rate():
    yield from lacks("haproxy.cfg", haproxy(), ".if defined(WASMNET_LB_CONN_RATE)", "tcp-request connection reject if")


@promise("docs/operating.md", "HAProxy needs two descriptors a session.")
def haproxy_descriptors():
    service = compose()["haproxy"]
    if service["ulimits"]["nofile"]["hard"] < 2 * int(service["environment"]["WASMNET_LB_MAXCONN"]):
        yield "compose.yml: HAProxy has fewer than two descriptors a session"


# The process

@promise("docs/operating.md", "| `LimitNOFILE` (systemd), `ulimits` (compose) | 262144 |")
def descriptors():
    wanted = 262_144
    if int(unit()["LimitNOFILE"]) != wanted:
        yield f"the unit's LimitNOFILE is not {wanted}"
    limits = compose()["node-1"]["ulimits"]["nofile"]
    if {limits["soft"], limits["hard"]} != {wanted}:
        yield f"compose.yml: the nodes' ulimits are not {wanted}"


@promise("docs/operating.md", "| `MemoryMax` (systemd), `mem_limit` (compose), `resources.limits.memory` (Kubernetes) | 3 GiB |")
@promise("docs/operating.md", "Above 2 GB, two thirds of what a node may use")
def memory():
    alert = float(re.search(r"> ([\d.e]+)", rules()["WasmnetMemoryHigh"]["expr"]).group(1))
    limits = {"the unit": unit().get("MemoryMax"), "compose.yml": compose()["node-1"].get("mem_limit"),
              "deployment.yaml": container()["resources"]["limits"].get("memory")}
    for name, limit in limits.items():
        if limit is None or bytes_of(limit) != 3 << 30 or not 0.6 < alert / bytes_of(limit) < 0.7:
            yield f"{name}: a node's memory is {limit}, of which {alert:g} bytes are not two thirds"
    for name, service in compose().items():
        if "mem_limit" not in service:
            yield f"compose.yml: {name} has no mem_limit"
    maximum = bytes_of(re.search(r"^maxmemory (\S+)", text("deploy/redis/redis.conf"), re.M).group(1).removesuffix("b"))
    if bytes_of(compose()["redis"]["mem_limit"]) < 2 * maximum:
        yield "compose.yml: Redis has less than twice its maxmemory"


@promise("deploy/README.md", "**No CPU limit on pods**")
def no_cpu_limit():
    if "cpu" in container()["resources"]["limits"]:
        yield "deployment.yaml limits the CPU"


@promise("docs/operating.md", "A node that *starts* while Redis is away ends with code 1, and the systemd unit starts it again until Redis is there.")
@promise("docs/operating.md", "a process that ended with code 2 has a wrong configuration and is not started again; one with code 1 found a port taken or no Redis, and is")
def the_unit_is_patient():
    if unit().get("StartLimitIntervalSec") != "0":
        yield "the unit gives up after some starts: StartLimitIntervalSec is not 0"
    if unit().get("Restart") != "on-failure" or unit().get("RestartPreventExitStatus") != "2":
        yield "the unit does not start again what ended with code 1, and only that"
    yield from lacks("wasmnet-node.env", text("deploy/systemd/wasmnet-node.env"), "#WASMNET_REDIS_OPTIONAL=true")
    for name, service in compose().items():
        if service.get("restart") != "unless-stopped":
            yield f"compose.yml: {name} is not started again"
    if pod().get("restartPolicy", "Always") != "Always":
        yield "deployment.yaml: pods are not started again"


@promise("docs/operating.md", "`SIGHUP` (`systemctl reload`) reads the policy again.")
def reload():
    if unit().get("ExecReload") != "/bin/kill -HUP $MAINPID":
        yield "the unit does not reload by SIGHUP"


@promise("deploy/README.md", "a hardened unit, its user, its environment file")
def the_user_of_the_unit():
    yield from lacks("sysusers.conf", settings("deploy/systemd/sysusers.conf"), f"u {unit()['User']} ")
    named = text("deploy/systemd/wasmnet-node.service")
    for path in (unit()["EnvironmentFile"], environment()["WASMNET_POLICY"], environment()["WASMNET_TOKEN_FILE"]):
        # The comment at the top of the unit says how each file is created.
        if Path(path).name not in named.split("[Unit]")[0]:
            yield f"the unit's head does not say how {path} comes to be there"


@promise("deploy/README.md", "the node alone in an image without a shell, as a user without rights")
def the_image():
    last = settings("deploy/docker/Dockerfile").split("\nFROM ")[-1]
    yield from lacks("Dockerfile", last, "distroless", "nonroot", "USER nonroot", "STOPSIGNAL SIGTERM")
    if re.search(r"^(RUN|ADD)\b", last, re.M) or re.search(r"^COPY (?!--from=build)", last, re.M):
        yield "Dockerfile: the image's last stage has more than what was built"
    for tag in re.findall(r"(?m)^(?:FROM |\s+image: )(\S+)", text("deploy/docker/Dockerfile") + text("deploy/compose/compose.yml")):
        if tag != "wasmnet-node" and not re.search(r":(?!latest)\S*\w", tag):
            yield f"the image {tag} has no version"


@promise("deploy/README.md", "**Kubernetes ends a pod by preStop, then SIGTERM.**")
def pre_stop():
    if container()["lifecycle"]["preStop"]["sleep"]["seconds"] < 5:
        yield "deployment.yaml: preStop is over before the pod has left the endpoints"


@promise("docs/operating.md", "a firewall or NetworkPolicy that lets the nodes reach the internet, the name servers and Redis, and nothing else inside.")
def the_second_wall():
    rules = yaml.safe_load(text("deploy/kubernetes/base/networkpolicy.yaml"))["spec"]
    if set(rules["policyTypes"]) != {"Ingress", "Egress"}:
        yield "networkpolicy.yaml does not hold both ways"
    ports = {port["port"] for rule in rules["egress"] for port in rule.get("ports", [])}
    blocks = [peer["ipBlock"] for rule in rules["egress"] for peer in rule["to"] if "ipBlock" in peer]
    open_to = [ipaddress.ip_network(block["cidr"]) for block in blocks]
    closed = [ipaddress.ip_network(cidr) for block in blocks for cidr in block.get("except", [])]
    if not {53, 6379} <= ports:
        yield "networkpolicy.yaml: the nodes do not reach name servers and Redis"
    for address in ("10.1.2.3", "100.64.0.1", "127.0.0.1", "168.63.129.16", "169.254.169.254", "172.16.0.1", "192.168.1.1", "0.0.0.1", "224.0.0.1",
                    "240.0.0.1", "198.18.0.1", "192.0.0.1", "::1", "fd00::1", "fe80::1", "ff02::1", "64:ff9b::a00:1", "2002:a00:1::1", "2001:0:a00:1::1"):
        host = ipaddress.ip_address(address)
        if any(host in network for network in open_to) and not any(host in network for network in closed):
            yield f"networkpolicy.yaml lets the nodes reach {address}"
    for address in ("8.8.8.8", "2606:4700::1111"):
        host = ipaddress.ip_address(address)
        if not any(host in network for network in open_to) or any(host in network for network in closed):
            yield f"networkpolicy.yaml keeps the nodes from {address}"


# The files

@promise("deploy/README.md", "three nodes, Redis, HAProxy, Prometheus, Grafana; run [prepare.sh](compose/prepare.sh) first")
def the_services():
    wanted = {"node-1", "node-2", "node-3", "redis", "haproxy", "prometheus", "grafana"}
    if set(compose()) != wanted:
        yield f"compose.yml has other services than {sorted(wanted)}"


@promise("deploy/README.md", "Deployment, Service, autoscaler on `wasmnet_sessions`, disruption budget, NetworkPolicy, policy as a ConfigMap")
@promise("deploy/README.md", "the base with namespace, Secrets, Ingress, and the adapter that the autoscaler needs")
def the_manifests():
    base = yaml.safe_load(text("deploy/kubernetes/base/kustomization.yaml"))
    kinds = {yaml.safe_load(text(f"deploy/kubernetes/base/{name}"))["kind"] for name in base["resources"]}
    if kinds != {"Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy"}:
        yield f"kubernetes/base has {sorted(kinds)}"
    if [item["files"] for item in base["configMapGenerator"]] != [["policy.toml"]]:
        yield "kubernetes/base: the policy is no ConfigMap"
    yield from lacks("hpa.yaml", text("deploy/kubernetes/base/hpa.yaml"), "name: wasmnet_sessions")
    example = yaml.safe_load(text("deploy/kubernetes/example/kustomization.yaml"))
    if not {"namespace.yaml", "../base", "ingress.yaml"} <= set(example["resources"]) or len(example["secretGenerator"]) != 3:
        yield "kubernetes/example lacks a part"
    yield from lacks("the adapter", text("deploy/kubernetes/example/prometheus-adapter-values.yaml"), "as: wasmnet_sessions")


@promise("deploy/README.md", "a policy behind a balancer: tokens, no mail, nothing private")
def the_policy():
    policy = settings("deploy/policy.toml")
    yield from lacks("policy.toml", policy, "require_token = true", 'identify_by = "token"', "trusted_proxies", '"*:25"', '"*:465"', '"*:587"')


@promise("deploy/README.md", "no eviction, append-only file, a user with no more rights than nodes use")
@promise("docs/operating.md", "the two settings that matter: `maxmemory-policy noeviction`")
def redis():
    yield from lacks("redis.conf", settings("deploy/redis/redis.conf"), "maxmemory-policy noeviction", "appendonly yes")
    yield from lacks("wasmnet.acl", text("deploy/redis/wasmnet.acl"), "user default off", "~wn:*", "&wn:*", "-@all", "-@dangerous")


@promise("deploy/README.md", "It installs nothing, listens on no port and needs the Debian packages")
def the_packages():
    of_readme = set(re.search(r"needs the Debian packages `([^`]*)`", text("deploy/README.md")).group(1).split())
    of_script = set(re.search(r"(?m)^# Debian packages: (.*)$", text("deploy/check.sh")).group(1).split())
    of_group = set(re.search(r"(?m)^\s+deploy\) echo (.*) ;;", text("scripts/install.sh")).group(1).split())
    if not of_readme == of_script == of_group:
        yield f"README, check.sh and install.sh differ in {sorted((of_readme ^ of_script) | (of_readme ^ of_group))}"


@promise("deploy/README.md", "(exposure at most 2.0)")
def the_threshold():
    yield from lacks("check.sh", text("deploy/check.sh"), "--threshold=20 ")


# Alerts

NUMBERS = {
    "WasmnetNodeRestarts": ("More than three starts in an hour", ["[1h]", "> 3"]),
    "WasmnetVersionsDiffer": ("Two versions for over an hour", ["for: 1h"]),
    "WasmnetDrainTooLong": ("draining for 15 minutes", ["for: 15m"]),
    "WasmnetEventLoopLag": ("Loops run 50 ms late", ["> 0.05"]),
    "WasmnetMemoryHigh": ("Above 2 GB", ["> 2e9"]),
    "WasmnetRedisSlow": ("The 99th percentile is above 25 ms", ["> 0.025", "p99"]),
    "WasmnetDenylistOld": ("not known for a minute", ["> 60"]),
    "WasmnetDialsFail": ("More than half of the dials", ["> 0.5"]),
    "WasmnetDenialsHigh": ("by several a second", ["> 5", "> 0.5 *"]),
    "WasmnetQuotaRefusalsHigh": ("Over a fifth of the opens", ["> 0.2 *"]),
    "WasmnetNotAdmitted": ("more than one a second", ["> 1"]),
}


@promise("docs/operating.md", "Critical ones should page somebody.")
def alerts():
    sections = dict(re.findall(r"(?ms)^### (Wasmnet\w+)\n(.*?)(?=^#|\Z)", text("docs/operating.md")))
    for name, rule in rules().items():
        section = " ".join(sections.get(name, "").split())
        if (rule["labels"]["severity"] == "critical") != section.startswith("Critical"):
            yield f"{name}: its section and its severity do not agree"
        if name in NUMBERS:
            words, parts = NUMBERS[name]
            if words not in section:
                yield f"{name}: its section does not say {words!r}"
            told = f"{rule['expr']} for: {rule.get('for')}"
            yield from lacks(name, told, *parts)
    panels = re.findall(r'"title": "([^"]*)"', text("deploy/grafana/dashboards/wasmnet.json"))
    for panel in re.findall(r'\(Grafana, "([^"]*)"\)', text("docs/operating.md")):
        if panel not in panels:
            yield f"the dashboard has no panel {panel!r}"


# Everywhere

def tracked():
    names = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], check=True, capture_output=True, text=True).stdout
    return [path for name in names.split("\0") if name and (path := ROOT / name).is_file()]


@promise("deploy/README.md", "what pip installs has its version")
def pip_is_pinned():
    for path in tracked():
        if path.suffix not in {".sh", ".py", ".yml", ".md", ""} or path == Path(__file__).resolve() or path.stat().st_size > 1 << 20:
            continue
        for line in path.read_text(errors="replace").splitlines():
            found = re.search(r"\bpip3?(?:\.\w+)? install\b(.*)", line)
            for word in found.group(1).split("#")[0].split() if found else ():
                if re.match(r"[A-Za-z][\w.\[\]-]*$", word.strip("\"'`")):
                    yield f"{path.relative_to(ROOT)}: pip installs {word} without a version"


@promise("docs/operating.md", "0 done; 1 failed, but may succeed when tried again (a port taken, Redis or an admin server that does not answer); 2 wrong "
         "however often it is tried (usage, configuration, rights that Redis does not give); 3 denied (`policy explain`)")
def exit_codes():
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/**/*")]:
        if not path.is_file() or path.suffix == ".py":
            continue
        sentences = re.split(r"(?<=[.;])\s", " ".join(re.sub(r"(?m)^\s*#", "", path.read_text(errors="replace")).split()))
        for before, sentence in zip(["", *sentences], sentences):
            code = re.search(r"(?:exit |with )code (\d)", sentence)
            about_redis = re.search(r"Redis (is away|out of reach)|no Redis", f"{before} {sentence}")
            if code and about_redis and code.group(1) != "1":
                yield f"{path.relative_to(ROOT)}: code {code.group(1)} where Redis is away: {sentence[:120]!r}"
            if code and re.search(r"wrong configuration", sentence) and "code 2" not in sentence:
                yield f"{path.relative_to(ROOT)}: code {code.group(1)} for a wrong configuration: {sentence[:120]!r}"


def main():
    wrong = 0
    for document, words, check in PROMISES:
        problems = list(check())
        if words not in " ".join(text(document).split()):
            problems.append(f"{document} does not say {words!r} any more: change promises.py with it")
        for problem in problems:
            print(problem)
        wrong += len(problems)
    if not wrong:
        print(f"{len(PROMISES)} promises are kept")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
