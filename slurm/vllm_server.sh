#!/bin/bash
# One server of slurm/serve_vllm.sh, as long as its job step lasts: started, watched, and started again.
set -euo pipefail
model=$1
shift
port=$((20000 + (SLURM_JOB_ID * 16 + SLURM_LOCALID) % 20000))
address=$(getent ahostsv4 "$SLURMD_NODENAME" | awk '{print $1; exit}')
gpus=${SLURM_GPUS_PER_TASK:-1} # 4, or h100:4
mine=$HEALTHY/$SLURM_PROCID.url
every=${HEALTH_SECONDS:-5} # between two looks
start=${START_SECONDS:-1800} # for a model to be loaded

is_healthy() { curl --silent --fail --output /dev/null --max-time 10 --noproxy '*' "http://$address:$port/health"; }

watch() { # until it has ended, does not start, or has been silent three times
  local silent=0 deadline=$((SECONDS + start))
  while kill -0 "$1" 2>/dev/null; do
    if is_healthy; then
      silent=0
      [ -e "$mine" ] || { echo "http://$address:$port/v1" > "$mine.partial"; mv "$mine.partial" "$mine"; }
    elif [ -e "$mine" ] && ((++silent >= 3)); then
      return
    elif [ ! -e "$mine" ] && ((SECONDS > deadline)); then
      return
    fi
    sleep "$every"
  done
}

while true; do
  "${SNOWCODER_VLLM:-vllm}" serve "$model" --host "$address" --port "$port" \
    --tensor-parallel-size "${gpus##*:}" "$@" &
  server=$!
  trap 'kill $server 2>/dev/null || true; rm -f "$mine"; exit 143' TERM
  watch $server
  rm -f "$mine"
  kill -9 $server 2>/dev/null || true
  wait $server || true
  echo "$(date +%T) the server on $SLURMD_NODENAME:$port has ended or does not answer; it is started again"
  sleep "$every"
done
