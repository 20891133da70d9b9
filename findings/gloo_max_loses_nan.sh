#!/usr/bin/env bash
# gloo's MAX and MIN lose a NaN of any rank but the first.
#
# Versions: torch 2.13.0 with gloo, Python 3.11 or 3.12, four ranks on a CPU.
# Input: one number a rank, of which one is NaN.
# Expected: NaN, as torch.max and torch.maximum have it, or at least the same whichever rank has it.
# Seen: all_reduce by MAX or MIN, in fp32, fp64 and bf16: NaN where rank 0 has it; of the others the NaN is gone, on every rank.
#   A loss that is reported by its maximum looks finite where three of four ranks have lost it. SUM keeps it.
# So: gather the numbers and reduce them oneself, or let finiteness go round as an integer.
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


def reduced(value: float, op: dist.ReduceOp, dtype: torch.dtype) -> float:
    tensor = torch.tensor(value, dtype=dtype)
    dist.all_reduce(tensor, op)
    return tensor.item()


kept = {}
for name in ("MAX", "MIN", "SUM"):
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        for bad in range(ranks):
            found = reduced(math.nan if rank == bad else 1.0, getattr(dist.ReduceOp, name), dtype)
            kept.setdefault(name, {}).setdefault(bad, set()).add(math.isnan(found))
if rank == 0:
    print("is NaN, by the rank that has it:", {name: [*map(sorted, of.values())] for name, of in kept.items()})
first_only = {bad: {bad == 0} for bad in range(ranks)}
same = kept == {"MAX": first_only, "MIN": first_only, "SUM": dict.fromkeys(range(ranks), {True})}
dist.barrier()
dist.destroy_process_group()
sys.exit(not same)
PYTHON
OMP_NUM_THREADS=1 "$place/venv/bin/torchrun" --nproc-per-node=4 "$place/reduce.py" 2> "$place/log" || { tail -n 20 "$place/log"; exit 1; }
