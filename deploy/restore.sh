#!/bin/sh
# Puts a backup back. It is checked first, with the stack still running; then the stack is stopped, what is there is moved
# aside (nothing is deleted), and the stack is started again.
#
#   deploy/restore.sh FILE.tar.gz
set -eu
file=${1:?the file of a backup is needed}
case $file in /*) ;; *) file=$PWD/$file ;; esac
cd "$(dirname "$0")/.."
[ -f "$file" ] || { echo "$file is no file" >&2; exit 1; }

# in_container OPTION: `framewell restore` on the file, which comes over standard input: the container sees no folder of ours.
in_container() { docker compose run --rm --no-deps -T gateway framewell restore - "$1" <"$file"; }

in_container --verify
# Uploads are written into the blob store, where that is a container.
if docker compose config --services | grep -qx s3; then docker compose up -d --wait s3; fi
docker compose stop gateway search-service thumbnail-service metadata-service fs-service
in_container --replace
docker compose up -d --wait
