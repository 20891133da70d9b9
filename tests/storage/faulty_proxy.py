"""An HTTP proxy before an S3 server that damages, delays, refuses or loses what passes through it.

The Host header is passed on as it is, so that signatures stay valid.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST
_ANSWERS = {
    "503": ("503 Slow Down", "SlowDown"),
    "expired": ("400 Bad Request", "ExpiredToken"),
    "no upload": ("404 Not Found", "NoSuchUpload"),
}


@dataclass(frozen=True)
class Fault:
    """What happens to one request.

    "reset", "close", "stall", "flip": after so many bytes of its answer's body the connection is reset, ended, or
    nothing more comes; the bit of lowest value in that byte is flipped. "flip head": in that byte of its header.
    "flip upload": in that byte of the body it sends. "503", "expired", "no upload": answered so without the server.
    "lose reply": the server carries it out, the connection is reset before the answer.
    """

    kind: str
    after: int = 0
    method: str = ".*"  # regular expressions
    path: str = ".*"  # with the query

    def is_for(self, method: str, path: str) -> bool:
        return bool(re.fullmatch(self.method, method) and re.search(self.path, path))


class _Stream:
    """A socket with what was read from it too early."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket, self._rest = connection, b""

    def until(self, mark: bytes) -> bytes:
        while mark not in self._rest:
            if not (data := self.socket.recv(1 << 16)):
                raise ConnectionResetError
            self._rest += data
        found, self._rest = self._rest.split(mark, 1)
        return found + mark

    def pieces(self, size: int) -> Iterator[bytes]:
        while size:
            data, self._rest = (self._rest or self.socket.recv(min(size, 1 << 16))), b""
            if not data:
                raise ConnectionResetError
            data, self._rest = data[:size], data[size:]
            size -= len(data)
            yield data

    def chunks(self) -> bytes:
        """A chunked body without its framing."""
        body = b""
        while size := int(self.until(b"\r\n").split(b";")[0], 16):
            body += b"".join(self.pieces(size))
            self.until(b"\r\n")
        while self.until(b"\r\n") != b"\r\n":
            pass
        return body


class FaultyProxy:
    def __init__(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        self._upstream = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.faults: list[Fault] = []  # each is for one request, the first it fits
        self.requests: list[tuple[str, str]] = []  # method, path
        self.connections = 0
        self.uploaded = 0
        self.hold_after: int | None = None  # bytes of uploads, of all connections
        self.held = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.create_connection(self._upstream)
        try:
            ours, theirs = _Stream(client), _Stream(server)
            while self._exchange(ours, theirs):
                pass
        except OSError:
            pass
        finally:
            client.close()
            server.close()

    def _exchange(self, client: _Stream, server: _Stream) -> bool:
        """One request and its answer; whether the connection goes on."""
        head = client.until(b"\r\n\r\n")
        method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
        self.requests.append((method, path))
        if _field(head, b"Expect"):
            client.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            head = re.sub(rb"(?i)\r\nExpect:[^\r]*", b"", head)
        body = self._upload(client, int(_field(head, b"Content-Length") or 0))
        if fault := self._take(method, path, *_ANSWERS):
            for _ in body:
                pass
            return self._answer(client, method, fault)
        server.socket.sendall(head)
        flip = self._take(method, path, "flip upload")
        for data in _flipped(body, flip.after if flip else None):
            server.socket.sendall(data)
        answer = server.until(b"\r\n\r\n")
        if self._take(method, path, "lose reply"):
            return self._reset(client)
        return self._pass_on(client, server, answer, method, path)

    def _upload(self, client: _Stream, size: int) -> Iterator[bytes]:
        for data in client.pieces(size):
            self.uploaded += len(data)
            if self.hold_after is not None and self.uploaded > self.hold_after:
                self.held.set()
                threading.Event().wait(60)
            yield data

    def _answer(self, client: _Stream, method: str, fault: Fault) -> bool:
        status, code = _ANSWERS[fault.kind]
        text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>injected</Message></Error>".encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {len(text)}\r\n\r\n"
        client.socket.sendall(head.encode() + (b"" if method == "HEAD" else text))
        return True

    def _pass_on(self, client: _Stream, server: _Stream, answer: bytes, method: str, path: str) -> bool:
        bare = method == "HEAD" or answer.split(b" ")[1] in (b"204", b"304")
        if not bare and (_field(answer, b"Transfer-Encoding") or "").lower() == "chunked":
            whole = server.chunks()
            answer = re.sub(rb"(?i)Transfer-Encoding:[^\r]*", b"Content-Length: %d" % len(whole), answer)
            size, body = len(whole), iter([whole])
        else:
            size = 0 if bare else int(_field(answer, b"Content-Length") or 0)
            body = server.pieces(size)
        head_flip = self._take(method, path, "flip head")
        for data in _flipped(iter([answer]), head_flip.after if head_flip else None):
            client.socket.sendall(data)
        fault = self._take(method, path, "reset", "close", "stall", "flip", below=max(size, 1))
        if fault is None or fault.kind == "flip":
            for data in _flipped(body, fault.after if fault else None):
                client.socket.sendall(data)
            return "close" not in (_field(answer, b"Connection") or "").lower()
        client.socket.sendall(b"".join(body)[: fault.after])
        if fault.kind == "stall":
            client.socket.recv(1)  # until the client gives up
        return self._reset(client) if fault.kind == "reset" else False

    def _take(self, method: str, path: str, *kinds: str, below: int | None = None) -> Fault | None:
        """The first fault of these kinds for this request, which is then used up."""
        with self._lock:
            for fault in self.faults:
                fits = fault.kind in kinds and (below is None or fault.after < below)
                if fits and fault.is_for(method, path):
                    self.faults.remove(fault)
                    return fault
        return None

    def _reset(self, client: _Stream) -> bool:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        return False


def _field(head: bytes, name: bytes) -> str | None:
    found = re.search(rb"(?i)\r\n" + name + rb":[ \t]*([^\r]*)", head)
    return found[1].decode() if found else None


def _flipped(pieces: Iterator[bytes], at: int | None) -> Iterator[bytes]:
    passed = 0
    for data in pieces:
        if at is not None and passed <= at < passed + len(data):
            changed = bytearray(data)
            changed[at - passed] ^= 1
            data = bytes(changed)
        passed += len(data)
        yield data


@contextmanager
def faulty_proxy(endpoint: str) -> Iterator[FaultyProxy]:
    proxy = FaultyProxy(endpoint)
    try:
        yield proxy
    finally:
        proxy.close()
