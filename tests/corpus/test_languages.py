"""A file's language by its name, and by its content where names leave several."""

import importlib
import time
from pathlib import Path

import pytest

from snowcoder.config.compose import load_config
from snowcoder.corpus.filter_step import Sieve
from snowcoder.corpus.labelled import HELD_OUT, TUNED, read
from snowcoder.corpus.languages import (
    PAPER_LANGUAGES,
    detect,
    evaluate,
    known_language,
    language_named,
    languages_of_name,
)
from snowcoder.storage.shards import Batch

PAPER = {
    "Python": "py pyi",
    "Java": "java",
    "C": "c",
    "C++": "cpp cc cxx hpp",
    "JavaScript": "js mjs cjs jsx",
    "PHP": "php",
    "C#": "cs",
    "Go": "go",
    "TypeScript": "ts tsx mts",
    "SQL": "sql",
    "Ruby": "rb",
    "Rust": "rs",
    "Jupyter Notebook": "ipynb",
    "Scala": "scala sbt",
    "Kotlin": "kt kts",
    "Shell": "sh bash",
    "Dart": "dart",
    "Swift": "swift",
}


def test_the_papers_languages_are_known_by_their_extensions() -> None:
    assert set(PAPER) == set(PAPER_LANGUAGES)
    assert all(map(known_language, PAPER))
    for language, extensions in PAPER.items():
        for extension in extensions.split():
            assert detect(f"src/some.{extension}", "a text that says nothing\n") == language


C_HEADER = '#ifndef A_H\n#define A_H\n#ifdef __cplusplus\nextern "C" {\n#endif\nint a(void);\n#endif\n'
CPP_HEADER = "#pragma once\n#include <vector>\nnamespace a {\nclass B {\n public:\n  std::vector<int> c;\n};\n}\n"
OBJC_HEADER = "#import <Foundation/Foundation.h>\n@interface A : NSObject\n@property int b;\n@end\n"
CONTENT = [
    ("a.h", C_HEADER, "C"),
    ("a.h", "int a;\n", "C"),
    ("a.h", CPP_HEADER, "C++"),
    ("a.h", OBJC_HEADER, "Objective-C"),
    ("a.m", '#import "a.h"\n@implementation A\n@end\n', "Objective-C"),
    ("a.m", "% a comment\nfunction y = f(x)\n  y = x .^ 2;\nend\n", "MATLAB"),
    ("a.pl", "#!/usr/bin/env perl\nmy $module = 1;\nclass => 2;\nprint $module;\n", "Perl"),
    ("a.pl", "use strict;\nmy $x = 1;\n", "Perl"),
    ("a.pl", ":- module(lists, [append/3]).\nappend([], L, L).\n", "Prolog"),
    ("a.ts", "export const a: number = 1;\n", "TypeScript"),
    ("a.ts", '<?xml version="1.0"?>\n<TS version="2.1" language="de"></TS>\n', "XML"),
    ("a.ts", 'const text = `<?xml version="1.0"?>`;\n', "TypeScript"),
    ("a.rs", "fn main() { let x = \"<?xml version='1.0'?>\"; }\n", "Rust"),
    ("a.sql", "CREATE FUNCTION f() RETURNS int AS $$ BEGIN RETURN 1; END $$ LANGUAGE plpgsql;\n", "SQL"),
    ("a.r", "x <- function(y) y + 1\n", "R"),
    ("a.r", "Rebol [title: {x}]\n", "Rebol"),
    ("a.v", "module m(input a, output b);\n  assign b = a;\nendmodule\n", "Verilog"),
    ("a.v", "Require Import List.\nTheorem t : True.\nProof. exact I. Qed.\n", "Rocq Prover"),
    ("a.md", "# A title\n\ntext\n", "Markdown"),
    ("tool", "#!/usr/bin/env python3\nimport os\n", "Python"),
    ("tool", "#!/bin/bash\nls\n", "Shell"),
    ("tool", "#!/usr/bin/env -S node --harmony\n1;\n", "JavaScript"),
    ("tool", "no shebang\n", None),
    ("deep/Dockerfile", "FROM x\n", "Dockerfile"),
    ("Makefile", "all:\n", "Makefile"),
    ("CMakeLists.txt", "project(a)\n", "CMake"),
    ("Rakefile", "task :a\n", "Ruby"),
    ("notes.xyz", "of no kind\n", None),
    (".hidden", "of no kind\n", None),
    ("", "", None),
]


@pytest.mark.parametrize(("path", "content", "language"), CONTENT)
def test_names_and_contents(path: str, content: str, language: str | None) -> None:
    assert detect(path, content) == language


def test_headers_of_real_projects() -> None:
    """numpy's and Python's in C, torch's in C++."""
    numpy = Path(importlib.import_module("numpy").get_include())
    torch = Path(importlib.util.find_spec("torch").submodule_search_locations[0]) / "include" / "c10"
    found = {folder: [detect(path.name, path.read_text()) for path in folder.rglob("*.h")] for folder in (numpy, torch)}
    assert found[numpy].count("C") / len(found[numpy]) > 0.9
    assert found[torch].count("C++") / len(found[torch]) > 0.8  # some hold macros alone


def test_dialects_are_not_languages_of_their_own() -> None:
    assert not known_language("TSX")
    assert not known_language("Pyhton")
    assert known_language("Zig")


MISSED = {TUNED: {"INI": 1, "Shell": 1}, HELD_OUT: {"INI": 1, "Shell": 1}}  # under names of Drupal's


@pytest.mark.parametrize("half", MISSED)
def test_labelled_files_have_their_language(half: str) -> None:
    scores = evaluate(half)
    missed = {name: round(score.labelled * (1 - score.recall)) for name, score in scores.items() if score.recall < 1}
    assert missed == MISSED[half]
    assert all(score.precision == 1 for score in scores.values())


def test_a_false_name_and_a_missing_one_are_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    planted = [
        {"path": "a.py", "content": "", "language": "Python"},
        {"path": "b.py", "content": "", "language": "Rust"},
        {"given": "tsx", "language": "TypeScript"},
        {"path": "notes", "content": "", "language": "Python"},
        {"path": "none", "content": "", "language": None},
    ]
    monkeypatch.setitem(evaluate.__globals__, "read", lambda *halves: planted)
    assert evaluate() == {"Python": (0.5, 0.5, 2), "Rust": (1, 0, 1), "TypeScript": (1, 1, 1)}


def test_the_labelled_halves_share_no_file() -> None:
    tuned, held_out = ({str(row) for row in read("languages", half)} for half in (TUNED, HELD_OUT))
    assert not tuned & held_out
    assert min(len(tuned), len(held_out)) >= 80


def test_what_a_shard_calls_a_language_is_understood() -> None:
    """A dialect counts as its language; a name that nobody knows says nothing, and the path decides."""
    given = ["PLpgSQL", "TSX", "python", "Unknown", None, "Klingon"]
    paths: list[str | None] = ["a.sql", "b.tsx", "c.py", "d.go", "e.rb", "f"]
    texts = [f"select word from words {n};\n" * 9 for n in range(len(given))]
    batch = Batch(texts, ["r"] * 6, paths, given, ["MIT"] * 6, [None] * 6, {})
    sieve = Sieve(load_config([]))
    assert [document.language for document in sieve(batch)] == ["SQL", "TypeScript", "Python", "Go", "Ruby"]
    assert sieve.counts.by_language("language") == {"Klingon": 1}


def test_filters_languages_may_be_named_otherwise() -> None:
    sieve = Sieve(load_config(["filters.languages=[golang,cpp]"]))
    texts = [f"word of words {n};\n" * 9 for n in range(3)]
    batch = Batch(texts, ["r"] * 3, ["a.go", "b.cc", "c.rs"], [None] * 3, ["MIT"] * 3, [None] * 3, {})
    assert [document.language for document in sieve(batch)] == ["Go", "C++"]


@pytest.mark.parametrize(
    ("path", "languages"),
    [
        ("Dockerfile.dev", ("Dockerfile",)),
        ("Gemfile-rails7", ("Ruby",)),
        ("Profile.png", ()),
        ("a.py.in", ("Python",)),
        ("a.png.in", ()),
        ("a.blade.php", ("Blade",)),
        ("a.module", None),
        ("debian/a.install", None),
        ("a.unheard", ()),
        ("a", None),
    ],
)
def test_languages_of_names(path: str, languages: tuple[str, ...] | None) -> None:
    """None: `corpus pack` reads the file to know."""
    assert languages_of_name(path) == languages


def test_names_of_one_language() -> None:
    names = {
        "C#": "c-sharp csharp C#",
        "SQL": "SQL mysql PL/SQL t-sql SQLPL",
        "Shell": "bash zsh Shell",
        "C++": "cpp c++ c++17",
        "Python": "python3.11 py3",
    }
    assert {name: {language_named(other) for other in others.split()} for name, others in names.items()} == {
        name: {name} for name in names
    }
    assert language_named("Jupyter notebook") == language_named("jupyter-notebook") == "Jupyter Notebook"
    assert language_named("") is language_named("C/C++") is language_named("a -*- b\n") is None


HOSTILE = [
    "\n",
    " ",
    "/* ",
    "/*/",
    '"',
    "\\'",
    "a(",
    "A[",
    "A=",
    "struct A {",
    "#if __cplusplus\n",
    "-*- mode ",
    "vim: ",
    "<",
]


def test_hostile_text_takes_no_longer() -> None:
    begun = time.process_time()
    for piece in HOSTILE:
        for name in ("a.h", "a.inc", "a.rs", "a.pl", "a.frag", "a"):
            detect(name, f"#!{piece * 100_000}" if name == "a" else piece * 100_000 + "class ~ operator")
    assert time.process_time() - begun < 5
