#!/bin/sh
# Makes what is missing of the certificates of docker-compose.mtls.yml; what is there stays. Needs openssl.
#
#   deploy/certificates.sh [FOLDER]                  the folder is SECRETS_DIR of .env, or ./secrets
#   deploy/certificates.sh --client NAME [FOLDER]    one more, for a program of yours on another machine
#
# ca.crt is the authority that all are from; who has ca.key can make more of them, and no container has it. A service
# is called by its name, by localhost, and by the names in TRUSTED_HOSTS of .env. To renew a certificate, or to give it
# another name, delete its .crt and run this again: its key stays. Each file is readable by its owner alone, as with
# secrets.sh.
set -euf
cd "$(dirname "$0")/.."
client=
if [ "${1:-}" = --client ]; then
    client=${2:-}
    case $client in
        "" | *[!a-zA-Z0-9._-]* | .* | -*) echo "a name is needed, of letters, digits, dots and dashes" >&2 && exit 2 ;;
    esac
    shift 2
fi
. deploy/secrets_folder.sh
fail() {
    echo "$1" >&2
    exit 1
}
command -v openssl >/dev/null || fail "openssl is missing: install it, or make the certificates elsewhere"

days=3650
soon_s=5184000
work=$(mktemp -d "$folder/.certificates.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# key NAME: made where there is none.
key() {
    [ -e "$folder/$1.key" ] && return 0
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/key"
    mv "$work/key" "$folder/$1.key"
    echo "made $folder/$1.key"
}

# settings NAME EXTENSION...: what openssl is told; nothing is read from the machine's own openssl.cnf.
settings() {
    printf '[req]\ndistinguished_name = subject\nprompt = no\n[subject]\nO = Framewell\nCN = %s\n[extensions]\n' "$1"
    shift
    printf '%s\n' "subjectKeyIdentifier = hash" "$@"
}

authority() {
    [ -e "$folder/ca.crt" ] && return 0
    key ca
    settings "Framewell authority" "basicConstraints = critical, CA:TRUE, pathlen:0" \
        "keyUsage = critical, keyCertSign, cRLSign" >"$work/settings"
    openssl req -x509 -new -sha256 -key "$folder/ca.key" -config "$work/settings" -extensions extensions \
        -days "$days" -out "$work/crt"
    mv "$work/crt" "$folder/ca.crt"
    echo "made $folder/ca.crt"
}

# certificate NAME USES NAMES
certificate() {
    [ -e "$folder/$1.crt" ] && return 0
    [ -e "$folder/ca.key" ] || fail "$folder/ca.key is missing, which $folder/$1.crt would be made with"
    key "$1"
    settings "$1" "authorityKeyIdentifier = keyid" "basicConstraints = critical, CA:FALSE" \
        "keyUsage = critical, digitalSignature" "extendedKeyUsage = $2" "subjectAltName = $3" >"$work/settings"
    openssl req -new -sha256 -key "$folder/$1.key" -config "$work/settings" -out "$work/request"
    openssl x509 -req -sha256 -in "$work/request" -CA "$folder/ca.crt" -CAkey "$folder/ca.key" \
        -set_serial "0x$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" -days "$days" \
        -extfile "$work/settings" -extensions extensions -out "$work/crt" 2>"$work/said" || fail "$(cat "$work/said")"
    mv "$work/crt" "$folder/$1.crt"
    echo "made $folder/$1.crt"
}

# Names as openssl has them: DNS:photos.example, IP:192.168.1.10.
further=
for name in $(echo "${TRUSTED_HOSTS:-$(setting TRUSTED_HOSTS)}" | tr ',' ' '); do
    case $name in
        *:*[!0-9a-fA-F:.]* | *[!0-9a-fA-F:.]*:* | *[!0-9a-zA-Z.:-]*) echo "left out, being no name: $name" >&2 ;;
        *:*) further="$further, IP:$name" ;;
        *[!0-9.]*) further="$further, DNS:$name" ;;
        *) further="$further, IP:$name" ;;
    esac
done

services="fs-service metadata-service search-service thumbnail-service"
authority
for service in $services; do
    certificate "$service" "serverAuth, clientAuth" "DNS:$service, DNS:localhost, IP:127.0.0.1$further"
done
# These call and are not called: whoever has one cannot pass for a service.
for caller in gateway $client; do
    certificate "$caller" clientAuth "DNS:$caller"
done

for name in ca $services gateway $client; do
    openssl verify -CAfile "$folder/ca.crt" "$folder/$name.crt" >/dev/null 2>&1 ||
        fail "$folder/$name.crt has ended, or is not from ca.crt: delete it and run this again"
    openssl x509 -noout -checkend "$soon_s" -in "$folder/$name.crt" >/dev/null ||
        echo "$folder/$name.crt ends within two months: delete it, run this again, and start the stack again" >&2
done
give_to_containers
