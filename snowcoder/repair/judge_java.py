"""Patches in Java: many are compiled in one process, and the tests of each run in a sandbox of its own.

A test passes if it comes to its end: leaving early, with whatever exit code, is a failure.
"""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path

from snowcoder.repair.bugs import Bug, Checkout
from snowcoder.repair.jdk import Jdk
from snowcoder.repair.judges import Built, PatchTest
from snowcoder.sandbox.program import Limits, Program
from snowcoder.sandbox.sandbox import Sandbox

_SOURCES = Path(__file__).parent / "judge"
# Little is reserved beside the heap: the sandbox limits address space. What runs for a second needs no second compiler.
_JVM = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:ReservedCodeCacheSize=64m",
    "-XX:CompressedClassSpaceSize=128m",
)
_COMPILE = """
import base64, json, pathlib, subprocess
job = json.load(open("job.json"))
subprocess.run([*job["javac"], "-cp", job["path"], "-d", "judge", *job["own"]], check=True)
done = subprocess.run([*job["java"], "-cp", "judge", "Compile", *job["options"]], check=True, capture_output=True)
errors = dict(line.split("\\t", 1) for line in done.stdout.decode().split("\\n") if line)
def classes(folder):
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.class")}
    return {name: base64.b64encode(content).decode() for name, content in found.items()}
jobs = [[error, {} if error else classes(pathlib.Path("jobs", name, "classes"))]
        for name, error in sorted(errors.items())]
print(json.dumps({"judge": classes(pathlib.Path("judge")), "jobs": jobs}))
"""
_TEST = """
import json, subprocess
job = json.load(open("job.json"))
done = subprocess.run(job["command"], input=job["token"] + "\\n", capture_output=True, text=True, errors="replace",
                      cwd=job["folder"])
if done.stdout.rstrip("\\n").rpartition("\\n")[2] != job["token"]:
    said = [line for line in done.stderr.split("\\n") if line.strip()]
    raise AssertionError(said[0] if said else f"it left early, with exit code {done.returncode}")
"""


class JavaJudge:
    batch = 100

    def __init__(self, jdk: Jdk, seconds: float, checkout: Checkout | None = None) -> None:
        """`checkout`: the project that patches belong to; without one, a program is the file Main.java."""
        self.jdk, self.checkout, self.version = jdk, checkout, jdk.version
        self.heap = "-Xmx1g" if checkout else "-Xmx256m"
        self.limits = Limits(4 * seconds, seconds, memory_mib=4096, processes=128, disk_mib=256)
        self.class_path = _class_path(checkout.root) if checkout else []
        seen = dict.fromkeys([str(jdk.home), *([str(checkout.root)] if checkout else []), *self.class_path])
        self.sandbox = Sandbox(self.limits, folders=tuple(seen))
        self._own: dict[str, bytes] = {}  # class files of ours, as this JDK compiled them

    def source(self, bug: Bug, patch: str) -> str:
        return f"{bug.program(patch)}\n{bug.tests}"

    def compiling(self, programs: list[str]) -> Program:
        own = ["Compile.java", "RunTests.java" if self.checkout else "RunMain.java"]
        name = self.checkout.file.name if self.checkout else "Main.java"
        options = ["-proc:none", "-nowarn", "-encoding", "UTF-8", "-cp", self._path()]
        job = {
            "javac": [self.jdk.tool("javac"), *(f"-J{flag}" for flag in (*_JVM, "-Xmx256m"))],
            "java": [self.jdk.tool("java"), *_JVM, "-Xmx512m"],
            "own": own,
            "path": self._path(),
            "options": options,
        }
        files = {name: (_SOURCES / name).read_bytes() for name in own} | {"judge/.keep": b""}
        files |= {f"jobs/{number:06}/{name}": text.encode(errors="replace") for number, text in enumerate(programs)}
        limits = Limits(120 + len(programs), 60 + len(programs), 4096, 128, output_kib=64 << 10, disk_mib=256)
        return Program(_COMPILE, files={**files, "job.json": json.dumps(job).encode()}, limits=limits)

    def built(self, stdout: str, count: int) -> list[Built]:
        found = json.loads(stdout)
        if len(found["jobs"]) != count:
            raise ValueError("the compiler came to no end")
        self._own = _decoded(found["judge"])
        return [Built(error, _decoded(classes)) for error, classes in found["jobs"]]

    def checks(self, bug: Bug, program: str, built: Built) -> list[PatchTest]:
        if self.checkout is None:
            return [PatchTest("tests", self._test(built, ["RunMain", "Main"]))]
        names = {each: (self.checkout.root / f"tests.{each}").read_text().split() for each in ("trigger", "all")}
        return [
            PatchTest("triggering tests", self._test(built, ["RunTests", *names["trigger"]])),
            PatchTest("all tests", self._test(built, ["RunTests", *names["all"]])),
        ]

    def _test(self, built: Built, arguments: list[str]) -> Program:
        """The patch's classes come before those of the project."""
        path = ":".join(["/tmp/patch", "/tmp/judge", *self.class_path])
        command = [self.jdk.tool("java"), *_JVM, self.heap, "-cp", path, *arguments]
        folder = str(self.checkout.root) if self.checkout else "/tmp/work"
        job = {"command": command, "token": secrets.token_hex(16), "folder": folder}
        files = {f"patch/{name}": content for name, content in built.classes.items()}
        files |= {f"judge/{name}": content for name, content in self._own.items()}
        return Program(_TEST, files={**files, "job.json": json.dumps(job).encode(), "work/.keep": b""})

    def _path(self) -> str:
        return ":".join(self.class_path) or "."


def _class_path(root: Path) -> list[str]:
    """As Defects4J exported it; entries that are not there are left out, as Java does."""
    entries = [root / entry for entry in (root / "cp.test").read_text().strip().split(":") if entry]
    return [str(entry.resolve()) for entry in entries if entry.exists()]


def _decoded(classes: dict[str, str]) -> dict[str, bytes]:
    return {name: base64.b64decode(content) for name, content in classes.items()}
