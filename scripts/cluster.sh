#!/usr/bin/env bash
# A whole cluster on this machine, without containers: Redis, three nodes, HAProxy and Prometheus, each with its configuration from deploy/, on
# loopback only. Runs until Ctrl-C, or until a part ends by itself, which it reports; then it ends everything that it started.
#
#   scripts/cluster.sh
#
#   WASMNET_NODE            the node's program; without it one is built
#   WASMNET_POLICY          a policy file instead of deploy/compose/policy.toml; it must trust 127.0.0.1 as a proxy
#   WASMNET_CLUSTER_OFFSET  added to every port; for a second cluster beside the first. Default 0
#   WASMNET_CLUSTER_WORK    where logs and data go, and stay; without it a folder that goes at the end
#
# Debian packages: redis-server redis-tools haproxy prometheus curl openssl
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin
# A shell cannot trap a signal that it inherited as ignored, as from a script that started it in the background: Ctrl-C would do nothing.
[ -n "${WASMNET_CLUSTER_SIGNALS:-}" ] ||
    exec env --default-signal=INT,QUIT,TERM,PIPE,CHLD WASMNET_CLUSTER_SIGNALS=default "scripts/${0##*/}" "$@"
unset WASMNET_CLUSTER_SIGNALS

say() { echo "cluster: $*"; }
fail() { echo "cluster: $*" >&2; exit 1; }

for program in redis-server redis-cli haproxy prometheus curl openssl setsid setpriv; do
    command -v "$program" >/dev/null || fail "$program is missing (Debian: redis-server redis-tools haproxy prometheus curl openssl util-linux)"
done

offset=${WASMNET_CLUSTER_OFFSET:-0}
port() { echo $(($1 + offset)); }
clients=$(port 8080) tls=$(port 8443) redirect=$(port 8081) stats=$(port 8404) redis=$(port 6390) prometheus=$(port 9190)
for wanted in "$clients" "$tls" "$redirect" "$stats" "$redis" "$prometheus" $(port 9001) $(port 9002) $(port 9003) \
    $(port 9101) $(port 9102) $(port 9103); do
    ! (exec 3<>"/dev/tcp/127.0.0.1/$wanted") 2>/dev/null ||
        fail "port $wanted is taken; WASMNET_CLUSTER_OFFSET=1000 moves all of them"
done

node=${WASMNET_NODE:-}
if [ -z "$node" ]; then
    node=$(scripts/release.sh)/wasmnet-node
fi
[ -x "$node" ] || fail "there is no program $node"

if [ -n "${WASMNET_CLUSTER_WORK:-}" ]; then
    mkdir -p "$WASMNET_CLUSTER_WORK"
    work=$(realpath "$WASMNET_CLUSTER_WORK")
else
    work=$(mktemp -d "${TMPDIR:-/tmp}/wasmnet-cluster.XXXXXX")
fi

declare -A name_of=()   # by process id
order=()                # of starting
started=

# start NAME COMMAND...: in its own session, so that the terminal's Ctrl-C reaches only this script; it ends with this script.
start() {
    local name=$1
    shift
    setsid env --default-signal setpriv --pdeathsig TERM "$@" >"$work/$name.log" 2>&1 </dev/null &
    name_of[$!]=$name
    order+=("$!")
}

# end PROCESS...: asks all of them, waits up to 15 s, then kills.
end() {
    local pid deadline=$((SECONDS + 15))
    kill -TERM "$@" 2>/dev/null || true
    for pid in "$@"; do
        while kill -0 "$pid" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.1; done
        if kill -KILL "$pid" 2>/dev/null; then say "${name_of[$pid]} had to be killed"; fi
        wait "$pid" 2>/dev/null || true
    done
}

# Redis, which was first, is last: nodes release their slots in it.
stop_all() {
    local status=$?
    trap '' INT TERM
    trap - EXIT
    [ -z "$started" ] || say "ending"
    [ ${#order[@]} -lt 2 ] || end "${order[@]:1}"
    [ ${#order[@]} -eq 0 ] || end "${order[0]}"
    [ -n "${WASMNET_CLUSTER_WORK:-}" ] || rm -rf "$work"
    exit "$status"
}
trap stop_all EXIT
trap 'exit 0' INT TERM

# until_true NAME COMMAND...: waits up to 60 s for NAME's answer, or reports how it ended.
until_true() {
    local name=$1 pid=${order[-1]} deadline=$((SECONDS + 60))
    shift
    until "$@" >/dev/null 2>&1; do
        kill -0 "$pid" 2>/dev/null || told_end "$name"
        [ "$SECONDS" -lt "$deadline" ] || { tail -n 20 "$work/$name.log" >&2; fail "$name does not answer"; }
        sleep 0.1
    done
}

told_end() {
    tail -n 20 "$work/$1.log" >&2
    fail "$1 ended by itself; above is the end of its log"
}

ask() { curl -fsS --max-time 2 -o /dev/null "$@"; }

# Secrets and configurations: the templates of deploy/, with this machine's paths.
umask 077
password=$(head -c 18 /dev/urandom | base64 | tr '+/' '-_')
sed "s|>change-me|>$password|" deploy/redis/wasmnet.acl >"$work/wasmnet.acl"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
    -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" -keyout "$work/key.pem" -out "$work/certificate.pem" 2>/dev/null
cat "$work/certificate.pem" "$work/key.pem" >"$work/both.pem"
policy=${WASMNET_POLICY:-}
if [ -z "$policy" ]; then
    policy=$work/policy.toml
    # Here every page and program of this machine is allowed, and HAProxy is on loopback.
    sed 's|^trusted_proxies = .*|trusted_proxies = ["127.0.0.1"]|; s|^allowed_origins = .*|allowed_origins = []|' \
        deploy/compose/policy.toml >"$policy"
fi
cp -r deploy/prometheus "$work/prometheus"
head -c 18 /dev/urandom | base64 >"$work/prometheus/admin-token"
{
    echo "- targets:"
    for number in 1 2 3; do echo "    - 127.0.0.1:$(port 910$number)"; done
} >"$work/prometheus/targets/nodes.yml"
printf -- '- targets:\n    - 127.0.0.1:%s\n' "$stats" >"$work/prometheus/targets/haproxy.yml"
sed -i "s|localhost:9090|127.0.0.1:$prometheus|" "$work/prometheus/prometheus.yml"

started=yes
mkdir "$work/redis"
start redis redis-server deploy/redis/redis.conf --bind 127.0.0.1 --port "$redis" --dir "$work/redis" --aclfile "$work/wasmnet.acl" \
    --daemonize no
redis_answers() { [[ $(redis-cli -p "$redis" ping 2>&1) == NOAUTH* ]]; }
until_true redis redis_answers

export WASMNET_REDIS="redis://wasmnet:$password@127.0.0.1:$redis"
# The client and its pages, where this node has them.
client=()
if [[ $("$node" serve --help) == *--serve-client* ]]; then
    client=(--serve-client)
    # As in a release, if its tools and the playground's programs are here; else directly from the sources.
    scripts/stage-client.sh "$work/client" 2>/dev/null && client+=(--client-dir "$work/client")
fi
for number in 1 2 3; do
    start "node-$number" "$node" serve --host 127.0.0.1 --port "$(port 900$number)" --policy "$policy" --proxy-protocol required \
        --admin-host 127.0.0.1 --admin-port "$(port 910$number)" --drain-timeout 5 ${client[@]+"${client[@]}"}
    until_true "node-$number" ask "http://127.0.0.1:$(port 910$number)/readyz"
    export "WASMNET_NODE_$number=127.0.0.1:$(port 900$number)" "WASMNET_ADMIN_PORT_$number=$(port 910$number)"
done

# HAProxy uses two descriptors for a session.
most=$((($(ulimit -Hn | sed 's/unlimited/1000000/') - 200) / 2))
export WASMNET_LB_MAXCONN=$((most < 20000 ? most : 20000)) WASMNET_LB_CERT=$work/both.pem WASMNET_LB_SOCKET=$work/haproxy.sock
export WASMNET_LB_PLAIN=127.0.0.1:$clients WASMNET_LB_HTTPS=127.0.0.1:$tls WASMNET_LB_HTTP=127.0.0.1:$redirect
export WASMNET_LB_STATS=127.0.0.1:$stats
start haproxy haproxy -db -f deploy/haproxy/haproxy.cfg
until_true haproxy ask "http://127.0.0.1:$stats/metrics"

start prometheus prometheus --config.file "$work/prometheus/prometheus.yml" --storage.tsdb.path "$work/prometheus/data" \
    --storage.tsdb.retention.time 1d --web.listen-address "127.0.0.1:$prometheus"
until_true prometheus ask "http://127.0.0.1:$prometheus/-/ready"

say "up"
echo "  sessions      ws://127.0.0.1:$clients/    wss://localhost:$tls/"
[ ${#client[@]} -eq 0 ] || echo "  client        http://127.0.0.1:$clients/playground/    http://127.0.0.1:$clients/client/"
for number in 1 2 3; do
    echo "  node-$number        http://127.0.0.1:$(port 910$number)/ (dashboard)    http://127.0.0.1:$(port 910$number)/metrics"
done
echo "  HAProxy       http://127.0.0.1:$stats/"
echo "  Prometheus    http://127.0.0.1:$prometheus/alerts"
echo "  logs          $work/*.log"
echo "export WASMNET_REDIS=$WASMNET_REDIS" >"$work/environment"
echo "  Redis         source $work/environment    then: wasmnet-node cluster"
for pid in "${order[@]}"; do echo "  process       $pid ${name_of[$pid]}"; done
say "Ctrl-C ends it all"

# Polled, not waited for: `wait -n` does not report a part that ended before it was called.
while sleep 0.2; do
    for pid in "${order[@]}"; do
        kill -0 "$pid" 2>/dev/null && continue
        status=0
        wait "$pid" 2>/dev/null || status=$?
        say "${name_of[$pid]} ended by itself with status $status" >&2
        told_end "${name_of[$pid]}"
    done
done
