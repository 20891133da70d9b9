"""A file's language by its name, and by its content where names leave several."""

import importlib
from pathlib import Path

import pytest

from snowcoder.corpus.languages import PAPER_LANGUAGES, detect, known_language

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
