"""What the card says of each source: what manifests tell, and nothing where they tell nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from snowcoder.config.compose import load_config
from snowcoder.export.sources import TrainedOn, sources_of
from snowcoder.lineage.manifest import Manifest, Output
from tests.tiny import tiny_overrides

PERMISSIVE = {"allowed": "permissive", "also_allowed": [], "unlicensed": "drop"}
TOKENS = {"train": {"tokens": 900, "documents": 3}, "tokens_by_language": {"C": 250, "Python": 740, "": 10}}
RECIPE = {"recipe": {"model": "a-model", "name": "code_file"}}


def write(folder: Path, stage: str, inputs: dict[str, Any], config: dict[str, Any], counts: dict[str, Any]) -> Manifest:
    folder.mkdir(parents=True)
    manifest = Manifest(stage, inputs, config, counts, [Output("a.parquet", 1, "shard")])
    manifest.write(folder)
    return manifest


@pytest.fixture
def told(tmp_path: Path) -> Any:
    """What is said of source `raw`, as its index and its shards' manifest have it."""

    def told(
        index: str, inputs: dict[str, Any], shards: tuple[str, dict[str, Any], dict[str, Any]] | None
    ) -> TrainedOn:
        config = load_config(tiny_overrides(tmp_path))
        manifest = write(tmp_path / "index" / "raw", index, inputs, {}, TOKENS)
        if shards:
            write(tmp_path / "shards" / "raw", *shards, {})
        ledger = {"phase1": {"raw": 5}, "phase2": {"raw": 5}}
        (source,) = sources_of(config, ledger, {"index raw": manifest.digest})
        return source

    return told


SHARDS = {"tokenizer": "t", "shards": [{"name": "a.parquet", "bytes": 1, "digest": "shard"}]}


def build(policy: dict[str, Any], pii: bool) -> tuple[str, dict[str, Any], dict[str, Any]]:
    return "corpus build", {}, {"licence_policy": policy, "pii": {"enabled": pii}}


@pytest.mark.parametrize(
    ("index", "inputs", "shards", "what"),
    [
        ("index", SHARDS, None, "shards that snowcoder did not make"),
        ("index", SHARDS, ("corpus pack", {}, {}), "files of repositories, as they are"),
        (
            "index",
            SHARDS,
            build(PERMISSIVE, True),
            "files of repositories, with permissive licences; filtered, without copies, "
            "personal data and secrets replaced",
        ),
        (
            "index",
            SHARDS,
            build({**PERMISSIVE, "unlicensed": "keep"}, False),
            "files of repositories, with permissive licences or none; filtered, without copies",
        ),
        (
            "index",
            SHARDS,
            build({**PERMISSIVE, "allowed": "any"}, False),
            "files of repositories, whatever their licence; filtered, without copies",
        ),
        ("index", SHARDS, ("synthesize", {"synthesis": "another"}, {}), "written by a language model"),
        (
            "annotate select",
            {"tokenizer": "t", "all": "i", "scores": "s"},
            None,
            "the files of `all` that the quality annotator scored best",
        ),
        (
            "index",
            {"tokenizer": "t", "shards": [{"name": "a.parquet", "bytes": 1, "digest": "an older shard"}]},
            build(PERMISSIVE, True),
            "shards that snowcoder did not make",
        ),
    ],
)
def test_what_a_source_is(told: Any, index: str, inputs: Any, shards: Any, what: str) -> None:
    languages = "Python 74.0%, C 25.0%, unknown 1.0%"
    assert told(index, inputs, shards) == TrainedOn("raw", what, 900, 3, languages)


def test_what_a_language_model_wrote_names_it(told: Any, tmp_path: Path) -> None:
    made = write(tmp_path / "synthesis" / "code_file", "synthesize", {}, RECIPE, {})
    source = told("index", SHARDS, ("synthesize", {"synthesis": made.digest}, {}))
    assert source.what == "written by a-model, by the recipe `code_file`"


def test_of_an_index_that_is_another_by_now_nothing_is_said(told: Any, tmp_path: Path) -> None:
    told("index", SHARDS, None)
    config, ledger = load_config(tiny_overrides(tmp_path)), {"phase1": {"raw": 5}}
    assert sources_of(config, ledger, {"index raw": "another"}) == [TrainedOn("raw", "its index is no longer here")]
    shutil.rmtree(tmp_path / "index")
    assert sources_of(config, ledger, {"index raw": "another"}) == [TrainedOn("raw", "its index is no longer here")]
