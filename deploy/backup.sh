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

# The command writes a whole file or none, so it is made inside and then brought out.
make='f=/var/tmp/$(basename "$0"); trap "rm -f $f" EXIT; rm -f "$f"; framewell backup "$f" $1 >&2 && cat "$f"'
if [ -n "$(docker compose ps --quiet --status running gateway)" ]; then
    set -- exec -T gateway
else
    # Uploads are read from the blob store, where that is a container.
    if [ -z "$option" ] && docker compose config --services | grep -qx s3 &&
        [ -z "$(docker compose ps --quiet --status running s3)" ]; then
        docker compose up -d --wait s3 >&2
        trap 'docker compose stop s3 >&2' EXIT
    fi
    set -- run --rm --no-deps -T gateway
fi
docker compose "$@" sh -c "$make" "$(basename "$file")" "$option" >"$file.part" </dev/null || { rm -f "$file.part"; exit 1; }
mv "$file.part" "$file"
