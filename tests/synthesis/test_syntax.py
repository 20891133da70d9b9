"""What good code is not refused, and what bad code is not taken, of kinds that grammars get wrong."""

from __future__ import annotations

import os
import warnings

import pytest

from snowcoder.synthesis.blocks import Block, blocks
from snowcoder.synthesis.syntax import parses

GOOD = [
    ("Python", "", "def f():\n    pass\n"),
    ("Python", "", "\ufeffx = 1\n"),
    ("Python", "", "x = await f()\n"),  # as notebooks and answers have it
    ("Python", "", "type Pair[T] = tuple[T, T]\ndef f[T](x: T) -> T:\n    return x\n"),  # of Python 3.12
    ("Python", "", 'print(f"{names["first"]}")\n'),
    ("Python", "", "greeting = t'Hello {name}'\n"),  # of Python 3.14
    ("Python", "", 'def f():\n    print("a" f"{b["c"]!r:>{d["e"]}}" "g", f"{yield h["i"]}", f"{"-".join(*j)} {k=}")\n'),
    ("Python", "", """f'{(lambda x: x['a'])(b['c'])} {f'{d['e']}'} {*f['g'], h} {i['j']:=5}'\n"""),
    ("Python", "", 'type A = int\nprint(f"{a!r:>{b}} {yes}" if c else f"{(lambda: 1)()}")\n'),
    ("PHP", "", "function f($a) { return $a + 1; }"),
    ("PHP", "", "<h1><?= $title ?></h1>"),
    ("PHP", "", "<h1>No code</h1>"),
    ("TypeScript", "tsx", "const Title = () => <h1>Hi</h1>;"),
    ("TypeScript", "typescript", "const Title = () => <h1>Hi</h1>;"),
    ("TypeScript", "typescript", "const n = <number>value;"),
    ("TypeScript", "ts", "export type * from './shapes';\nexport type * as shapes from './shapes';"),
    (
        "TypeScript",
        "ts",
        "interface Box<in out T, out U> { a: T }\nclass A { accessor x = 1; static [k: string]: number }",
    ),
    ("TypeScript", "ts", "import type A = B.C;\nexport { a } from 'm' assert { type: 'json' };"),
    ("Kotlin", "", "class A { val x = 1; fun f() = 2 }"),
    ("Kotlin", "", 'class A { fun f() = "}${g { it }}" }'),
    ("Kotlin", "", "class A { companion object { const val X = 1; const val Y = 2 } }"),
    ("Kotlin", "", "class A { fun f() {} private fun g() {} }"),
    ("Kotlin", "", "class A { var x = 0; private set }"),
    (
        "Kotlin",
        "",
        "interface I { fun a(): Int; fun b() }\nfun interface F { fun f() }\nenum class E { A, B; fun f() = 1 }",
    ),
    ("Kotlin", "", "val f = String?::plus\nannotation class A(val b: Array<String> = [])"),
    ("C", "", "API_EXPORT int f(void);\nstatic FORCE_INLINE int g(void) { return 1; }\nMODULE_LICENSE(GPL)\n"),
    ("C", "", "#ifdef SMALL\nint f(int a) {\n#else\nint f(long a) {\n#endif\n  return 1;\n}\n"),
    ("C", "", "#if defined(A) && \\\n    defined(B)\nint f(int a) {\n#else\nint f(void) {\n#endif\n  return 1;\n}\n"),
    ("C++", "", 'TEST_CASE("adds", "[math]") {\n  SECTION("two") {\n    REQUIRE(f(1) == 2);\n  }\n}\n'),
    ("C++", "", "class EXPORTED A {\n  int n GUARDED_BY(lock_);\n  void f() EXCLUSIVE(lock_) { n = 1; }\n};\n"),
    ("SQL", "", "USE shop;"),
    ("SQL", "", "CALL restock(3, 'red');"),
    ("SQL", "", "SET NAMES utf8mb4;"),
    ("SQL", "", "SELECT TOP 10 name FROM goods ORDER BY price;"),
    (
        "SQL",
        "",
        "SET search_path = shop;\nSELECT 1;\nPRAGMA foreign_keys = ON;",
    ),
    ("SQL", "", "USE shop\nGO\nSELECT [name] FROM [dbo].[goods]\nGO\n"),
    (
        "SQL",
        "",
        "DELIMITER //\nCREATE PROCEDURE p(IN n INT)\nBEGIN\n  SET @a = n;\n  SELECT @a;\nEND //\nDELIMITER ;\n",
    ),
    ("SQL", "", "CREATE TRIGGER t AFTER INSERT ON a FOR EACH ROW BEGIN UPDATE b SET c = c + 1; END;\nSELECT 1;"),
    ("SQL", "", "\\c shop\nCREATE FUNCTION f() RETURNS int AS $body$ BEGIN RETURN 1; END $body$ LANGUAGE plpgsql;"),
    ("SQL", "", "ALTER SYSTEM SET work_mem = '64MB';\nSELECT a FROM t; -- done; it's over"),
]
BAD = [
    ("Python", "", "def f():\n"),
    ("Python", "", "def f():\n    x = 1\n     y = 2\n"),
    ("Python", "", "if x:\n    a()\n  b()\n"),
    ("Python", "", "print 'hello'\n"),
    ("Python", "", "try:\n    f()\nexcept OSError, error:\n    raise\n"),
    ("Python", "", "x = 1\nreturn x\n"),
    ("Python", "", "x = 1\0\n"),
    ("Python", "", "type A = int\ndef f[T](x):\n    pass\n      pass\n"),  # newer, and wrong besides
    ("Python", "", "type A = int\nprint(f'{a b}')\n"),
    *(
        ("Python", "", f"x = {quoted}\n")
        for field in ("x!z", "x!r!s", "lambda x: 1", "a or lambda: 1", "*a", "f(a=1, a=2)", "x:{y!z}", "1 = 2", "a b")
        for quoted in (f"f'{{{field}}}'", f"f'{{a['b']}} {{{field}}}'", f"t'{{{field}}}'", f"f'{{f'{{{field}}}'}}'")
    ),
    ("Python", "", "print f'{a['b']}'\n"),
    ("Python", "", "  type A = int\n"),
    ("Python", "", "f'{a['b']}' = 1\n"),
    ("PHP", "", "function f($a { return $a; }"),
    ("PHP", "", "<?php function f( { }"),
    ("PHP", "", "It works like this."),
    ("TypeScript", "ts", "const Title = () => <h1>Hi</h1>;"),
    ("TypeScript", "tsx", "const n = <number>value;"),
    ("TypeScript", "ts", "export type * from './shapes'; const a = (1;"),
    ("Kotlin", "", "class A { val x = 1; fun f() = 2"),
    ("Kotlin", "", "class A { fun f() {} } }"),
    ("C", "", "API_EXPORT int f(void) { return 1;"),
    ("C", "", 'const char *s = "open;\nEXPORT_IT(s)\n'),
    ("C++", "", 'TEST_CASE("adds" {\n  REQUIRE(1);\n}\n'),
    ("SQL", "", "USE shop;\nSELCT a FROM t;"),
    ("SQL", "", "USE shop;\nSELECT a FROM t WHERE;"),
    ("SQL", "", "USE shop;\nINSERT INTO t VALUES (1;"),
    ("SQL", "", "CALL p('open);"),
    ("SQL", "", "CREATE FUNCTION f() RETURNS int AS $$ BEGIN RETURN 1;"),
    ("SQL", "", "Here is the query that you asked for."),
    ("SQL", "", "import os\nprint(os.name)\n"),
]


@pytest.mark.parametrize(("language", "dialect", "code"), GOOD)
def test_good_code_that_grammars_refuse(language: str, dialect: str, code: str) -> None:
    assert parses(code, language, dialect) is True


@pytest.mark.parametrize(("language", "dialect", "code"), BAD)
def test_bad_code_that_grammars_take(language: str, dialect: str, code: str) -> None:
    assert parses(code, language, dialect) is False


def test_warnings_of_pythons_parser_are_neither_printed_nor_raised() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parses("assert (1, 'always true')\nx = '\\d'\ny = 1 is 1\n", "Python") is True


def test_code_is_not_run() -> None:
    assert parses("raise SystemExit\nimport nothing_of_this_name\n", "Python") is True


HOSTILE = {
    "Python": [
        "(" * 100_000,
        "-" * 100_000 + "1",
        "1" + "+1" * 20_000,
        "f'{" * 1000,
        "x = " + "9" * 10_000,
        "\ud800",
        "f'{" * 1500 + "1" + "}'" * 1500,
    ],
    "Kotlin": ['"${' * 30_000, "}" * 30_000, '"""' + '"' * 30_000, "?" * 20_000],
    "C": ["AAA(" * 20_000, "/*" * 50_000, '"\\' * 50_000, "AAA " * 30_000, ")" + " " * 50_000, "#if A\n" * 20_000],
    "SQL": [
        *("USE a;" + each for each in ("[" * 50_000, "$a$ $b$" * 10_000, "/*" * 50_000, "CREATE " * 20_000)),
        "USE a;" + "(" * 50_000,
        *("SELECT " + each for each in ("CASE WHEN 1 THEN " * 45, "f(" * 45 + "1 +" + ")" * 45, "NOT + " * 45)),
    ],
    "TypeScript": ["<in out " * 20_000, "export type " * 20_000],
    "PHP": ["(" * 50_000],
}


@pytest.mark.parametrize("language", HOSTILE)
def test_hostile_code_is_judged(language: str) -> None:
    """In time that grows with its length: squared, each would take minutes, and SQL's last ones would take years."""
    for code in HOSTILE[language]:
        assert parses(code, language) in (True, False)


def test_sql_is_judged_after_a_text_that_took_too_long() -> None:
    top = "SELECT TOP 10 name FROM goods ORDER BY price;"  # which tree-sitter refuses
    assert [parses(code, "SQL") for code in ("SELECT " + "CASE WHEN 1 THEN " * 45, top)] == [False, True]


def test_a_fork_judges_sql_beside_its_parent() -> None:
    """Each has its own answers, though both ask at once."""
    good, bad = "SELECT TOP 10 a FROM b", "SELECT TOP 10 a FROM b WHERE"
    assert parses(good, "SQL") is True
    if not (child := os.fork()):
        os._exit(any(parses(bad, "SQL") for _ in range(300)))
    assert all(parses(good, "SQL") for _ in range(300))
    assert os.waitpid(child, 0)[1] == 0


def test_a_fence_tells_the_dialect_too() -> None:
    text = "```tsx\na\n```\n```postgresql\nb\n```\n```output\nd\n```\n```\nc\n```\n"
    assert blocks(text) == [
        Block("TypeScript", "a\n", "tsx"),
        Block("SQL", "b\n", "postgresql"),
        Block(None, "d\n", "output"),
        Block(None, "c\n", ""),
    ]
