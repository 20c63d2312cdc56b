"""Secrets at rest: sealed (encrypted and authenticated) with AES-256-GCM, by a key that is not in the database.

A secret that only its holder may read again is sealed with something the holder knows (`seal_for`); others with
`TICKETING_SECRET_KEYS`, which holds one key or several. The first key seals and all of them unseal. To rotate, put a
new key in front of the old one, and remove that once nothing is sealed with it any more.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ticketing.ground.config import InvalidSetting, settings

KEY_BYTES = 32
NONCE_BYTES = 12
SALT_BYTES = 32


class NoKey(Exception):
    """The required key is not among the settings; the message is a sentence."""


def new_key() -> str:
    """A new key, in the form that the setting takes."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def first_key() -> str | None:
    """The id of the key that seals, if there is one."""
    return next(iter(keys(settings().secret_keys)), None)


def seal(secret: bytes, context: bytes) -> tuple[str, bytes]:
    """The key's id, and the secret sealed with it; unsealing needs the same context. Raises NoKey."""
    known = keys(settings().secret_keys)
    if not known:
        raise NoKey("This installation cannot store secrets: an operator must set TICKETING_SECRET_KEYS.")
    key_id, key = next(iter(known.items()))
    nonce = os.urandom(NONCE_BYTES)
    return key_id, nonce + key.encrypt(nonce, secret, context)


def unseal(key_id: str, sealed: bytes, context: bytes) -> bytes:
    """The secret that was sealed in this context. Raises NoKey."""
    key = keys(settings().secret_keys).get(key_id)
    if key is None:
        raise NoKey(f"The key {key_id} is not in TICKETING_SECRET_KEYS any more.")
    try:
        return key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)
    except (InvalidTag, ValueError):
        raise NoKey("The sealed secret was changed, or belongs to another context.") from None


def seal_for(holder: bytes, secret: bytes, context: bytes) -> bytes:
    """The secret, sealed with something that only its holder knows (at least 128 random bits) and the context."""
    salt = os.urandom(SALT_BYTES)
    key, nonce = _holders_key(holder, salt)
    return salt + key.encrypt(nonce, secret, context)


def unseal_for(holder: bytes, sealed: bytes, context: bytes) -> bytes | None:
    """The secret that was sealed for this holder in this context; None if it was for another."""
    key, nonce = _holders_key(holder, sealed[:SALT_BYTES])
    try:
        return key.decrypt(nonce, sealed[SALT_BYTES:], context)
    except (InvalidTag, ValueError):
        return None


def _holders_key(holder: bytes, salt: bytes) -> tuple[AESGCM, bytes]:
    """Key and nonce by HKDF (RFC 5869). The salt is used once, so the nonce is never repeated under its key."""
    derived = HKDF(hashes.SHA256(), KEY_BYTES + NONCE_BYTES, salt, b"ticketing.holder").derive(holder)
    return AESGCM(derived[:KEY_BYTES]), derived[KEY_BYTES:]


@cache
def keys(setting: str) -> dict[str, AESGCM]:
    """The keys of the setting by their ids, which reveal nothing of them. Raises InvalidSetting."""
    found = {}
    for text in filter(None, (part.strip() for part in setting.split(","))):
        try:
            key = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != KEY_BYTES:
            raise InvalidSetting("TICKETING_SECRET_KEYS takes keys of 32 bytes in Base64, separated by commas.")
        found[hashlib.sha256(b"ticketing.key:" + key).hexdigest()[:12]] = AESGCM(key)
    return found
