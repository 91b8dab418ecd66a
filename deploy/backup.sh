#!/bin/sh
# Everything of the stack that nothing can rebuild, as one file beside the containers: docs/backup.md says what that is.
#
#   deploy/backup.sh FILE.tar.gz [--without-blobs]     the stack may be running or stopped
set -eu
file=${1:?a file to write is needed, such as photos.tar.gz}
option=${2:-}
case $file in /*) ;; *) file=$PWD/$file ;; esac
cd "$(dirname "$0")/.."
umask 077
[ ! -e "$file" ] || { echo "$file is there already; give the backup another name" >&2; exit 1; }

# Of a name of its own, so that nothing that is there is written into; it gets the right one when it is whole.
part=$(mktemp "$file.part.XXXXXX")
stop=
end() {
    rm -f "$part"
    [ -z "$stop" ] || docker compose stop s3 >&2
}
trap end EXIT
trap 'exit 1' HUP INT TERM

case $file in *.gz | *.tgz) zip=--gzip ;; *) zip= ;; esac
if [ -n "$(docker compose ps --quiet --status running gateway)" ]; then
    set -- exec -T gateway
else
    # Uploads are read from the blob store, where that is a container.
    if [ -z "$option" ] && docker compose config --services | grep -qx s3 &&
        [ -z "$(docker compose ps --quiet --status running s3)" ]; then
        stop=yes
        docker compose up -d --wait s3 >&2
    fi
    set -- run --rm --no-deps -T gateway
fi
# It comes over standard output: inside there is no room for it.
docker compose "$@" framewell backup - $zip $option >"$part" </dev/null
sync "$part"
mv "$part" "$file"
