"""Imports of every language in small repositories, algorithm 1 against its text, and files that mean harm."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowcoder.corpus.document import Document
from snowcoder.corpus.grouping import dependency, order_by_dependency
from snowcoder.corpus.grouping.dependency import ordered_subgraphs
from snowcoder.corpus.grouping.grammars import _RULES
from snowcoder.corpus.grouping.imports import read_imports
from snowcoder.corpus.grouping.resolve import dependencies_of

ENDINGS = {
    "Python": ["py"],
    "Java": ["java"],
    "Kotlin": ["kt"],
    "Scala": ["scala"],
    "C": ["c", "h"],
    "C++": ["cc", "hpp"],
    "C#": ["cs"],
    "JavaScript": ["js", "mjs", "jsx"],
    "TypeScript": ["ts", "tsx"],
    "Go": ["go"],
    "Rust": ["rs"],
    "PHP": ["php"],
    "Ruby": ["rb"],
    "Brainfuck": ["bf"],
}
LANGUAGES = {ending: language for language, endings in ENDINGS.items() for ending in endings}


def repository(contents: dict[str, str]) -> list[Document]:
    return [Document(text, "a/b", path, LANGUAGES[path.rpartition(".")[2]], ()) for path, text in contents.items()]


def edges(contents: dict[str, str]) -> dict[str, set[str]]:
    """What each file needs, of files that need something."""
    names = list(contents)
    found = dependencies_of(repository(contents))
    return {name: {names[number] for number in needs} for name, needs in zip(names, found, strict=True) if needs}


def order(contents: dict[str, str], seed: int = 1) -> list[str]:
    return [document.path for document in order_by_dependency(repository(contents), seed)]


def test_python() -> None:
    assert edges(
        {
            "src/app/__init__.py": "__version__ = '1'\n",
            "src/app/core.py": "import json\nfrom app.util.text import (\n    strip,  # of blanks\n    split,\n)\n",
            "src/app/util/__init__.py": "from . import text\n",
            "src/app/util/text.py": "'''\nimport app.core\n'''\nfrom ... import core  # outside of what imports mean\n",
            "src/app/util/json.py": "from .. import __version__\nfrom ..core import run as go\nfrom .text import *\n",
            "tests/test_core.py": "import app.core as core, os\n\ndef test():\n    from app import util\n",
            "scripts/run.py": "import helper\nimport requests\n",
            "scripts/helper.py": "import text\n",
        }
    ) == {
        "src/app/core.py": {"src/app/util/text.py"},
        "src/app/util/__init__.py": {"src/app/util/text.py"},
        "src/app/util/json.py": {"src/app/__init__.py", "src/app/core.py", "src/app/util/text.py"},
        "tests/test_core.py": {"src/app/core.py", "src/app/util/__init__.py"},
        "scripts/run.py": {"scripts/helper.py"},
    }


def test_java_kotlin_and_scala_import_each_other() -> None:
    assert edges(
        {
            "core/src/main/java/org/x/Base.java": "package org.x;\npublic class Base { static class In {} }\n",
            "core/src/main/java/org/x/io/Reader.java": "package org.x.io;\n/* import org.x.Old; */\n"
            "import java.util.List;\nimport org.x.Base.In;\nimport static org.x.Old.make;\npublic class Reader {}\n",
            "core/src/main/java/org/x/Old.java": "package org.x;\nimport org.x.io.*;\nclass Old {}\n",
            "app/Main.kt": "package app\n\nimport org.x.Base as B\nimport org.x.io.Reader\n\nfun main() {}\n",
            "app/Job.scala": "package app\npackage jobs\nimport org.x.{Base => B, Old}, java.io._\nimport org.x.io._\n",
            "app/Other.scala": "import app.jobs.Job\nobject Other\n",
        }
    ) == {
        "core/src/main/java/org/x/io/Reader.java": {
            "core/src/main/java/org/x/Base.java",
            "core/src/main/java/org/x/Old.java",
        },
        "core/src/main/java/org/x/Old.java": {"core/src/main/java/org/x/io/Reader.java"},
        "app/Main.kt": {"core/src/main/java/org/x/Base.java", "core/src/main/java/org/x/io/Reader.java"},
        "app/Job.scala": {
            "core/src/main/java/org/x/Base.java",
            "core/src/main/java/org/x/Old.java",
            "core/src/main/java/org/x/io/Reader.java",
        },
        "app/Other.scala": {"app/Job.scala"},
    }


def test_c_and_cpp() -> None:
    assert edges(
        {
            "include/lib/list.h": "#include <stdlib.h>\n",
            "src/list.c": '#include "lib/list.h"\n#  include "../src/hash.h"\n// #include "main.c"\n',
            "src/hash.h": "#include <lib/list.h>\n",
            "src/main.cc": '#include "hash.h"\n#include "list.hpp"\n#include <string.h>\n',
            "src/string.h": "",
            "other/list.hpp": "",
            "src/deep/list.hpp": "",
        }
    ) == {
        "src/list.c": {"include/lib/list.h", "src/hash.h"},
        "src/hash.h": {"include/lib/list.h"},
        "src/main.cc": {"src/hash.h", "src/deep/list.hpp"},
    }


def test_csharp() -> None:
    assert edges(
        {
            "Core/Item.cs": "namespace Shop.Core\n{\n    public class Item {}\n}\n",
            "Core/Price.cs": "namespace Shop.Core;\npublic record Price;\n",
            "App/Program.cs": "using System;\nusing global::Shop.Core;\nnamespace Shop.App { class Program {} }\n",
            "App/Tax.cs": "using static Shop.Core.Price;\nusing I = Shop.Core.Item;\nnamespace Shop.App;\n",
            "App/Late.cs": "namespace Shop.App {\n    using Shop.Core;\n"
            "    class Late { void F() { using (var x = y) {} } }\n}\n",
        }
    ) == {path: {"Core/Item.cs", "Core/Price.cs"} for path in ("App/Program.cs", "App/Tax.cs", "App/Late.cs")}


def test_javascript_and_typescript() -> None:
    assert edges(
        {
            "src/index.ts": 'import type { A } from "./a.js";\nexport * from "./ui";\nimport fs = require("fs");\n',
            "src/a.ts": "export interface A {}\n",
            "src/ui/index.tsx": 'import R from "react";\nexport const V = () => <a href="x">{require("../b")}</a>;\n',
            "src/b.js": "// import './a'\nfunction f() { return import('./lazy.mjs') }\n"
            "module.exports = f(`from './c'`)\n",
            "src/lazy.mjs": 'import "../outside/../src/c.jsx";\nload("./b.js");\n',
            "src/c.jsx": 'import x from "../../up";\n',
        }
    ) == {
        "src/index.ts": {"src/a.ts", "src/ui/index.tsx"},
        "src/ui/index.tsx": {"src/b.js"},
        "src/b.js": {"src/lazy.mjs"},
        "src/lazy.mjs": {"src/c.jsx"},
    }


def test_go() -> None:
    assert edges(
        {
            "main.go": 'package main\n\nimport (\n\t"fmt"\n\n\tst "example.com/me/app/store"\n'
            '\t_ "example.com/me/app/api/v1"\n\t"github.com/pkg/errors"\n)\n',
            "store/store.go": 'package store\nimport "example.com/me/app/api/v1"\n',
            "store/file.go": "package store\n",
            "store/store_test.go": 'package store\nimport "example.com/me/app/errors"\n',
            "api/v1/api.go": "package v1\n",
            "errors/errors.go": 'package errors\nimport "errors"\n',
        }
    ) == {
        "main.go": {"store/store.go", "store/file.go", "api/v1/api.go"},
        "store/store.go": {"api/v1/api.go"},
        "store/store_test.go": {"errors/errors.go"},
    }


def test_rust() -> None:
    assert edges(
        {
            "base/src/lib.rs": "pub mod parse;\nmod text;\nmod inline { mod gone; }\nuse std::fmt;\n",
            "mock/std/src/lib.rs": "",
            "base/src/text.rs": "use super::Thing;\n#[cfg(test)]\nmod tests {\n    use super::*;\n}\n",
            "base/src/parse/mod.rs": "mod tree;\npub(crate) use self::tree::Tree;\n",
            "base/src/parse/tree.rs": "use crate::{\n    text::{self, Text as T},\n    gone::*,\n};\n"
            "use super::token::*;\n",
            "base/src/parse/token.rs": "",
            "cli/src/main.rs": "use base::parse::tree::Tree;\nuse base::Thing;\n",
        }
    ) == {
        "base/src/lib.rs": {"base/src/parse/mod.rs", "base/src/text.rs"},
        "base/src/parse/mod.rs": {"base/src/parse/tree.rs"},
        "base/src/parse/tree.rs": {"base/src/text.rs", "base/src/parse/token.rs"},
        "cli/src/main.rs": {"base/src/parse/tree.rs", "base/src/lib.rs"},
    }


def test_php() -> None:
    assert edges(
        {
            "src/Model/User.php": "<?php\nnamespace Acme\\Model;\nclass User { use Loud; }\n",
            "src/Model/Role.php": "<?php namespace Acme\\Model;\nuse Exception;\n",
            "src/App.php": "<?php\nnamespace Acme;\nuse Acme\\Model\\{User, Role as R};\nuse \\Acme\\Kernel;\n",
            "src/Kernel.php": "<?php\nnamespace Acme;\nrequire __DIR__ . '/../config/boot.php';\n",
            "config/boot.php": '<?php\nrequire_once("paths.php");\n// include "gone.php";\n',
            "config/paths.php": "<html><?php echo 1; ?></html>\n",
        }
    ) == {
        "src/App.php": {"src/Model/User.php", "src/Model/Role.php", "src/Kernel.php"},
        "src/Kernel.php": {"config/boot.php"},
        "config/boot.php": {"config/paths.php"},
    }


def test_ruby() -> None:
    assert edges(
        {
            "lib/app.rb": "require 'json'\nrequire 'app/store'\nrequire_relative \"app/text\"\n",
            "lib/app/store.rb": "# require 'app'\nputs 'require \"app\"'\n",
            "lib/app/text.rb": "",
            "lib/app/json.rb": "require_relative '../../../../etc'\nrequire_relative name\n",
            "test/helper.rb": "require 'app'\n",
            "test/app_test.rb": "require 'helper'\n",
        }
    ) == {
        "lib/app.rb": {"lib/app/store.rb", "lib/app/text.rb"},
        "test/helper.rb": {"lib/app.rb"},
        "test/app_test.rb": {"test/helper.rb"},
    }


def test_files_come_after_what_they_import() -> None:
    chain = {f"m{number}.py": f"import m{number + 1}\n" for number in range(30)}
    assert order(chain) == [f"m{number}.py" for number in reversed(range(30))]


def test_a_cycle_is_entered_where_least_is_missing() -> None:
    contents = {"a.py": "import b, c, d\n", "b.py": "import a\n", "c.py": "import a, b\n", "d.py": "import a, b, c\n"}
    assert order(contents)[:2] == ["b.py", "c.py"]
    assert sorted(order(contents)) == sorted(contents)
    assert order({"a.py": "import a\n"}) == ["a.py"]


def test_subgraphs_are_not_mixed() -> None:
    contents = {f"{name}{number}.py": f"import {name}{number + 1}\n" for name in "pqr" for number in range(5)}
    found = [[document.path for document in one] for one in ordered_subgraphs(repository(contents), 3)]
    assert sorted(found) == [[f"{name}{number}.py" for number in (4, 3, 2, 1, 0)] for name in "pqr"]
    assert order(contents, 3) == [path for one in found for path in one]


def test_ties_are_of_the_seed() -> None:
    contents = {f"{number}.bf": "+" for number in range(50)}
    assert order(contents, 1) == order(dict(reversed(contents.items())), 1)
    assert order(contents, 1) != order(contents, 2)


def test_two_files_of_one_path() -> None:
    files = repository({"a.py": "import b\n", "b.py": ""})
    files.append(files[1]._replace(content="import a\n"))
    assert sorted(order_by_dependency(files, 1)) == sorted(files)
    assert order_by_dependency(files, 1) == order_by_dependency(files[::-1], 1)


def algorithm_1(dependencies: list[set[int]]) -> list[list[int]]:
    """As the paper writes it."""
    files = range(len(dependencies))
    graphs: dict[int, list[int]] = {file: [] for file in files}
    in_degree = dict.fromkeys(files, 0)
    for one in files:
        for other in files:
            if other in dependencies[one]:
                graphs[other].append(one)
                in_degree[one] += 1
    results, seen = [], set()
    for start in files:
        subgraph, todo = set(), [start]
        while todo:
            one = todo.pop()
            if one not in subgraph:
                subgraph.add(one)
                todo += [*graphs[one], *dependencies[one]]
        if start in seen:
            continue
        seen |= subgraph
        result: list[int] = []
        while len(result) < len(subgraph):
            file = min((file for file in sorted(subgraph) if file not in result), key=lambda file: in_degree[file])
            for node in graphs[file]:
                in_degree[node] -= 1
            result.append(file)
        results.append(result)
    return results


@st.composite
def graphs(draw: st.DrawFn) -> list[set[int]]:
    size = draw(st.integers(1, 12))
    pairs = draw(st.lists(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)), max_size=25))
    return [{other for one, other in pairs if one == number != other} for number in range(size)]


@settings(max_examples=200, deadline=None)
@given(graphs())
def test_it_is_algorithm_1(dependencies: list[set[int]]) -> None:
    subgraphs = dependency._subgraphs(dependencies)
    assert [dependency._sort(subgraph, dependencies) for subgraph in subgraphs] == algorithm_1(dependencies)


HARM = {
    "parentheses": "(" * 2_000_000,
    "blocks": "{\n" * 1_000_000,
    "calls": "f(x, [{ " * 250_000,
    "indents": "".join(f"{' ' * depth}if x:\n" for depth in range(1990)),
    "quotes": "\"a'" * 700_000,
    "angles": "a<" * 1_000_000,
    "blank": "\n \t" * 700_000,
    "no end": "import (\nfrom a import (\nuse a::{b,\n" * 50_000,
    "null": "\0\ud800\ufeff" * 100_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("language", sorted({*_RULES} - {"TSX"}))
@pytest.mark.parametrize("harm", sorted(HARM))
def test_harmful_files_do_no_harm(language: str, harm: str) -> None:
    """An import of every language far into the file makes it be parsed up to there."""
    imports = 'import a\n#include "a"\nusing A;\nnamespace A {\nuse a;\nrequire("a")\nimport "a"\nmod a;\n'
    half = 31_000
    text = f"<?php\n{imports}{HARM[harm][:half]}\n{imports}{HARM[harm][half:]}"
    start = time.process_time()
    read_imports(Document(text, "r", "p", language, ()))
    assert time.process_time() - start < 10
    after = Document("import os\n", "r", "p.py", "Python", ())
    assert [one.target for one in read_imports(after).imports] == ["os"]


def test_hostile_names_and_paths() -> None:
    deep = "/".join("d" * 1500)
    contents = {
        f"{deep}/a.py": f"from {'.' * 5000}b import c\nimport {'.'.join('d' * 5000)}.a\n",
        "b.rs": f"use {'a::{' * 5000}b{'}' * 5000};\nuse {'::'.join('a' * 5000)};\nuse a::{{{'b,' * 5000}}};\n",
        "c.go": f'package a\nimport "{"/".join("x" * 5000)}"\n',
        "d.js": f'import "./{"../" * 5000}x";\nimport "./\\u0000";\nimport "";\n',
        "e.c": f'#include "{"../" * 5000}b.rs"\n#include ""\n#include "/"\n#include "."\n',
        "f.php": "<?php\nrequire '';\nrequire __DIR__;\nuse \\;\ninclude '/';\n",
        "g.scala": f"import {'a.{' * 3000}\nimport a.b.\n",
    }
    assert sorted(order(contents)) == sorted(contents)


def test_a_file_of_many_packages_is_bounded() -> None:
    contents = {f"p/f{number}.go": "package p\n" for number in range(1000)}
    contents |= {f"q/f{number}.go": 'package q\nimport "m.x/r/p"\n' for number in range(20)}
    found = edges(contents)
    assert {len(needs) for needs in found.values()} == {256}
