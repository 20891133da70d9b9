#!/bin/bash
# All three phases, each after the one before it has ended well: slurm/pipeline.sh [option of sbatch ...] [key=value ...]
#   slurm/pipeline.sh -A account -p gpu --nodes=2 storage.root=s3://bucket/code parallel.data=16
# In any order. What begins with a dash is for sbatch, and so is the word after it, unless the option takes no value or
# has it already (--nodes=2, -N2); all else is key=value for snowcoder, and so is all that follows a `--`.
# A dependency (-d) is that of phase 1.
# A phase that fails for good ends the chain: what waits for it is cancelled. Submit the phases that are left again.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."

takes_no_value() {
  case $1 in
    -[!-]?*) return 0 ;; # -N2; of letters alone, such as -Hp, sbatch wants the value attached here
    --*=*) return 0 ;;
    -[HkOQsvVWh]) return 0 ;;
    --contiguous | --exclusive | --get-user-env | --help | --hold | --ignore-pbs | --nice | --no-kill | --no-requeue) return 0 ;;
    --overcommit | --oversubscribe | --parsable | --propagate | --quiet | --reboot | --requeue | --resv-ports) return 0 ;;
    --spread-job | --stepmgr | --test-only | --usage | --use-min-nodes | --verbose | --version | --wait) return 0 ;;
  esac
  return 1
}

options=() overrides=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) sed -n '2,/^[^#]/{s/^# \?//p}' "$0"; exit ;;
    --) overrides+=("${@:2}"); break ;;
    -*)
      options+=("$1")
      if ! takes_no_value "$1"; then
        [ $# -gt 1 ] || { echo "slurm/pipeline.sh: $1 has no value" >&2; exit 2; }
        options+=("$2")
        shift
      fi
      ;;
    *=* | '~'*) overrides+=("$1") ;;
    *) echo "slurm/pipeline.sh: $1 is neither an option of sbatch, nor its value, nor key=value" >&2; exit 2 ;;
  esac
  shift
done

jobs=() after=()
trap '[ ${#jobs[@]} = 0 ] || [ ${#jobs[@]} = 3 ] || scancel "${jobs[@]}"' EXIT # all of them or none
for phase in phase1 phase2 phase3; do
  job=$(sbatch --parsable --kill-on-invalid-dep=yes "${options[@]}" "${after[@]}" "slurm/$phase.sh" "${overrides[@]}")
  job=${job%%;*}
  jobs+=("$job")
  after=(${job:+--dependency=afterok:$job}) # there is no number with --test-only
  echo "$phase: job ${job:-is not submitted}"
done
