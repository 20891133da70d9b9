#!/bin/bash
# Phase 3, on synthetic code; goes on where phase 2 ended: sbatch slurm/phase3.sh [group=choice key=value ...]
# sbatch's own options change the size: sbatch --nodes=2 slurm/phase3.sh parallel.data=16
#SBATCH --job-name=snowcoder-phase3
#SBATCH --nodes=16
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
# All cores and all memory of the nodes, however many they have.
#SBATCH --exclusive
#SBATCH --mem=0
#SBATCH --output=%x-%j.log
#SBATCH --open-mode=append
#SBATCH --time=2-00:00:00
# Five minutes before the time limit: ranks save, and the job goes back to the queue by itself.
#SBATCH --signal=B:USR1@300
#SBATCH --requeue
set -euo pipefail
[ -f slurm/environment.sh ] || { echo "snowcoder: $PWD is not the folder of the project; sbatch there, or with --chdir=FOLDER" >&2; exit 2; }
. slurm/environment.sh
exec snowcoder train launch=slurm phase=phase3 "$@"
