"""A TCP proxy before an S3 server that breaks connections off, falls silent, and holds uploads back."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


class FaultyProxy:
    def __init__(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        self._upstream = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.faults: list[tuple[str, int]] = []  # ("reset", "close" or "stall", after bytes of a connection)
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
            server = socket.create_connection(self._upstream)
            for pump in (self._up, self._down):
                threading.Thread(target=pump, args=(client, server), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        try:
            while data := client.recv(1 << 16):
                self.uploaded += len(data)
                if self.hold_after is not None and self.uploaded > self.hold_after:
                    self.held.set()
                    return
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _down(self, client: socket.socket, server: socket.socket) -> None:
        passed = 0
        try:
            while data := server.recv(1 << 16):
                if fault := self._fault(passed + len(data)):
                    kind, after = fault
                    client.sendall(data[: max(0, after - passed)])
                    if kind != "stall":
                        self._break(kind, client, server)
                    return
                client.sendall(data)
                passed += len(data)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _fault(self, passed: int) -> tuple[str, int] | None:
        with self._lock:
            return self.faults.pop(0) if self.faults and passed > self.faults[0][1] else None

    def _break(self, kind: str, client: socket.socket, server: socket.socket) -> None:
        if kind == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        client.shutdown(socket.SHUT_RD)  # wakes the other pump
        client.close()
        server.close()


@contextmanager
def faulty_proxy(endpoint: str) -> Iterator[FaultyProxy]:
    proxy = FaultyProxy(endpoint)
    try:
        yield proxy
    finally:
        proxy.close()
