#!/usr/bin/env bash
# Checks everything under deploy/ that can be checked without a container engine and a Kubernetes cluster. Installs nothing and listens
# on no port. Exits 1 with a line for each thing that is wrong.
#
#   deploy/check.sh [--metrics FILE-or-URL] [--node wasmnet-node]
#
# --metrics  what alerts, dashboard and autoscaler are checked against: /metrics of a running node with Redis (and WASMNET_ADMIN_TOKEN if it needs one) or its
#            text in a file; by default deploy/check/metrics.txt
# --node     a wasmnet-node, which then checks the policies as well
#
# Debian packages: git haproxy nginx-light systemd prometheus redis-server redis-tools openssl python3 python3-yaml python3-jsonschema shellcheck
# If kubectl is there, the manifests are also rendered by its kustomize.
set -uo pipefail
cd "$(dirname "$0")" || exit

metrics=check/metrics.txt node=
while [ $# -gt 0 ]; do
    case "$1" in
        --metrics) metrics=${2:?--metrics needs a file or a URL}; shift 2 ;;
        --node) node=${2:?--node needs a program}; shift 2 ;;
        *) echo "check.sh: --metrics and --node, not $1" >&2; exit 2 ;;
    esac
done
case "$metrics" in
    http://* | https://* | /* | check/*) ;;
    *) metrics=$OLDPWD/$metrics ;;
esac
case "$node" in
    */*) node=$(cd "$OLDPWD" && realpath "$node") ;;
esac

PATH=$PATH:/usr/sbin:/sbin
missing=()
for pair in git:git haproxy:haproxy nginx:nginx-light systemd-analyze:systemd systemd-sysusers:systemd promtool:prometheus redis-server:redis-server \
    redis-cli:redis-tools openssl:openssl python3:python3 shellcheck:shellcheck; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
# Debian's own Python: its modules are Debian packages.
python=/usr/bin/python3
"$python" -c 'import yaml' 2>/dev/null || missing+=(python3-yaml)
"$python" -W ignore -c 'import jsonschema' 2>/dev/null || missing+=(python3-jsonschema)
[ ${#missing[@]} -eq 0 ] || { echo "check.sh: missing Debian packages: ${missing[*]}" >&2; exit 1; }

work=$(mktemp -d)
redis=
finish() {
    [ -z "$redis" ] || kill "$redis" 2>/dev/null
    rm -rf "$work"
}
trap finish EXIT
failed=0
# check NAME COMMAND...: one line, and on failure the command's output.
check() {
    local name=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        echo "ok    $name"
    else
        echo "WRONG $name"
        sed 's/^/      /' "$work/said"
        failed=1
    fi
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -keyout "$work/key.pem" -out "$work/certificate.pem" 2>/dev/null
cat "$work/certificate.pem" "$work/key.pem" >"$work/both.pem"

haproxy_config() {
    # The file limit of this machine does not matter here.
    env WASMNET_LB_CERT="$work/both.pem" WASMNET_LB_SOCKET="$work/haproxy.sock" WASMNET_LB_MAXCONN=100 \
        WASMNET_NODE_1=127.0.0.1:9001 WASMNET_NODE_2=127.0.0.1:9002 WASMNET_NODE_3=127.0.0.1:9003 "$@" \
        haproxy -c -f haproxy/haproxy.cfg || return 1
    # A warning means a setting without the intended effect.
    ! grep -E "WARNING|ALERT" "$work/said"
}
check "haproxy.cfg" haproxy_config
check "haproxy.cfg, with a plain port and a connection rate" haproxy_config WASMNET_LB_PLAIN=127.0.0.1:8080 WASMNET_LB_CONN_RATE=100

nginx_config() {
    # The test opens the configured listeners: replace them with sockets in the work folder.
    sed -e "s|/etc/nginx/wasmnet.crt|$work/certificate.pem|; s|/etc/nginx/wasmnet.key|$work/key.pem|" \
        -e "s|listen 80;|listen unix:$work/plain.sock;|; s|listen 443 ssl;|listen unix:$work/tls.sock ssl;|; /listen \[::\]/d" \
        -e "s|/var/log/nginx|$work|; s|server node-\([0-9]\):9000|server 127.0.0.1:900\1|" nginx/wasmnet.conf >"$work/wasmnet.conf"
    cat >"$work/nginx.conf" <<END
pid $work/nginx.pid;
error_log stderr;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path $work; proxy_temp_path $work; fastcgi_temp_path $work; uwsgi_temp_path $work; scgi_temp_path $work;
    include $work/wasmnet.conf;
}
END
    nginx -t -c "$work/nginx.conf" || return 1
    ! grep -E "\[(warn|emerg|error)\]" "$work/said"
}
check "nginx/wasmnet.conf" nginx_config

unit() {
    mkdir -p "$work/unit"
    # The program need not be installed here.
    sed "s|^ExecStart=/usr/local/bin/wasmnet-node|ExecStart=/bin/true|" systemd/wasmnet-node.service >"$work/unit/wasmnet-node.service"
    systemd-analyze verify --man=no "$work/unit/wasmnet-node.service" || return 1
    [ ! -s "$work/said" ] || return 1
    # Out of 10; systemd calls 2.0 and below OK.
    systemd-analyze security --offline=true --threshold=20 "$work/unit/wasmnet-node.service"
}
check "systemd/wasmnet-node.service" unit
check "systemd/sysusers.conf" systemd-sysusers --dry-run "$PWD/systemd/sysusers.conf"

prometheus_config() {
    cp -r prometheus "$work/prometheus"
    echo token >"$work/prometheus/admin-token"
    promtool check config "$work/prometheus/prometheus.yml"
}
check "prometheus.yml" prometheus_config
check "wasmnet.rules.yml" promtool check rules prometheus/wasmnet.rules.yml
check "wasmnet.rules.yml, by its tests" promtool test rules prometheus/wasmnet.rules.test.yml

expressions() {
    "$python" check/metrics.py "$metrics" "$work/expressions.yml" || return 1
    promtool check rules --lint=none "$work/expressions.yml"
}
check "metrics that alerts, dashboard and autoscaler use are in $metrics" expressions

rendered=()
if command -v kubectl >/dev/null; then
    kustomize() { kubectl kustomize "kubernetes/$1" >"$work/$1.yaml"; }
    check "kubernetes/base, rendered" kustomize base
    check "kubernetes/example, rendered" kustomize example
    rendered=("$work/example.yaml")
else
    echo "--    kubernetes is not rendered: no kubectl here"
fi
check "YAML, schemas and references between files" "$python" -W ignore check/tree.py ${rendered[@]+"${rendered[@]}"}

check "guides: links, tests that are named" "$python" check/docs.py
check "promises of the documents about deploy/" "$python" check/promises.py

redis_config() {
    redis-server redis/redis.conf --port 0 --unixsocket "$work/redis.sock" --dir "$work" --aclfile "$PWD/redis/wasmnet.acl" \
        --logfile "$work/redis.log" --maxclients 100 --daemonize no &
    redis=$!
    # Ten seconds at most.
    for _ in $(seq 100); do [ -S "$work/redis.sock" ] && break; sleep 0.1; done
    ask() { redis-cli -s "$work/redis.sock" --no-auth-warning --user wasmnet --pass change-me "$@" 2>&1; }
    expect() {
        local expected=$1 answer
        shift
        answer=$(ask "$@")
        case "$answer" in
            *"$expected"*) ;;
            *) echo "$*: \"$answer\", not \"$expected\""; cat "$work/redis.log"; return 1 ;;
        esac
    }
    local result=0
    expect OK set wn:a 1 || result=1
    expect NOPERM set other 1 || result=1
    expect NOPERM flushall || result=1
    expect NOPERM config get maxmemory || result=1
    expect maxmemory_policy:noeviction info memory || result=1
    expect redis_version info server || result=1
    expect master role || result=1
    # Allowed, and answered as by a Redis without such a script and without a cluster.
    expect NOSCRIPT evalsha 0000000000000000000000000000000000000000 0 || result=1
    expect "cluster support disabled" cluster slots || result=1
    for words in "acl list" "keys x" "script flush" "shutdown" "replicaof no one" "subscribe other" "swapdb 0 1"; do
        # shellcheck disable=SC2086 # a command and its words
        expect NOPERM $words || result=1
    done
    expect aof_enabled:1 info persistence || result=1
    expect 1 eval "return redis.call('exists', KEYS[1])" 1 wn:a || result=1
    expect 0 publish wn:channel x || result=1
    expect NOPERM publish other x || result=1
    [[ $(redis-cli -s "$work/redis.sock" ping 2>&1) == NOAUTH* ]] || { echo "the default user comes in"; result=1; }
    kill "$redis"
    wait "$redis" 2>/dev/null
    redis=
    return "$result"
}
check "redis.conf and wasmnet.acl, in a Redis" redis_config

shell() { shellcheck -S warning -e SC2317 check.sh compose/prepare.sh ../scripts/*.sh ../client/guests/*.sh ../client/guests/*/*.sh; }
check "shell scripts" shell

if [ -n "$node" ]; then
    for policy in policy.toml compose/policy.toml kubernetes/base/policy.toml; do
        check "$policy" "$node" policy check "$policy"
    done
else
    echo "--    policies are not checked: no --node"
fi

[ "$failed" -eq 0 ] && echo "deploy: all as it should be"
exit "$failed"
