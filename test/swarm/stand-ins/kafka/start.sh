#!/usr/bin/env bash
# KAFKA_LOG_DIRS becomes log.dirs and so on; the folder is formatted when it is new.
set -euo pipefail
config=/tmp/server.properties
env | sed -nE 's/^KAFKA_([A-Z0-9_]+)=(.*)$/\1 \2/p' | while read -r name value; do
  [ "$name" = HEAP_OPTS ] || printf '%s=%s\n' "$(tr 'A-Z_' 'a-z.' <<<"$name")" "$value"
done >"$config"
read -ra heap <<<"$KAFKA_HEAP_OPTS"
flags=(-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp '/opt/kafka/lib/*')
java "${flags[@]}" kafka.tools.StorageTool format --ignore-formatted -t "$CLUSTER_ID" -c "$config"
exec java "${heap[@]}" "${flags[@]}" kafka.Kafka "$config"
