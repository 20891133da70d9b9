"""`snowcoder guidance check FILES...`: how much of given code a guide refuses, which is right as it stands.

Line by line, token by token, as if the model had written what is there: the rest of the file is given.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.guided.engines import ENGINES
from snowcoder.guided.guidance import Guidance, guidance
from snowcoder.guided.guide import Refusal
from snowcoder.progress import bar

_ROOTS = (".git", "pyproject.toml", "setup.py", "pom.xml", "build.gradle", "package.json")  # of a project


@dataclass
class RefusedLine:
    line: int
    refusal: Refusal


@dataclass
class Checked:
    lines: int = 0
    tokens: int = 0
    refused: int = 0
    calls: int = 0
    asked: int = 0  # with those that the memory answered: one for each name that a token touches

    def __str__(self) -> str:
        share = 100 * self.refused / max(1, self.lines)
        calls, asked = (each / max(1, self.tokens) for each in (self.calls, self.asked))
        return (
            f"{self.lines:,} lines, {self.refused} refused ({share:.2f}%); {self.tokens:,} tokens, "
            f"{calls:.3f} calls a token, {asked:.3f} without memory"
        )


def run(config: Config, *files: str) -> None:
    """Raises UserError for files of no language that has an engine."""
    if not config.guidance.is_on:
        raise UserError("guidance=off refuses nothing: choose what is checked, such as guidance=names")
    tokenizer = AutoTokenizer.from_pretrained(config.tokenizer.folder)
    totals: dict[str, Checked] = defaultdict(Checked)
    for (language, root), paths in _by_project(files).items():
        with (
            tempfile.TemporaryDirectory() as folder,
            guidance(config.guidance, language, root, paths[0].name, tokenizer, Path(folder)) as guided,
        ):
            for path in paths:
                _check_file(path, root, guided, tokenizer, totals[language])
            counts = guided.counts()
        totals[language].calls += counts["calls"]
        totals[language].asked += counts["calls"] + counts["from_cache"]
    for language, total in sorted(totals.items()):
        print(f"guidance check: {language}: {total}")


def _by_project(files: tuple[str, ...]) -> dict[tuple[str, Path], list[Path]]:
    languages = {engine.ending: name for name, engine in ENGINES.items()}
    found: dict[tuple[str, Path], list[Path]] = defaultdict(list)
    if not files:
        raise UserError("guidance check: name files of source code")
    for name in files:
        path = Path(name).resolve()
        if path.suffix not in languages:
            raise UserError(f"{name}: no engine is for such files; there are some for {', '.join(sorted(languages))}")
        if not path.is_file():
            raise UserError(f"{name} is not there")
        root = next((each for each in path.parents if any((each / mark).exists() for mark in _ROOTS)), path.parent)
        found[languages[path.suffix], root].append(path)
    return found


def _check_file(path: Path, root: Path, guided: Guidance, tokenizer: Any, total: Checked) -> None:
    text = path.read_text(encoding="utf-8", errors="replace")
    name = str(path.relative_to(root))
    with bar(f"{name} is checked", text.count("\n"), "line") as progress:
        for refused in refused_lines(text, name, guided, tokenizer, total):
            line = text.splitlines()[refused.line - 1].strip()
            print(f"{path}:{refused.line}: {refused.refusal.kind} {refused.refusal.what!r}: {line}", file=sys.stderr)
        progress.update(text.count("\n"))


def refused_lines(text: str, name: str, guided: Guidance, tokenizer: Any, total: Checked) -> Iterator[RefusedLine]:
    """The first refusal of each line of the file `name` that has one; `total` is added to."""
    start = 0
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        given, after = text[:start], text[start + len(line) :]
        start += len(line)
        if not line.strip():
            continue
        guide, written = guided.guide(given, after, name, line), ""
        total.lines += 1
        for token in _tokens(tokenizer, line):
            total.tokens += 1
            refusal = guide.refusal(written, token)
            written += token
            if refusal:
                break
        else:
            refusal = None if guide.may_end(line) else Refusal("end", line)
        if refusal:
            total.refused += 1
            yield RefusedLine(number, refusal)


def _tokens(tokenizer: Any, line: str) -> Iterator[str]:
    """As the tokenizer cuts the line; characters of which it cuts the bytes stay whole."""
    ends = tokenizer(line, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    last = 0
    for end in sorted({end for _, end in ends} | {len(line)}):
        if end > last:
            yield line[last:end]
            last = end
