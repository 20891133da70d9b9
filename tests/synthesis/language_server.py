"""An OpenAI-compatible server that answers at once, the same text to the same request, and counts what it was asked.

`python -m tests.synthesis.language_server PORT_FILE [SECONDS]` runs it in a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xxhash

from snowcoder.answers import switched_off

# body -> text, or text and finish_reason, or the whole answer
Write = Callable[[dict[str, Any]], str | tuple[str, str] | dict[str, Any]]


def code_file(body: dict[str, Any]) -> str:
    """A file of a few functions, with names that the request's seed decides."""
    number = xxhash.xxh3_64_intdigest(json.dumps(body, sort_keys=True).encode())
    names = [f"{word}_{(number >> 7 * n) % 997}" for n, word in enumerate(("gather", "weigh", "order", "spread"))]
    functions = [
        f"def {name}(values, start={number % (n + 7)}):\n    {name}_sum = start\n" for n, name in enumerate(names)
    ]
    bodies = [
        f"    for {name}_item in values:\n        {name}_sum += {name}_item\n    return {name}_sum\n" for name in names
    ]
    text = "\n\n".join(f"{one}{two}" for one, two in zip(functions, bodies, strict=True))
    return f"Here it is.\n```python\n{text}```\n"


class LanguageServer:
    def __init__(self, write: Write = code_file, seconds: float = 0.0) -> None:
        self.write, self.seconds = write, seconds
        self.asked: Counter[str] = Counter()  # bodies, as they come
        self.answered: Counter[str] = Counter()  # as they are answered to somebody who still listens
        self.in_flight = self.most_in_flight = 0
        self.keys: Counter[str] = Counter()  # Authorization headers
        self.refuses: tuple[
            str, ...
        ] = ()  # fields of a body, as OpenAI's own server does with those that it does not know

    async def serve(self, started: Callable[[int], None], host: str = "127.0.0.1", port: int = 0) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(self), host, port)
        started(server.sockets[0].getsockname()[1])
        async with server:
            await server.serve_forever()

    def answer(self, body: bytes) -> bytes:
        request = json.loads(body)
        written = self.write({name: value for name, value in request.items() if name not in switched_off(None)})
        if isinstance(written, dict):
            return json.dumps(written).encode()
        text, finish = (written, "stop") if isinstance(written, str) else written
        usage = {"prompt_tokens": len(body) // 4, "completion_tokens": len(text) // 4}
        choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}
        return json.dumps({"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage}).encode()


class _Connection(asyncio.Protocol):
    def __init__(self, server: LanguageServer) -> None:
        self.server, self.rest = server, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.rest += data
        while b"\r\n\r\n" in self.rest:
            head, rest = self.rest.split(b"\r\n\r\n", 1)
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
            size = int(fields.get(b"content-length", 0))
            if len(rest) < size:
                return
            self.rest = rest[size:]
            if not head.startswith(b"POST"):  # a health check
                self.transport.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
                )
                continue
            self._begin(rest[:size], fields.get(b"authorization", b"").decode())

    def _begin(self, body: bytes, key: str) -> None:
        server = self.server
        server.asked[body.decode()] += 1
        server.keys[key] += 1
        server.in_flight += 1
        server.most_in_flight = max(server.most_in_flight, server.in_flight)
        asyncio.get_running_loop().call_later(server.seconds, self._end, body)

    def _end(self, body: bytes) -> None:
        self.server.in_flight -= 1
        if self.transport.is_closing():
            return
        self.server.answered[body.decode()] += 1
        status, text = b"200 OK", self.server.answer(body)
        if refused := [name for name in self.server.refuses if name in json.loads(body)]:
            status, text = b"400 Bad Request", b'{"error": {"message": "Unknown parameter: %s"}}' % refused[0].encode()
        head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(text))
        self.transport.write(head + text)


@contextmanager
def language_server(write: Write = code_file, seconds: float = 0.0) -> Iterator[tuple[LanguageServer, str]]:
    """A server in a thread of this process, and its address."""
    server, ports, ready = LanguageServer(write, seconds), list[int](), threading.Event()
    loop = asyncio.new_event_loop()

    def started(port: int) -> None:
        ports.append(port)
        ready.set()

    task = loop.create_task(server.serve(started))
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.wait([task])), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield server, f"http://127.0.0.1:{ports[0]}/v1"
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)


if __name__ == "__main__":
    place = Path(sys.argv[1])

    def write_port(port: int) -> None:
        partial = place.with_suffix(".partial")
        partial.write_text(str(port))
        partial.rename(place)

    asyncio.run(LanguageServer(seconds=float(sys.argv[2]) if len(sys.argv) > 2 else 0.0).serve(write_port))
