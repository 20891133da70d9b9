"""Programs that mean harm. Each must end within its limits, harm nothing, and not pass."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path

import psutil
import pytest

from snowcoder.sandbox.program import Limits, Program
from snowcoder.sandbox.sandbox import Sandbox

TESTS = "assert solve() == 'right'"


def test_a_fork_bomb_runs_out_of_processes(sandbox: Sandbox) -> None:
    bomb = (
        "import os, time\nstop = time.time() + 1\nwhile time.time() < stop:\n  try: os.fork()\n  except OSError: pass"
    )
    most, running = 0, True

    def count() -> None:
        nonlocal most
        while running:
            most = max(most, len(psutil.Process().children(recursive=True)))
            time.sleep(0.02)

    before = len(psutil.Process().children(recursive=True))
    thread = threading.Thread(target=count)
    thread.start()
    outcome = sandbox.run(Program(bomb, TESTS))
    running = False
    thread.join()
    assert not outcome.passed
    assert 3 < most - before <= sandbox.limits.processes + 2  # bubblewrap itself is two
    assert len(psutil.Process().children(recursive=True)) == before


def test_a_memory_bomb_ends(sandbox: Sandbox) -> None:
    outcome = sandbox.run(Program("x = []\nwhile True: x.append(bytearray(1 << 20))", TESTS))
    assert outcome.status == "memory"


def test_a_memory_bomb_of_many_processes_ends(sandbox: Sandbox) -> None:
    """Each below the limit, all together above it."""
    bomb = "import os, time\nfor _ in range(3): os.fork()\nx = bytearray(100 << 20)\ntime.sleep(30)"
    outcome = sandbox.run(Program(bomb, TESTS))
    assert (outcome.status, outcome.error) == ("memory", "more than 256 MiB")
    assert outcome.seconds < 10


def test_files_in_memory_count_as_memory(sandbox: Sandbox) -> None:
    bomb = (
        "import os, time\nfor n in range(60): os.write(os.memfd_create(str(n)), bytes(10 << 20))\n"
        "time.sleep(5)\ndef solve(): return 'right'"
    )
    assert sandbox.run(Program(bomb, TESTS)).status == "memory"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_endless_output_ends(sandbox: Sandbox, stream: str) -> None:
    outcome = sandbox.run(Program(f"import sys\nwhile True: sys.{stream}.write('x' * 4096)", TESTS))
    assert outcome.status == "output"
    assert len(getattr(outcome, stream)) == sandbox.limits.output_kib << 10


def test_huge_files_do_not_fit(sandbox: Sandbox) -> None:
    source = """
import os
for folder in ("/tmp", "/dev/shm"):
    try:
        for number in range(100):
            with open(f"{folder}/{number}", "wb") as file:
                file.write(bytes(1 << 20))
    except OSError as error:
        print(folder, number, error.strerror)
    for name in filter(str.isdigit, os.listdir(folder)):  # a Python under /tmp has its folder there, too
        os.unlink(f"{folder}/{name}")
    try:
        with open(f"{folder}/one", "wb") as file:
            for number in range(100):
                file.write(bytes(1 << 20))
                file.flush()
    except OSError as error:
        print(folder, number, error.strerror)
"""
    outcome = sandbox.run(Program(source))
    lines = [line.split(maxsplit=2) for line in outcome.stdout.splitlines()]
    assert [line[0] for line in lines] == ["/tmp", "/tmp", "/dev/shm", "/dev/shm"]
    assert all(int(line[1]) <= sandbox.limits.disk_mib for line in lines)


def test_no_secret_can_be_read(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "in-the-environment")
    secret = tmp_path / "secret"
    secret.write_text("on-the-disk")
    secret.chmod(0o644)
    tmp_path.chmod(0o755)
    source = f"""
import glob, os
print(dict(os.environ))
for path in [{str(secret)!r}, *glob.glob("/proc/*/environ"), "/proc/1/root{secret}", "/etc/shadow", "/etc/passwd"]:
    try: print(path, open(path, "rb").read())
    except OSError as error: print(path, error.strerror)
for folder in ("/root", "/home", "/etc", "/mnt", "/work", "/var", "/run", "/sys"):
    try: print(folder, os.listdir(folder))
    except OSError as error: print(folder, error.strerror)
"""
    outcome = sandbox.run(Program(source))
    assert outcome.passed, outcome
    for text in ("in-the-environment", "on-the-disk", "root:", os.environ.get("HOME", "-") + "/."):
        assert text not in outcome.stdout
    assert "/var No such file or directory" in outcome.stdout
    assert "/sys No such file or directory" in outcome.stdout


def test_there_is_no_network(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind("\0snowcoder-sandbox-test")
        abstract.listen()
        source = f"""
import socket
for family, address in [(socket.AF_INET, ("127.0.0.1", {server.getsockname()[1]})),
                        (socket.AF_INET, ("1.1.1.1", 53)), (socket.AF_UNIX, "\\0snowcoder-sandbox-test")]:
    try:
        socket.socket(family).connect(address)
        print("connected", address)
    except OSError as error:
        print(error.strerror)
"""
        outcome = sandbox.run(Program(source))
    assert outcome.stdout.splitlines() == ["Connection refused", "Network is unreachable", "Connection refused"]


def test_nothing_outside_can_be_written(sandbox: Sandbox, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    source = f"""
import os, sys
for folder in ("/", "/usr/bin", "/dev", "/proc/sys/kernel", sys.base_prefix, {str(tmp_path)!r}, {os.getcwd()!r}):
    try:
        open(os.path.join(folder, "written"), "w").close()
        print("wrote in", folder)
    except OSError:
        pass
try: os.open(sys.executable, os.O_WRONLY); print("may write its Python")
except OSError: pass
"""
    outcome = sandbox.run(Program(source))
    assert outcome.passed, outcome
    assert outcome.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_it_sees_and_ends_no_process_but_its_own(sandbox: Sandbox) -> None:
    source = f"""
import os, signal
print(sorted(int(name) for name in os.listdir("/proc") if name.isdigit()))
for pid in (os.getppid(), 1, {os.getpid()}, {os.getppid()}):
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
        try: os.kill(pid, number)
        except OSError: pass
try: os.kill(-1, signal.SIGKILL)
except OSError: pass
"""
    outcome = sandbox.run(Program(source, TESTS))
    assert not outcome.passed
    assert outcome.seconds < 10
    assert outcome.stdout in ("", "[1, 2]\n")


def test_daemons_end_with_the_program(sandbox: Sandbox) -> None:
    source = """
import os, signal, time
if os.fork() == 0:
    os.setsid()
    for number in range(1, 32):
        try: signal.signal(number, signal.SIG_IGN)
        except OSError: pass
    if os.fork() == 0:
        open("daemon-of-the-sandbox", "w")
        time.sleep(3600)
time.sleep(0.3)
"""
    before = set(psutil.pids())
    outcome = sandbox.run(Program(source))
    assert outcome.passed, outcome
    assert outcome.seconds < 5
    assert not [pid for pid in set(psutil.pids()) - before if "daemon-of-the-sandbox" in _command(pid)]


def _command(pid: int) -> str:
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ""


def test_swallowing_signals_and_exceptions_gains_no_time(sandbox: Sandbox) -> None:
    source = """
import signal
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, lambda *_: None)
while True:
    try:
        while True: pass
    except BaseException: pass
"""
    outcome = sandbox.run(Program(source, TESTS, limits=Limits(wall_seconds=30, cpu_seconds=1)))
    assert (outcome.status, outcome.error) == ("timeout", "more than 1 s of CPU")


@pytest.mark.parametrize(
    "source",
    [
        "import sys; sys.exit(0)",
        "import os; os._exit(0)",
        "raise SystemExit",
        "def solve(): raise SystemExit(0)",
        "import os\ndef solve(): os._exit(0)",
        "import atexit, os\natexit.register(os._exit, 0)\ndef solve(): return 'wrong'",
        "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)",
        "import os\nif os.fork(): os._exit(0)\ndef solve(): return 'wrong'",
        "import threading, os\nthreading.Timer(0.01, os._exit, (0,)).start()\nimport time; time.sleep(1)",
    ],
)
def test_leaving_early_does_not_pass(sandbox: Sandbox, source: str) -> None:
    assert not sandbox.run(Program(source, TESTS)).passed


@pytest.mark.parametrize(
    "text",
    ["passed", '{"token": "", "error": "", "cpu_seconds": 0}', '{"token": null, "error": ""}', "[" * 9000, "{}", "1"],
)
def test_a_forged_report_does_not_pass(sandbox: Sandbox, text: str) -> None:
    source = f"""
import os
for descriptor in range(64):
    try: os.write(descriptor, {text.encode()!r})
    except OSError: pass
os._exit(0)
"""
    assert not sandbox.run(Program(source, TESTS)).passed


def test_the_job_and_its_token_cannot_be_read_again(sandbox: Sandbox) -> None:
    source = """
import os
found = b""
for descriptor in range(3, 64):
    try:
        os.lseek(descriptor, 0, 0)
        found += os.read(descriptor, 1 << 20)
    except OSError: pass
for name in os.listdir("/proc/self/fd"):
    try: found += open(f"/proc/self/fd/{name}", "rb").read(1 << 20) if int(name) > 2 else b""
    except OSError: pass
for name in ("cmdline", "environ"):
    found += open(f"/proc/self/{name}", "rb").read()
assert b'"token": "' not in found, found
"""
    outcome = sandbox.run(Program(source))
    assert outcome.passed, outcome


def test_replacing_the_interpreters_functions_breaks_only_the_program(sandbox: Sandbox) -> None:
    source = """
import builtins, sys
builtins.print = builtins.compile = builtins.exec = lambda *a, **k: None
sys.stdout = sys.stderr = None
def solve(): return 'wrong'
"""
    assert not sandbox.run(Program(source, TESTS)).passed


def test_replacing_what_writes_the_report_does_not_pass(sandbox: Sandbox) -> None:
    source = """
import json
dumps = json.dumps
json.dumps = lambda report, **k: dumps({**report, "error": ""})
def solve(): return 'wrong'
"""
    assert not sandbox.run(Program(source, TESTS)).passed
