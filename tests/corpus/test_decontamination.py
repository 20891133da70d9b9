"""Benchmarks' tasks in files: found whatever the layout and the comments, and nothing where there is none."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from snowcoder.config.compose import conf_dir
from snowcoder.config.corpus_schema import DecontaminationConfig
from snowcoder.corpus.decontamination import Hit, Matcher
from snowcoder.corpus.decontamination import evaluate as evaluation
from snowcoder.corpus.labelled import HELD_OUT, TUNED, RuleScore, read
from snowcoder.errors import UserError
from tests.corpus.raw_shards import library

SIGNATURE = "from typing import List\n\n\ndef below_threshold(prices: List[int], ceiling: int) -> List[int]:\n"
PROBLEM = (
    "Return those prices of the given list that lie strictly below the ceiling, each of them once, in their order."
)
BODY = """    seen = set()
    cheap = []
    for price in prices:
        if price < ceiling and price not in seen:
            seen.add(price)
            cheap.append(price)
    return cheap
"""
HUMANEVAL: dict[str, Any] = {
    "task_id": "HumanEval/900",
    "prompt": f'{SIGNATURE}    """ {PROBLEM}\n    >>> below_threshold([1, 2], 2)\n    [1]\n    """\n',
    "canonical_solution": BODY,
    "test": "",
}
MBPP: dict[str, Any] = {
    "task_id": 901,
    "text": "Write a python function to rotate the letters of a word by a distance that is counted from its end.",
    "code": "def rotate_back(word, distance):\n    at = len(word) - distance\n    return word[at:] + word[:at]\n",
}
MBPPPLUS: dict[str, Any] = {
    "task_id": "Mbpp/901",
    "prompt": f'"""\n{MBPP["text"]}\nassert rotate_back("abc", 1) == "cab"\n"""\n',
    "canonical_solution": f"\n{MBPP['code']}",
}
SHORT: dict[str, Any] = {
    "task_id": 902,
    "text": "Write a function to double.",
    "code": "def twice_of(value):\n  return 2 * value\n",
}
BIGCODEBENCH: dict[str, Any] = {
    "task_id": "BigCodeBench/903",
    "complete_prompt": HUMANEVAL["prompt"],
    "instruct_prompt": "Make a list of all that is cheap, in two steps, and give it back sorted by its price.\n"
    "You should write self-contained code starting with:\n```\n" + SIGNATURE + "```",
    "canonical_solution": BODY,
    "code_prompt": SIGNATURE,
}
PROGRAM = "count = int(input())\nwords = [input().strip() for _ in range(count)]\nprint(max(words, key=len)[::-1])\n"
APPS: dict[str, Any] = {"problem_id": 904, "question": MBPP["text"], "solutions": json.dumps([PROGRAM, "print(1)"])}
DS1000: dict[str, Any] = {
    "prompt": "Problem:\nI have a frame whose rows I want in the order of a list of their labels, and no other row.\n"
    'A:\n<code>\nimport pandas as pd\ndata = """\n1\n"""\n</code>\nresult = ... # put it here\n',
    "reference_code": "result = df.iloc[List]",
}


def write(path: Path, *rows: dict[str, Any]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
        return path
    if path.suffix == ".json":
        path.write_text(json.dumps(rows))
        return path
    with gzip.open(path, "wt") if path.suffix == ".gz" else path.open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def matcher(*paths: Path, share: float = 0.1, renamed: float | None = 0.6) -> Matcher:
    settings: dict[str, Any] = {"ngram": 10, "share": share, "renamed": renamed, "shortest": 3}
    settings["benchmarks"] = [str(path) for path in paths]
    return Matcher.build(DecontaminationConfig(**settings))


@pytest.fixture
def find(tmp_path: Path) -> Any:
    return matcher(write(tmp_path / "HumanEval.jsonl", HUMANEVAL)).find


def test_a_solution_is_found_in_another_layout_with_other_comments_inside_a_file(find: Any) -> None:
    planted = SIGNATURE + BODY
    planted = planted.replace("    ", "\t").replace(" = ", "=").replace("set()", "set( )  # what was there")
    planted = planted.replace("    for", "  # and now all of them, one by one\n\tfor").replace("\n", "\r\n")
    before, after = library()[:2]
    for text in (planted, f"{before}\n{planted}", f"{planted}\n{after}", f"{before}{planted}{after}"):
        (hit,) = find(text)
        assert hit[:3] == ("HumanEval", "HumanEval/900", "exact")
    assert find(f"{before}\n{after}") == []


def test_a_solution_with_a_changed_line_is_found_by_its_ngrams(find: Any) -> None:
    changed = BODY.replace("cheap.append(price)", "cheap += [price]")
    (hit,) = find(SIGNATURE.replace("below_threshold", "filter_prices") + changed)
    assert hit.rule == "10-gram"
    assert 0.1 <= hit.share < 1
    assert "for price in prices" in hit.excerpt


def test_a_problem_is_found_in_prose_and_in_comments(find: Any) -> None:
    assert find(f"# Exercise 7\n# {PROBLEM.replace('that', 'that' + chr(10) + '#')}\n")[0].rule == "10-gram"
    assert find(f"<p>{PROBLEM.upper()}</p>")[0].task == "HumanEval/900"


def test_a_notebook_is_read_as_its_code(find: Any) -> None:
    cell = {"cell_type": "code", "source": (SIGNATURE + BODY).splitlines(keepends=True)}
    assert find(json.dumps({"cells": [cell]}, indent=1))[0].share == 1


def test_a_notebook_cell_of_one_string_is_read_as_its_lines(find: Any) -> None:
    cell = f'# an exercise\n{SIGNATURE}    """Of prices."""\n{BODY.replace("set()", "set()  # what was there")}'
    assert find(json.dumps({"source": cell}))[0].share == 1


def test_a_string_with_quotes_in_it_hides_nothing(find: Any) -> None:
    """It looks as if a docstring began there."""
    hidden = f'quotes = \'"""\'\n{SIGNATURE}{BODY}\nprint(\'"""\')\n'
    assert find(hidden)[0].share == 1


def test_of_many_texts_each_has_its_own_hits(tmp_path: Path) -> None:
    matcher_ = matcher(write(tmp_path / "HumanEval.jsonl", HUMANEVAL, SHORT, MBPP))
    whole = SIGNATURE + BODY
    parts = [whole, "", '"""', MBPP["code"], "#", f"{SHORT['code']}\n{MBPP['text']}", "\n"]
    texts = [*parts, *library(), whole[:90], whole[90:], *library()] * 50
    together = matcher_.find_all(texts)
    alone = {text: matcher_.find(text) for text in set(texts)}
    assert together == [alone[text] for text in texts]
    tasks = [[hit.task for hit in hits] for hits in together[: len(parts)]]
    assert tasks == [["HumanEval/900"], [], [], ["901"], [], ["901", "902"], []]
    assert matcher_.find_all([SHORT["code"][:20], SHORT["code"][20:]]) == [[], []]
    assert matcher_.find_all([]) == []


def test_what_is_alike_is_not_found(find: Any) -> None:
    """Its loop is what anybody writes; with a share of 0, DeepSeek-Coder's rule, it is enough."""
    alike = (
        "def cheap(items):\n    seen = set()\n    cheap = []\n    for price in prices:\n        if price < 3: pass\n"
    )
    assert find(alike) == []


def test_an_everyday_loop_is_no_solution_however_short_the_solution_is(tmp_path: Path) -> None:
    """Three of its 21 n-grams have no name of its own."""
    code = "def inversions(bag, n):\n    found = 0\n    for i in range(n):\n        for j in range(i + 1, n):\n"
    code += "            if bag[i] > bag[j]:\n                found += 1\n    return found\n"
    file = write(tmp_path / "mbpp.jsonl", {"task_id": 7, "text": PROBLEM, "code": code})
    loop = "x = 0\nfor i in range(n):\n    for j in range(i + 1, n):\n        print(i)\n"
    assert matcher(file, share=0.0, renamed=None).find(loop)[0].share >= 0.1
    assert matcher(file).find(loop) == []
    assert matcher(file).find(code)[0].share == 1
    assert matcher(file).find(loop.replace("x = 0", "found = 0").replace("print(i)", "if bag[i] > bag[j]: pass"))


RENAMED = """def affordable(costs, limit):
  known = set()
  result = []
  for cost in costs:
    if cost < limit and cost not in known:
      known.add(cost)
      result.append(cost)
  return result
"""


def test_a_solution_whose_names_are_changed_is_found(tmp_path: Path) -> None:
    file = write(tmp_path / "HumanEval.jsonl", {**HUMANEVAL, "prompt": "def below(prices, ceiling):\n"})
    before, after = library()[:2]
    for text in (RENAMED, f"{before}\n{RENAMED}\n{after}", RENAMED.replace("set()", "set()  # of what was there")):
        (hit,) = matcher(file).find(text)
        assert (hit.task, hit.rule) == ("HumanEval/900", "renamed")
        assert hit.excerpt.startswith("def below prices ceiling")
    assert matcher(file, renamed=None).find(RENAMED) == []


def test_names_that_are_mixed_up_are_other_code(tmp_path: Path) -> None:
    file = write(tmp_path / "HumanEval.jsonl", {**HUMANEVAL, "prompt": "def below(prices, ceiling):\n"})
    mixed = RENAMED.replace("cost < limit and cost not in", "limit < cost and known not in").replace(
        "(cost)", "(limit)"
    )
    assert matcher(file).find(mixed) == []


def test_imports_are_no_solution(tmp_path: Path) -> None:
    modules = ["copy", "datetime", "time", "glob", "random", "pprint"]
    others = ["bisect", "decimal", "select", "array", "string", "queue"]
    body = "def dump(table): return os\n"
    code, other = ("".join(f"from {name} import {name}\n" for name in names) + body for names in (modules, others))
    find = matcher(write(tmp_path / "bcb.jsonl", {"task_id": 8, "text": PROBLEM, "code": code})).find
    assert find(other.replace("dump(table)", "less(wood)")) == []
    assert find(code)[0].share == 1


def test_what_stands_before_a_text_changes_nothing_in_it(tmp_path: Path) -> None:
    code = "def keep(rows, cols):\n    for row in rows:\n        if row in cols:\n            yield row, rows\n"
    file = write(tmp_path / "mbpp.jsonl", {"task_id": 9, "text": PROBLEM, "code": code})
    other = code.replace("keep", "hold").replace("row", "line").replace("cols", "cells")
    none, hits = matcher(file).find_all(["def hold lines cells", other])
    assert none == []
    assert [hit.rule for hit in hits] == ["renamed"]


def test_a_notebook_with_line_ends_of_windows_is_read_as_its_code(find: Any) -> None:
    cell = {"cell_type": "code", "source": (SIGNATURE + BODY).replace("\n", "\r\n").splitlines(keepends=True)}
    assert find(json.dumps({"cells": [cell]}, indent=1))[0].share == 1


def test_long_hostile_texts_take_no_longer_than_others(find: Any) -> None:
    for text in ("def f(" * 50_000, "x " * 100_000, "def x = x\n" * 40_000, '"""' * 50_001, "\\r\\n" * 50_000):
        assert find(text) == []


@pytest.mark.parametrize("half", [TUNED, HELD_OUT])
def test_precision_and_recall_on_the_labelled_texts(half: str) -> None:
    scores = evaluation.evaluate(half)
    assert scores["all"].precision >= 0.97
    assert {kind for kind, score in scores.items() if score.recall == 1} >= {
        "exact",
        "reformatted",
        "notebook",
        "problem",
    }
    assert scores["renamed"].recall >= 0.8
    assert scores["changed"].recall >= 0.8


def test_the_labelled_halves_have_nothing_in_common() -> None:
    tuned, held_out = (
        {row.get("content") or row["prompt"] for row in read("decontamination", half)} for half in (TUNED, HELD_OUT)
    )
    assert not tuned & held_out


def test_a_hit_without_a_label_and_a_label_without_a_hit_are_both_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [(BODY, "HumanEval/900"), ("pass", "HumanEval/900"), (SIGNATURE + BODY, None)]
    rows = [{"kind": "exact", "content": content, "task": task} for content, task in texts]
    monkeypatch.setattr(evaluation, "read", lambda *_: [HUMANEVAL, *rows])
    assert evaluation.evaluate(TUNED) == {"all": RuleScore(0.5, 0.5, 2), "exact": RuleScore(1.0, 0.5, 2)}


def test_the_config_by_default_is_the_one_that_is_scored() -> None:
    text = (conf_dir() / "decontamination" / "default.yaml").read_text()
    assert DecontaminationConfig(**yaml.safe_load(text)) == evaluation.CONFIG


def test_deepseek_coders_preset_is_any_one_ngram(tmp_path: Path) -> None:
    text = (conf_dir() / "decontamination" / "deepseek_coder.yaml").read_text()
    benchmarks = [str(write(tmp_path / "HumanEval.jsonl", {**HUMANEVAL, "prompt": "def below(prices, ceiling):\n"}))]
    find = Matcher.build(DecontaminationConfig(**{**yaml.safe_load(text), "benchmarks": benchmarks})).find
    assert find(f"x = 1\n{BODY[:140]}")[0].rule == "10-gram"
    assert find(RENAMED) == []


def test_an_alphabet_is_no_solution(tmp_path: Path) -> None:
    table = ", ".join(f"'{letter}': {n}" for n, letter in enumerate("abcdefghijklmnopqrstuvwxyz"))
    coder: dict[str, Any] = {
        "task_id": 5,
        "text": PROBLEM,
        "code": f"def code_of(word):\n    return [{{{table}}}[c] for c in word]\n",
    }
    find = matcher(write(tmp_path / "mbpp.jsonl", coder)).find
    assert find(f"LETTERS = {{{table}}}\n") == []
    assert find(coder["code"])[0].share == 1


def test_a_table_of_numbers_is_no_solution(tmp_path: Path) -> None:
    table = ", ".join(str(10 * n) for n in range(40))
    task: dict[str, Any] = {
        "task_id": 6,
        "text": PROBLEM,
        "code": f"def next_ten(number):\n    return [{table}][number // 10]\n",
    }
    find = matcher(write(tmp_path / "mbpp.jsonl", task), share=0.0).find
    assert find(f"TENS = ({table})\n") == []
    assert find(task["code"])[0].share == 1


def test_a_helpers_docstring_is_no_problem(tmp_path: Path) -> None:
    helper = 'def total(prices):\n    """Returns the sum of all prices."""\n    return sum(prices)\n\n\n'
    find = matcher(write(tmp_path / "EvoEval.jsonl", {**HUMANEVAL, "prompt": helper + HUMANEVAL["prompt"]})).find
    assert find('def add(prices):\n    """Returns the sum of all prices."""\n    return reduce(add, prices)\n') == []
    assert find(SIGNATURE + BODY)


def test_a_short_program_that_is_no_function_says_nothing(tmp_path: Path) -> None:
    find = matcher(write(tmp_path / "ds1000.jsonl", DS1000)).find
    assert find(f"df, List = read()\n{DS1000['reference_code']}\n") == []


def test_any_one_ngram_is_enough_with_a_share_of_0(tmp_path: Path) -> None:
    alike = "x = 1\nseen = set()\ncheap = []\nfor price in prices:\n    if price < ceiling: pass\n"
    file = write(tmp_path / "HumanEval.jsonl", HUMANEVAL)
    assert matcher(file).find(alike) == []
    assert matcher(file, share=0.0).find(alike)[0].rule == "10-gram"


def test_a_short_solution_must_be_there_whole(tmp_path: Path) -> None:
    find = matcher(write(tmp_path / "mbpp.jsonl", SHORT)).find
    assert find(f"import os\n\n{SHORT['code'].replace('2 * value', '2*value  # !')}") == [
        Hit("mbpp", "902", "exact", 1.0, "def twice_of value return 2 value")
    ]
    assert find("def twice_of(value):\n    return 3 * value\n") == []
    assert find("def not_twice_of(value): return 2 * value_of(3)") == []


@pytest.mark.parametrize(
    ("name", "row", "task", "text"),
    [
        ("mbpp.jsonl", MBPP, "901", MBPP["code"]),
        ("mbpp.jsonl", MBPP, "901", MBPP["text"]),
        ("BigCodeBench.hf_data.jsonl.gz", BIGCODEBENCH, "BigCodeBench/903", SIGNATURE + BODY),
        ("apps.parquet", APPS, "904", APPS["question"]),
        ("EvoEval_subtle.jsonl.gz", {**HUMANEVAL, "task_id": "EvoEval/1"}, "EvoEval/1", BODY),
        ("BigCodeBench.parquet", BIGCODEBENCH, "BigCodeBench/903", BIGCODEBENCH["instruct_prompt"].splitlines()[0]),
        ("sanitized-mbpp.json", {**MBPP, "prompt": MBPP["text"]}, "901", MBPP["code"]),
        ("MbppPlus.jsonl", MBPPPLUS, "Mbpp/901", MBPP["text"]),
        ("MbppPlus.jsonl", MBPPPLUS, "Mbpp/901", MBPP["code"]),
        ("apps.parquet", APPS, "904", PROGRAM),
        ("ds1000.jsonl.gz", DS1000, "0", DS1000["prompt"]),
        ("ds1000.jsonl.gz", {**DS1000, "reference_code": PROGRAM}, "0", PROGRAM),
    ],
)
def test_each_benchmarks_files_are_read(tmp_path: Path, name: str, row: dict[str, Any], task: str, text: str) -> None:
    write(tmp_path / name, row)
    (hit,) = matcher(tmp_path).find(text)
    assert (hit.benchmark, hit.task) == (name.partition(".")[0], task)


def test_every_path_that_says_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.jsonl").write_text("{")
    write(tmp_path / "other.jsonl", {"a": 1})
    paths = [tmp_path / name for name in ("empty", "broken.jsonl", "other.jsonl", "nowhere")]
    with pytest.raises(UserError) as error:
        matcher(*paths)
    assert all(str(path) in str(error.value) for path in paths)


def test_the_digest_tells_other_tasks_and_settings_apart(tmp_path: Path) -> None:
    one, two = write(tmp_path / "a.jsonl", HUMANEVAL), write(tmp_path / "b.jsonl", MBPP)
    assert matcher(one, two).digest == matcher(two, one).digest
    assert len({matcher(one).digest, matcher(two).digest, matcher(one, share=0.5).digest, matcher().digest}) == 4


def test_without_benchmarks_nothing_is_found() -> None:
    assert matcher().find(SIGNATURE + BODY) == []
