"""Sockets that listen, and who holds an address that is taken."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from ticketing.ground.refused import Refused

PROC = Path("/proc")
LISTENING = "0A"
"""The state TCP_LISTEN, as Linux writes it in /proc/net/tcp."""

Address = IPv4Address | IPv6Address


class CannotListen(Refused):
    """An address cannot be listened on; the message says why, and what to do."""


def listen(host: str, port: int, backlog: int) -> socket.socket:
    """The socket of an address; port 0 is any free one. Raises CannotListen."""
    try:
        return socket.create_server((host, port), family=family(host), backlog=backlog)
    except (OSError, UnicodeError) as error:
        raise refused(host, port, error) from None


def family(host: str) -> socket.AddressFamily:
    """The family of an address, or of a machine's name. Raises CannotListen without either."""
    if not host:
        raise _stranger(host)
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def refused(host: str, port: int, error: Exception) -> CannotListen:
    """Why an address cannot be listened on."""
    code = getattr(error, "errno", None) or 0
    if code == errno.EADDRINUSE:
        by = holder(host, port)
        stop = f" by {by}. Stop that" if by else ". Stop what holds it"
        return CannotListen(f"Port {port} is in use{stop}, or choose another with --port; 0 takes any free one.")
    if code == errno.EACCES:
        return CannotListen(f"Port {port} needs more rights than this user has. Choose one from 1024 on with --port.")
    # What a name stands for cannot be found out: such errors have negative numbers.
    if isinstance(error, UnicodeError) or code < 0 or code == errno.EADDRNOTAVAIL:
        return _stranger(host)
    return CannotListen(f"Cannot listen on {host}, port {port}: {os.strerror(code)}.")


def _stranger(host: str) -> CannotListen:
    return CannotListen(
        f"{host!r} is no address of this machine. Give --host one that is, such as 127.0.0.1 for clients on this "
        "machine only, or 0.0.0.0 for clients on all its networks."
    )


def holder(host: str, port: int) -> str | None:
    """Who listens on an address, such as `process 4711 (ticketing serve)`; None if that cannot be found out.

    Only Linux tells, and to most users only of their own processes.
    """
    with suppress(OSError, ValueError):
        ours = ip_address(socket.getaddrinfo(host, port, family(host))[0][4][0])
        inodes = {inode for address, inode in _listening(port) if _collide(ours, address)}
        holding = dict(_holding({f"socket:[{inode}]" for inode in inodes}))
        # Of processes that share a socket, the one that started the others.
        pids = sorted(pid for pid, parent in holding.items() if parent not in holding)
        if pids:
            name = _program(pids[0])
            return (
                f"process {pids[0]} ({name})" if len(pids) == 1 else f"processes {', '.join(map(str, pids))} ({name})"
            )
    return None


def _listening(port: int) -> Iterator[tuple[Address, str]]:
    """The addresses that are listened on at a port, and the inode of each socket."""
    for table in ("tcp", "tcp6"):
        for line in (PROC / "net" / table).read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            address, _, its_port = local.partition(":")
            if state == LISTENING and int(its_port, 16) == port:
                yield _address(address), rest[5]


def _address(written: str) -> Address:
    """An address as Linux writes it: 32 bits at a time, each in the order of this machine."""
    words = [int(written[place : place + 8], 16).to_bytes(4, sys.byteorder) for place in range(0, len(written), 8)]
    address = ip_address(b"".join(words))
    return getattr(address, "ipv4_mapped", None) or address


def _collide(one: Address, other: Address) -> bool:
    return one == other or one.is_unspecified or other.is_unspecified


def _holding(sockets: set[str]) -> Iterator[tuple[int, int]]:
    """The processes that hold one of these sockets, each with its parent."""
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError):  # It is another user's, or has just ended.
            if any(str(each.readlink()) in sockets for each in (folder / "fd").iterdir()):
                # The name of the program stands before this, in parentheses, and may hold anything.
                yield int(folder.name), int((folder / "stat").read_text().rpartition(")")[2].split()[1])


def _program(pid: int) -> str:
    """The name of a program, or the `ticketing` command; arguments of others may be secret."""
    words = (PROC / str(pid) / "cmdline").read_text(errors="replace").split("\0")
    for place, word in enumerate(words[:5]):
        if Path(word).name == "ticketing":
            return f"ticketing {words[place + 1]}"
    return (PROC / str(pid) / "comm").read_text(errors="replace").strip()
