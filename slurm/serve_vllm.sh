#!/bin/bash
# vLLM servers for `snowcoder synthesize`: sbatch slurm/serve_vllm.sh MODEL SERVERS_FILE [options of `vllm serve`]
#   sbatch slurm/serve_vllm.sh meta-llama/Llama-3.1-70B-Instruct servers.txt --max-model-len 8192
#   snowcoder synthesize synthesis.requests.servers_file=servers.txt
# A server for each task, with the GPUs of the task. The file has the addresses of those that are healthy, and must lie
# where all nodes see it. A server that ends or falls silent is started again. With VLLM_API_KEY in the environment the
# servers ask for that key. SNOWCODER_VLLM names the program, where it is not the `vllm` of the environment.
#SBATCH --job-name=snowcoder-vllm
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=2
#SBATCH --gpus-per-task=4
#SBATCH --cpus-per-task=16
#SBATCH --output=%x-%j.log
#SBATCH --open-mode=append
#SBATCH --requeue
set -euo pipefail
[ -f slurm/environment.sh ] || { echo "snowcoder: $PWD is not the folder of the project; sbatch there, or with --chdir=FOLDER" >&2; exit 2; }
. slurm/environment.sh
usage="usage: sbatch slurm/serve_vllm.sh MODEL SERVERS_FILE [options of vllm serve]"
model=${1:?$usage} file=$(realpath -m "${2:?$usage}")
shift 2

# A file for each healthy server; here they are made one, as often as they change.
export HEALTHY=$file.d
rm -rf "$HEALTHY" "$file"
mkdir -p "$HEALTHY"
srun slurm/vllm_server.sh "$model" "$@" &
servers=$!
trap 'kill $servers 2>/dev/null || true; rm -rf "$HEALTHY" "$file" "$file.partial"; wait' EXIT
trap 'exit 143' TERM
while kill -0 $servers 2>/dev/null; do
  find "$HEALTHY" -name '*.url' -exec cat {} + | sort > "$file.partial"
  if ! cmp --silent "$file.partial" "$file"; then
    mv "$file.partial" "$file"
    echo "$(date +%T) $(wc -l < "$file") of $SLURM_NTASKS servers are healthy"
  fi
  sleep 1
done
wait $servers
