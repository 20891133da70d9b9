#!/bin/bash
# One checkpoint of a running training, exported and evaluated: submitted by the training itself (evaluation.every_steps).
#   sbatch slurm/evaluate.sh runs/arctic/resolved.yaml 20000
#SBATCH --job-name=snowcoder-evaluate
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --gpus-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --output=%x-%j.log
#SBATCH --time=04:00:00
set -euo pipefail
slurm=${SNOWCODER_SLURM:-slurm} # where the training found this script
[ -f "$slurm/environment.sh" ] || { echo "snowcoder: $PWD is not the folder of the project; sbatch there, or with --chdir=FOLDER" >&2; exit 2; }
. "$slurm/environment.sh"
exec python -m snowcoder.evaluation.job "$@"
