# Sourced by the job scripts in the folder of the project: what your cluster needs before Python starts. Fill in what your
# site wants; docs/cluster.md has three sites to copy from (plain, modules, container).
set +u # modules and conda use variables that are not set
unset MASTER_ADDR MASTER_PORT # of the shell that called sbatch

# --- Modules ---
# module load python/3.12 cuda/12.8

# --- Network. NCCL finds InfiniBand and RoCE by itself: set only what it finds wrongly. NCCL_DEBUG=INFO in a job's
# environment tells what it took: `NET/IB` or `NET/OFI`; with `NET/Socket` training is many times slower. ---
# The interface for first contact (NCCL's, and all of gloo's), where a node has several or its name resolves to 127.0.0.1:
# export NCCL_SOCKET_IFNAME=ib0 GLOO_SOCKET_IFNAME=ib0
# The first node's name in the network of the ranks, where plain names lead into another one (here JSC's, with an "i"):
# export MASTER_ADDR="$(scontrol show hostnames | head -n 1)i"
#
# InfiniBand. The adapters for training, if others (storage, Ethernet) are in the node too: `ibstat`. The second "=" takes
# names as they are; without it mlx5_1 means mlx5_10 too.
# export NCCL_IB_HCA==mlx5_0,mlx5_1,mlx5_2,mlx5_3
#
# RoCE. Adapters as above; first contact by the ordinary interface.
# export NCCL_IB_HCA==mlx5_0,mlx5_3,mlx5_4,mlx5_5 NCCL_SOCKET_IFNAME=eth0 GLOO_SOCKET_IFNAME=eth0
# The entry of RoCE v2 over IPv4 in `show_gids`. NCCL finds it itself from 2.21 on.
# export NCCL_IB_GID_INDEX=3
# The traffic class for which the switches lose no packets: ask who runs them (41 on Oracle's, 106 on many others). With
# another one it works, and is slow.
# export NCCL_IB_TC=106
#
# EFA (AWS). Its plugin for NCCL, from the EFA installer; without it on the path NCCL falls back to sockets, and says so only
# with NCCL_DEBUG=INFO (right: `Selected provider is efa`).
# export LD_LIBRARY_PATH=/opt/amazon/ofi-nccl/lib:/opt/amazon/efa/lib:$LD_LIBRARY_PATH
# The provider, where the plugin is 1.5 or older; newer ones choose it.
# export FI_PROVIDER=efa
# First contact by any interface that begins with "en".
# export NCCL_SOCKET_IFNAME=en
# Checkpoints are written by forked processes: with huge pages a fork may end in "Cannot allocate memory".
# export FI_EFA_USE_HUGE_PAGE=0

# --- Python: SNOWCODER_VENV, else .venv here, else what is active where sbatch was called (conda, a module). ---
# export SNOWCODER_VENV=/shared/envs/snowcoder
venv=${SNOWCODER_VENV:-.venv}
if [ -x "$venv/bin/snowcoder" ]; then
  PATH="$(realpath "$venv")/bin:$PATH"
elif [ -n "$SNOWCODER_VENV" ] || ! command -v snowcoder > /dev/null; then
  echo "snowcoder: $(hostname) has no $(realpath -m "$venv")/bin/snowcoder: name an environment that has snowcoder and" \
    "that all nodes see, SNOWCODER_VENV=... in slurm/environment.sh; in a checkout, \`make env\` makes one" >&2
  exit 2
fi

# --- For srun, which takes these from its environment only. Cores a task: what sbatch was asked for, else an equal share of
# the smallest node's. And all variables, whatever sbatch's --export was. ---
if [ -z "$SLURM_CPUS_PER_TASK" ]; then
  cores=$(tr ',' '\n' <<< "${SLURM_JOB_CPUS_PER_NODE:-1}" | sort -n | head -n 1) tasks=${SLURM_TASKS_PER_NODE:-1} # 96(x15),64
  SLURM_CPUS_PER_TASK=$((${cores%%[!0-9]*} / ${tasks%%[!0-9]*}))
fi
export SLURM_CPUS_PER_TASK SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK SLURM_EXPORT_ENV=ALL
set -u
