#!/usr/bin/env bash
# Puts Kafka where the tests look for it, ../shared/bin/kafka: the jars of the image that the stack runs, and a start script.
set -euo pipefail
target=$(dirname "$GITHUB_WORKSPACE")/shared/bin/kafka
mkdir -p "$target"
container=$(docker create apache/kafka:4.1.1)
docker cp "$container:/opt/kafka/libs" "$target/lib"
docker rm "$container" >/dev/null
cat >"$target/start" <<'START'
#!/usr/bin/env bash
# start DIR PORT CONTROLLER_PORT: one node with its data in DIR, in the foreground.
set -euo pipefail
dir=$1 port=$2 controller=$3
config=$dir/node.properties
run() {
  exec java -Xmx512m -cp "$(dirname "$(readlink --canonicalize "$0")")/lib/*" "$@"
}
mkdir -p "$dir"
printf '%s\n' >"$config" \
  "process.roles=broker,controller" \
  "node.id=1" \
  "controller.quorum.voters=1@127.0.0.1:$controller" \
  "controller.listener.names=CONTROLLER" \
  "listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller" \
  "advertised.listeners=PLAINTEXT://127.0.0.1:$port" \
  "inter.broker.listener.name=PLAINTEXT" \
  "log.dirs=$dir/log" \
  "offsets.topic.replication.factor=1" \
  "offsets.topic.num.partitions=1" \
  "transaction.state.log.replication.factor=1" \
  "transaction.state.log.min.isr=1" \
  "group.initial.rebalance.delay.ms=0"
(run kafka.tools.StorageTool format --ignore-formatted --cluster-id RNJYHN5edzkk-fn4Oi_veQ --config "$config") >&2
run kafka.Kafka "$config"
START
chmod +x "$target/start"
