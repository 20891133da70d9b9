"""Recipes as they ship: prompts can be rendered, examples are right, requests depend on the seed alone."""

from __future__ import annotations

import asyncio

import pytest

from snowcoder.answers import Answer
from snowcoder.config.compose import conf_dir, load_config
from snowcoder.errors import UserError
from snowcoder.sandbox.program import Program
from snowcoder.sandbox.sandbox import Sandbox
from snowcoder.synthesis.blocks import blocks
from snowcoder.synthesis.prompts import Prompt, read_examples
from snowcoder.synthesis.recipe import Recipe
from snowcoder.synthesis.requests import Request
from snowcoder.synthesis.syntax import parses
from tests.synthesis.model import answer

RECIPES = sorted(path.stem for path in (conf_dir() / "synthesis").glob("*.yaml") if path.stem != "base")


def requests_of(recipe: str, seed: str, delays: list[float]) -> list[Request]:
    """All requests that a seed leads to, when answers come after these delays, in turns."""
    asked: list[Request] = []

    async def ask(request: Request) -> Answer:
        asked.append(request)
        await asyncio.sleep(delays[len(asked) % len(delays)])
        text = answer(request.body)
        return Answer(text, "stop", 1, 1) if isinstance(text, str) else Answer(*text, 1, 1)

    config = load_config([f"synthesis={recipe}", "synthesis.seeds.chat=[]"])
    fields = {"text": "def f(x):\n    return x", "language": "Python"}
    asyncio.run(Recipe(config).follow(seed, fields, ask))
    return asked


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_same_seed_gives_the_same_requests_in_whatever_order_answers_come(recipe: str) -> None:
    first, second, other = (
        {request.key for request in requests_of(recipe, seed, delays)}
        for seed, delays in (("a", [0.0]), ("a", [0.01, 0.0, 0.02]), ("b", [0.0]))
    )
    assert first == second
    assert not first & other  # another seed of the same text is another request


def test_no_two_requests_of_a_sample_are_one() -> None:
    asked = requests_of("self_code_align", "a", [0.0])
    assert len({request.key for request in asked}) == len(asked) == 12  # concepts, instruction, ten answers
    assert len({request.body["seed"] for request in asked}) == 12


def test_every_example_passes_its_own_tests(sandbox: Sandbox) -> None:
    for example in read_examples("self_code_align"):
        (block,) = blocks(example["response"])
        outcome = sandbox.run(Program(block.code, example["tests"]))
        assert outcome.passed, (example["instruction"], outcome.error)


def test_a_prompt_that_needs_what_is_not_there_says_so() -> None:
    with pytest.raises(UserError, match="'language' is undefined"):
        Prompt("code_file").messages({"text": "x"})
    with pytest.raises(UserError, match="code_file, code_file_small, evol_instruct/harder"):
        Prompt("nothing")


@pytest.mark.parametrize(
    ("language", "good", "bad"),
    [
        ("Python", "def f(x):\n    return x\n", "def f(x:\n    return x\n"),
        ("C", "int f(int a) { return a; }", "int f(int a) { return a "),
        ("C++", "template <class T> T f(T a) { return a; }", "template <class T T f(T a) { return a; }"),
        ("C#", "class A { int F(int a) => a; }", "class A { int F(int a) => ; "),
        ("Java", "class A { int f(int a) { return a; } }", "class A { int f(int a) { return a; }"),
        ("JavaScript", "const f = (a) => a;", "const f = (a => a;"),
        ("TypeScript", "const f = (a: number): number => a;", "const f = (a: number: number => a;"),
        ("Go", "package a\n\nfunc f(a int) int { return a }\n", "package a\n\nfunc f(a int int { return a }\n"),
        ("Rust", "fn f(a: i32) -> i32 { a }", "fn f(a: i32) -> i32 { a "),
        ("PHP", "<?php function f($a) { return $a; }", "<?php function f($a { return $a; }"),
        ("Ruby", "def f(a)\n  a\nend\n", "def f(a\n  a\nend end\n"),
        ("Kotlin", "fun f(a: Int): Int = a", "fun f(a: Int: Int = "),
        ("Scala", "def f(a: Int): Int = a", "def f(a: Int: Int = "),
        ("Shell", 'for i in 1 2; do echo "$i"; done\n', 'for i in 1 2; do echo "$i"\n'),
        ("SQL", "SELECT a FROM t WHERE b = 1;", "SELECT FROM WHERE ((;"),
        ("Swift", "func f(a: Int) -> Int { return a }", "func f(a: Int -> Int { return a "),
        ("Dart", "int f(int a) { return a; }", "int f(int a { return a; "),
    ],
)
def test_what_parses_in_all_of_the_papers_languages_but_notebooks(language: str, good: str, bad: str) -> None:
    assert parses(good, language) is True
    assert parses(bad, language) is False


def test_of_an_unknown_language_nobody_can_tell() -> None:
    assert parses("x", "Befunge") is None
