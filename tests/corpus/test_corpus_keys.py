"""A key that decides what a step of `corpus build` makes is never forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from snowcoder.config.compose import load_config
from snowcoder.config.corpus_schema import FiltersConfig, NearConfig
from snowcoder.corpus import build
from snowcoder.corpus.dedup.find_copies import Candidates, Merge
from snowcoder.corpus.dedup.repositories import RepositoryCopies
from snowcoder.corpus.dedup.resolve import Resolve, Shingle
from snowcoder.corpus.filter_step import FilterStep
from snowcoder.corpus.group_step import GroupStep
from snowcoder.corpus.wash_step import WashStep
from tests.corpus.raw_shards import build_overrides, write_raw_shards
from tests.read_keys import Notes, noting

EACH = {FilterStep, WashStep, GroupStep}
OF_FILES = {Candidates, Shingle, Resolve, Merge}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_raw_shards(tmp_path_factory.mktemp("keys"))
    (folder / "opt-out").write_text("somebody/*\n")
    (folder / "more.jsonl").write_text('{"prompt": "def never_seen_anywhere(of_this_name):\\n"}\n')
    return folder


def forgotten(raw: Path, notes: Notes) -> list[str]:
    values = {
        "DecontaminationConfig.benchmarks": [[f"{raw}/more.jsonl"]],
        "LicencePolicyConfig.opt_out": [f"{raw}/more.jsonl"],
    }
    return notes.forgotten(values)


@pytest.mark.parametrize(("level", "steps"), [("file", EACH | OF_FILES), ("repository", EACH | {RepositoryCopies})])
def test_each_key_that_a_step_reads_decides_what_is_made_again(
    raw: Path, tmp_path: Path, level: str, steps: set[type]
) -> None:
    more = [f"corpus.near.level={level}", f"licence_policy.opt_out={raw}/opt-out", "corpus.engine.workers=1"]
    with noting() as notes:
        build.run(load_config(build_overrides(raw, tmp_path, *more)))
    assert set(notes.arguments) == steps
    assert {(FiltersConfig, "max_lines"), (NearConfig, "permutations")} <= notes.keys[FilterStep]
    assert forgotten(raw, notes) == []
