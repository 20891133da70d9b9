"""All that generation needs to be guided: one engine, or the record of one, for many texts of a project.

with guidance(settings, "python", root, Path("shelf.py"), tokenizer, folder) as guided:
    guide = guided.guide(given, after)                   # of one gap; all its samples share it
    sampling = guided.sampling([guide] * rows)           # for `generate`, behind `Draws`
    guided.counts()
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from snowcoder.config.guidance_schema import GuidanceConfig
from snowcoder.errors import UserError
from snowcoder.guided.engines import ENGINES
from snowcoder.guided.grammar import grammar_at
from snowcoder.guided.guide import Guide
from snowcoder.guided.names import Asked, EngineCounts, Names, NameSource, Recorded, asked
from snowcoder.guided.places import LANGUAGES, Syntax
from snowcoder.guided.sampling import GuidedSampling, TokenCounts, TokenTexts


class Guidance:
    """`source` is None where no names are asked for."""

    def __init__(
        self,
        settings: GuidanceConfig,
        language: Syntax,
        source: NameSource | None,
        tokenizer: PreTrainedTokenizerBase,
        name: str,
    ) -> None:
        self.settings, self.language, self.source, self.name = settings, language, source, name
        self.tokens, self._counts = TokenTexts(tokenizer), TokenCounts()

    def guide(self, given: str, after: str, name: str = "", replaced: str | None = None, lines: int = 0) -> Guide:
        """For one gap of the file `name`, below the project's root: `given` before it, `after` behind it, `replaced`
        what stood there, for its errors; a gap of so many `lines`, or one that the model ends. Samples of the gap
        should share the guide, for it remembers. With guidance=off it allows all."""
        names = None
        if self.source is not None:
            source = _OfFile(self.source, name or self.name)
            names = Names(source) if self.settings.memory else _Forgetful(source)
        grammar = grammar_at(self.language, given, after, replaced) if self.settings.grammar else None
        members_only = self.settings.names == "members"
        return Guide(self.language, names, given, after, members_only, grammar, lines)

    def sampling(self, guides: Sequence[Guide]) -> GuidedSampling:
        """A logits processor for a batch, with a guide for each row."""
        return GuidedSampling(guides, self.tokens, self.settings.active, self._counts)

    def counts(self) -> dict[str, Any]:
        """Of all so far: `calls`, `from_cache`, `unknown`, `failures` and `engine_seconds` of the engine; `tokens`,
        `refused`, `forced` and `given_up`, and `seconds` of guiding in all."""
        engine = asdict(self.source.counts if self.source is not None else EngineCounts())
        return {**engine, "engine_seconds": engine.pop("seconds"), **asdict(self._counts)}


@contextmanager
def guidance(
    settings: GuidanceConfig,
    language: str,
    root: Path,
    name: Path | str,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
) -> Iterator[Guidance]:
    """`language` as its `Syntax` is named; `root` of a project, below which `name` is the file, which need not be
    there; the engine's log and record (answers.jsonl) come into `folder`.

    Raises UserError for a language without an engine, or a record that is none; OperationError where the engine does
    not start.
    """
    if language not in LANGUAGES:
        raise UserError(f"guidance: no syntax of {language!r} is known; there are {', '.join(LANGUAGES)}")
    with ExitStack() as stack:
        source = _source(settings, language, root, str(name), folder, stack)
        yield Guidance(settings, LANGUAGES[language], source, tokenizer, str(name))


def _source(
    settings: GuidanceConfig, language: str, root: Path, name: str, folder: Path, stack: ExitStack
) -> NameSource | None:
    if settings.names == "none":
        return None
    if settings.replay is not None:
        return Recorded(Path(settings.replay))
    if language not in ENGINES:
        raise UserError(f"guidance: no completion engine for {language!r}; there are {', '.join(ENGINES)}")
    return stack.enter_context(asked(ENGINES[language], root, name, settings.seconds, folder))


class _OfFile:
    """A source, asked in one file of the project."""

    def __init__(self, source: NameSource, name: str) -> None:
        self.source, self.name, self.counts = source, name, source.counts

    def ask(self, before: str, after: str) -> frozenset[str] | None:
        if isinstance(self.source, Asked) and self.source.server.name != self.name:
            self.source.server.open(self.name, "")
        return self.source.ask(before, after)


class _Forgetful(Names):
    """Asks each time."""

    def at(self, before: str, after: str) -> frozenset[str] | None:
        return self.source.ask(before, after)
