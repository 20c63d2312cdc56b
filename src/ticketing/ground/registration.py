"""Who may become a requester by themselves: everybody, nobody, or people with addresses at certain domains."""

from __future__ import annotations

import re

OPEN, CLOSED, DOMAINS = "open", "closed", "domains"

_DOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+")


class Registration(str):
    """`open`, `closed`, or domains, separated by commas. Raises ValueError."""

    __slots__ = ("_domains",)

    def __init__(self, text: str) -> None:
        words = [word.strip().lower() for word in text.split(",") if word.strip()]
        self._domains = frozenset(() if text in (OPEN, CLOSED) else words)
        if text not in (OPEN, CLOSED) and not (words and all(map(_DOMAIN.fullmatch, words))):
            raise ValueError(text)

    @property
    def form(self) -> str:
        """Which of the three it is."""
        return DOMAINS if self._domains else str(self)

    def admits(self, email: str) -> bool:
        """Whether who reads the mail of this address may become a requester; a domain's subdomains do not count."""
        return self == OPEN or email.rpartition("@")[2].lower() in self._domains
