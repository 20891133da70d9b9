"""The façade: one engine for a batch, the same samples with the cache and without, and from a record."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from snowcoder.config.compose import load_config
from snowcoder.config.guidance_schema import GuidanceConfig
from snowcoder.errors import UserError
from snowcoder.guided.draws import Draws
from snowcoder.guided.guidance import Guidance, guidance

GIVEN = "import os\n\ndef join_all(paths: list[str], owner: str) -> str:\n"
START = "    return paths."
ROWS, NEW = 6, 12


def settings(*overrides: str) -> GuidanceConfig:
    return load_config([*overrides]).guidance


@pytest.fixture(scope="module")
def model_and_tokenizer(small_model: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(small_model), AutoTokenizer.from_pretrained(small_model)


def samples(guided: Guidance, model: Any, tokenizer: Any, rows: int = ROWS) -> list[str]:
    from transformers import LogitsProcessorList

    inputs = tokenizer([START] * rows, return_tensors="pt")
    guide = guided.guide(GIVEN + START, "\n\nprint(1)\n")
    sampling = guided.sampling([guide] * rows)
    draws = Draws([f"7/{row}" for row in range(rows)], inputs["input_ids"].shape[1], temperature=1.0)
    processors = LogitsProcessorList([draws, sampling])
    model.generate(**inputs, max_new_tokens=NEW, do_sample=False, logits_processor=processors)
    return [row.written for row in sampling.rows]


def run(
    folder: Path, model: Any, tokenizer: Any, *overrides: str, rows: int = ROWS
) -> tuple[list[str], dict[str, Any]]:
    with guidance(settings(*overrides), "python", folder, "paths.py", tokenizer, folder / "log") as guided:
        return samples(guided, model, tokenizer, rows), guided.counts()


def test_presets_say_what_is_on() -> None:
    names = [settings(f"guidance={each}") for each in ("off", "members", "names", "repilot", "full")]
    assert [each.names for each in names] == ["none", "members", "all", "all", "all"]
    assert [each.active for each in names] == [False, False, False, True, True]
    assert [each.is_on for each in names] == [False, True, True, True, True]
    assert [each.grammar for each in names] == [False, False, False, False, True]


def test_samples_are_alike_with_and_without_memory_and_from_a_record(
    tmp_path: Path, model_and_tokenizer: tuple[Any, Any]
) -> None:
    plain, off = run(tmp_path, *model_and_tokenizer, "guidance=off")
    asked, counts = run(tmp_path, *model_and_tokenizer, "guidance=names")
    assert asked != plain
    assert (off["calls"], off["refused"], off["tokens"]) == (0, 0, counts["tokens"])
    assert counts["refused"] > 0
    shutil.move(tmp_path / "log" / "answers.jsonl", tmp_path / "answers.jsonl")
    anew, more = run(tmp_path, *model_and_tokenizer, "guidance=names", "guidance.memory=false")
    assert anew == asked
    assert more["calls"] == counts["calls"] + counts["from_cache"] > 2 * counts["calls"]
    again, replayed = run(tmp_path, *model_and_tokenizer, "guidance=names", f"guidance.replay={tmp_path}/answers.jsonl")
    assert again == asked
    assert replayed["calls"] == counts["calls"]


def test_a_row_alone_is_the_row_of_a_batch(tmp_path: Path, model_and_tokenizer: tuple[Any, Any]) -> None:
    together, _ = run(tmp_path, *model_and_tokenizer, "guidance=repilot")
    alone, _ = run(tmp_path, *model_and_tokenizer, "guidance=repilot", rows=1)
    assert alone == together[:1]


def test_without_an_engine_that_answers_the_run_ends(tmp_path: Path, model_and_tokenizer: tuple[Any, Any]) -> None:
    model, tokenizer = model_and_tokenizer
    with guidance(settings("guidance=names"), "python", tmp_path, "paths.py", tokenizer, tmp_path) as guided:
        assert guided.source is not None
        guided.source.server.process.kill()  # type: ignore[attr-defined]
        found = samples(guided, model, tokenizer)
        assert len(found) == ROWS
        assert guided.counts()["failures"].keys() == {"EOFError"}
    assert guided.counts()["refused"] == 0


def test_guides_are_of_files_by_their_names(tmp_path: Path, model_and_tokenizer: tuple[Any, Any]) -> None:
    (tmp_path / "one.py").write_text("def only_here(): ...\n")
    with guidance(settings("guidance=names"), "python", tmp_path, "two.py", model_and_tokenizer[1], tmp_path) as guided:
        assert guided.guide("import one\n", "\n").allows("x = one.on", "ly")
        other = guided.guide("import two\nx = two.", "\n", "three.py")
        assert guided.source is not None
        other.allows("", "a")
        assert guided.source.server.name == "three.py"  # type: ignore[attr-defined]


def test_what_there_is_no_engine_or_no_record_for(tmp_path: Path) -> None:
    class Words:
        all_special_ids, eos_token_id = (0,), 0

        def __len__(self) -> int:
            return 1

        def encode(self, text: str, add_special_tokens: bool) -> list[int]:
            return [0]

        def decode(self, ids: list[int]) -> str:
            return "x" * len(ids)

    words: Any = Words()
    cases = {
        "no syntax of 'cobol' is known": ("cobol", ()),
        "is no record of a completion engine's answers": ("python", (f"guidance.replay={tmp_path}/none",)),
    }
    for message, (language, more) in cases.items():
        with (
            pytest.raises(UserError, match=message),
            guidance(settings("guidance=names", *more), language, tmp_path, "a.py", words, tmp_path),
        ):
            pass
