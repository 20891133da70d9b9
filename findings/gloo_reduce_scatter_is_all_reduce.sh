#!/usr/bin/env bash
# gloo's reduce-scatter is an all-reduce, and a coalesced one is an all-reduce for each tensor.
#
# Version: torch 2.13.0 with gloo, Python 3.11, four ranks on a CPU.
# Input: reduce_scatter_tensor of one tensor, then of three in one coalescing manager; all_gather_into_tensor of three in one, beside it.
# Expected: a reduce-scatter moves what an all-gather of the same tensor does, half of what an all-reduce does, and three
#   that are coalesced are one operation, as the three gathers are.
# Seen: the backend's own record has one all_reduce of the whole tensor for the first, three for the coalesced ones, and one all_gather.
#   A distributed optimizer over gloo so moves twice the gradients' bytes that it would over NCCL; and its time and its
#   collectives, counted on CPUs, are not those that a cluster will see: of two gradient buckets there, one is missing.
# So: count collectives where they are asked for (a dispatch mode, torch's fake backend), not where gloo runs them.
# Ends with 1 if any of it changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check --no-compile torch==2.13.0 numpy==2.4.6
cat > "$place/scatter.py" <<'PYTHON'
import sys
from collections.abc import Callable

import torch
import torch.distributed as dist
from torch.profiler import ProfilerActivity, profile

dist.init_process_group("gloo")
rank, ranks = dist.get_rank(), dist.get_world_size()
ELEMENTS = 4  # of a rank's share


def scatter() -> None:
    dist.reduce_scatter_tensor(torch.empty(ELEMENTS), torch.ones(ELEMENTS * ranks))


def gather() -> None:
    dist.all_gather_into_tensor(torch.empty(ELEMENTS * ranks), torch.ones(ELEMENTS))


def coalesced(operation: Callable[[], None]) -> Callable[[], None]:
    def three() -> None:
        with dist.distributed_c10d._coalescing_manager(async_ops=True) as work:
            for _ in range(3):
                operation()
        work.wait()

    return three


def record_of(operation: Callable[[], None]) -> dict[str, tuple[int, list[int]]]:
    """What gloo ran: how often, and on which shape."""
    dist.barrier()
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as found:
        operation()
    events = [event for event in found.events() if event.name.startswith("gloo:")]
    return {event.name: (sum(each.name == event.name for each in events), event.input_shapes[0]) for event in events}


whole = [ELEMENTS * ranks]
seen = [record_of(operation) for operation in (scatter, coalesced(scatter), coalesced(gather))]
if rank == 0:
    print(*seen, sep="\n")
same = seen[:2] == [{"gloo:all_reduce": (1, whole)}, {"gloo:all_reduce": (3, whole)}]
same &= {name: count for name, (count, _) in seen[2].items()} == {"gloo:all_gather": 1}
dist.barrier()
dist.destroy_process_group()
sys.exit(not same)
PYTHON
OMP_NUM_THREADS=1 "$place/venv/bin/torchrun" --nproc-per-node=4 "$place/scatter.py" 2> "$place/log" || { tail -n 20 "$place/log"; exit 1; }
