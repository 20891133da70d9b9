#!/bin/bash
# Raw shards to clean documents on several nodes: sbatch slurm/corpus.sh [group=choice key=value ...]
# A Ray cluster lives on the nodes as long as the job. corpus.work must lie where all nodes see it.
#SBATCH --job-name=snowcoder-corpus
#SBATCH --nodes=8
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=64
#SBATCH --exclusive
#SBATCH --output=%x-%j.log
#SBATCH --open-mode=append
# Where a node fails, the job is queued again and does what is left.
#SBATCH --requeue
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:?run this by sbatch from the folder of the project}"
. slurm/environment.sh

export RAY_USAGE_STATS_ENABLED=0 RAY_HEAD=$SLURMD_NODENAME RAY_PORT=$((20000 + SLURM_JOB_ID % 10000))
srun --kill-on-bad-exit=1 slurm/ray_node.sh &
trap 'kill $! 2>/dev/null; wait' EXIT
address=$(getent ahostsv4 "$RAY_HEAD" | awk '{print $1; exit}'):$RAY_PORT
snowcoder corpus build corpus.engine.kind=ray corpus.engine.address="$address" corpus.engine.nodes="$SLURM_JOB_NUM_NODES" "$@"
