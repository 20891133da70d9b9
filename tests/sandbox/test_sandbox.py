"""What programs may do, and how their end is told."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import psutil
import pytest

from snowcoder.errors import UserError
from snowcoder.sandbox import isolation
from snowcoder.sandbox.program import Limits, Program
from snowcoder.sandbox.sandbox import Sandbox


def test_a_script_has_arguments_input_files_and_packages(sandbox: Sandbox) -> None:
    source = """
import sys
import numpy
import helper
print(sys.argv[1:], sys.stdin.read(), open("data/x.txt").read(), helper.answer, int(numpy.arange(4).sum()))
"""
    files = {"data/x.txt": b"content", "helper.py": b"answer = 42"}
    outcome = sandbox.run(Program(source, files=files, args=("a b", "c"), stdin=b"typed"))
    assert outcome.passed, outcome
    assert outcome.stdout == "['a b', 'c'] typed content 42 6\n"


def test_a_program_that_calls_python_gets_its_own(sandbox: Sandbox) -> None:
    source = "import subprocess; subprocess.run(['python', '-c', 'import sys; print(sys.version)'], check=True)"
    assert sandbox.run(Program(source)).stdout == f"{sys.version}\n"


def test_a_program_sees_folders_that_are_named_and_where_their_links_lead(sandbox: Sandbox, tmp_path: Path) -> None:
    """As Debian's JDK lies, whose settings are links to /etc."""
    tools, elsewhere = tmp_path / "tools", tmp_path / "elsewhere"
    for folder in (tools, elsewhere):
        folder.mkdir()
    tmp_path.chmod(0o755)
    (elsewhere / "settings").write_text("kept apart")
    (elsewhere / "secret").write_text("of nobody's interest")
    (tools / "settings").symlink_to(elsewhere / "settings")
    (tools / "lost").symlink_to(elsewhere / "none")
    source = f"print(open('{tools}/settings').read()); open('{elsewhere}/secret')"
    assert sandbox.run(Program(source)).error.startswith("FileNotFoundError")
    outcome = Sandbox(sandbox.limits, folders=(str(tools),)).run(Program(source))
    assert outcome.stdout == "kept apart\n"
    assert outcome.error.startswith("FileNotFoundError")
    write = Sandbox(sandbox.limits, folders=(str(tools),)).run(Program(f"open('{tools}/new', 'w')"))
    assert write.error.startswith("OSError: [Errno 30] Read-only file system")


def test_settings_of_the_host_can_be_read(sandbox: Sandbox) -> None:
    """Nobody may pass /etc, whoever made it."""
    source = "import os; print(oct(os.stat('/etc').st_mode & 0o777), os.listdir('/etc/alternatives') != [])"
    if not os.listdir("/etc/alternatives"):
        pytest.skip("this machine has no /etc/alternatives")
    assert sandbox.run(Program(source)).stdout == "0o755 True\n"


@pytest.mark.parametrize(
    ("source", "tests", "status", "error"),
    [
        ("def f(x): return x + 1", "assert f(1) == 2", "passed", ""),
        ("def f(x): return x - 1", "assert f(1) == 2", "failed", "AssertionError: "),
        ("def f(x) return x", "assert True", "failed", "SyntaxError"),
        ("def f(x): return g(x)", "f(1)", "failed", "NameError: name 'g' is not defined"),
        ("def f(): return f()", "f()", "failed", "RecursionError"),
        ("import sys; sys.exit(0)", "", "passed", ""),
        ("import sys; sys.exit(3)", "", "failed", "SystemExit: it left early, with 3"),
        ("assert __name__ == '__main__'", "", "passed", ""),
        ("assert __name__ != '__main__'", "pass", "passed", ""),
        ("import ctypes; ctypes.string_at(0)", "", "failed", "ended by SIGSEGV"),
        ("x = [0] * 10**9", "", "memory", "MemoryError"),
    ],
)
def test_how_a_program_ends(sandbox: Sandbox, source: str, tests: str, status: str, error: str) -> None:
    outcome = sandbox.run(Program(source, tests))
    assert (outcome.status, outcome.error[: len(error)]) == (status, error), outcome
    assert outcome.passed == (status == "passed")


def test_time_is_limited_by_the_clock_and_by_the_processor(sandbox: Sandbox) -> None:
    asleep = sandbox.run(Program("import time; time.sleep(60)", limits=Limits(wall_seconds=1)))
    assert (asleep.status, asleep.error) == ("timeout", "longer than 1 s")
    assert asleep.seconds < 3
    busy = sandbox.run(Program("while True: pass", limits=Limits(wall_seconds=30, cpu_seconds=1)))
    assert (busy.status, busy.error) == ("timeout", "more than 1 s of CPU")


def test_the_order_of_sets_is_the_same_in_every_run(sandbox: Sandbox) -> None:
    script = Program("print({str(number) for number in range(99)})")
    assert len({outcome.stdout for outcome in sandbox.run_many([script] * 3)}) == 1


def test_many_run_side_by_side_and_come_back_in_order(sandbox: Sandbox) -> None:
    pauses = [0.5, 0.0, 0.4, 0.1, 0.3, 0.2]
    programs = [Program(f"import time; time.sleep({pause}); print({pause})") for pause in pauses]
    started = time.monotonic()
    outcomes = list(sandbox.run_many(programs, workers=6))
    assert [float(outcome.stdout) for outcome in outcomes] == pauses
    assert time.monotonic() - started < sum(pauses)


def test_one_program_leaves_nothing_to_the_next(sandbox: Sandbox) -> None:
    look = "import os; print(*(sorted(set(os.listdir(f)) & {'mark'}) for f in ('/tmp', '/dev/shm')))"
    mark = "open('/tmp/mark', 'w').close(); open('/dev/shm/mark', 'w').close()"
    first, second = sandbox.run_many([Program(f"{mark}; {look}"), Program(look)], workers=1)
    assert first.stdout == "['mark'] ['mark']\n"
    assert second.stdout == "[] []\n"


def test_processes_are_counted_for_each_program_alone(sandbox: Sandbox) -> None:
    """One that uses up its processes takes none from its neighbours."""
    hoard = Program(
        """
import os, time
try:
    while True:
        if os.fork() == 0:
            time.sleep(3)
            os._exit(0)
except BlockingIOError:
    time.sleep(3)
"""
    )
    modest = Program("import subprocess; print(subprocess.run(['true']).returncode); import time; time.sleep(0.2)")
    outcomes = list(sandbox.run_many([hoard, hoard, *[modest] * 6], workers=4))
    assert [outcome.stdout for outcome in outcomes[2:]] == ["0\n"] * 6


def test_a_machine_without_bubblewrap_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match="apt-get install bubblewrap"):
        Sandbox()


def test_a_machine_without_namespaces_says_what_to_enable(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "_links", lambda: ["--ro-bind", "/nowhere", "/bin"])
    with pytest.raises(UserError, match=r"(?s)cannot shut a program in.*nowhere.*sysctl"):
        Sandbox()


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("bwrap: setting up uid map: Permission denied", "apparmor_restrict_unprivileged_userns"),
        ("bwrap: No permissions to create new namespace, likely because ...", "kernel.unprivileged_userns_clone=1"),
        ("bwrap: Creating new namespace failed: Operation not permitted", "seccomp=unconfined"),
        ("bwrap: Creating new namespace failed: No space left on device", "user.max_user_namespaces"),
        ("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", "systempaths=unconfined"),
        ("bwrap: Unknown option --disable-userns", "needs bubblewrap 0.8 or newer"),
        ("unshare: failed to execute /x/python: No such file or directory", f"namei -l {sys.executable}"),
        ("python: error while loading shared libraries: libpython3.12.so.1.0: cannot open", "evaluation.pythons"),
    ],
)
def test_the_advice_fits_the_error(
    error: str, advice: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a bwrap that fails as the real one does elsewhere."""
    (tmp_path / "bwrap").write_text(f"#!/bin/sh\necho {shlex.quote(error)} >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(UserError) as found:
        Sandbox()
    assert error.rstrip(".") in str(found.value)
    assert advice in str(found.value)
    assert "\n" not in str(found.value)
    assert ("sysctl" in str(found.value)) == ("namespace" in error or "uid map" in error)


def test_a_python_that_links_lead_to_is_there(sandbox: Sandbox, tmp_path: Path) -> None:
    """As uv and pipx lay it: a venv, whose python is a link to a link to a program in a folder that is a link."""
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (tmp_path / "share").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "share" / "python").symlink_to(sys.base_prefix)
    (tmp_path / "bin" / name).symlink_to(f"../share/python/bin/{name}")
    (tmp_path / "bin" / "python3").symlink_to(name)
    venv = tmp_path / "venv"
    subprocess.run([tmp_path / "bin" / "python3", "-m", "venv", "--without-pip", venv], check=True)
    (tmp_path / "secret").write_text("of the host")
    source = f"import os, sys; print(sys.executable, os.path.exists({str(tmp_path / 'secret')!r}))"
    outcome = Sandbox(sandbox.limits, str(venv / "bin" / "python")).run(Program(source))
    assert outcome.stdout == f"{venv / 'bin' / 'python'} False\n", outcome


def test_a_library_that_only_the_environment_names_is_there(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As environment modules have it: LD_LIBRARY_PATH names the folder of libpython."""
    library = Path(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("INSTSONAME"))
    if not sysconfig.get_config_var("Py_ENABLE_SHARED") or not library.is_file():
        pytest.skip("this Python has no shared library")
    (tmp_path / "real").mkdir()
    shutil.copy(library, tmp_path / "real")
    (tmp_path / "lib").symlink_to(tmp_path / "real")
    monkeypatch.setenv("LD_LIBRARY_PATH", f"/nowhere:{tmp_path / 'lib'}")
    isolation.interpreter.cache_clear()
    outcome = Sandbox(sandbox.limits).run(
        Program("print(*{l.split()[-1] for l in open('/proc/self/maps') if 'libpython' in l})")
    )
    isolation.interpreter.cache_clear()
    assert outcome.stdout == f"{tmp_path / 'real' / library.name}\n", outcome


def test_a_python_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match="/nowhere/python does not run"):
        isolation.interpreter("/nowhere/python")


def test_it_works_for_an_ordinary_user(sandbox: Sandbox, tmp_path: Path) -> None:
    """As root: by a copy of the code that another user may read, on the system's Python."""
    python = shutil.which("python3", path="/usr/bin")
    if os.geteuid() or not python or subprocess.run([python, "-c", _IS_NEW], check=False).returncode:
        pytest.skip("needs root, and a Python of at least 3.11 in /usr/bin")
    package = Path(isolation.__file__).parents[1]
    for path in [*package.glob("*.py"), *(package / "sandbox").glob("*.py")]:
        copy = tmp_path / "snowcoder" / path.relative_to(package)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    shutil.copytree(Path(psutil.__file__).parent, tmp_path / "psutil")
    for folder in [tmp_path, *tmp_path.parents]:
        if "pytest-of-" in str(folder):  # with several workers there is one more of them
            folder.chmod(0o755)
    words = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", python, "-c", _AS_USER]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.stdout == "54321 65534 BlockingIOError\n", done


_IS_NEW = "import sys; sys.exit(sys.version_info < (3, 11))"
_BOMB = "import os, time; print(os.getuid())\nwhile os.fork(): pass\ntime.sleep(9)"
_AS_USER = f"""
import os
from snowcoder.sandbox.program import Limits, Program
from snowcoder.sandbox.sandbox import Sandbox
outcome = Sandbox(Limits(processes=8)).run(Program({_BOMB!r}))
print(os.getuid(), outcome.stdout.split()[0], outcome.error.partition(":")[0])
"""
