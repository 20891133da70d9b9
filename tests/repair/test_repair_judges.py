"""Real compilers and tests in a real sandbox: what a patch is worth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from snowcoder.errors import UserError
from snowcoder.repair.bugs import Bug, Checkout, differing_lines
from snowcoder.repair.jdk import find_jdk
from snowcoder.repair.judges import build_all
from snowcoder.repair.same import same_program
from snowcoder.repair.validate import Patch, PatchVerdict, judge_of, validate
from snowcoder.sandbox.sandbox import Sandbox
from tests.repair.conftest import JAVA, PYTHON


def bug_of(row: dict[str, Any], language: Any) -> Bug:
    span = differing_lines(row["buggy_solution"], row["canonical_solution"], row["declaration"])
    return Bug(row["task_id"], language, *span[:4], tests=row["test"])


def verdicts_of(bug: Bug, *texts: str | None, seconds: float = 5) -> list[PatchVerdict]:
    settings: Any = SimpleNamespace(language=bug.language, java_home=None, seconds=seconds)
    return validate([Patch(bug, text) for text in texts], judge_of(settings), 2)


def test_patches_in_python(sandbox: Sandbox) -> None:
    bug = bug_of(PYTHON, "python")
    found = verdicts_of(
        bug,
        bug.fix,
        "        found = max( found,each )  # the fix, but for layout",
        "        found = each if each > found else found",
        bug.hunk,
        "        found = max(found, each",
        None,
        "        raise SystemExit",
        "        found = max(found, each)\x00",
    )
    assert [(each.finished, each.compiles, each.plausible, each.exact) for each in found] == [
        (True, True, True, True),
        (True, True, True, True),
        (True, True, True, False),
        (True, True, False, False),
        (True, False, False, False),
        (False, False, False, False),
        (True, True, False, False),
        (True, False, False, False),
    ]
    assert found[3].error.startswith("tests: failed: AssertionError")
    assert found[4].error.startswith("SyntaxError: '(' was never closed")


def test_patches_in_java(sandbox: Sandbox, java: None) -> None:
    bug = bug_of(JAVA, "java")
    found = verdicts_of(
        bug,
        bug.fix,
        "        int found=Collections . max(numbers); // the fix",
        "        int found = 0; for (int each : numbers) found = Math.max(found, each);",
        bug.hunk,
        "        int found = Collections.max(number);",
        "        int found = 0; System.exit(0);",
        "        int found = 0; while (found == 0) { }",
        "        int found = 0; Runtime.getRuntime().halt(0);",
        seconds=1,
    )
    assert [(each.compiles, each.plausible, each.exact) for each in found] == [
        (True, True, True),
        (True, True, True),
        (True, True, False),
        (True, False, False),
        (False, False, False),
        (True, False, False),
        (True, False, False),
        (True, False, False),
    ]
    assert "java.lang.AssertionError" in found[3].error
    assert found[4].error.startswith("line 5: cannot find symbol")
    assert "it left early, with exit code 0" in found[5].error


def test_a_bug_without_tests_is_not_judged(sandbox: Sandbox) -> None:
    bug = replace(bug_of(PYTHON, "python"), tests="")
    assert verdicts_of(bug, bug.fix, bug.hunk) == [PatchVerdict(True, exact=True), PatchVerdict(True)]


def test_one_that_ends_the_compiler_takes_no_others_along(sandbox: Sandbox) -> None:
    class Fragile:
        """Compiles nothing beside 'bad'."""

        version, batch = "1", 8

        def __init__(self) -> None:
            self.sandbox = sandbox

        def compiling(self, programs: list[str]) -> Any:
            from snowcoder.sandbox.program import Program

            return Program("raise ValueError" if "bad" in programs else f"print({len(programs)})")

        def built(self, stdout: str, count: int) -> list[Any]:
            from snowcoder.repair.judges import Built

            assert int(stdout) == count
            return [Built("", {})] * count

    programs = ["good"] * 4 + ["bad"] + ["good"] * 5
    errors = [each.error for each in build_all(Fragile(), programs, 2)]  # type: ignore[arg-type]
    assert [bool(error) for error in errors] == [program == "bad" for program in programs]
    assert errors[4].startswith("the compiler came to no end: ValueError")


@pytest.mark.parametrize(
    ("language", "one", "other", "same"),
    [
        ("java", "int  a=1; // one", "int a = 1;", True),
        ("java", "f(/* no */ a)", "f(a)", True),
        ("java", 'f("a b")', 'f("ab")', False),
        ("java", "if (a)\n  b();", "if (a) b();", True),
        ("java", "a + +b", "a ++b", True),  # signs are told apart one by one: it is no proof
        ("python", "if a:\n    b()\n", "if a:  # so\n\n    b( )", True),
        ("python", "if a:\n    b()\nc()\n", "if a:\n    b()\n    c()\n", False),
        ("python", "x = '# no'", "x = '# yes'", False),
    ],
)
def test_the_same_but_for_layout_and_comments(language: str, one: str, other: str, same: bool) -> None:
    assert same_program(language, one, other) is same


def test_a_jdk_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"is no JDK: it has no bin/java\. .*repair\.java_home=FOLDER"):
        find_jdk(str(tmp_path))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").touch()
    with pytest.raises(UserError, match="it has no bin/javac"):
        find_jdk(str(tmp_path))
    (tmp_path / "bin" / "javac").touch(0o755)
    with pytest.raises(UserError, match="bin/javac does not run"):
        find_jdk(str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="there is no javac on the PATH"):
        find_jdk(None)


# A stand-in for JUnit, of the classes that are asked for: a test is a public method whose name begins with test.
JUNIT = {
    "org/junit/runner/Request.java": """package org.junit.runner;
public class Request {
    final Class<?> of; final String method;
    Request(Class<?> of, String method) { this.of = of; this.method = method; }
    public static Request method(Class<?> of, String method) { return new Request(of, method); }
    public static Request aClass(Class<?> of) { return new Request(of, ""); }
}
""",
    "org/junit/runner/Result.java": """package org.junit.runner;
import java.util.*;
public class Result {
    final List<Object> failures = new ArrayList<>();
    public boolean wasSuccessful() { return failures.isEmpty(); }
    public List<Object> getFailures() { return failures; }
}
""",
    "org/junit/runner/JUnitCore.java": """package org.junit.runner;
public class JUnitCore {
    public Result run(Request request) throws Exception {
        Result result = new Result();
        for (java.lang.reflect.Method each : request.of.getMethods()) {
            if (each.getName().startsWith("test") && each.getName().endsWith(request.method)) {
                try { each.invoke(request.of.getConstructor().newInstance()); }
                catch (java.lang.reflect.InvocationTargetException thrown) {
                    result.failures.add(each.getName() + ": " + thrown.getCause()); }
            }
        }
        return result;
    }
}
""",
    "p/HalfTest.java": """package p;
public class HalfTest {
    public void testHalf() { if (new Half().half(8) != 4) throw new AssertionError("half of 8"); }
    public void testOdd() { if (new Half().half(3) != 1) throw new AssertionError("half of 3"); }
}
""",
}
HALF = "package p;\nclass Half {\n    int half(int n) {\n        return n * 2;\n    }\n}\n"


def test_a_checkout_is_compiled_and_tested_where_it_is(sandbox: Sandbox, java: None, tmp_path: Path) -> None:
    """A project that is laid out as Defects4J's are, by `repair.defects4j.PROPERTIES`."""
    import subprocess

    root = tmp_path / "Half-1"
    for name, text in {**JUNIT, "p/Half.java": HALF}.items():
        (root / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "src" / name).write_text(text)
    sources = [str(path) for path in (root / "src").rglob("*.java")]
    subprocess.run(["javac", "-d", str(root / "classes"), *sources], check=True)
    exported = {"cp.test": root / "classes", "tests.trigger": "p.HalfTest::testHalf", "tests.all": "p.HalfTest"}
    for name, text in exported.items():
        (root / name).write_text(f"{text}\n")
    root.chmod(0o755)
    hunk, checkout = "        return n * 2;", Checkout(root, Path("src/p/Half.java"))
    before, after = HALF.split(hunk)
    bug = Bug("Half-1", "java", before, hunk, after, "        return n / 2;", checkout=checkout)
    found = verdicts_of(bug, bug.fix, bug.hunk, "        return 4;", "        return m;")
    assert [(each.compiles, each.plausible, each.exact) for each in found] == [
        (True, True, True),
        (True, False, False),
        (True, False, False),
        (False, False, False),
    ]
    assert "triggering tests: failed: AssertionError: testHalf: java.lang.AssertionError: half of 8" in found[1].error
    assert "all tests: failed: AssertionError: testOdd: java.lang.AssertionError: half of 3" in found[2].error
    assert (root / "src" / "p" / "Half.java").read_text() == HALF
