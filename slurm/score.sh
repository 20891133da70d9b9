#!/bin/bash
# A score for every file of the corpus, by the GPUs of several nodes: sbatch slurm/score.sh [group=choice key=value ...]
# Without GPUs, `sbatch --gpus-per-node=0 slurm/score.sh`: by their cores. The annotator's folder must lie where all nodes see it.
#SBATCH --job-name=snowcoder-score
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
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
# A worker for each GPU, which has it to itself; it has all cores for its tokenizer.
export RAY_CPUS=${SLURM_GPUS_ON_NODE:-$SLURM_CPUS_PER_TASK}
on_ray annotate score "$@"
