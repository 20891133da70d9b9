"""What the engine for Python knows at many places."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from typing import NamedTuple

import pytest

from snowcoder.guided.engines import PYREFLY
from snowcoder.guided.names import Asked, asked

PINNED = "1.5.0"
HEAD = """import dataclasses
import enum
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Kind(enum.Enum):
    SMALL = 1
    LARGE = 2


class Point(NamedTuple):
    across: int
    down: int


@dataclasses.dataclass
class Item:
    title: str
    price: float = 0.0
    tags: list[str] = dataclasses.field(default_factory=list)


class Base:
    inherited = "text"

    def close(self) -> None: ...


class Shelf(Base):
    limit = 3

    def __init__(self, owner: str, label=None) -> None:
        self.owner, self.label, self.items = owner, label, [Item("a")]

    @property
    def first(self) -> Item:
        return self.items[0]

    @classmethod
    def empty(cls) -> "Shelf":
        return cls("nobody")

    @staticmethod
    def measure(text: str) -> int:
        return len(text)

    def __enter__(self) -> "Shelf":
        return self

    def __exit__(self, *error: object) -> None: ...

    def run(self, words: list[str], counts: dict[str, int], pairs: list[tuple[str, int]], kind: Kind, point: Point,
            make: Callable[[], Item], thing: object, maybe: str | None, unknown, nothing=None):
        """
AFTER = """
        later = 1


def main():
    Shelf("a").close()
"""


class Position(NamedTuple):
    """What is written behind `HEAD`; empty names: nothing is known there."""

    code: str
    offered: str = ""
    refused: str = ""


MEMBERS = [
    Position("os.", "path listdir", "append"),
    Position("os.path.", "join exists", "listdir"),
    Position("json.", "loads dumps", "read"),
    Position("re.compile('a').", "match sub", "loads"),
    Position("re.match('a', 'b').", "group"),
    Position("words.", "append copy", "split keys"),
    Position("words[0].", "split upper", "append"),
    Position("words[1:].", "append", "split"),
    Position("counts.", "items keys", "append"),
    Position("counts['a'].", "bit_length", "items"),
    Position("list(counts).", "append", "items"),
    Position("pairs[0][0].", "split", "append bit_length"),
    Position("pairs[0][1].", "bit_length", "split"),
    Position("'text'.", "split join", "append"),
    Position("'a'.split().", "append", "split"),
    Position("'{}'.format(1).", "upper", "append"),
    Position("f'{words}'.", "upper", "append"),
    Position("b'a'.", "decode", "encode"),
    Position("[1].", "append", "split"),
    Position("{1: 'a'}.", "items", "append"),
    Position("{1}.", "add", "append"),
    Position("(1, 2).", "index count", "append"),
    Position("(1.0).", "is_integer", "append"),
    Position("return self.", "owner items run inherited limit first", "words title"),
    Position("return self.owner.", "split", "append"),
    Position("return self.items[0].", "title price tags", "owner"),
    Position("return self.first.", "title", "owner"),
    Position("return self.first.tags.", "append", "title"),
    Position("return Shelf.", "empty measure limit", "owned"),
    Position("return Shelf.empty().", "owner run", "title"),
    Position("return Shelf('a').", "owner", "title"),
    Position("return Shelf.measure('a').", "bit_length", "split"),
    Position("return super().", "close inherited", "owner"),
    Position("return Kind.", "SMALL LARGE", "MEDIUM"),
    Position("return kind.", "name value", "title"),
    Position("return kind.name.", "split", "value"),
    Position("return point.", "across down", "width"),
    Position("return point.across.", "bit_length", "down"),
    Position("return point._replace(across=1).", "down", "width"),
    Position("return make().", "title", "owner"),
    Position("x = Item('a'); x.", "title price", "owner"),
    Position("x = Item('a').title; x.", "split", "price"),
    Position("with Shelf('a') as s: s.", "owner", "title"),
    Position("with open('a') as f: f.", "read readlines", "append"),
    Position("for w in words: w.", "split", "append"),
    Position("for k, v in counts.items(): v.", "bit_length", "items"),
    Position("for n, w in enumerate(words): w.", "split", "append"),
    Position("for a, b in zip(words, counts.values()): b.", "bit_length", "append"),
    Position("x = len(words.", "append", "split"),  # a bracket is open
    Position("x = [w for w in words]; x[0].", "split", "append"),
    Position("x = Path('a'); x.", "exists name", "append"),
    Position("x = Path('a') / 'b'; x.", "parent", "append"),
    Position("x = Counter(words); x.", "most_common", "append"),
    Position("x = defaultdict(list); x.", "default_factory", "append"),
    Position("x = sorted(words); x.", "append", "split"),
    Position("x = max(words); x.", "split", "append"),
    Position("if isinstance(thing, str): thing.", "split", "append"),
    Position("if maybe is not None: maybe.", "split", "append"),
    Position("try:\n            pass\n        except OSError as e: e.", "errno", "append"),
    Position("x = lambda: 1; words.append(x) or words.", "append", "split"),
]
NAMES = [
    Position("return w", "words", "weight later"),
    Position("return S", "Shelf", "Shell"),
    Position("return j", "json", "jason"),
    Position("return l", "len list", "lenght"),
]
UNKNOWN = [
    Position("unknown."),
    Position("unknown.anything."),
    Position("nothing."),  # its default is None
    Position("return self.label."),
    Position("missing."),
    Position("x = [w."),  # the variable is not there yet
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    found = metadata.version("pyrefly")
    if found != PINNED:
        pytest.skip(f"pyrefly {PINNED} is not installed, but {found}")
    root = tmp_path_factory.mktemp("project")
    with asked(PYREFLY, root, "shelf.py", 30, root / "log") as source:
        yield source


@pytest.mark.parametrize("position", MEMBERS + NAMES, ids=lambda position: position.code)
def test_what_is_offered(source: Asked, position: Position) -> None:
    names = source.ask(HEAD + position.code, AFTER)
    assert names is not None
    assert {*position.offered.split()} - names == set()
    assert {*position.refused.split()} & names == set()


@pytest.mark.parametrize("position", UNKNOWN, ids=lambda position: position.code)
def test_what_is_not_known(source: Asked, position: Position) -> None:
    assert source.ask(HEAD + position.code, AFTER) is None
