"""A transport that gathers what is written in one turn of the event loop.

uvicorn writes head and body of an answer separately: two system calls, two packets, and a client woken twice.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

JOINED_BYTES = 64 * 1024
"""Writes up to this total length are copied into one piece."""
SIOCOUTQNSD = 0x894B
"""Linux: the number of unsent bytes of a socket (tcp(7), <linux/sockios.h>)."""


class Corked:
    """A transport that writes at the end of the turn, and otherwise delegates to another transport."""

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, lingers: Callable[[], bool]
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._lingers = lingers
        self._held: list[bytes | memoryview] = []
        self._shared = 0
        self.get_extra_info = transport.get_extra_info
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes | memoryview) -> None:
        """Send this with the rest of the turn. A memoryview shares its bytes with others, and costs no memory."""
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held.append(data)

    def write_eof(self) -> None:
        self.flush()
        if not self._transport.is_closing():
            self._transport.write_eof()

    def close(self) -> None:
        self.flush()
        if not self._lingers():
            self._transport.close()

    def drop_unsent(self) -> bool:
        """Abort the connection if it has unsent bytes; return whether it had."""
        connection = self.get_extra_info("socket")
        unsent = self._held or self._transport.get_write_buffer_size() or _unsent_in_kernel(connection)
        if not unsent:
            return False
        self._held = []
        # The kernel also drops its unsent bytes, and resets the connection.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
        return True

    def flush(self) -> None:
        """Write what was gathered."""
        if self._held:
            held, self._held = self._held, []
            if self._transport.is_closing():  # Closed by the client, or by us, in this turn.
                return
            self._shared = 0
            if len(held) == 1:
                self._shared = len(held[0]) if isinstance(held[0], memoryview) else 0
                self._transport.write(held[0])
            elif sum(map(len, held)) <= JOINED_BYTES:
                self._transport.write(b"".join(held))
            else:
                self._shared = sum(len(part) for part in held if isinstance(part, memoryview))
                self._transport.writelines(held)

    @property
    def unsent(self) -> int:
        """How many bytes the kernel has yet to take."""
        return self._transport.get_write_buffer_size()

    @property
    def unsent_alone(self) -> int:
        """How many of these are not shared with others."""
        return max(0, self.unsent - self._shared)


def _unsent_in_kernel(connection: Any) -> int:
    if sys.platform != "linux" or connection.fileno() < 0:
        return 0
    return int.from_bytes(fcntl.ioctl(connection.fileno(), SIOCOUTQNSD, bytes(4)), sys.byteorder)
