#!/usr/bin/env bash
# A Ceph of one node for tests by hand, in the foreground: one monitor, one OSD that keeps all in memory, and the gateway that speaks S3
# (Debian: apt-get install --no-install-recommends ceph-mon ceph-osd ceph-common radosgw). Nothing of it is left when it ends.
#   test/ceph/one-node.sh [port]
#   S3_TEST_SERVER=7480 npm test -- data-module/dist/stores/s3
set -euo pipefail
port=${1:-7480}
folder=$(mktemp -d)
pids=()
finish() {
  trap - EXIT
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait || true
  rm -rf "$folder"
}
trap finish EXIT
trap 'exit 0' INT TERM

# In the background, so that a signal is heeded meanwhile.
soon() {
  timeout "$@" >/dev/null &
  wait $!
}

fsid=$(cat /proc/sys/kernel/random/uuid)
monitor=127.0.0.1:$((port + 1))
mkdir "$folder/mon" "$folder/osd" "$folder/run"
cat >"$folder/ceph.conf" <<CONF
[global]
fsid = $fsid
mon_host = v1:$monitor
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
run_dir = $folder/run
admin_socket = $folder/run/\$name.\$pid.asok
log_file =
log_to_stderr = false
ms_bind_msgr2 = false
mon_allow_pool_size_one = true
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
[mon.a]
mon_data = $folder/mon
[osd.0]
osd_data = $folder/osd
osd_objectstore = memstore
memstore_device_bytes = 4294967296
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:$port
# Parts may be as small as tests like them.
rgw_multipart_min_part_size = 1024
CONF
export CEPH_CONF=$folder/ceph.conf

monmaptool --create --addv a "[v1:$monitor]" --fsid "$fsid" "$folder/monmap" >/dev/null
ceph-mon -i a --mkfs --monmap "$folder/monmap"
ceph-mon -i a -f &
pids+=($!)
osd=$(cat /proc/sys/kernel/random/uuid)
soon 60 ceph osd new "$osd"
ceph-osd -i 0 --mkfs --osd-uuid "$osd" >/dev/null
ceph-osd -i 0 -f >/dev/null &
pids+=($!)
soon 120 radosgw-admin user create --uid=testing --display-name=testing --access-key=testing --secret-key=testing
radosgw -n client.rgw -f &
pids+=($!)
until curl -sf -o /dev/null "http://127.0.0.1:$port/"; do
  kill -0 "${pids[@]}"
  sleep 0.2
done
echo "a Ceph listens on http://127.0.0.1:$port, keys testing and testing"
wait -n
