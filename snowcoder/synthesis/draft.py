"""A sample as the document it would become, with the code in it."""

from __future__ import annotations

import functools
import json
from typing import Any, NamedTuple

import enry

from snowcoder.config.synthesis_schema import SynthesisConfig
from snowcoder.corpus.document import Document
from snowcoder.synthesis.blocks import Block, blocks
from snowcoder.synthesis.prompts import render_text

TURNS = "\0"  # between what the user says and the answer, in the content of a document that is a conversation


class Draft(NamedTuple):
    document: Document
    code: list[Block]  # all of it
    tests: str  # Python, of a sample that has some
    seed: str
    order: str  # the sample's id


def draft_of(row: dict[str, Any], config: SynthesisConfig) -> Draft:
    """Of a whole sample, a row of `generate.SCHEMA`."""
    fields, language = json.loads(row["fields"]), row["language"] or ""
    repository = f"synthetic/{config.name}"
    if config.chat is None:
        path = row["id"] + _suffix(language)
        document = Document(fields["code"], repository, path, language, ())
        return Draft(document, [Block(language, fields["code"])], "", row["seed"], row["id"])
    turns = [render_text(text, fields).replace(TURNS, "") for text in (config.chat.instruction, config.chat.response)]
    document = Document(TURNS.join(turns), repository, row["id"], language, ())
    code = [block if block.dialect else Block(language, block.code) for block in blocks(turns[1])]
    return Draft(document, code, fields.get("tests", ""), row["seed"], row["id"])


def program_of(draft: Draft) -> tuple[str, str]:
    """The Python of an answer, and of its tests. A part that only runs as a script is left out."""
    source = "\n".join(block.code for block in draft.code if block.language == "Python")
    tests = "\n".join(block.code for block in blocks(draft.tests)) or draft.tests
    return source, tests


def conversation(content: str, system: str | None) -> dict[str, Any]:
    """In the format that chat templates take."""
    instruction, response = content.split(TURNS)
    turns = [("system", system)] if system else []
    turns += [("user", instruction), ("assistant", response)]
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


@functools.lru_cache(maxsize=256)
def _suffix(language: str) -> str:
    """The usual one, as GitHub's Linguist has it."""
    extensions = enry.get_language_extensions(language) if language else []
    return extensions[0] if extensions else ""
