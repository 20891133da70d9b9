"""Ports of this machine for servers that are about to start."""

from __future__ import annotations

import secrets
import socket
from contextlib import ExitStack

# Linux gives those from 32768 on to outgoing connections: one of them may be gone when its server starts.
_FROM, _BELOW = 20000, 32768


def free_ports(count: int) -> list[int]:
    """Ports of loopback, all different, that nobody has now and no outgoing connection will take."""
    found: list[int] = []
    with ExitStack() as stack:
        while len(found) < count:
            listener = stack.enter_context(socket.socket())
            try:
                listener.bind(("127.0.0.1", _FROM + secrets.randbelow(_BELOW - _FROM)))
            except OSError:
                continue
            found.append(listener.getsockname()[1])
    return found
