"""Precision and recall on texts with and without tasks, both made up: no benchmark need be installed.

The rows of a half that have a prompt are tasks, as a benchmark's file has them; the others are texts to look in.
"""

from __future__ import annotations

from typing import Any

from snowcoder.config.corpus_schema import DecontaminationConfig
from snowcoder.corpus.decontamination.matcher import Matcher
from snowcoder.corpus.decontamination.task_texts import task_texts_of
from snowcoder.corpus.labelled import HELD_OUT, TUNED, RuleScore, Tally, read

CONFIG = DecontaminationConfig(benchmarks=[], ngram=10, share=0.1, renamed=0.6, shortest=3)  # conf's default


def evaluate(*halves: str) -> dict[str, RuleScore]:
    """By how the task is in the text, on the halves named, or both; `all` has the texts without a task, too.

    What is found in a text is right if it is its task, and no other.
    """
    tally = Tally()
    for half in halves or (TUNED, HELD_OUT):
        rows = read("decontamination", half)
        matcher = Matcher(task_texts_of(half, rows), CONFIG)
        texts = [row for row in rows if "content" in row]
        for row, hits in zip(texts, matcher.find_all([row["content"] for row in texts]), strict=True):
            _add(tally, row, {hit.task for hit in hits})
    return tally.scores()


def _add(tally: Tally, row: dict[str, Any], found: set[str]) -> None:
    task = row["task"]
    for kind in ("all", row["kind"]) if task else ("all",):
        tally.add_found(kind, right=found == {task}, count=int(bool(found)))
        tally.add_labelled(kind, recalled=task in found, count=int(task is not None))
