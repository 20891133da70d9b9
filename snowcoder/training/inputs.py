"""The config against the manifests it refers to, before any process is started."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.lineage.manifest import Manifest, find_manifest
from snowcoder.mixture.plan import load_plan, make_plan
from snowcoder.mixture.stage import source_sizes
from snowcoder.tokenization.load import load_tokenizer


def check_inputs(config: Config) -> None:
    """Raise `UserError` with all of `find_problems`."""
    if problems := find_problems(config):
        raise UserError("cannot train:\n" + "\n".join(f"  {n}. {text}" for n, text in enumerate(problems, 1)))


def find_problems(config: Config) -> list[str]:
    """Every mismatch between config, tokenizer, index and plan, as a sentence each."""
    return [*_index(config)] or [*_plan(config)]


def _index(config: Config) -> Iterator[str]:
    tokenizer = load_tokenizer(Path(config.tokenizer.dir))
    if tokenizer.vocab_size != config.model.vocab_size:
        there = f"the tokenizer in {tokenizer.folder} has {tokenizer.vocab_size} entries"
        yield f"model.vocab_size={config.model.vocab_size}: {there}"
    for source in _sources(config):
        folder = Path(config.index.dir) / source
        manifest = find_manifest(folder)
        if manifest is None:
            yield f"source {source} is not indexed in {folder}: run {config.index.sources[source].indexed_by}"
        else:
            yield from _source(manifest, folder, tokenizer.digest)


def _sources(config: Config) -> list[str]:
    """The sources that the phases of this run read; later phases may have theirs made later."""
    phases = [config.phases[name] for name in config.run.phases or config.phases]
    return list(dict.fromkeys(name for phase in phases for name in phase.sources))


def _source(manifest: Manifest, folder: Path, tokenizer_digest: str) -> Iterator[str]:
    if manifest.inputs["tokenizer"] != tokenizer_digest:
        yield f"{folder} was made with another tokenizer: run `snowcoder index build`"
    yield from manifest.check_files(folder)


def _plan(config: Config) -> Iterator[str]:
    folder = Path(config.plan.dir)
    if find_manifest(folder) is None:
        yield f"there is no plan in {folder}: run `snowcoder plan`"
    elif load_plan(folder).digest != make_plan(config, source_sizes(config)).digest:
        yield f"the plan in {folder} is of another config: run `snowcoder plan` with the same arguments"
