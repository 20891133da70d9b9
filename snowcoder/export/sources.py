"""What a model was trained on, source by source, as the manifests of its index and shards have it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from snowcoder.config.schema import Config
from snowcoder.errors import SnowcoderError
from snowcoder.lineage.manifest import NAME, Manifest, find_manifest
from snowcoder.storage.store import open_store

_LANGUAGES = 8  # named, the largest


class TrainedOn(NamedTuple):
    name: str
    what: str
    tokens: int | None = None  # of its index: an epoch; None where the index is no longer here
    documents: int = 0
    languages: str = ""  # with their shares of the tokens


def sources_of(config: Config, ledger: dict[str, dict[str, int]], inputs: dict[str, Any]) -> list[TrainedOn]:
    """The sources in a checkpoint's ledger; `inputs` has the digests of their indexes."""
    names = dict.fromkeys(name for phase in ledger.values() for name in phase)
    return [_source(config, name, inputs.get(f"index {name}")) for name in names]


def _source(config: Config, name: str, digest: str | None) -> TrainedOn:
    index = find_manifest(Path(config.index.dir) / name)
    if index is None or index.digest != digest:
        return TrainedOn(name, "its index is no longer here")
    train = index.counts["train"]
    languages = _shares(index.counts["tokens_by_language"])
    return TrainedOn(name, _what(config, name, index), train["tokens"], train["documents"], languages)


def _shares(tokens: dict[str, int]) -> str:
    total = sum(tokens.values())
    largest = sorted(tokens, key=lambda language: -tokens[language])
    named = [f"{language or 'unknown'} {tokens[language] / total:.1%}" for language in largest[:_LANGUAGES]]
    return ", ".join([*named, *([f"{len(largest) - _LANGUAGES} more"] if len(largest) > _LANGUAGES else [])])


def _what(config: Config, name: str, index: Manifest) -> str:
    if index.stage == "annotate select":
        (origin,) = index.inputs.keys() - {"tokenizer", "scores"}
        return f"the files of `{origin}` that the quality annotator scored best"
    shards = _of_shards(config, name, {shard["digest"] for shard in index.inputs["shards"]})
    match shards:
        case {"stage": "corpus pack"}:
            return "files of repositories, as they are"
        case {"stage": "corpus build", "config": {"licence_policy": licences, "pii": pii}}:
            return f"files of repositories, {_licences(licences)}; filtered, without copies{_pii(pii)}"
        case {"stage": "synthesize", "inputs": {"synthesis": made_by}}:
            return f"written by {_writer(config, made_by)}"
    return "shards that snowcoder did not make"


def _licences(policy: dict[str, Any]) -> str:
    if policy["allowed"] == "any":
        return "whatever their licence"
    return f"with permissive licences{' or none' if policy['unlicensed'] == 'keep' else ''}"


def _pii(pii: dict[str, Any]) -> str:
    return ", personal data and secrets replaced" if pii["enabled"] else ""


def _of_shards(config: Config, name: str, digests: set[str]) -> dict[str, Any] | None:
    """The manifest beside the shards, if it is still that of the ones that were indexed."""
    try:
        store = open_store(config.index.sources[name].shards, config.storage)
        manifest = json.loads(store.read(NAME)) if store.stat(NAME) else {"outputs": []}
    except (SnowcoderError, KeyError, ValueError):  # moved since, or out of reach: then nothing is said of it
        return None
    return manifest if digests and digests <= {output["digest"] for output in manifest["outputs"]} else None


def _writer(config: Config, digest: str) -> str:
    made = find_manifest(Path(config.synthesis.dir))
    if made is None or made.digest != digest:
        return "a language model"
    return f"{made.config['recipe']['model']}, by the recipe `{made.config['recipe']['name']}`"
