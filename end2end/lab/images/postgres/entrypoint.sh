#!/bin/bash
# Makes a cluster on the first start, as the official image does: POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB,
# POSTGRES_HOST_AUTH_METHOD and the *.sql and *.sh files of /docker-entrypoint-initdb.d are honoured.
set -euo pipefail

[ "${1:-}" = postgres ] || exec "$@"

if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA"
    chown postgres "$PGDATA"
    chmod 700 "$PGDATA"
    exec setpriv --reuid postgres --regid postgres --init-groups "$0" "$@"
fi

user="${POSTGRES_USER:-postgres}"
database="${POSTGRES_DB:-$user}"
method="${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}"

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -z "${POSTGRES_PASSWORD:-}" ] && [ "$method" != trust ]; then
        echo 'Error: POSTGRES_PASSWORD is not set. Give the superuser a password, or set POSTGRES_HOST_AUTH_METHOD=trust.' >&2
        exit 1
    fi
    initdb --username "$user" --pwfile <(echo "${POSTGRES_PASSWORD:-unused}") --auth-local trust --auth-host "$method" --encoding UTF8
    echo "host all all all $method" >> "$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"

    # Only the socket is open while the cluster is being filled, so that nobody connects to a half-made database.
    pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
    if [ "$database" != postgres ]; then
        createdb --username "$user" "$database"
    fi
    for file in /docker-entrypoint-initdb.d/*; do
        case "$file" in
            *.sql) psql --username "$user" --dbname "$database" -v ON_ERROR_STOP=1 -f "$file" ;;
            *.sh) bash "$file" ;;
        esac
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
fi

exec "$@"
