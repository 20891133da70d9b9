#!/usr/bin/env bash
# megatron-core counts only a part of the gradient norm where weights were not initialized by itself.
#
# Versions: megatron-core 0.16.1, torch 2.13.0, Python 3.11 or 3.12, on a CPU with gloo.
# Input: one ColumnParallelLinear split over two tensor-parallel ranks, built with and without
#   perform_initialization=False, which its docstring recommends where values are loaded from a checkpoint.
# Expected: the same gradient norm; how the first values came about has nothing to do with it.
# Seen: the function that initializes a weight is also the one that marks it as tensor-parallel. Without it, the optimizer
#   takes the parts of all ranks but the first for copies and leaves them out of the norm: here it is 1/sqrt(2) of the true
#   one. Training goes on with wrong clipping and a wrong norm in the log, and losses look plausible.
# So: keep perform_initialization on, or call set_tensor_model_parallel_attributes on each such weight oneself.
# Ends with 1 if any of it changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check megatron-core==0.16.1 torch==2.13.0
cat > "$place/norm.py" <<'PYTHON'
"""Rank by rank: the norm of a gradient of ones, over what megatron-core's optimizer would count of it."""

import sys

import torch
import torch.distributed as dist
from megatron.core import parallel_state, tensor_parallel
from megatron.core.transformer import TransformerConfig

ROWS, COLUMNS = 8, 4


def norm(perform_initialization: bool) -> float:
    config = TransformerConfig(
        num_layers=1, hidden_size=COLUMNS, num_attention_heads=2, tensor_model_parallel_size=2,
        use_cpu_initialization=True, perform_initialization=perform_initialization,
    )
    layer = tensor_parallel.ColumnParallelLinear(
        COLUMNS, ROWS, config=config, init_method=torch.nn.init.zeros_, bias=False, gather_output=False
    )
    counted = tensor_parallel.param_is_not_tensor_parallel_duplicate(layer.weight)
    square = torch.ones_like(layer.weight).pow(2).sum() * counted
    dist.all_reduce(square)
    return square.sqrt().item()


dist.init_process_group("gloo")
parallel_state.initialize_model_parallel(tensor_model_parallel_size=2, create_gloo_process_groups=False)
true, initialized, loaded = (ROWS * COLUMNS) ** 0.5, norm(True), norm(False)
if dist.get_rank() == 0:
    print(f"the gradient's norm: {true:.4f}")
    print(f"perform_initialization=True:  {initialized:.4f}")
    print(f"perform_initialization=False: {loaded:.4f}")
dist.destroy_process_group()
sys.exit(abs(initialized - true) > 1e-4 or abs(loaded - true / 2**0.5) > 1e-4)
PYTHON
"$place/venv/bin/torchrun" --nproc-per-node=2 "$place/norm.py" 2> "$place/log" || { tail -n 20 "$place/log"; exit 1; }
