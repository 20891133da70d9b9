#!/bin/bash
# Raw shards to clean documents on several nodes: sbatch slurm/corpus.sh [group=choice key=value ...]
# corpus.work must lie where all nodes see it.
#SBATCH --job-name=snowcoder-corpus
#SBATCH --nodes=8
#SBATCH --ntasks-per-node=1
# All cores and all memory of the nodes, however many they have.
#SBATCH --exclusive
#SBATCH --mem=0
#SBATCH --output=%x-%j.log
#SBATCH --open-mode=append
# Where a node fails, the job is queued again and does what is left.
#SBATCH --requeue
set -euo pipefail
[ -f slurm/environment.sh ] || { echo "snowcoder: $PWD is not the folder of the project; sbatch there, or with --chdir=FOLDER" >&2; exit 2; }
. slurm/environment.sh
. slurm/ray.sh
on_ray corpus build "$@"
