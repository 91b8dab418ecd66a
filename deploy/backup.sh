#!/bin/sh
# Everything of the stack that nothing can rebuild, as one file beside the containers: docs/backup.md says what that is.
#
#   deploy/backup.sh FILE.tar.gz     the stack may be running or stopped
set -eu
file=${1:?a file to write is needed, such as photos.tar.gz}
case $file in /*) ;; *) file=$PWD/$file ;; esac
cd "$(dirname "$0")/.."
umask 077
[ ! -e "$file" ] || { echo "$file is there already; give the backup another name" >&2; exit 1; }

# The command writes a whole file or none, so it is made inside and then brought out.
make='f=/var/tmp/$(basename "$0"); trap "rm -f $f" EXIT; rm -f "$f"; framewell backup "$f" >&2 && cat "$f"'
if [ -n "$(docker compose ps --quiet --status running gateway)" ]; then
    set -- exec -T gateway
else
    set -- run --rm --no-deps -T gateway
fi
docker compose "$@" sh -c "$make" "$(basename "$file")" >"$file.part" </dev/null || { rm -f "$file.part"; exit 1; }
mv "$file.part" "$file"
