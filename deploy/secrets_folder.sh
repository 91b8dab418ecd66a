# Read by secrets.sh and certificates.sh: the folder of the secrets ($1, where it is given), and whose they are.

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

# A container that runs as somebody else could not read them.
give_to_containers() {
    if [ "$(id -u)" = 0 ]; then
        chown -R "${uid:-1000}:${gid:-1000}" "$folder"
    elif [ "$(id -u)" != "${uid:-1000}" ]; then
        echo "PUID is ${uid:-1000}, but these files belong to $(id -u): set PUID=$(id -u) and PGID=$(id -g) in .env" >&2
        exit 1
    fi
}
