#!/bin/sh
# Makes what is missing of the secrets of docker-compose.yml; what is there stays. Needs nothing but a shell.
#
#   deploy/secrets.sh [FOLDER]       the folder is SECRETS_DIR of .env, or ./secrets
#
# Each file is readable by its owner alone, who is PUID:PGID of .env (1000:1000) when this runs as root.
set -eu
cd "$(dirname "$0")/.."

# The value of one line NAME=value of .env; compose reads the file with more grammar than is needed here.
setting() {
    [ -f .env ] || return 0
    sed -n "s/^$1=//p" .env | tail -n 1 | sed -e 's/^"\(.*\)"$/\1/' -e "s/^'\(.*\)'\$/\1/" -e 's/[[:space:]]*$//'
}

folder=${1:-${SECRETS_DIR:-$(setting SECRETS_DIR)}}
folder=${folder:-secrets}
uid=${PUID:-$(setting PUID)}
gid=${PGID:-$(setting PGID)}
umask 077
mkdir -p "$folder"

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

# keep NAME TEXT: whole or not at all, and never over one that is there.
keep() {
    [ -e "$folder/$1" ] && return 0
    printf '%s\n' "$2" >"$folder/.$1.new"
    mv "$folder/.$1.new" "$folder/$1"
    echo "made $folder/$1"
}

keep admin-key "fw_$(random)"
keep nats-url "nats://$(random)@nats:4222"
token=$(sed -n 's|^nats://\(.*\)@.*$|\1|p' "$folder/nats-url")
keep nats-auth.conf "authorization { token: \"$token\" }"
keep qdrant-api-key "$(random)"
keep qdrant.yaml "service: {api_key: \"$(cat "$folder/qdrant-api-key")\"}"
keep s3-access-key "framewell"
keep s3-secret-key "$(random)"
# For docker-compose.observability.yml alone. The first is better replaced by a key that may only read.
keep metrics-key "$(cat "$folder/admin-key")"
keep grafana-password "$(random)"

# A container that runs as somebody else could not read them.
if [ "$(id -u)" = 0 ]; then
    chown -R "${uid:-1000}:${gid:-1000}" "$folder"
elif [ "$(id -u)" != "${uid:-1000}" ]; then
    echo "PUID is ${uid:-1000}, but these files belong to $(id -u): set PUID=$(id -u) and PGID=$(id -g) in .env" >&2
    exit 1
fi
