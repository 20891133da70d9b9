#!/bin/bash
# A node of the Ray cluster of slurm/ray.sh, until the job step ends. RAY_CPUS: how many workers it takes.
set -euo pipefail
ip() { getent ahostsv4 "$1" | awk '{print $1; exit}'; }
options=(--block --disable-usage-stats --node-ip-address="$(ip "$SLURMD_NODENAME")" --num-cpus="${RAY_CPUS:-$SLURM_CPUS_PER_TASK}" --num-gpus=0)
if [ "$SLURMD_NODENAME" = "$RAY_HEAD" ]; then
  # Not in /tmp/ray: jobs of others on this node may have one too.
  exec ray start --head --port="$RAY_PORT" --include-dashboard=false --temp-dir="/tmp/ray-$SLURM_JOB_ID" "${options[@]}"
fi
exec ray start --address="$(ip "$RAY_HEAD"):$RAY_PORT" "${options[@]}"
