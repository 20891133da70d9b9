"""A real completion engine for Python, and what a guide makes of its lists."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from snowcoder.errors import OperationError, UserError
from snowcoder.guided.engines import PYREFLY
from snowcoder.guided.guide import Guide
from snowcoder.guided.language_server import LanguageServer, position
from snowcoder.guided.names import Asked, Names, Recorded, asked
from snowcoder.guided.places import PYTHON

GIVEN = """import os


class Shelf:
    def __init__(self, owner: str, label=None):
        self.owner = owner
        self.label = label

    def read_all(self, paths: list[str], unknown) -> list[str]:
"""
AFTER = """
        return found


def main():
    Shelf("a").read_all([], None)
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    root = tmp_path_factory.mktemp("project")
    with asked(PYREFLY, root, "shelf.py", 30, root / "log") as source:
        yield source


@pytest.fixture
def guide(source: Asked) -> Guide:
    return Guide(PYTHON, Names(source), GIVEN, AFTER)


@pytest.mark.parametrize(
    ("written", "token", "allowed"),
    [
        ("        found = paths", ".cop", True),
        ("        found = paths", ".read", False),
        ("        found = paths.co", "py", True),
        ("        found = paths.co", "py()", True),
        ("        found = paths.co", "()", False),  # a member that is not whole
        ("        found = paths.copy", "()", True),
        ("        found = [os.path", ".joi", True),  # a bracket is open
        ("        found = [os.path", ".jion(", False),
        ("        found = self.own", "er", True),
        ("        found = self.own", "ed", False),
        ("        found = unknown", ".anything", True),  # nothing is known of it
        ("        found = self.label", ".anything", True),  # its default is None
        ("        self", ".other", True),  # it may be assigned to
        ("        found = ' paths", ".read", True),  # in a string
        ("        found = pat", "hs", True),
        ("        found = pat", "hz ", False),
        ("        found = f", "'{pa", True),
        ("        fou", "nd", True),
        ("        found = 1", ".e5", True),
    ],
)
def test_what_may_follow(guide: Guide, written: str, token: str, allowed: bool) -> None:
    assert guide.allows(written, token) is allowed


IMPORTS = "import os, importlib.util\nimport sys\nfrom importlib import import_module\n\n"
NEWER = """if sys.version_info >= (3, 99):

    def read(path: str) -> str:
        if path:
            text = path
        else:
"""


@pytest.mark.parametrize(
    ("given", "written", "token", "allowed"),
    [
        (GIVEN, "        found = self.__class__", ".__name__", True),  # which is the class's own class's
        (GIVEN, "        found = self.__class__", ".__nome__", False),
        (IMPORTS, "found = importlib", ".util", True),
        (IMPORTS, "found = importlib", ".utils", False),
        (NEWER, "            return ", "text()", True),  # no Python of today comes there
        (NEWER.replace("sys.version_info", "path"), "            return ", "tent()", False),
        ("class NamedMixin:\n    def read(self):\n", "        found = self", ".name", True),  # of who takes it in
        ("class Named:\n    def read(self):\n", "        found = self", ".name", False),
    ],
)
def test_what_the_engine_leaves_out_may_follow(
    source: Asked, given: str, written: str, token: str, allowed: bool
) -> None:
    assert Guide(PYTHON, Names(source), given, "\n").allows(written, token) is allowed


def test_the_line_behind_a_gap_of_lines_is_no_part_of_its_last_one(source: Asked) -> None:
    guide = Guide(PYTHON, Names(source), GIVEN + "        found = paths\n", "        label = 1\n" + AFTER)
    assert guide.allows("        return ", "found")
    assert not guide.allows("        return ", "fond ")


def test_members_only_leave_other_names_alone(source: Asked) -> None:
    guide = Guide(PYTHON, Names(source), GIVEN, AFTER, members_only=True)
    assert guide.allows("        found = pat", "hz ")
    assert not guide.allows("        found = paths", ".read")


def test_what_must_follow_is_written_at_once(guide: Guide) -> None:
    assert guide.continuation("        found = self.ow") == "ner"
    assert guide.continuation("        found = paths.c") == ""  # clear, copy, count
    assert guide.continuation("        found = ' paths.cop") == ""


def test_each_place_is_asked_once_for_all_tokens(source: Asked) -> None:
    guide, before = Guide(PYTHON, Names(source), GIVEN, AFTER), source.counts.calls
    for token in (".a", ".append", ".clear", ".xyz", ".pop(", ".index"):
        guide.allows("        found = paths", token)
    assert source.counts.calls == before + 2  # names that begin with p, and members of paths


def test_a_record_gives_the_same_answers_without_an_engine(tmp_path: Path, source: Asked) -> None:
    tries = [("        found = paths", token) for token in (".cop", ".read", ".pop")]
    with asked(PYREFLY, tmp_path, "shelf.py", 30, tmp_path) as fresh:
        live = [Guide(PYTHON, Names(fresh), GIVEN, AFTER).allows(*each) for each in tries]
    recorded = Recorded(tmp_path / "answers.jsonl")
    again = Guide(PYTHON, Names(recorded), GIVEN, AFTER)
    assert [again.allows(*each) for each in tries] == live == [True, False, True]
    with pytest.raises(UserError, match="has no answer for a place"):
        again.allows("        found = os", ".path")
    (tmp_path / "answers.jsonl").write_text("[]")
    with pytest.raises(UserError, match="is no record of a completion engine's answers"):
        Recorded(tmp_path / "answers.jsonl")


def test_an_engine_that_dies_or_is_late_is_counted_and_all_is_allowed(tmp_path: Path) -> None:
    with asked(PYREFLY, tmp_path, "shelf.py", 30, tmp_path) as source:
        guide = Guide(PYTHON, Names(source), GIVEN, AFTER)
        assert not guide.allows("        found = paths", ".read")
        source.seconds = 0.2
        source.server.process.send_signal(signal.SIGSTOP)
        assert guide.allows("        found = os", ".reed")
        source.server.process.kill()
        source.server.process.wait()
        started = time.monotonic()
        assert guide.allows("        found = self.owner", ".reed")
        assert time.monotonic() - started < 5
    assert source.counts.failures == {"TimeoutError": 2, "EOFError": 2}


def test_a_program_that_is_no_language_server(tmp_path: Path) -> None:
    with pytest.raises(OperationError, match="could not be started"):
        LanguageServer(["no-such-program"], tmp_path, "python", {}, tmp_path / "log")
    with pytest.raises(OperationError, match="did not start"):
        LanguageServer(["true"], tmp_path, "python", {}, tmp_path / "log")


def test_places_are_counted_in_utf16() -> None:
    assert position("a\n\U0001f600é", 4) == {"line": 1, "character": 3}
    assert position("a\r\nb\rc", 6) == {"line": 2, "character": 1}


def test_a_server_follows_a_text_whose_lines_end_otherwise(tmp_path: Path) -> None:
    with asked(PYREFLY, tmp_path, "shelf.py", 30, tmp_path) as source:
        for before in ("x = 1\r\nimport os\r\nos.", "x = 1\rimport os\ros.", "x = 1\r\nimport os\ros."):
            assert "path" in (source.ask(before, "\n") or ())
        assert "path" in (source.ask("import os\nx = 12\nos.", "\n") or ())
