# Sourced by the job scripts whose work Ray spreads over the nodes of the job: on_ray VERB... [key=value ...]
# The Ray cluster lives as long as the job; `corpus.work`, or the annotator's folder, must lie where all nodes see it.
export RAY_USAGE_STATS_ENABLED=0 RAY_HEAD=$SLURMD_NODENAME RAY_PORT=$((20000 + SLURM_JOB_ID % 10000))

on_ray() {
  srun --kill-on-bad-exit=1 slurm/ray_node.sh &
  trap 'kill $! 2>/dev/null; wait' EXIT
  local address
  address=$(getent ahostsv4 "$RAY_HEAD" | awk '{print $1; exit}'):$RAY_PORT
  snowcoder "$@" corpus.engine.kind=ray corpus.engine.address="$address" corpus.engine.nodes="$SLURM_JOB_NUM_NODES"
}
