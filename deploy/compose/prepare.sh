#!/usr/bin/env bash
# Makes what the compose file needs and must not be in the tree: passwords and a certificate for localhost, under secrets/.
# What is there stays. Needs openssl.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p secrets
chmod 700 secrets
secret() { head -c 24 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n'; }

[ -e secrets/admin-token ] || secret >secrets/admin-token
if [ ! -e secrets/redis.env ]; then
    password=$(secret)
    echo "WASMNET_REDIS=redis://wasmnet:$password@redis:6379" >secrets/redis.env
    sed "s|>change-me|>$password|" ../redis/wasmnet.acl >secrets/wasmnet.acl
fi
if [ ! -e secrets/wasmnet.pem ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=localhost \
        -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" -keyout secrets/key.pem -out secrets/certificate.pem 2>/dev/null
    cat secrets/certificate.pem secrets/key.pem >secrets/wasmnet.pem
    rm secrets/key.pem secrets/certificate.pem
fi
# Containers read these as their own users, through mounts; on this machine the folder keeps others out. compose itself reads redis.env.
chmod 644 secrets/admin-token secrets/wasmnet.acl secrets/wasmnet.pem
chmod 600 secrets/redis.env
echo "secrets are in $PWD/secrets"
