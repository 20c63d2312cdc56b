"""A pooler in transaction mode, as PgBouncer: it drops `options`, and a transaction gets whatever session is free."""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq.abc import PGconn

SSL_REQUEST = 80877103
GREETING = (
    b"R\0\0\0\x08\0\0\0\0"  # authenticated
    + b"".join(
        b"S" + struct.pack("!i", len(text) + 4) + text
        for text in (b"server_version\x0015.0\0", b"client_encoding\0UTF8\0", b"standard_conforming_strings\0on\0")
    )
    + b"K\0\0\0\x0c\0\0\0\x01\0\0\0\x01"  # a process id that is no session's
    + b"Z\0\0\0\x05I"
)


@contextmanager
def pooled(url: str) -> Iterator[str]:
    """The URL of a pooler in front of this database. Of the free sessions, it gives the one that was used last."""
    free: list[PGconn] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=_serve, args=(client, url, free), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        own = conninfo_to_dict(url)
        yield make_conninfo(
            dbname=own["dbname"], user=own.get("user"), host="127.0.0.1", port=str(listener.getsockname()[1])
        )
        listener.shutdown(socket.SHUT_RDWR)
    for server in free:
        server.finish()


def _serve(client: socket.socket, url: str, free: list[PGconn]) -> None:
    with client, suppress(ConnectionError):
        while struct.unpack("!i", _start(client)[:4])[0] == SSL_REQUEST:
            client.sendall(b"N")
        client.sendall(GREETING)
        while True:
            message = _message(client.fileno())
            if message[:1] == b"X":
                return
            server = free.pop() if free else pq.PGconn.connect(url.encode())
            status = b"T"
            while status != b"I":
                os.write(server.socket, message)
                if message[:1] in b"QS":
                    while (answer := _message(server.socket))[:1] != b"Z":
                        client.sendall(answer)
                    client.sendall(answer)
                    status = answer[-1:]
                if status != b"I":
                    message = _message(client.fileno())
            free.append(server)


def _start(client: socket.socket) -> bytes:
    (length,) = struct.unpack("!i", _read(client.fileno(), 4))
    return _read(client.fileno(), length - 4)


def _message(file: int) -> bytes:
    head = _read(file, 5)
    return head + _read(file, struct.unpack("!i", head[1:])[0] - 4)


def _read(file: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        try:
            more = os.read(file, size - len(data))
        except BlockingIOError:
            select.select([file], [], [])
            continue
        if not more:
            raise ConnectionError
        data += more
    return data
