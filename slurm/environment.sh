# Sourced by the job scripts: what your cluster needs before Python starts (modules, network interface).
# Set SNOWCODER_VENV to use another environment than the project's own.
. "${SNOWCODER_VENV:-.venv}/bin/activate"
# srun inside a job inherits these only if told so.
export SRUN_CPUS_PER_TASK="${SLURM_CPUS_PER_TASK:-1}"
# With several network interfaces, name the right one:
# export NCCL_SOCKET_IFNAME=ib0 GLOO_SOCKET_IFNAME=ib0
