#!/bin/bash
# All three phases, each after the one before it has ended well: slurm/pipeline.sh [--sbatch-option=... ] [key=value ...]
# A phase that fails for good ends the chain: what waits for it is cancelled. Submit the phases that are left again.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."
options=() overrides=()
for word in "$@"; do
  case $word in
    -*) options+=("$word") ;;
    *) overrides+=("$word") ;;
  esac
done

jobs=() after=()
trap '[ ${#jobs[@]} = 3 ] || scancel "${jobs[@]}"' EXIT # all of them or none
for phase in phase1 phase2 phase3; do
  job=$(sbatch --parsable --kill-on-invalid-dep=yes "${after[@]}" "${options[@]}" "slurm/$phase.sh" "${overrides[@]}")
  jobs+=("${job%%;*}")
  after=("--dependency=afterok:${job%%;*}")
  echo "$phase: job ${job%%;*}"
done
