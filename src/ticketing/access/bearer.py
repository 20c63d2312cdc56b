"""The form of a token: `tkt_<secret>_<checksum>`, made at random, kept as a hash. A session's has another prefix."""

from __future__ import annotations

import hashlib
import secrets
import zlib

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PREFIX = "tkt_"
SESSION = "ses_"
SECRET_LENGTH = 30
"""Base62 digits of a secret: 30 × log2(62) ≈ 178 bits."""
CHECKSUM_LENGTH = 6


def new_token(prefix: str = PREFIX) -> str:
    """A fresh secret."""
    return with_checksum("".join(secrets.choice(ALPHABET) for _ in range(SECRET_LENGTH)), prefix)


def with_checksum(secret: str, prefix: str = PREFIX) -> str:
    """`tkt_<secret>_<crc32>`: the checksum lets scanners and this service tell a token from a typo offline."""
    return f"{prefix}{secret}_{_checksum(secret)}"


def well_formed(token: str, prefix: str = PREFIX) -> bool:
    """Whether the text can be a token of ours at all."""
    if not token.startswith(prefix) or len(token) != len(prefix) + SECRET_LENGTH + 1 + CHECKSUM_LENGTH:
        return False
    secret, _, checksum = token.removeprefix(prefix).partition("_")
    return token.isascii() and checksum == _checksum(secret)


def hash_token(token: str) -> bytes:
    """What is stored of a token: its SHA-256. Enough for a secret of 178 random bits."""
    return hashlib.sha256(token.encode()).digest()


def _checksum(secret: str) -> str:
    number, digits = zlib.crc32(secret.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
