# Sourced by the job scripts: what your cluster needs before Python starts (modules, network interface).
# Set SNOWCODER_VENV to use another environment than the project's own.
PATH="$(realpath -e "${SNOWCODER_VENV:-.venv}")/bin:$PATH"
# srun inside a job inherits these only if told so.
export SRUN_CPUS_PER_TASK="${SLURM_CPUS_PER_TASK:-1}"
# With several network interfaces, or a host name that resolves to 127.0.0.1, name the right one:
# export NCCL_SOCKET_IFNAME=ib0 GLOO_SOCKET_IFNAME=ib0
