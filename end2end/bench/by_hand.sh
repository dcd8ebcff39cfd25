#!/usr/bin/env bash
# What somebody would type to deploy the sample project from its clone; the bench measures it beside the portal.
#   by_hand.sh login
#   by_hand.sh images TAG                                  builds and pushes both components, and tests the backend, side by side
#   by_hand.sh start TAG SOCKET COMPONENT CONTAINER PORT   replaces a container on the server whose engine listens there
set -euo pipefail

all() {
    local one
    for one in "$@"; do wait "$one"; done
}

push() {
    docker tag "$DOCR/bench-byhand/$1:$2" "$GHCR/bench-byhand/$1:$2"
    docker push --quiet "$DOCR/bench-byhand/$1:$2" &
    local first=$!
    docker push --quiet "$GHCR/bench-byhand/$1:$2" &
    all "$first" $!
}

test_backend() {
    local name="bench-byhand-$$" failed=0
    docker network create "$name" >/dev/null
    docker run --detach --name "$name" --network "$name" --network-alias db --env POSTGRES_PASSWORD=postgres \
        postgres:15 >/dev/null
    until docker exec "$name" pg_isready --quiet --username postgres; do sleep 0.2; done
    docker run --rm --network "$name" --env DATABASE_URL=postgresql://postgres:postgres@db:5432/postgres \
        "$DOCR/bench-byhand/backend:$1" python manage.py test apps/ --verbosity=2 || failed=1
    docker rm --force --volumes "$name" >/dev/null
    docker network rm "$name" >/dev/null
    return "$failed"
}

backend() {
    docker build --quiet --file backend/dockerfile --tag "$DOCR/bench-byhand/backend:$1" .
    test_backend "$1" &
    local tests=$!
    push backend "$1" &
    all "$tests" $!
}

# Its source is as it was, so nobody would test it again.
frontend() {
    docker build --quiet --file frontend/dockerfile --tag "$DOCR/bench-byhand/frontend:$1" .
    push frontend "$1"
}

case $1 in
login)
    docker login --username "$DOCR_USER" --password-stdin "$DOCR" <<<"$DOCR_PASSWORD"
    docker login --username "$GHCR_USER" --password-stdin "$GHCR" <<<"$GHCR_PASSWORD"
    ;;
images)
    backend "$2" &
    one=$!
    frontend "$2" &
    all "$one" $!
    ;;
start)
    export DOCKER_HOST=$3
    image="$DOCR/bench-byhand/$4:$2"
    if [[ $4 == backend ]]; then
        # The server's own file, which is read by the command line and not by the engine.
        home=/home/django/ProjectMeats
        server=${3#unix://}
        more=(--publish "$6:8000" --env-file "${server%/run/docker.sock}$home/backend/.env"
            --volume "$home/media:/app/media" --volume "$home/staticfiles:/app/staticfiles")
    else
        more=(--publish "$6:80" --add-host "backend:$BACKEND"
            --volume /opt/pm/frontend/env/env-config.js:/usr/share/nginx/html/env-config.js:ro)
    fi
    docker pull --quiet "$image"
    docker rm --force "$5"
    docker run --detach --name "$5" --restart unless-stopped "${more[@]}" "$image"
    ;;
esac
