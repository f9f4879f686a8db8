#!/bin/sh
# Starts CloudServer. It takes its keys from the environment alone, so they are read from Swarm's secrets here
# and stand neither in the stack nor in what `docker inspect` shows.
set -eu
SCALITY_ACCESS_KEY_ID=$(cat /run/secrets/s3_access_key)
SCALITY_SECRET_ACCESS_KEY=$(cat /run/secrets/s3_secret_key)
export SCALITY_ACCESS_KEY_ID SCALITY_SECRET_ACCESS_KEY
exec /usr/src/app/docker-entrypoint.sh "$@"
