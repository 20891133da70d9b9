"""`snowcoder evaluate`: completions, verdicts, results beside the paper's, for models side by side.

Its folder holds, for each model and suite, `completions.jsonl` (what the model wrote, with all settings) and
`verdicts.json`; for the machine `calibration/`; then `results.json`, `table.md`, and the manifest, last. What is there
and still true is not made again.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from snowcoder.config.schema import Config
from snowcoder.evaluation.bits import Bits, Passages, bits_per_byte, held_out_passages, solution_passages
from snowcoder.evaluation.calibrate import TimeLimits, calibrate_limits, judged_by
from snowcoder.evaluation.data import read_suite, suites_of
from snowcoder.evaluation.generate import EvaluatedModel, complete_tasks, models_of
from snowcoder.evaluation.results import (
    Changes,
    Judged,
    Measurements,
    changes_between,
    evoeval_means,
    parsing_of,
    results_of,
)
from snowcoder.evaluation.suites import Suite
from snowcoder.evaluation.table import results_table
from snowcoder.evaluation.tasks import Task
from snowcoder.evaluation.verdicts import judge
from snowcoder.export.card import add_evaluation
from snowcoder.sandbox.program import Limits
from snowcoder.sandbox.sandbox import Sandbox
from snowcoder.stages.stage import Stage
from snowcoder.storage.atomic import write_json, write_text
from snowcoder.storage.digest import digest_json

_KEPT = ("*/*/completions.jsonl", "*/*/verdicts.json", "*/*/guidance.json")
RESULTS, TABLE = "results.json", "table.md"


def run(config: Config) -> None:
    """Raises UserError where a model, a suite's data or the sandbox is not there, before anything is generated."""
    folder = Path(config.evaluation.dir)
    suites, models = suites_of(config.evaluation.suites), models_of(config)
    passages = _passages(config)
    inputs = {
        "models": {model.name: model.digest for model in models},
        "suites": {suite.name: suite.digest for suite in suites},
        "judges": {suite.name: judged_by(sandbox_of(config, suite)) for suite in suites},
        "texts": digest_json(passages),
    }
    stage = Stage("evaluate", folder, inputs, decided_by(config))
    if stage.is_done("evaluate"):
        return
    # First, so that data of another digest cost no finished evaluation.
    tasks = {suite.name: suite_tasks(config, suite) for suite in suites}
    with stage.making():
        measured = Measurements([], [], [])
        for suite in suites:
            _evaluate(config, suite, tasks[suite.name], models, measured)
        measured.results.extend(evoeval_means(measured.results, config.run.seed))
        unguided = [model for model in models if model.unguided is None]
        for model in unguided:
            measured.bits_per_byte.extend(_bits(model, passages, config.run.seed))
        _write(config, stage, measured)
    for model in unguided:
        add_evaluation(Path(model.path), results_table(measured.of(model.name), Changes()))
    print(f"{(folder / TABLE).read_text()}\nevaluate: {folder / TABLE}, {folder / RESULTS}")


def decided_by(config: Config) -> dict[str, Any]:
    """The part of the config that decides the results."""
    evaluation = config.evaluation.model_dump(mode="json")
    kept = ("baseline", "suites", "first", "generation", "pass_at", "pythons", "bits")
    guidance = {"guidance": config.guidance.written_by} if config.guidance.is_on else {}
    return {"seed": config.run.seed, **{name: evaluation[name] for name in kept}, **guidance}


def suite_tasks(config: Config, suite: Suite) -> list[Task]:
    tasks = read_suite(suite, Path(config.evaluation.data).expanduser())
    return tasks[: config.evaluation.first or len(tasks)]


def sandbox_of(config: Config, suite: Suite) -> Sandbox:
    return Sandbox(Limits(), config.evaluation.pythons.get(suite.name, sys.executable))


def limits_of(config: Config, suite: Suite, tasks: list[Task], sandbox: Sandbox) -> TimeLimits:
    path = Path(config.evaluation.dir) / "calibration" / f"{suite.name}.json"
    return calibrate_limits(suite, tasks, sandbox, path, config.evaluation.workers)


def _evaluate(
    config: Config, suite: Suite, tasks: list[Task], models: list[EvaluatedModel], measured: Measurements
) -> None:
    sandbox = sandbox_of(config, suite)
    calibration = limits_of(config, suite, tasks, sandbox)
    for model in models:
        if suite.name == "infilling" and not model.generator.can_infill:
            print(f"evaluate: {model.name} is left out of {suite.title}: its tokenizer has no tokens for it")
            continue
        folder = Path(config.evaluation.dir) / model.name / suite.name
        completions = complete_tasks(config, model, suite, tasks, folder)
        verdicts = judge(suite, tasks, completions, calibration, sandbox, folder, config.evaluation.workers)
        left = sorted({name for each in completions for name in each.left_to_server})
        judged = Judged(model.name, suite, tasks, verdicts, calibration.failures(), left)
        measured.results.extend(results_of(judged, config.evaluation.pass_at, config.run.seed))
        measured.parsing.append(parsing_of(model.name, suite, tasks, completions, config.run.seed))


def _passages(config: Config) -> Passages:
    solved = {suite.title: suite_tasks(config, suite) for suite in suites_of(config.evaluation.bits.solutions)}
    return {**held_out_passages(config), **solution_passages(solved)}


def _bits(model: EvaluatedModel, passages: Passages, seed: int) -> list[Bits]:
    from snowcoder.evaluation.local_model import LocalModel

    if not passages:
        return []
    assert isinstance(model.generator, LocalModel)  # config/rules.py has seen to it
    return bits_per_byte(model.name, model.generator, passages, seed)


def _write(config: Config, stage: Stage, measured: Measurements) -> None:
    folder = stage.folder
    changes = changes_between(measured, config.evaluation.baseline, config.run.seed)
    write_json(folder / RESULTS, {**asdict(measured), "changes": asdict(changes)})
    write_text(folder / TABLE, results_table(measured, changes))
    completions = sum(result.tasks * result.samples for result in measured.results)
    counts = {"results": len(measured.results), "completions": completions}
    kept = sorted(path for pattern in _KEPT for path in folder.glob(pattern))
    names = [RESULTS, TABLE, *(str(path.relative_to(folder)) for path in kept)]
    stage.vouch(counts, names)
