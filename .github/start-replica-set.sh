#!/usr/bin/env bash
# Starts a replica set of three on ports 27017 to 27019 of this machine, and waits until it has a primary.
set -euo pipefail
for n in 0 1 2; do
  docker run --detach --name "mongo$n" --network host mongo:8.0 \
    mongod --replSet rs0 --port "$((27017 + n))" --bind_ip 127.0.0.1
done
shell() {
  docker exec mongo0 mongosh --quiet --port 27017 --eval "$1"
}
retry() {
  for _ in $(seq 60); do
    if "$@"; then return; fi
    sleep 1
  done
  return 1
}
retry shell 'db.runCommand({ ping: 1 })'
shell 'rs.initiate({ _id: "rs0", members: [0, 1, 2].map(n => ({ _id: n, host: "127.0.0.1:" + (27017 + n) })) })'
has_primary() {
  shell 'db.hello().primary ?? "none"' | grep --quiet 127.0.0.1
}
retry has_primary
