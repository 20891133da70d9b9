"""A real completion engine for TypeScript, where npm has installed it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from snowcoder.errors import UserError
from snowcoder.guided.engines import TYPESCRIPT_SERVER
from snowcoder.guided.guide import Guide
from snowcoder.guided.names import Asked, Names, asked
from snowcoder.guided.places import TYPESCRIPT, NamePlace, is_code, place_at

HEAD = """interface Point { across: number; down: number }
enum Kind { Small, Large }
class Base { inherited = 1; close(): void {} }
class Shelf extends Base {
  owner = "nobody";
  private items: string[] = [];
  static open(name: string): Shelf { return new Shelf(); }
  run(words: string[], point: Point, maybe: Point | undefined, thing: string | number, anything: any): void {
    """
AFTER = """
    const later = 1;
  }
}
"""


class Position(NamedTuple):
    code: str
    offered: str
    refused: str


POSITIONS = [
    Position("words.", "push map includes", "charAt"),
    Position("words[0].", "charAt length", "push"),
    Position('"text".', "toUpperCase", "push"),
    Position("`text`.", "toUpperCase", "push"),
    Position("point.", "across down", "width"),
    Position("maybe?.", "across", "width"),
    Position("this.", "owner items inherited close", "words"),
    Position("super.", "close", "owner"),
    Position("Shelf.", "open", "owner"),
    Position('Shelf.open("a").', "owner", "open"),
    Position("Kind.", "Small Large", "Medium"),
    Position("words.map(w => w.", "charAt", "push"),
    Position("words.map(w => w.length)[0].", "toFixed", "charAt"),
    Position('if (typeof thing === "string") thing.', "charAt", "toFixed"),
    Position("for (const w of words) w.", "charAt", "push"),
    Position("new S", "Shelf Set", "Shell"),
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    if not shutil.which("typescript-language-server"):
        pytest.skip("typescript-language-server is not on the PATH")
    root = tmp_path_factory.mktemp("project")
    (root / "tsconfig.json").write_text('{"compilerOptions": {"target": "ES2022", "strict": true}}')
    with asked(TYPESCRIPT_SERVER, root, "shelf.ts", 30, root / "log") as source:
        yield source


@pytest.mark.parametrize("position", POSITIONS, ids=lambda position: position.code)
def test_what_is_offered(source: Asked, position: Position) -> None:
    names = source.ask(HEAD + position.code, AFTER)
    assert names is not None
    assert {*position.offered.split()} - names == set()
    assert {*position.refused.split()} & names == set()


def test_nothing_is_known_of_any(source: Asked) -> None:
    assert source.ask(HEAD + "anything.", AFTER) is None


@pytest.mark.parametrize(
    ("written", "token", "allowed"),
    [
        ("words", ".pu", True),
        ("words", ".put(", False),
        ("const n = words[words", ".length", True),  # a bracket is open
        ("anything", ".whatever", True),
        ("const ", "fresh", True),
        ("words.map(fresh", " =>", True),
        ("new Sh", "elf()", True),
        ("new Sh", "ell()", False),
        ("const s = `words", ".put", True),
    ],
)
def test_what_may_follow(source: Asked, written: str, token: str, allowed: bool) -> None:
    assert Guide(TYPESCRIPT, Names(source), HEAD, AFTER).allows(written, token) is allowed


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("words.", NamePlace.MEMBER),
        ("words?.", NamePlace.MEMBER),
        ("const all = [...", NamePlace.FREE),
        ("return ", NamePlace.FREE),  # it may be the parameter of a function
        ("return new ", NamePlace.NAME),
        ("a.new ", NamePlace.FREE),
        ("const s = `${words.", NamePlace.FREE),
    ],
)
def test_places(written: str, place: NamePlace) -> None:
    assert place_at(TYPESCRIPT, HEAD, written) is place


def test_a_text_of_several_lines_is_no_code() -> None:
    assert not is_code(TYPESCRIPT, "const s = `one\ntwo")
    assert is_code(TYPESCRIPT, "const s = `one\ntwo`;")


def test_a_project_without_its_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"needs a tsconfig.json in .* or above it: write one"):
        TYPESCRIPT_SERVER.start(tmp_path, tmp_path / "log")


def test_a_server_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="is not on the PATH: npm install --global typescript-language-server"):
        TYPESCRIPT_SERVER.command()
