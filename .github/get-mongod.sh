#!/usr/bin/env bash
# Puts the mongod of the image that the stack runs into PATH, for tests that stop and kill a server of their own.
set -euo pipefail
container=$(docker create mongo:8.0)
sudo docker cp --follow-link "$container:/usr/bin/mongod" /usr/local/bin/mongod
docker rm "$container" >/dev/null
mongod --version
