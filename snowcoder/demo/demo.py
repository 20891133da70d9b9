"""`snowcoder demo`: every stage of the main job on this machine, from shards in S3 to a Hugging Face folder.

Each stage runs as the command a user would type; the training is killed once on the way and resumed in another layout.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config
from snowcoder.corpus.pack import pack
from snowcoder.demo.language_model import language_model
from snowcoder.demo.s3_server import s3_server
from snowcoder.demo.sources import demo_sources
from snowcoder.errors import OperationError, UserError
from snowcoder.index.reader import IndexedSource
from snowcoder.lineage.run_folder import RunFolder
from snowcoder.mixture.phase_plan import load_plan
from snowcoder.model.throughput import read_metrics
from snowcoder.sandbox.sandbox import Sandbox
from snowcoder.storage.shards import SUFFIXES
from snowcoder.storage.store import open_store
from snowcoder.training.checkpoints.completion_record import complete_steps

_KILL_AT = 265  # some steps after the checkpoint of phase 1's end: they are lost and done again
_OTHER_LAYOUT = "parallel=tp2"  # most steps are made in the recipe's, which is the fastest on two cores
_EPOCHS = 4  # of the language model's files: how often what is repeated is as good as new (Muennighoff et al., 2023)
_SAME_LOSS = 1e-4  # nats; what summing in another order makes of fp32 is some 1e-6


def run() -> None:
    started = time.monotonic()
    folder = Path(load_config(["recipe=demo"]).run.dir)
    shutil.rmtree(folder, ignore_errors=True)
    left_out = _without_a_sandbox()
    with s3_server(folder / "s3") as endpoint:
        overrides = ["recipe=demo", f"storage.endpoint={endpoint}"]
        config = load_config(overrides)
        _title("shards of the source code found here, into the bucket")
        _pack(config)
        _stage("corpus", "build", *overrides)
        _stage("corpus", "report", *overrides)
        _stage("tokenizer", "train", *overrides)
        _stage("index", "build", "raw", *overrides)
        for verb in ("train", "score", "select", "inspect"):
            _stage("annotate", verb, *overrides)
        _synthesize(folder / "language-model", overrides)
        written = _written(config)
        _stage("index", "build", *written, *overrides)
        overrides += _phase3(config, written)
        _stage("plan", *overrides)
        _train_with_a_kill(config, overrides)
        _stage("export", *overrides)
        _evaluate(config, [*overrides, *left_out])
    _stage("status", str(folder))
    _stage("report", str(folder))
    _complete(Path(config.export.dir))
    _summary(folder, time.monotonic() - started)


def _pack(config: Config) -> None:
    """Raw source for the corpus stage, and good files for the annotator."""
    places = {"raw": config.corpus.input, "hqcode": config.annotator.positives["hqcode"].shards}
    for name, repositories in demo_sources()._asdict().items():
        pack(repositories, open_store(places[name], config.storage), config.index.columns, config.repositories)


def _synthesize(folder: Path, overrides: list[str]) -> None:
    """A small language model is served on loopback, as vLLM would serve a large one."""
    with language_model(folder) as url:
        _stage("synthesize", f"synthesis.requests.servers=[{url}]", *overrides)
    _stage("synthesize", "report", *overrides)


def _written(config: Config) -> list[str]:
    """The synthetic sources that have shards: a model this small may write nothing of use outside Python."""
    stores = {
        name: open_store(config.index.sources[name].shards, config.storage) for name in config.phases["phase3"].sources
    }
    found = [name for name, store in stores.items() if any(info.key.endswith(SUFFIXES) for info in store.list())]
    if not found:
        raise OperationError("the language model wrote no file that was kept, see the report above")
    return found


def _phase3(config: Config, written: list[str]) -> list[str]:
    """Overrides by which phase 3 reads what the language model wrote four times, however much that is."""
    phase = config.phases["phase3"]
    indexed = {name: IndexedSource(Path(config.index.dir) / name).tokens for name in written}
    unique = {name: tokens for name, tokens in indexed.items() if tokens}  # all of a few files may be held out
    total, of_a_step = sum(unique.values()), phase.global_batch * phase.sequence_length
    steps = _EPOCHS * total // of_a_step
    if not steps:
        raise OperationError(
            f"the language model wrote {total:,} tokens: too few for a step of {of_a_step:,} of phase 3"
        )
    others = [name for name in phase.sources if name not in unique]
    return [
        *(f"~phases.phase3.sources.{name}" for name in others),
        *(f"phases.phase3.sources.{name}.share={count / total!r}" for name, count in unique.items()),
        f"phases.phase3.tokens={steps * of_a_step}",
        f"phases.phase3.learning_rate.warmup_steps={min(phase.learning_rate.warmup_steps, steps - 1)}",
    ]


def _train_with_a_kill(config: Config, overrides: list[str]) -> None:
    _title(f"snowcoder train {' '.join(overrides)}   (killed after step {_KILL_AT}, then resumed in another layout)")
    process = subprocess.Popen(_command("train", *overrides), start_new_session=True)
    while process.poll() is None and _last_step(config) < _KILL_AT:
        time.sleep(0.2)
    if process.poll() is not None:
        raise OperationError(f"the training ended by itself before step {_KILL_AT}, see above")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    print("--- killed (SIGKILL to all processes of the training) ---", flush=True)
    saved = max(complete_steps(RunFolder.of(config).checkpoints), default=0)
    lost = {step: loss for step, loss in _losses(config).items() if step > saved}
    _stage("train", *overrides, _OTHER_LAYOUT)
    _compare(lost, _losses(config))


def _losses(config: Config) -> dict[int, float]:
    """Of each finished step."""
    records = read_metrics(RunFolder.of(config).metrics)
    return {record["step"]: record["loss"] for record in records if record["kind"] == "step"}


def _compare(lost: dict[int, float], again: dict[int, float]) -> None:
    """Steps that were lost with the kill are made twice: by data parallelism, and by tensor parallelism."""
    largest = max((abs(loss - again[step]) for step, loss in lost.items()), default=0.0)
    steps = f"steps {min(lost)} to {max(lost)}" if lost else "no step"
    print(f"\nMade twice, in two layouts: {steps}, with losses within {largest:.1e} of each other.", flush=True)
    if largest > _SAME_LOSS:
        raise OperationError("the layouts disagree: their losses should be the same up to rounding")


def _last_step(config: Config) -> int:
    return max(_losses(config), default=0)


def _evaluate(config: Config, overrides: list[str]) -> None:
    """The model at the end of each phase, side by side; its card carries the table."""
    models = {}
    *earlier, last = load_plan(Path(config.plan.dir)).phases
    for phase in earlier:
        models[phase.name] = f"{config.export.dir}-{phase.name}"
        end = phase.last_step
        _stage("export", *overrides, f"export.step={end}", f"export.dir={models[phase.name]}")
    models[last.name] = config.export.dir
    named = [f"evaluation.models.{name}={folder}" for name, folder in models.items()]
    _stage("evaluate", *overrides, *named)


def _without_a_sandbox() -> list[str]:
    """Where there can be none, only bits per byte are measured: generated programs run in nothing less."""
    try:
        Sandbox()
    except UserError as error:
        print(f"This machine has no sandbox, so no program that the model writes will be run: {error}", flush=True)
        return ["evaluation.suites=[]"]
    return []


def _complete(folder: Path) -> None:
    """Load the exported folder with transformers alone, in a process that cannot import snowcoder."""
    _title("transformers alone loads the folder and completes a function")
    done = subprocess.run([sys.executable, str(Path(__file__).with_name("complete.py")), str(folder)], check=False)
    if done.returncode:
        raise OperationError(f"{folder} could not be loaded by transformers, see above")


def _summary(folder: Path, seconds: float) -> None:
    print(f"\nThe demo took {seconds:.0f} s. All of it lies in {folder}:")
    judged = "HumanEval" in (folder / "evaluation" / "table.md").read_text()
    names = {
        "index.html": "all pages of the run, and what was made from what",
        "hf": "the model in Hugging Face format",
        "evaluation/table.md": f"the phases' models: {'HumanEval, and ' if judged else ''}bits per byte",
        "report.html": "losses, learning rate, tokens/s, the ledger of tokens by source",
        "metrics.jsonl": "one line a step",
        "resolved.yaml": "the frozen config of the training",
        "corpus/report.html": "what each rule took of the raw files, with examples",
        "annotator/scores/inspect.html": "the best and the worst files of each language",
        "synthesis/code_file/report.html": "what became of the language model's answers",
        "tokenizer": "the tokenizer and its report",
        "index": "token ids in .bin/.idx files, with a sidecar naming each document",
        "plan": "step -> samples",
        "train": "checkpoints, TensorBoard",
        "s3": "the bucket's files",
    }
    for name, what in names.items():
        print(f"  {folder / name!s:<44}{what}")


def _stage(*arguments: str) -> None:
    _title(f"snowcoder {' '.join(arguments)}")
    done = subprocess.run(_command(*arguments), check=False)
    if done.returncode:
        raise OperationError(f"`snowcoder {' '.join(arguments)}` ended with {done.returncode}, see its message above")


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "snowcoder", *arguments]


def _title(text: str) -> None:
    print(f"\n$ {text}", flush=True)
