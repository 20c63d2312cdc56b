"""Signatures and secrets as Standard Webhooks 1.0 has them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> bytes:
    """A fresh secret."""
    return os.urandom(SECRET_BYTES)


def written(secret: bytes) -> str:
    """A secret as its owner is told it."""
    return PREFIX + base64.b64encode(secret).decode()


def headers(event_id: UUID, moment: datetime, body: bytes, secrets: Iterable[bytes]) -> Mapping[str, str]:
    """The three headers of a message; a signature for each secret that still holds, so that it can be exchanged."""
    timestamp = int(moment.timestamp())
    signed = b"%s.%d.%s" % (str(event_id).encode(), timestamp, body)
    signatures = (base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode() for secret in secrets)
    return {
        "webhook-id": str(event_id),
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
