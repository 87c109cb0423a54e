"""A caller that sends its messages only in part, frame by frame (RFC 9113): no library of gRPC would."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

SAID_BYTES = 16 * 1024 * 1024
"""How long each message is said to be."""
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _WINDOW = 0, 1, 3, 4, 6, 8
_ENDS_STREAM, _ENDS_HEADERS, _ACKNOWLEDGES = 1, 4, 1
_FIRST_WINDOW_BYTES = 65_535
"""Of the whole connection."""
_INITIAL_WINDOW = 4
_LONGEST_FRAME_BYTES = 16_384


class HalfSent:
    """A connection with so many calls, each of which sends so much of its message as it may, and then no more."""

    def __init__(self, address: str, path: str, calls: int, *, token: str = "", most_bytes: int = 80_000) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.settimeout(0.02)
        self._most = most_bytes
        self._received = b""
        self._window, self._first_window = _FIRST_WINDOW_BYTES, 0
        self.told = b""
        """The headers and trailers that came, as they came."""
        self.sent: dict[int, int] = {}
        """The bytes of each call's message."""
        self._windows: dict[int, int] = {}
        self.ended: set[int] = set()
        """The calls that the server has ended."""
        self._socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(_SETTINGS, 0, 0, b""))
        while not self._first_window:  # what the server takes of each call
            self.go_on(0.01)
        headers = _packed(path, token)
        for call in range(1, 2 * calls, 2):
            self._socket.sendall(_frame(_HEADERS, _ENDS_HEADERS, call, headers))
            self.sent[call] = self._windows[call] = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def go_on_until(self, condition: Callable[[], bool], seconds: float = 20.0) -> bool:
        """Whether that comes true, and stays so for a moment."""
        until = time.monotonic() + seconds
        while not condition() and time.monotonic() < until:
            self.go_on(0.1)
        self.go_on(0.3)
        return condition()

    def go_on(self, seconds: float) -> None:
        """Sends what it may, and hears what the server says."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for call in self.sent.keys() - self.ended:
                self._send(call)
            try:
                self._received += self._socket.recv(1 << 16)
            except TimeoutError:
                continue
            self._hear()

    def _send(self, call: int) -> None:
        room = min(self._windows[call] + self._first_window, self._window, _LONGEST_FRAME_BYTES)
        prefix = b"" if self.sent[call] else b"\0" + struct.pack(">I", SAID_BYTES)
        size = min(room, self._most - self.sent[call])
        if size > len(prefix):
            self._socket.sendall(_frame(_DATA, 0, call, prefix.ljust(size, b"\0")))
            self.sent[call] += size
            self._windows[call] -= size
            self._window -= size

    def _hear(self) -> None:
        while len(self._received) >= 9:
            size = int.from_bytes(self._received[:3])
            if len(self._received) < 9 + size:
                return
            kind, flags, call = struct.unpack(">BBI", self._received[3:9])
            content, self._received = self._received[9 : 9 + size], self._received[9 + size :]
            self._take(kind, flags, call, content)

    def _take(self, kind: int, flags: int, call: int, content: bytes) -> None:
        if kind == _SETTINGS and not flags & _ACKNOWLEDGES:
            for at in range(0, len(content), 6):
                name, value = struct.unpack(">HI", content[at : at + 6])
                if name == _INITIAL_WINDOW:
                    self._first_window = value
            self._socket.sendall(_frame(_SETTINGS, _ACKNOWLEDGES, 0, b""))
        elif kind == _PING and not flags & _ACKNOWLEDGES:
            self._socket.sendall(_frame(_PING, _ACKNOWLEDGES, 0, content))
        elif kind == _WINDOW and call == 0:
            self._window += int.from_bytes(content)
        elif kind == _WINDOW:
            self._windows[call] += int.from_bytes(content)
        elif kind == _HEADERS:
            self.told += content
        if kind == _RESET or (kind == _HEADERS and flags & _ENDS_STREAM):
            self.ended.add(call)


def _frame(kind: int, flags: int, call: int, content: bytes) -> bytes:
    return struct.pack(">I", len(content))[1:] + struct.pack(">BBI", kind, flags, call) + content


def _packed(path: str, token: str) -> bytes:
    """The headers of a call, each said in full."""
    headers = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "here"}
    headers |= {"content-type": "application/grpc", "te": "trailers"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in headers.items())


def _text(said: str) -> bytes:
    return struct.pack(">B", len(said)) + said.encode()
