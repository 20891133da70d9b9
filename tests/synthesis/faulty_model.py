"""An HTTP proxy before a language server that refuses, delays, damages or loses what passes through it."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

Choose = Callable[[int], str | None]  # number of the request -> what becomes of it; None: it passes

_JSON = b"Content-Type: application/json\r\n"
_STATUS = {
    "429": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\n",
    "429 now": b"HTTP/1.1 429 Too Many Requests\r\n",
    "500": b"HTTP/1.1 500 Internal Server Error\r\n",
    "503": b"HTTP/1.1 503 Service Unavailable\r\n",
    "400": b"HTTP/1.1 400 Bad Request\r\n",
    "401": b"HTTP/1.1 401 Unauthorized\r\n",
    "garbage": b"HTTP/1.1 200 OK\r\n",
    "page": b"HTTP/1.1 200 OK\r\n",
    "empty": b"HTTP/1.1 200 OK\r\n",
}
_BODY = {"garbage": b'{"choices": [{"mess', "page": b"<html>Bad gateway</html>", "empty": b'{"choices": []}'}


class FaultyModel:
    """ "half": the connection is cut in the middle of the answer; "lost": before it; "nothing": it never comes."""

    def __init__(self, upstream: str, choose: Choose) -> None:
        self.choose = choose
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname, parts.port)
        self.done: Counter[str] = Counter()  # faults
        self.requests = 0

    async def serve(self, started: Callable[[int], None]) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        started(server.sockets[0].getsockname()[1])
        async with server:
            await server.serve_forever()

    async def _connected(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        server, forward = await asyncio.open_connection(*self._upstream)
        try:
            while True:
                head, body = await _message(client)
                fault = self.choose(self.requests)
                self.requests += 1
                self.done[fault or "passed"] += 1
                if fault in _STATUS:
                    text = _BODY.get(fault, b'{"error": {"message": "made for a test: %s"}}' % _authorization(head))
                    kind = b"Content-Type: text/html\r\n" if fault == "page" else _JSON
                    back.write(_STATUS[fault] + kind + b"Content-Length: %d\r\n\r\n" % len(text) + text)
                    continue
                if fault == "nothing":
                    await client.read(1)  # until the client goes away
                    return
                forward.write(head + body)
                answer, text = await _message(server)
                if fault == "lost":
                    return
                back.write(answer + (text[: len(text) // 2] if fault == "half" else text))
                await back.drain()
                if fault == "half":
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            back.close()
            forward.close()


async def _message(stream: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await stream.readuntil(b"\r\n\r\n")
    sizes = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head, await stream.readexactly(int(sizes[0]) if sizes else 0)


def _authorization(head: bytes) -> bytes:
    """Some servers say which key was wrong."""
    return next((line for line in head.split(b"\r\n") if line.lower().startswith(b"authorization")), b"")


@contextmanager
def faulty_model(upstream: str, choose: Choose) -> Iterator[tuple[FaultyModel, str]]:
    proxy, ports, ready = FaultyModel(upstream, choose), list[int](), threading.Event()
    loop = asyncio.new_event_loop()

    def started(port: int) -> None:
        ports.append(port)
        ready.set()

    task = loop.create_task(proxy.serve(started))
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.wait([task])), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield proxy, f"http://127.0.0.1:{ports[0]}/v1"
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)
