#!/bin/sh
# Makes what is missing of the secrets of docker-compose.yml; what is there stays. Needs nothing but a shell.
#
#   deploy/secrets.sh [FOLDER]       the folder is SECRETS_DIR of .env, or ./secrets
#
# Each file is readable by its owner alone, who is PUID:PGID of .env (1000:1000) when this runs as root.
set -eu
cd "$(dirname "$0")/.."

. deploy/secrets_folder.sh

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
# For docker-compose.token.yml alone.
keep grpc-token "$(random)"

give_to_containers
