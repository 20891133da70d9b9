"""Ports for servers that start soon."""

from __future__ import annotations

import socket

import pytest

from snowcoder import ports


def test_none_is_one_that_an_outgoing_connection_may_take() -> None:
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        first = int(file.read().split()[0])
    found = ports.free_ports(50)
    assert len(set(found)) == 50
    assert max(found) < first


def test_a_port_in_use_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", ports.free_ports(1)[0]))
        listener.listen()
        taken = listener.getsockname()[1]
        monkeypatch.setattr(ports, "_FROM", taken - 1)
        monkeypatch.setattr(ports, "_BELOW", taken + 2)
        assert taken not in {port for _ in range(30) for port in ports.free_ports(1)}
