"""Requests/s of synthesize's client against a plain loop over aiohttp, on the same requests at the same concurrency.

First a stand-in server that takes half a second for each request, whatever it is: what is lost there, the client loses.
Then a real language model, where both wait for it. Ours keeps every request and answer on disk; the loop keeps nothing.
The stand-in and the model run in processes of their own; CPU seconds are those of the client's process alone.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from benchmarks.result import Result
from snowcoder.config.synthesis_schema import RequestsConfig
from snowcoder.demo.language_model import is_installed, language_model
from snowcoder.synthesis.requests import AnswerLog, Request, open_client

REQUESTS, CONCURRENCY, SECONDS = 4000, 64, 0.5
PROMPT = "def scale(values, factor):\n    return [value * factor for value in values]\n" * 20
REAL_REQUESTS, REAL_CONCURRENCY = 24, 4  # of a model of 135M parameters on the same two cores


class Measured(NamedTuple):
    seconds: float
    cpu_seconds: float


def run() -> Result:
    with tempfile.TemporaryDirectory(prefix="bench-synthesis-") as name:
        folder = Path(name)
        with _stand_in(folder) as url:
            bodies = [_body(number, PROMPT, 1024) for number in range(REQUESTS)]
            sides = _compare(folder, url, bodies, CONCURRENCY, turns=2)
        detail = {
            "requests": REQUESTS,
            "concurrency": CONCURRENCY,
            "server_seconds": SECONDS,
            **_detail(sides, REQUESTS),
        }
        if is_installed():
            with language_model(folder / "model") as url:
                bodies = [_body(number, PROMPT[:400], 64) for number in range(REAL_REQUESTS)]
                real = _compare(folder, url, bodies, REAL_CONCURRENCY, turns=2)
            detail["real_model"] = {"concurrency": REAL_CONCURRENCY, **_detail(real, REAL_REQUESTS)}
    ours, peer = (REQUESTS / statistics.median(each.seconds for each in sides[name]) for name in ("ours", "peer"))
    return Result("synthesis", round(ours, 1), round(peer, 1), "requests/s", round(ours / peer, 3), detail)


def _compare(
    folder: Path, url: str, bodies: list[dict[str, Any]], concurrency: int, turns: int
) -> dict[str, list[Measured]]:
    """Each side `turns` times, by turns."""
    measured: dict[str, list[Measured]] = {"ours": [], "peer": []}
    for turn in range(turns):
        log = folder / f"{concurrency}-{turn}.log"
        sides = {"ours": _ours(log, url, bodies, concurrency), "peer": _peer(url, bodies, concurrency)}
        for name, side in sides.items():
            began, cpu = time.perf_counter(), time.process_time()
            characters = asyncio.run(side)
            measured[name].append(Measured(time.perf_counter() - began, time.process_time() - cpu))
            print(f"{name}: {measured[name][-1].seconds:.2f} s, {characters:,} characters", flush=True)
    return measured


def _detail(sides: dict[str, list[Measured]], requests: int) -> dict[str, Any]:
    """With the share of a core that a client takes at 100 requests/s."""
    found: dict[str, Any] = {}
    for name, each in sides.items():
        found[f"{name}_seconds"] = [round(one.seconds, 2) for one in each]
        found[f"{name}_cpu_percent_at_100_per_s"] = [round(1e4 * one.cpu_seconds / requests, 2) for one in each]
    return found


async def _ours(path: Path, url: str, bodies: list[dict[str, Any]], concurrency: int) -> int:
    config = RequestsConfig(
        servers=[url],
        servers_file=None,
        key="NO_KEY",
        concurrency=concurrency,
        deadline_seconds=600,
        attempts=5,
        patience_minutes=15,
        refused_again=False,
        input_price=0,
        output_price=0,
    )
    log = AnswerLog(path)
    async with open_client(config) as client:

        async def ask(body: dict[str, Any]) -> int:
            return len((await client.ask(Request.of(body), log)).text)

        sizes = await _at_once(ask, bodies, 2 * concurrency)  # as many samples as the stage has under way
    log.close()
    return sum(sizes)


async def _peer(url: str, bodies: list[dict[str, Any]], concurrency: int) -> int:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(600)) as session:

        async def ask(body: dict[str, Any]) -> int:
            async with session.post(f"{url}/chat/completions", json=body) as answer:
                return len(json.loads(await answer.read())["choices"][0]["message"]["content"])

        return sum(await _at_once(ask, bodies, concurrency))


async def _at_once(
    ask: Callable[[dict[str, Any]], Awaitable[int]], bodies: list[dict[str, Any]], count: int
) -> list[int]:
    waiting, sizes = iter(bodies), []

    async def worker() -> None:
        for body in waiting:
            sizes.append(await ask(body))

    await asyncio.gather(*(worker() for _ in range(count)))
    return sizes


def _body(number: int, prompt: str, tokens: int) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"{prompt}\nWrite a function like this one, number {number}."}]
    # Of the last one llama.cpp knows: what one side has asked makes it no faster for the other.
    return {"model": "m", "messages": messages, "max_tokens": tokens, "seed": number, "cache_prompt": False}


@contextmanager
def _stand_in(folder: Path) -> Iterator[str]:
    place = folder / "port"
    process = subprocess.Popen([sys.executable, "-m", "tests.synthesis.language_server", str(place), str(SECONDS)])
    try:
        while not place.exists():
            time.sleep(0.05)
        yield f"http://127.0.0.1:{place.read_text()}/v1"
    finally:
        process.terminate()
        process.wait()
