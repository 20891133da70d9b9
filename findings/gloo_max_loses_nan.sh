#!/usr/bin/env bash
# gloo's MAX and MIN lose a NaN of any rank but the first, and its bf16 sums of equal numbers depend on the place in the tensor.
#
# Versions: torch 2.13.0 with gloo, Python 3.11 or 3.12, four ranks on a CPU.
# Input: one number a rank, of which one is NaN; a tensor of 4,096 equal numbers a rank.
# Expected: NaN, as torch.max and torch.maximum have it, or at least the same whichever rank has it; one sum 4,096 times.
# Seen:
#   1. all_reduce by MAX or MIN, in fp32, fp64 and bf16: NaN where rank 0 has it; of the others the NaN is gone, on every rank.
#      A loss that is reported by its maximum looks finite where three of four ranks have lost it. SUM keeps it.
#   2. In bf16 the all_reduce of the equal tensors has two different sums in it, since each part goes round from another rank;
#      in fp32 the same numbers give one.
# So: let finiteness go round as an integer, by MIN; reduce in fp32.
# Ends with 1 if any of it changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
cat > "$place/reduce.py" <<'PYTHON'
import math
import sys

import torch
import torch.distributed as dist

dist.init_process_group("gloo")
rank, ranks = dist.get_rank(), dist.get_world_size()


def reduced(value: float, op: dist.ReduceOp, dtype: torch.dtype, size: int = 1) -> list[float]:
    tensor = torch.full((size,), value, dtype=dtype)
    dist.all_reduce(tensor, op)
    return tensor.unique().tolist()


kept = {}
for name in ("MAX", "MIN", "SUM"):
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        for bad in range(ranks):
            (found,) = reduced(math.nan if rank == bad else 1.0, getattr(dist.ReduceOp, name), dtype)
            kept.setdefault(name, {}).setdefault(bad, set()).add(math.isnan(found))
own = [1.541, -0.293, 0.392, 1.758][rank]
sums = {str(dtype): len(reduced(own, dist.ReduceOp.SUM, dtype, 4096)) for dtype in (torch.bfloat16, torch.float32)}
if rank == 0:
    print("is NaN, by the rank that has it:", {name: [*map(sorted, of.values())] for name, of in kept.items()})
    print("different sums of equal numbers:", sums)
first_only = {bad: {bad == 0} for bad in range(ranks)}
same = kept == {"MAX": first_only, "MIN": first_only, "SUM": dict.fromkeys(range(ranks), {True})}
same = same and sums["torch.bfloat16"] > 1 and sums["torch.float32"] == 1
dist.barrier()
dist.destroy_process_group()
sys.exit(not same)
PYTHON
OMP_NUM_THREADS=1 "$place/venv/bin/torchrun" --nproc-per-node=4 "$place/reduce.py" 2> "$place/log" || { tail -n 20 "$place/log"; exit 1; }
