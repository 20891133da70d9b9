"""Every key says what it means; `config explain` says it, with what is allowed, the value and its place."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from snowcoder.cli import main
from snowcoder.config import tree
from snowcoder.config.compose import groups, known_keys, load_config, options
from snowcoder.config.explain import explain
from snowcoder.config.layers import Layer, layers
from snowcoder.config.presets import OTHERS, meaning_of
from snowcoder.config.schema import Config
from snowcoder.config.section import Section
from snowcoder.errors import UserError

PLAIN, DEMO = (), ("recipe=demo",)
CHANGED = ("optimizer.lr=1", "parallel=tp2", "phase=phase2", "filters.html={characters: 1, share: 0.5}", "study=paper")


@functools.cache
def composed(overrides: tuple[str, ...]) -> tuple[dict[str, Any], list[Layer]]:
    return load_config([*overrides]).model_dump(mode="json"), layers([*overrides])


def explained(key: str, *overrides: str) -> str:
    values, used = composed(overrides)
    return "\n".join([*explain(key, values, [*overrides], used), ""])


def sections_below(section: type[Section]) -> list[type[Section]]:
    return [each for below in section.__subclasses__() for each in (below, *sections_below(below))]


OF_CONFIG = [each for each in sections_below(Section) if each.__module__.startswith("snowcoder.config.")]


@pytest.mark.parametrize("section", OF_CONFIG, ids=lambda section: section.__name__)
def test_every_key_says_what_it_means(section: type[Section]) -> None:
    assert [name for name, field in section.model_fields.items() if not field.description] == []


def test_every_preset_and_every_folder_of_conf_says_what_it_is() -> None:
    assert {*groups()} <= {*Config.model_fields, *OTHERS}
    assert [(group, name) for group in groups() for name in options(group) if not meaning_of(group, name)] == []


def test_every_key_of_the_config_can_be_explained() -> None:
    keys = known_keys(composed(DEMO)[0])
    assert len(keys) > 300
    for key in keys:
        node = tree.find_node(key)
        assert node is not None, key
        assert tree.meaning(node), key
        assert tree.allowed(node), key


@pytest.mark.parametrize(
    ("key", "overrides", "said"),
    [
        (
            "optimizer.lr",
            PLAIN,
            ["Peak learning rate", "a number above 0", "value:   0.00053\n", "optimizer/adam"],
        ),
        ("optimizer.lr", DEMO, ["value:   0.003\n", "conf/recipe/demo.yaml"]),
        ("optimizer.lr", CHANGED, ["value:   1\n", "the command line, optimizer.lr=1"]),
        ("phases.phase1.tokens", PLAIN, ["Budget in tokens", "value:   5e+11\n", "conf/phase/phase1.yaml"]),
        ("phases.phase2.learning_rate.peak", PLAIN, ["0.00053 = ${optimizer.lr}", "conf/phase/phase2.yaml"]),
        ("index.sources.raw.shards", PLAIN, ["s3://snowcoder/raw = ${storage.root}/raw", "conf/index/stack.yaml"]),
        ("index.sources.raw.selection_of", PLAIN, ["value:   null", "the schema, for no file sets it"]),
        ("parallel.tensor", CHANGED, ["value:   2", "conf/parallel/tp2.yaml"]),
        ("parallel.data", CHANGED, ["value:   1", "conf/parallel/single.yaml"]),
        ("run.phases", CHANGED, ["value:   [phase2]", "the command line, phase=phase2"]),
        ("filters.html.share", PLAIN, ["at least 0, at most 1", "value:   null", "conf/filters/arctic.yaml"]),
        ("filters.html.share", CHANGED, ["value:   0.5", "the command line"]),
        ("corpus.near.level", PLAIN, ["allowed: file | repository"]),
        ("logging.profile_steps", PLAIN, ["[a whole number at least 0, a whole number at least 0] or null"]),
        ("index.part", PLAIN, [r"text that matches `^[1-9]\d*/[1-9]\d*$`"]),
        ("evaluation.pass_at", PLAIN, ["a list, each a whole number at least 1"]),
        ("study.pass_at_1", PLAIN, ["a table, NAME: a table, NAME: a number at least 0, at most 100"]),
        ("study.pass_at_1.hq.mbpp", CHANGED, ["pass@1 in percent", "value:   33.9", "conf/study/paper.yaml"]),
    ],
)
def test_a_key(key: str, overrides: tuple[str, ...], said: list[str]) -> None:
    shown = explained(key, *overrides)
    assert shown.startswith(f"{key}: ")
    for text in said:
        assert text in shown


def test_a_group_has_its_keys_and_its_presets() -> None:
    shown = explained("filters")
    assert "filters.max_lines   100000 " in shown
    assert '\n  * arctic          The paper has "basic filtering" and no thresholds.' in shown
    assert "\n    starcoder2      StarCoder2 (The Stack v2)" in shown
    assert "\n  phases.phase2.learning_rate " in explained("phases.phase2")
    assert "\n  * demo     The whole job on two CPU cores" in explained("recipe", *DEMO)


def test_the_command_explains_under_overrides(capsys: pytest.CaptureFixture[str]) -> None:
    main(["config", "explain", "optimizer.lr", "optimizer.lr=3"])
    assert "value:   3\n" in capsys.readouterr().out


def test_without_a_key_all_groups_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["config", "explain"])
    shown = capsys.readouterr().out
    assert all(f"\n  {group} " in f"\n{shown}" for group in (*Config.model_fields, *OTHERS))
    assert "Presets: smollm2_135m, snowcoder_1_3b, tiny." in shown


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("optimzer", "optimizer"),
        ("optimizer.lrr", "optimizer.lr"),
        ("optimizer.lr.peak", "optimizer.lr"),
        ("phases.phse1", "phases.phase1"),
        ("phases.phase9.tokens", "phases.phase..tokens"),
        ("warmup_steps", "phases.phase1.learning_rate.warmup_steps"),
        ("recpe", "recipe"),
    ],
)
def test_an_unknown_key_names_the_nearest(key: str, near: str) -> None:
    with pytest.raises(UserError, match=rf"{key}: is no key of the config \(did you mean {near}\?\)"):
        explained(key)
