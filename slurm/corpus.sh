#!/bin/bash
# Raw shards to clean documents on several nodes: sbatch slurm/corpus.sh [group=choice key=value ...]
# corpus.work must lie where all nodes see it.
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
. slurm/ray.sh
on_ray corpus build "$@"
