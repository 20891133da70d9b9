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
cd "${SLURM_SUBMIT_DIR:?run this by sbatch from the folder of the project}"
. slurm/environment.sh
exec python -m snowcoder.evaluation.job "$@"
