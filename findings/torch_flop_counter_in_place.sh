#!/usr/bin/env bash
# torch's FlopCounterMode counts no product that is added to a tensor in place.
#
# Version: torch 2.13.0, Python 3.11, on a CPU.
# Input: products of [64, 32] and [32, 16]: as mm, mm with out=, addmm, baddbmm, and as the methods addmm_ and baddbmm_.
# Expected: 2 x 64 x 32 x 16 FLOPs for each: the same product.
# Seen: 65,536 for mm, mm with out=, addmm and baddbmm; 0 for addmm_ and baddbmm_, without a word.
#   A trainer that adds weight gradients where they lie then does a third less work, by the count, and its utilisation is too low.
# So: give the mode formulas of one's own (custom_mapping), or hold its total against 6 FLOPs a parameter and token.
# Ends with 1 if any of it changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cat > "$place/count.py" <<'PYTHON'
import sys
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

left, right, total = torch.ones(64, 32), torch.ones(32, 16), torch.zeros(64, 16)
batch = left[None], right[None], total[None]


def counted(product: Callable[[], torch.Tensor]) -> int:
    with FlopCounterMode(display=False) as mode:
        product()
    return mode.get_total_flops()


found = {
    "mm": counted(lambda: torch.mm(left, right)),
    "mm, out=": counted(lambda: torch.mm(left, right, out=total)),
    "addmm": counted(lambda: torch.addmm(total, left, right)),
    "baddbmm": counted(lambda: torch.baddbmm(batch[2], batch[0], batch[1])),
    "addmm_": counted(lambda: total.addmm_(left, right)),
    "baddbmm_": counted(lambda: batch[2].baddbmm_(batch[0], batch[1])),
}
print(found)
whole = 2 * 64 * 32 * 16
sys.exit([*found.values()] != [whole] * 4 + [0] * 2)
PYTHON
"$place/venv/bin/python" "$place/count.py"
