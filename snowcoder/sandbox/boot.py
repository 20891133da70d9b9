"""Runs inside the sandbox, given to Python by `-c`: sets the limits, then runs the program and its tests.

Only what is written to the report's pipe with the job's token counts, and that is written after the tests have ended.
Nothing of snowcoder can be imported here.
"""

import base64
import contextlib
import json
import os
import resource
import sys
import time
import traceback
import types


def main() -> None:
    job_fd, report_fd = int(sys.argv[1]), int(sys.argv[2])
    with open(job_fd, "rb") as file:
        job = json.load(file)
    os.set_inheritable(report_fd, False)
    for path, content in job["files"].items():
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(path, "wb") as copy:
            copy.write(base64.b64decode(content))
    sys.path[:0] = [os.getcwd()]
    sys.path += job["site_packages"]
    sys.argv = ["program.py", *job["args"]]
    for name, value in job["rlimits"].items():
        number = getattr(resource, name)
        resource.setrlimit(number, (value, value + (name == "RLIMIT_CPU")))  # SIGXCPU first, then SIGKILL
    # A program may replace all of these.
    number_of, leave, write, clock, encode = os.getpid, os._exit, os.write, time.process_time, json.dumps
    process = number_of()
    error = run(job["source"], job["tests"])
    if number_of() != process:
        leave(0)  # a child that the program has let go on: only the first process speaks for it
    report = {"token": job["token"], "error": error, "cpu_seconds": clock()}
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the program may have put anything there
            stream.flush()
    write(report_fd, encode(report).encode())
    leave(0)  # no thread, no atexit of the program has a word after this


def run(source: str, tests: str) -> str:
    """Empty if it passes, else why not. A program with tests is no script: its `__main__` part does not run."""
    module = types.ModuleType("__test__" if tests else "__main__")
    sys.modules[module.__name__] = module
    execute = exec  # a program may replace the builtin
    try:
        program = compile(source, "program.py", "exec", dont_inherit=True)
        checks = compile(tests, "tests.py", "exec", dont_inherit=True)
        execute(program, module.__dict__)
        execute(checks, module.__dict__)
    except SystemExit as end:
        if not tests and end.code in (None, 0, False):
            return ""
        return f"SystemExit: it left early, with {end.code!r}"[:500]
    except BaseException as error:
        traceback.print_exc()
        return f"{type(error).__name__}: {error}"[:500]
    return ""


main()
