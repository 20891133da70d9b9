"""`snowcoder repair`: patches of a model for a benchmark's bugs, and what compilers and tests say of them.

Its folder holds `patches.jsonl` (all that the model wrote, under a line with every setting), `answers.jsonl` (all that
a completion engine answered: `guidance.replay` asks it in the engine's place), `taken.json`, `verdicts.jsonl`,
`results.json`, `table.md`, and the manifest, last. What is there and still true is not made again.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.pretrained.digest import model_digest
from snowcoder.pretrained.load import folder_problems
from snowcoder.repair.read import read_bugs
from snowcoder.repair.results import RESULTS, repair_results, write_results
from snowcoder.repair.table import repair_table
from snowcoder.repair.validate import Patch, PatchVerdict, judge_of, validate
from snowcoder.stages.stage import Stage
from snowcoder.storage.atomic import write_text
from snowcoder.storage.digest import digest_file, digest_json

TABLE, VERDICTS = "table.md", "verdicts.jsonl"


def run(config: Config) -> None:
    """Raises UserError where a model, bugs, a JDK or the sandbox is not there, before anything is written."""
    from snowcoder.repair.generate import ANSWERS, PATCHES, TAKEN, Taken, patches_of  # late: torch

    repair, folder = config.repair, Path(config.repair.dir)
    bugs, judges = read_bugs(repair), judge_of(repair)
    checkouts = dict.fromkeys(bug.checkout for bug in bugs if bug.is_judged)
    model = _digest(Path(repair.model))
    inputs = {
        "model": model,
        "bugs": digest_json([asdict(bug) | {"checkout": None} for bug in bugs]),
        "judges": sorted({judges(checkout).version for checkout in checkouts}),
        "replay": digest_file(Path(config.guidance.replay)) if config.guidance.replay else None,
    }
    stage = Stage("repair", folder, inputs, _decided_by(config) | {"guidance": config.guidance.written_by})
    if stage.is_done("repair"):
        return
    with stage.making():
        patches = patches_of(config, model, bugs, folder)
        verdicts = validate(patches, judges, repair.workers)
        _write_verdicts(folder, patches, verdicts)
        results = repair_results(config, model, bugs, patches, verdicts, Taken(folder).read())
        write_results(folder, results)
        write_text(folder / TABLE, repair_table([results]))
        names = [PATCHES, VERDICTS, RESULTS, TABLE, *(name for name in (TAKEN, ANSWERS) if (folder / name).exists())]
        stage.vouch({"bugs": len(bugs), "patches": len(patches)}, names)
    print(f"{(folder / TABLE).read_text()}\nrepair: {folder / TABLE}, {folder / RESULTS}")


def _digest(folder: Path) -> str:
    """Raises UserError where there is no model."""
    problems = folder_problems(folder) if (folder / "config.json").exists() else ["it has no config.json"]
    if problems:
        raise UserError(
            f"repair.model: {folder} holds no exported model: {'; '.join(problems)}; `snowcoder export` makes one, "
            "and repair.model=FOLDER names it"
        )
    return model_digest(folder)


def _decided_by(config: Config) -> dict[str, Any]:
    """The part of the config that decides the results; places, which differ by machine, are in the inputs."""
    repair = config.repair.model_dump(mode="json")
    kept = ("benchmark", "language", "docstring", "prompt", "templates", "generation", "seconds")
    return {"seed": config.run.seed, **{name: repair[name] for name in kept}}


def _write_verdicts(folder: Path, patches: list[Patch], verdicts: list[PatchVerdict]) -> None:
    lines = [
        {"bug": patch.bug.name, "patch": patch.text, **asdict(verdict)}
        for patch, verdict in zip(patches, verdicts, strict=True)
    ]
    write_text(folder / VERDICTS, "".join(json.dumps(line) + "\n" for line in lines))
