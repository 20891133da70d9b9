"""The models of an evaluation, and their completions for a suite."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from snowcoder.answers import switched_off
from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.evaluation.completions import Completion, CompletionRequest, Completions
from snowcoder.evaluation.suites import Suite
from snowcoder.evaluation.tasks import Task
from snowcoder.pretrained.digest import model_digest
from snowcoder.pretrained.load import folder_problems
from snowcoder.progress import bar

if TYPE_CHECKING:
    from snowcoder.evaluation.local_model import LocalModel
    from snowcoder.evaluation.server_model import ServerModel


@dataclass(frozen=True)
class EvaluatedModel:
    name: str
    path: str  # its folder, or its name on the server
    digest: str  # of the files that decide what it writes
    config: Config
    unguided: EvaluatedModel | None = None  # the same without guidance, where this is the one with it

    @cached_property
    def generator(self) -> LocalModel | ServerModel:
        """Loaded when it is needed first: transformers takes seconds to import."""
        if self.unguided is not None:
            return self.unguided.generator
        generation, seed = self.config.evaluation.generation, self.config.run.seed
        if generation.backend == "server":
            from snowcoder.evaluation.server_model import ServerModel

            return ServerModel(self.path, generation, seed)
        from snowcoder.evaluation.local_model import LocalModel

        return LocalModel(Path(self.path), generation, seed)


def models_of(config: Config) -> list[EvaluatedModel]:
    """Raises UserError that names every folder that holds no model."""
    models = config.evaluation.models or {Path(config.run.dir).resolve().name: config.export.dir}
    if config.evaluation.generation.backend == "server":
        server = config.evaluation.generation.server or ""
        parts = urlsplit(server)
        if parts.username or parts.password or parts.query:
            raise UserError(
                "evaluation.generation.server is given with a password or a query, which would be written into "
                "results; the API key comes from the environment (OPENAI_API_KEY)"
            )
        return [EvaluatedModel(name, path, f"{server} {path}", config) for name, path in models.items()]
    problems = [f"  {name}: {path}{why}" for name, path in models.items() for why in _why_no_model(Path(path))]
    if problems:
        raise UserError(
            "evaluation.models: no exported model:\n" + "\n".join(problems) + "\n"
            "`snowcoder export` makes one; '+evaluation.models.alpha=runs/arctic/hf-alpha' names it"
        )
    found = [EvaluatedModel(name, path, model_digest(Path(path)), config) for name, path in models.items()]
    if not config.guidance.is_on:
        return found
    return [each for model in found for each in (model, replace(model, name=f"{model.name}-guided", unguided=model))]


def _why_no_model(folder: Path) -> list[str]:
    if not (folder / "config.json").exists():
        return [""]
    return [f": {text}" for text in folder_problems(folder)]


def complete_tasks(
    config: Config, model: EvaluatedModel, suite: Suite, tasks: list[Task], folder: Path
) -> list[Completion]:
    """By task and sample. Those that an earlier run has made stay."""
    generation = config.evaluation.generation
    new_tokens = generation.new_tokens or suite.new_tokens
    store = Completions(folder / "completions.jsonl", _settings(config, model, suite, new_tokens))
    wanted = [CompletionRequest(task, sample) for task in tasks for sample in range(generation.samples)]
    todo = store.missing(wanted)
    with bar(f"{model.name} writes {suite.name}", len(todo), "completion") as progress:
        for batch in _completions(model, todo, new_tokens, folder) if todo else ():
            store.add(batch)
            progress.update(len(batch))
    return [store.found[request.key] for request in wanted]


def _completions(
    model: EvaluatedModel, todo: list[CompletionRequest], new_tokens: int, folder: Path
) -> Iterator[list[Completion]]:
    if model.unguided is None:
        return model.generator.complete(todo, new_tokens)
    from snowcoder.evaluation.guided_model import complete_guided
    from snowcoder.evaluation.local_model import LocalModel

    assert isinstance(model.generator, LocalModel)  # config/rules.py has seen to it
    return complete_guided(model.generator, todo, new_tokens, model.config.guidance, folder)


def _settings(config: Config, model: EvaluatedModel, suite: Suite, new_tokens: int) -> dict[str, Any]:
    """All that decides a completion besides its prompt, and where it was made."""
    generation = config.evaluation.generation.model_dump(mode="json")
    kept = ("backend", "server", "temperature", "top_p", "dtype")
    return {
        "model": model.path,
        "digest": model.digest,
        "suite": suite.name,
        "version": suite.version,
        "data": suite.digest,
        "new_tokens": new_tokens,
        "seed": config.run.seed,
        **{name: generation[name] for name in kept},
        "off": switched_off(generation["temperature"]) if generation["backend"] == "server" else {},
        **({"guidance": config.guidance.written_by} if model.unguided else {}),
        "versions": _versions() if generation["backend"] == "transformers" else {},  # a server has its own
    }


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in ("torch", "transformers")}}
