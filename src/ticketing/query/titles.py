"""Words of titles, as the index of titles has them."""

from __future__ import annotations

import re

BETWEEN_WORDS = dict.fromkeys(map(ord, "-_./\\:;,|()[]{}<>\"'!?#@&+=*%~^$`"), " ")
"""The signs that the index takes for blanks, too. What a query for words could be made of is among them."""
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
"""A letter of a script without blanks."""
LONGEST = 200
"""Most characters in a title."""
NUMBER = re.compile(r"#?([0-9]{1,18})")


def words(text: str) -> list[str]:
    """The words of a text."""
    return text.translate(BETWEEN_WORDS).split()


def beginning(text: str) -> str:
    """A query for titles with, for each word of the text, a word that begins so (PostgreSQL, 12.3.2)."""
    return " & ".join(f"'{word}':*" for word in words(text))


def phrase(text: str) -> str:
    """A query for titles with the words of the text, one after the other."""
    return " <-> ".join(f"'{word}'" for word in words(text))


def number(text: str) -> int | None:
    """The number of the ticket that the text is, as `1042` or `#1042`."""
    found = NUMBER.fullmatch(text)
    return int(found[1]) if found else None
