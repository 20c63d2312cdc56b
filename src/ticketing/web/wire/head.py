"""What the head of a request may look like: its size, its host, and the framing of its body."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ticketing.contract.problems import MalformedRequest, Problem

TARGET_BYTES = 16 * 1024
"""The longest request target (path and query). RFC 9112 (3) recommends at least 8,000 bytes."""
HEAD_BYTES = 32 * 1024
"""The largest head: request line and fields."""
FIELDS = 100
"""Most fields in a head, and in the trailers of a body."""
FRAMING_BYTES = 16 * 1024
"""Most framing in a chunked body, beyond the usual: chunk sizes, extensions and trailers."""

FRAMING = frozenset({b"host", b"transfer-encoding"})
"""The fields that say where a request goes and where it ends."""

# uri-host [":" port] of RFC 9110 (4.2) and 3986 (3.2): a name or IPv4 address, or an IP literal. Empty hosts are
# invalid in http URIs.
_HOST = re.compile(
    rb"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+(?::[0-9]{0,5})?|\[[0-9A-Za-z:._~!$&'()*+,;=-]+\](?::[0-9]{0,5})?"
)


class TargetTooLong(Problem):
    slug = "uri-too-long"

    def __init__(self) -> None:
        super().__init__(f"Path and query may have at most {TARGET_BYTES:,} bytes.")


class HeadTooLarge(Problem):
    slug = "header-fields-too-large"

    def __init__(self) -> None:
        super().__init__(f"The head of a request may have at most {FIELDS} fields and {HEAD_BYTES:,} bytes.")


class NotImplementedHere(Problem):
    slug = "not-implemented"


def check(version: str, method: bytes, fields: Sequence[tuple[bytes, bytes]]) -> None:
    """Refuse a head that two parsers could read differently; `fields` are its `FRAMING` ones.

    Raises MalformedRequest and NotImplementedHere.
    """
    if version not in ("1.1", "1.0"):
        raise MalformedRequest(f"HTTP/{version} is not supported. Use HTTP/1.1.")
    if method == b"CONNECT":
        raise NotImplementedHere("This is not a proxy: CONNECT is not supported.")
    hosts = [value for name, value in fields if name == b"host"]
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        raise MalformedRequest("A request must have exactly one Host field.")  # RFC 9112, 3.2
    if hosts and not _HOST.fullmatch(hosts[0].strip(b" \t")):
        raise MalformedRequest("The Host field must hold a host and, if need be, a port.")
    codings = [value.strip(b" \t").lower() for name, value in fields if name == b"transfer-encoding"]
    if not codings:
        return
    if version == "1.0":  # RFC 9112, 6.1: faulty framing.
        raise MalformedRequest("An HTTP/1.0 request must not have a Transfer-Encoding.")
    if codings != [b"chunked"]:
        raise NotImplementedHere("The only Transfer-Encoding is chunked, alone and once.")


def origin_form(target: bytes) -> bytes:
    """Path and query of a target in absolute form, which servers must accept (RFC 9112, 3.2.2); others unchanged."""
    scheme, separator, rest = target.partition(b"://")
    if not separator or b"/" in scheme or b"?" in scheme:
        return target
    for end, byte in enumerate(rest):
        if byte in b"/?":
            return rest[end:] if byte == ord("/") else b"/" + rest[end:]
    return b"/"


def same_framing(fields: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A minimal head whose body is framed like that of a request with these checked fields."""
    framing = [b"%b: %b\r\n" % field for field in fields if field[0] in (b"content-length", b"transfer-encoding")]
    return b"POST / HTTP/1.1\r\n" + b"".join(framing) + b"\r\n"
