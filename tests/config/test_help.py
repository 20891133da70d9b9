"""`snowcoder help VERB`: what a verb does, reads and writes; the groups, keys and examples in it exist."""

from __future__ import annotations

import re
import shlex

import pytest

from snowcoder.cli import VERBS, main
from snowcoder.config import tree
from snowcoder.config.compose import groups, hydra_arguments
from snowcoder.config.schema import Config


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["help", *verb.split()])
    shown = capsys.readouterr().out
    main([*verb.split(), "--help"])
    assert capsys.readouterr().out == shown
    assert shown.startswith((f"snowcoder {verb} ", f"snowcoder {verb}\n"))
    assert re.search(r"\n\n  [A-Z`].+\.\n\n  reads: ", shown)
    assert " ".join(VERBS[verb].example.split()) in " ".join(shown.split())


@pytest.mark.parametrize("verb", VERBS)
def test_what_it_names_exists(verb: str) -> None:
    facts = VERBS[verb]
    assert {*facts.groups} <= {*Config.model_fields, *groups(), "all groups"}
    named = re.findall(r"(\b[a-z_]+)((?:\.\w+)+)", f"{facts.inputs} {facts.outputs}")
    files = (".json", ".md", ".html")
    keys = [first + rest for first, rest in named if first in Config.model_fields and rest not in files]
    assert [key for key in keys if tree.find_node(key) is None] == []


@pytest.mark.parametrize("verb", VERBS)
def test_its_example_is_one(verb: str) -> None:
    program, *words = shlex.split(VERBS[verb].example)
    assert program == "snowcoder"
    assert words[: len(verb.split())] == verb.split()
    overrides = [word for word in words if "=" in word or word.startswith("~")]
    problems: list[str] = []
    hydra_arguments(overrides, problems)
    assert problems == []
    names = [word.lstrip("~+").partition("=")[0] for word in overrides]
    assert [name for name in names if name not in groups() and tree.find_node(name) is None] == []


@pytest.mark.parametrize("words", [["corpus", "--help"], ["help", "corpus"]])
def test_help_of_a_word_that_several_begin_with(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(words)
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in shown] == ["pack", "build", "report"]


@pytest.mark.parametrize("words", [["help", "trian"], ["corpus", "bild", "--help"]])
def test_help_of_no_verb_is_a_mistake(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert "did you mean" in capsys.readouterr().err
