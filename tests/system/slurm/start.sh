#!/usr/bin/env bash
# start.sh FOLDER: a Slurm cluster of three nodes that lives until standard input is closed. To be the first process of
# new namespaces (unshare --mount --net --uts --pid --fork --mount-proc): when it ends, Linux ends all that it started,
# and the machine's own network and /etc are never touched.
set -euo pipefail
folder=$1
here=$(dirname "$(realpath "$0")")

mkdir -p "$folder"/{state,spool/node1,spool/node2,spool/node3}
sed "s|@FOLDER@|$folder|" "$here/slurm.conf" > "$folder/slurm.conf"
printf '%s\n' '127.0.0.1 localhost' '10.77.0.11 node1' '10.77.0.12 node2' '10.77.0.13 node3' > "$folder/hosts"
# Names from that file only: torch's store looks addresses up, and each look-up waits 10 s where no name server answers.
sed 's/^hosts:.*/hosts: files/' /etc/nsswitch.conf > "$folder/nsswitch.conf"
mount --bind "$folder/hosts" /etc/hosts
mount --bind "$folder/nsswitch.conf" /etc/nsswitch.conf

ip link set lo up
ip link add bridge type bridge
ip address add 10.77.0.1/24 dev bridge
ip link set bridge up

head -c 1024 /dev/urandom > "$folder/munge.key"
chmod 600 "$folder/munge.key"
munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
  --log-file="$folder/munged.log" --seed-file="$folder/munge.seed" < /dev/null
slurmctld -D -f "$folder/slurm.conf" < /dev/null &
for node in 1 2 3; do
  unshare --net --uts --mount "$here/node.sh" "$folder" "node$node" "10.77.0.1$node" < /dev/null &
done
read -r || true # ends with whoever holds the other end of the pipe
