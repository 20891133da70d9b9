"""`record` what the canonical solution gives, and `judge` a program by it.

The outputs are a pickle, which is made and opened in sandboxes only. Time is what the processor spent, so that a busy
machine changes no verdict.
"""

import base64
import copy
import json
import os
import pickle
import signal
import sys
import time

RULES = {"evalplus": evalplus_equal, "evoeval": evoeval_equal}  # type: ignore[name-defined]  # noqa: F821
LARGEST = 4 << 20  # characters of recorded outputs


class TooLong(BaseException):
    """Not an Exception: programs catch those."""


def record(names, job):
    """Print outputs and CPU seconds of each call; no outputs where they are too large, or cannot be pickled."""
    function, outputs, seconds = names[job["entry_point"]], [], []
    out = silence()
    for arguments in calls(job):
        arguments = copy.deepcopy(arguments)
        started = time.process_time()
        output = function(*arguments)
        seconds.append(time.process_time() - started)
        outputs.append(output is not None if job["oracle"] == "is_not_none" else output)
    print(json.dumps({"outputs": pickled(outputs), "seconds": seconds}), file=out, flush=True)


def pickled(outputs):
    try:
        text = base64.b64encode(pickle.dumps(outputs)).decode()
    except Exception:  # of a class that the program defines, for example
        return ""
    return text if len(text) <= LARGEST else ""


def judge(names, job):
    """Raises at the first call whose output is wrong, or that takes longer than its limit."""
    equal = globals()[job["oracle"]] if job["oracle"] else None
    rules = RULES[job["rules"]]
    silence()
    function = names[job["entry_point"]]
    expected = expected_outputs(job)
    for signum in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(signum, stop)
    for number, (arguments, right, limit) in enumerate(zip(calls(job), expected, job["limits"], strict=True)):
        output = timed(function, arguments, limit)
        right = equal(arguments, output, right, job["tolerance"]) if equal else rules(output, right, job["tolerance"])
        if not right:
            raise AssertionError(f"call {number}: another output")


def expected_outputs(job):
    """As recorded, or from the canonical solution itself."""
    if job["outputs"]:
        return pickle.loads(base64.b64decode(job["outputs"]))
    names: dict = {}
    exec(job["canonical"], names)
    return (names[job["entry_point"]](*arguments) for arguments in calls(job))


def silence():
    """What a program prints is of no interest. Returns the true stdout."""
    out, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stdout
    return out


def calls(job):
    if "source" in job:
        return eval(f"[{','.join(f'[{arguments}]' for arguments in job['source'])}]", {})
    return pickle.loads(base64.b64decode(job["inputs"]))


def timed(function, arguments, limit):
    """Stopped after `limit` seconds of CPU, or five times as many by the clock; again and again if it will not stop."""
    signal.setitimer(signal.ITIMER_PROF, limit, 0.1)
    signal.setitimer(signal.ITIMER_REAL, 5 * limit, 0.1)
    try:
        return function(*arguments)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def stop(signum, frame):
    raise TooLong("too long")
