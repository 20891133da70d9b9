"""A training step's CPU seconds and peak memory against transformers, litgpt and OLMo-core, eager and compiled.

All sides have the same weights (ours by `snowcoder import`), batches and learning rates, and their losses must agree.
Each is a process of one thread, ours in the environment that `snowcoder train` gives its ranks; they take turns of some
steps, so that what else the machine does meets all of them, and for each its best turn counts. CPU seconds, because a
busy machine stretches all others. The result's ratio is that of the best eager peer at 20M parameters in fp32 to ours.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import timeit
import venv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.result import Result
from benchmarks.training_run import build_index, phase1_alone, run_snowcoder
from benchmarks.training_shapes import BETAS, CLIP, EPSILON, SHAPES, VOCABULARY, WEIGHT_DECAY, Shape
from snowcoder.config.compose import load_config
from snowcoder.config.frozen import to_yaml
from snowcoder.mixture.phase_plan import load_plan
from snowcoder.mixture.samples import SampleReader
from snowcoder.model.linear import product
from snowcoder.model.size import flops_per_token
from snowcoder.ports import free_ports
from snowcoder.training.rank.environment import memory_environment
from snowcoder.training.schedule import learning_rate

PEERS = ("transformers", "litgpt", "olmo-core")
SIDES = ("ours", *PEERS, *(f"{peer}+compile" for peer in PEERS))
LAYOUTS = {"ours": (1, 1), "ours+tp2": (2, 1), "ours+dp2": (1, 2)}  # tensor, data
# Turns of how many steps; the first step, which compiles, is none of them. bf16 is slow where no unit computes it.
TURNS = {("demo", "fp32"): (6, 4), ("demo", "bf16"): (3, 2), ("20m", "fp32"): (5, 1), ("20m", "bf16"): (2, 1)}
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
PLAN = 200  # steps, of which the first are made
# Of losses, in nats. The peers clip by torch's norm, which is off on CPUs (docs/numerics.md).
TOLERANCE = {"fp32": 5e-4, "bf16": 2e-2}
CORPUS = 24 << 20
_PEERS = Path(__file__).with_name("training_peers.txt")


def run() -> Result:
    with tempfile.TemporaryDirectory(prefix="bench-training-") as name:
        folder = Path(name)
        build_index(folder, CORPUS, _overrides(folder, "demo", "fp32", "ours"))
        found = {f"{shape}, {dtype}": _compare(folder, shape, dtype, *turns) for (shape, dtype), turns in TURNS.items()}
    seconds = {side: each["cpu_seconds"] for side, each in found["20m, fp32"].items()}
    tokens = SHAPES["20m"].tokens
    eager = min(seconds[peer] for peer in PEERS)
    compiled = min(seconds[f"{peer}+compile"] for peer in PEERS)
    return Result(
        name="training",
        ours=round(tokens / seconds["ours"]),
        peer=round(tokens / eager),
        unit="tokens/s of CPU time",
        ratio=round(eager / seconds["ours"], 2),
        detail={
            "ratio_to_best_compiled_peer": round(compiled / seconds["ours"], 2),
            "gflops": round(_step_flops() / seconds["ours"] / 1e9, 1),
            "gflops_of_one_product": {name: round(_product_flops(dtype) / 1e9, 1) for name, dtype in _DTYPES.items()},
            **found,
        },
    )


def _step_flops() -> float:
    """Of the 20M model's products, attention's causal half included: what a step cannot do without."""
    model = load_config(_overrides(Path(), "20m", "fp32", "ours")).model
    return flops_per_token(model, model.sequence_length, causal=True) * SHAPES["20m"].tokens


def _product_flops(dtype: torch.dtype) -> float:
    """A second of one core, in a product of the largest layer at its best: nothing on this machine is faster."""
    shape, torch_threads = SHAPES["20m"], torch.get_num_threads()
    torch.set_num_threads(1)
    x, weight = torch.ones(2048, shape.hidden, dtype=dtype), torch.ones(2 * shape.ffn, shape.hidden, dtype=dtype)
    seconds = min(timeit.repeat(lambda: product(x, weight), timer=time.process_time, number=1, repeat=50))
    torch.set_num_threads(torch_threads)
    return 2.0 * x.numel() * len(weight) / seconds


def _overrides(folder: Path, name: str, dtype: str, side: str) -> list[str]:
    """A run of phase 1 alone."""
    shape, (tensor, data) = SHAPES[name], LAYOUTS[side]
    return [
        *phase1_alone(folder),
        f"run.dir={folder}/{name}/{side}-{dtype}",
        f"plan.dir={folder}/{name}/plan",
        *_sizes(shape),
        f"phases.phase1.tokens={PLAN * shape.tokens}",
        f"phases.phase1.global_batch={shape.batch}",
        f"precision={dtype}",
        f"optimizer.beta1={BETAS[0]}",
        f"optimizer.beta2={BETAS[1]}",
        f"optimizer.eps={EPSILON}",
        f"optimizer.weight_decay={WEIGHT_DECAY}",
        f"optimizer.clip={CLIP}",
        "parallel=single",
        f"parallel.tensor={tensor}",
        f"parallel.sequence={'true' if tensor > 1 else 'false'}",
        f"parallel.data={data}",
        f"parallel.micro_batch={shape.micro_batch}",
        "launch.threads=1",
        f"checkpoint.every_steps={PLAN}",
    ]


def _sizes(shape: Shape) -> list[str]:
    own = (f"model.{size}={getattr(shape, size)}" for size in ("layers", "hidden", "ffn", "heads", "kv_heads"))
    return [*own, f"model.vocab_size={VOCABULARY}", f"model.sequence_length={shape.sequence}"]


def _compare(folder: Path, name: str, dtype: str, turns: int, steps: int) -> dict[str, dict[str, Any]]:
    """Each side's best CPU seconds a step, tokens/s of its fastest turn, peak memory, and losses."""
    sides = [*SIDES, "ours+tp2", "ours+dp2"] if (name, dtype) == ("demo", "fp32") else SIDES
    _write(folder, name, dtype, [side for side in sides if side in LAYOUTS])
    with ExitStack() as stack:
        running = {side: stack.enter_context(_started(folder, name, dtype, side)) for side in sides}
        for turn in range(turns):
            first = turn % len(sides)
            for side in (*sides[first:], *sides[:first]):
                running[side].turn(steps)
    _check_losses(dtype, running)
    found = {side: each.measured(SHAPES[name], steps) for side, each in running.items()}
    for side, each in found.items():
        print(f"{name}, {dtype}, {side}: {each}", flush=True)
    return found


def _write(folder: Path, name: str, dtype: str, ours: list[str]) -> None:
    """Plan, weights, batches and rates, once; and for each layout of ours a run whose step 0 has these weights."""
    place = folder / name
    if not (place / "hf").exists():
        run_snowcoder("plan", *_overrides(folder, name, dtype, "ours"))
        _write_weights(place / "hf", SHAPES[name])
        _write_batches(folder, name)
    for side in ours:
        config = _overrides(folder, name, dtype, side)
        run_snowcoder("import", str(place / "hf"), *config)
        _freeze(config, place / f"{side}-{dtype}" / "resolved.yaml")


def _freeze(overrides: list[str], path: Path) -> None:
    path.write_text(to_yaml(load_config(overrides)))


def _write_weights(folder: Path, shape: Shape) -> None:
    torch.manual_seed(1)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=shape.hidden,
            intermediate_size=shape.ffn,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.kv_heads,
            max_position_embeddings=shape.sequence,
            rms_norm_eps=1e-5,
            tie_word_embeddings=True,
        )
    ).save_pretrained(folder)


def _write_batches(folder: Path, name: str) -> None:
    place = folder / name
    plan = load_plan(place / "plan")
    reader, phase = SampleReader(plan, place / "plan", folder / "index"), plan.phases[0]
    batches = [reader.batch(step, range(phase.global_batch)).tokens for step in range(phase.steps)]
    np.save(place / "batches.npy", np.stack(batches).astype(np.int32))
    rates = [learning_rate(phase.learning_rate, step, phase.steps) for step in range(phase.steps)]
    np.save(place / "rates.npy", np.array(rates))


class Side:
    """One side's process; of several ranks the first speaks for all, but each has CPU seconds and memory."""

    def __init__(self, ranks: list[subprocess.Popen[str]]) -> None:
        self.ranks = ranks
        self.losses: list[float] = []
        self.seconds: list[float] = []
        self.cpu_seconds: list[float] = []
        self.first_seconds, self.peaks = self._hear()[:2]
        self.seconds.clear()
        self.cpu_seconds.clear()

    def turn(self, steps: int) -> None:
        for rank in self.ranks:
            assert rank.stdin
            print(steps, file=rank.stdin, flush=True)
        _, self.peaks = self._hear()

    def _hear(self) -> tuple[float, list[float]]:
        answers = [orjson.loads(rank.stdout.readline()) for rank in self.ranks if rank.stdout]
        self.losses += answers[0]["losses"]
        self.seconds.append(max(answer["seconds"] for answer in answers))
        self.cpu_seconds.append(sum(answer["cpu_seconds"] for answer in answers))
        return self.seconds[-1], [answer["peak_mib"] for answer in answers]

    def measured(self, shape: Shape, steps: int) -> dict[str, Any]:
        return {
            "cpu_seconds": round(min(self.cpu_seconds) / steps, 3),
            "tokens_per_second": round(shape.tokens * steps / min(self.seconds)),
            "peak_mib": round(sum(self.peaks)),
            "first_step_seconds": round(self.first_seconds, 1),
            "losses": [round(loss, 5) for loss in self.losses],
        }


@contextmanager
def _started(folder: Path, name: str, dtype: str, side: str) -> Iterator[Side]:
    """After its first step, which compiles where there is something to compile."""
    python = sys.executable if side in LAYOUTS else str(_peer_python())
    arguments = ["-W", "ignore", "-m", "benchmarks.training_sides", side, name, dtype, str(folder / name)]
    environments = _environments(*LAYOUTS.get(side, (1, 1)))
    with (folder / f"{name}-{side}-{dtype}.log").open("w") as log:
        ranks = [
            subprocess.Popen(
                [python, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**(memory_environment() if side in LAYOUTS else {}), **os.environ, **more},
            )
            for more in environments
        ]
    try:
        yield Side(ranks)
    except ValueError:
        raise RuntimeError(f"{side}: {Path(log.name).read_text()[-3000:]}") from None
    finally:
        for rank in ranks:
            rank.kill()
            rank.wait()


def _environments(tensor: int, data: int) -> list[dict[str, str]]:
    world = tensor * data
    shared = {
        "OMP_NUM_THREADS": "1",
        "WORLD_SIZE": str(world),
        "LOCAL_WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_ports(1)[0]),
    }
    return [{**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(world)]


def _check_losses(dtype: str, sides: dict[str, Side]) -> None:
    for name, side in sides.items():
        gap = max(abs(a - b) for a, b in zip(sides["ours"].losses[:20], side.losses[:20], strict=False))
        print(f"{name}: losses within {gap:.1e} of ours over {len(side.losses[:20])} steps", flush=True)
        if gap > TOLERANCE[dtype]:
            raise RuntimeError(f"{name} does not train the same model: its losses are off by {gap:.2g}")


def _peer_python() -> Path:
    """In an environment of its own: litgpt and OLMo-core pin much that others want newer. The same torch as ours."""
    environment = Path(sys.prefix) / "peers" / "training"
    python = environment / "bin" / "python"
    if not python.exists():
        venv.create(environment, with_pip=True)
        torch = f"torch=={version('torch').partition('+')[0]}"
        install = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, torch], check=True)
        subprocess.run([*install, "--no-deps", "-r", str(_PEERS)], check=True)
    return python
