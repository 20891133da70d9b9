"""Tokens/s of training the 1.3B model on one GPU: the project's trainer against megatron-core's parts in a plain loop.

In bf16 and fp8, with micro batches of 1, 2 and 4 sequences of 8,192 tokens, each side has the GPU for itself. Ours
reads its samples from an index. What counts is the best micro batch of each in bf16; the file has all runs.

Twelve runs of about a minute: `python -m benchmarks.training_gpu bf16`, or `fp8`, makes half of them. `--data` keeps
index and plan for the next time. `--tiny` shows on a CPU that all of it runs, and saves nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.index import SHIPPED, write_shards
from benchmarks.result import Result
from benchmarks.sources import documents
from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config
from snowcoder.errors import OperationError
from snowcoder.model.size import flops_per_token
from snowcoder.training.rank.environment import cuda_environment
from snowcoder.training.train import launch

STEPS, WARMUP = 14, 4
BATCH = 8  # sequences a step
PRECISIONS = ("bf16", "fp8")


class Size(NamedTuple):
    precisions: tuple[str, ...]  # the first one counts
    micro_batches: tuple[int, ...]
    mebibytes: int  # of text in the index
    model: tuple[str, ...] = ()  # overrides


TINY = Size(("fp32",), (1, 2), 2, ("model=tiny", "model.vocab_size=64000"))
Measured = dict[str, Any]


def run(arguments: list[str] | None = None) -> Result:
    """Exits with 2 where there is no GPU, or no Transformer Engine."""
    options = _read(arguments or [])
    if not options.tiny:
        _require_gpu()
    size = TINY if options.tiny else Size(tuple(options.precisions or PRECISIONS), (1, 2, 4), 16)
    with tempfile.TemporaryDirectory(prefix="bench-training-") as temporary:
        return _compare(size, Path(options.data or temporary), Path(temporary))


def _read(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.training_gpu")
    parser.add_argument("precisions", nargs="*", metavar="PRECISION", help="bf16, fp8; without: both")
    parser.add_argument("--data", help="folder of index and plan, which are made if they are not there")
    parser.add_argument("--tiny", action="store_true", help="on a CPU, with a model of no use")
    return parser.parse_args(arguments)


def _require_gpu() -> None:
    import torch

    lacking = None if torch.cuda.is_available() else "a GPU"
    if find_spec("transformer_engine") is None:
        lacking = lacking or "Transformer Engine"
    if lacking:
        print(f"benchmarks: training_gpu needs {lacking}, which is not here; nothing was measured", file=sys.stderr)
        sys.exit(2)


def _compare(size: Size, data: Path, work: Path) -> Result:
    _prepare(size, data)
    runs: dict[str, Measured] = {}
    for precision in size.precisions:
        for micro_batch in size.micro_batches:
            config = _config(size, data, work, f"precision={precision}", f"parallel.micro_batch={micro_batch}")
            for side, measure in {"ours": _measure_ours, "peer": _measure_peer}.items():
                name = f"{side} {precision} {micro_batch}"
                runs[name] = _describe(config, measure)
                print(name, json.dumps(runs[name]), flush=True)
    ours, peer = (_best(runs, f"{side} {size.precisions[0]} ") for side in ("ours", "peer"))
    return Result("training_gpu", ours, peer, "tokens/s", round(ours / peer, 3), {"device": _device(), "runs": runs})


def _config(size: Size, data: Path, work: Path, *overrides: str) -> Config:
    return load_config([*_overrides(size, data, work), *overrides])


def _overrides(size: Size, data: Path, work: Path) -> list[str]:
    length = 256 if size.model else 8192
    return [
        *size.model,
        f"run.dir={work / 'run'}",
        f"index.dir={data / 'index'}",
        f"plan.dir={data / 'plan'}",
        f"tokenizer.dir={SHIPPED}",
        "~phases.phase2",
        "~phases.phase3",
        "~index.sources",
        f"+index.sources.raw.shards={data / 'shards'}",
        "index.held_out=0",
        f"phases.phase1.tokens={STEPS * BATCH * length}",
        f"phases.phase1.global_batch={BATCH}",
        "phases.phase1.learning_rate.warmup_steps=1",
        "phases.phase1.sources.raw.max_epochs=999",
        "parallel=single",
    ]


def _prepare(size: Size, data: Path) -> None:
    if (data / "plan").is_dir():
        return
    data.mkdir(parents=True, exist_ok=True)
    write_shards(data / "shards", list(documents(size.mebibytes << 20)))
    for verb in (["index", "build"], ["plan"]):
        command = [sys.executable, "-m", "snowcoder", *verb, *_overrides(size, data, data), "precision=bf16"]
        subprocess.run(command, check=True)


def _measure_ours(config: Config) -> Measured:
    output = Path(config.run.dir) / "measured.json"
    launch("benchmarks.training_gpu:train_steps", config, "resolved.yaml", str(output))
    found: Measured = json.loads(output.read_text())
    return found


def train_steps(config: Config, output: str) -> None:
    """What our rank does: the loop of `snowcoder train`, without saves and trackers."""
    import torch

    from snowcoder.training.callbacks.base import Callback
    from snowcoder.training.callbacks.garbage import GarbageCollection
    from snowcoder.training.loop import run_phases
    from snowcoder.training.state import build_run

    class Clock(Callback):
        def __init__(self) -> None:
            self.at = [time.perf_counter()]
            self.loss = 0.0

        def on_step(self, run: Any, phase: Any, result: Any) -> None:
            self.at.append(time.perf_counter())
            self.loss = result.loss

    run, clock = build_run(config), Clock()
    run_phases(run, [GarbageCollection(), clock])
    seconds = [after - before for before, after in zip(clock.at, clock.at[1:], strict=False)]
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    Path(output).write_text(json.dumps({"seconds": seconds, "loss": clock.loss, "peak_bytes": peak}))


def _measure_peer(config: Config) -> Measured:
    """With the same environment, for this compares loops."""
    model = config.model.model_dump(include={"layers", "hidden", "ffn", "heads", "kv_heads", "vocab_size"})
    shape = model | {
        "sequence_length": config.phases["phase1"].sequence_length,
        "global_batch": BATCH,
        "micro_batch": config.parallel.micro_batch,
        "steps": STEPS,
        "fp8": config.precision.fp8,
    }
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.megatron_loop", json.dumps(shape)]
    environment = {**cuda_environment(config), **os.environ}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise OperationError(done.stderr.strip().splitlines()[-1])
    found: Measured = json.loads(done.stdout.splitlines()[-1])
    return found


def _describe(config: Config, measure: Callable[[Config], Measured]) -> Measured:
    """Of one run; one that fails, as a large micro batch may for want of memory, does not end the others."""
    try:
        found = measure(config)
    except OperationError as error:
        return {"failed": str(error)}
    length = config.phases["phase1"].sequence_length
    median = statistics.median(found["seconds"][WARMUP:])
    speed = BATCH * length / median
    full, causal = (speed * flops_per_token(config.model, length, half) for half in (False, True))
    return {
        "tokens_per_second": round(speed),
        "tflops": {"full attention": round(full / 1e12, 1), "causal": round(causal / 1e12, 1)},
        "seconds": [round(second, 4) for second in found["seconds"]],
        "peak_gib": round(found["peak_bytes"] / 2**30, 2),
        "loss": round(found["loss"], 4),
    }


def _best(runs: dict[str, Measured], name: str) -> float:
    speeds = [found.get("tokens_per_second", 0) for key, found in runs.items() if key.startswith(name)]
    if not any(speeds):
        raise OperationError(f"none of the runs of {name.strip()} came to an end: {runs}")
    return float(max(speeds))


def _device() -> dict[str, Any]:
    import torch

    if not torch.cuda.is_available():
        return {"name": "CPU"}
    return {"name": torch.cuda.get_device_name(), "capability": torch.cuda.get_device_capability()}


def main() -> None:
    result = run(sys.argv[1:])
    if "--tiny" not in sys.argv:
        print(f"written to {result.save()}")
    print(result.line())


if __name__ == "__main__":
    main()
