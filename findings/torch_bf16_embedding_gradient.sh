#!/usr/bin/env bash
# torch's embedding on a CPU adds the gradient of a row in bf16, and stops at 256 of 4,096 tokens.
#
# Versions: torch 2.13.0, Python 3.11 or 3.12, on a CPU.
# Input: a bf16 weight, one id 4,096 times, a gradient of ones; then ids as skewed as a text's, with random gradients.
# Expected: 4,096, and sums that are right but for a last rounding to bf16 (0.2%), as matrix products and sums in bf16 are: they
#   add in fp32.
# Seen:
#   1. F.embedding and weight[ids] give 256: in bf16 256 + 1 is 256. In fp16 they stop at 2,048.
#   2. weight.index_select(0, ids) gives 4,096 at the same speed, and so does fp32.
#   3. Of 2,048 skewed ids F.embedding's whole gradient is off by more than 1%, five times what the rounding of the others is.
# So: in bf16 training on CPUs look tokens up by index_select; megatron-core's embedding, with or without deterministic_mode, does not.
# Ends with 1 if any of it changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$place/venv/bin/python" - 2> "$place/log" <<'PYTHON' || { tail -n 20 "$place/log"; exit 1; }
import sys

import torch
import torch.nn.functional as F

LOOKUPS = {
    "F.embedding": lambda weight, ids: F.embedding(ids, weight),
    "weight[ids]": lambda weight, ids: weight[ids],
    "index_select": lambda weight, ids: weight.index_select(0, ids),
}


def gradient(name: str, dtype: torch.dtype, ids: torch.Tensor, of: torch.Tensor, rows: int) -> torch.Tensor:
    weight = torch.zeros(rows, of.shape[1], dtype=dtype, requires_grad=True)
    LOOKUPS[name](weight, ids).backward(of.to(dtype))
    return weight.grad.double()


same, ones = torch.full((4096,), 7), torch.ones(4096, 64)
met = {
    (name, str(dtype)): gradient(name, dtype, same, ones, 8)[7].unique().tolist()
    for name in LOOKUPS
    for dtype in (torch.bfloat16, torch.float16, torch.float32)
}
for (name, dtype), value in met.items():
    print(f"{name}, {dtype}: {value}")

torch.manual_seed(0)
skewed, of = (4096 * torch.rand(2048) ** 4).long(), (torch.randn(2048, 128) + 0.3).bfloat16()
exact = torch.zeros(4096, 128, dtype=torch.float64).index_add_(0, skewed, of.double())
off = {name: ((gradient(name, torch.bfloat16, skewed, of, 4096) - exact).norm() / exact.norm()).item() for name in LOOKUPS}
print("2,048 skewed ids, off by", {name: f"{value:.2%}" for name, value in off.items()})

stops = {"torch.bfloat16": [256.0], "torch.float16": [2048.0], "torch.float32": [4096.0]}
expected = {(name, dtype): [4096.0] if name == "index_select" else stops[dtype] for name, dtype in met}
sys.exit(met != expected or off["F.embedding"] < 5 * off["index_select"] or off["index_select"] > 0.002)
PYTHON
