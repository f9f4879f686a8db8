#!/usr/bin/env bash
# A Swarm of two nodes on this machine, as test/swarm expects it: its own Docker engine, and one in a container with a network
# of its own, the namespace swn2, joined by a cable from sw-host to sw-n2; and a registry that both reach. Needs root. Called
# again it changes nothing.
set -euo pipefail
manager=172.30.77.1 worker=172.30.77.2
registry=$manager:5000
certificates=/etc/docker/certs.d/$registry
second() {
  docker -H unix:///run/swn2/docker.sock "$@"
}
retry() {
  for _ in $(seq 60); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 1
  done
  "$@"
}
start_worker() {
  mkdir -p /run/swn2
  # Docker gives a container without a network no name server, and the machine's own may be an address of its loopback.
  local names=/run/systemd/resolve/resolv.conf
  [ -e "$names" ] || names=/etc/resolv.conf
  docker run --detach --privileged --name swn2 --hostname worker --network none \
    --volume /run/swn2:/run/swn2 --volume "$names:/etc/resolv.conf:ro" \
    --mount "type=bind,source=$certificates,target=$certificates,readonly" \
    "${DIND_IMAGE:-docker:28-dind}" \
    dockerd --host unix:///run/swn2/docker.sock --bip 172.30.79.1/24 --default-address-pool base=172.30.96.0/19,size=24
  ip netns attach swn2 "$(docker inspect --format '{{.State.Pid}}' swn2)"
  ip link add sw-host type veth peer name sw-n2
  ip link set sw-n2 netns swn2
  ip address add "$manager/24" dev sw-host
  ip link set sw-host up
  ip -n swn2 address add "$worker/24" dev sw-n2
  ip -n swn2 link set sw-n2 up
  ip -n swn2 route add default via "$manager"
  # The worker's way out.
  sysctl --quiet --write net.ipv4.ip_forward=1
  iptables --wait --insert DOCKER-USER --in-interface sw-host ! --out-interface sw-host --jump ACCEPT
  iptables --wait --insert DOCKER-USER --out-interface sw-host --match conntrack --ctstate RELATED,ESTABLISHED --jump ACCEPT
  iptables --wait --table nat --append POSTROUTING --source "$worker/32" ! --out-interface sw-host --jump MASQUERADE
}
start_registry() {
  docker run --detach --name swarm-registry --network host \
    --mount "type=bind,source=$certificates,target=/certificates,readonly" \
    --env "REGISTRY_HTTP_ADDR=$registry" \
    --env REGISTRY_HTTP_TLS_CERTIFICATE=/certificates/ca.crt --env REGISTRY_HTTP_TLS_KEY=/certificates/registry.pem \
    "${REGISTRY_IMAGE:-registry:2}"
}
mkdir -p "$certificates"
# What Docker finds there with another ending it would take for a client's certificate.
[ -s "$certificates/ca.crt" ] || openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=$manager" \
  -addext "subjectAltName=IP:$manager" -keyout "$certificates/registry.pem" -out "$certificates/ca.crt"
docker inspect swn2 >/dev/null 2>&1 || start_worker
retry second info
docker inspect swarm-registry >/dev/null 2>&1 || start_registry
retry curl --silent --fail --cacert "$certificates/ca.crt" "https://$registry/v2/"
state() {
  "$@" info --format '{{.Swarm.LocalNodeState}}'
}
[ "$(state docker)" = active ] || docker swarm init --advertise-addr "$manager" \
  --default-addr-pool 172.30.128.0/17 --default-addr-pool-mask-length 24
[ "$(state second)" = active ] || second swarm join --advertise-addr "$worker" \
  --token "$(docker swarm join-token --quiet worker)" "$manager:2377"
docker node update --label-add io.zenko.type=storage "$(docker info --format '{{.Swarm.NodeID}}')"
both_ready() {
  [ "$(docker node ls --format '{{.Status}}' | grep --count Ready)" = 2 ]
}
retry both_ready
