#!/usr/bin/env bash
# node.sh FOLDER NAME ADDRESS: one node, in a network and with a host name of its own; its processes see no others.
set -euo pipefail
folder=$1 name=$2 address=$3

hostname "$name"
ip link set lo up
nsenter --target 1 --net ip link delete "$name" 2> /dev/null || true # the cable of a node that lost power
ip link add eth0 type veth peer name "$name" netns 1
ip address add "$address/24" dev eth0
ip link set eth0 up
nsenter --target 1 --net ip link set "$name" master bridge up
# The shell stays the node's first process and collects what jobs leave behind.
exec unshare --pid --fork --kill-child --mount-proc bash -c "slurmd -D -N $name -f $folder/slurm.conf; exit"
