# Sourced by the job scripts whose work Ray spreads over the nodes of the job: on_ray VERB... [key=value ...]
# What Ray itself says goes to ray-<job>.log, so that the job's log ends with what snowcoder says.
# The Ray cluster lives as long as the job; `corpus.work`, or the annotator's folder, must lie where all nodes see it.
export RAY_USAGE_STATS_ENABLED=0 RAY_HEAD=${SLURMD_NODENAME:?submit this by sbatch} RAY_PORT=$((20000 + SLURM_JOB_ID % 10000))

on_ray() {
  ray_log=ray-$SLURM_JOB_ID.log
  srun --kill-on-bad-exit=1 slurm/ray_node.sh >> "$ray_log" 2>&1 &
  ray_nodes=$!
  trap 'kill $ray_nodes 2> /dev/null || echo "snowcoder: Ray has ended by itself, $PWD/$ray_log says why" >&2; wait' EXIT
  local address
  address=$(getent ahostsv4 "$RAY_HEAD" | awk '{print $1; exit}'):$RAY_PORT
  snowcoder "$@" corpus.engine.kind=ray corpus.engine.address="$address" corpus.engine.nodes="$SLURM_JOB_NUM_NODES"
}
