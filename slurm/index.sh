#!/bin/bash
# Index the shards of sources: sbatch slurm/index.sh [SOURCE...] [group=choice key=value ...]
# On many nodes: an array, each task of which indexes every 16th shard, and a job after it that writes the manifest.
#   parts=$(sbatch --parsable --array=1-16 slurm/index.sh raw)
#   sbatch --dependency=afterok:$parts --kill-on-invalid-dep=yes slurm/index.sh raw
# Where a task failed, submit the second line again without --dependency: it indexes what is missing.
#SBATCH --job-name=snowcoder-index
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=16
#SBATCH --output=%x-%j.log
set -euo pipefail
[ -f slurm/environment.sh ] || { echo "snowcoder: $PWD is not the folder of the project; sbatch there, or with --chdir=FOLDER" >&2; exit 2; }
. slurm/environment.sh
part="${SLURM_ARRAY_TASK_ID:+index.part=$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT}"
exec snowcoder index build ${part:+"$part"} "$@"
