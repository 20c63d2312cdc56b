"""Marks that are written on letters, such as accents: which there are, and no more of them than any script needs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from itertools import groupby
from typing import Final, NamedTuple

MOST: Final = 30
"""Most marks on one letter. No script needs more (UAX 15, 12: Stream-Safe Text), and sorting them is quadratic."""

_APART = 7
"""Of every seventh character, a run of too many marks leaves four in a row. Most texts have not even those."""
_FAR = re.compile("[\U00010000-\U0001e94a]")
"""Scripts beyond the first plane. Leaving their marks out makes a search twenty times as fast."""


class _Patterns(NamedTuple):
    """What finds the marks of this Python's Unicode."""

    apart: re.Pattern[str]
    near_apart: re.Pattern[str]
    heap: re.Pattern[str]
    near_heap: re.Pattern[str]
    #: What never becomes one character with the one before it.
    beginning: re.Pattern[str]


@cache
def patterns() -> _Patterns:
    """Made when first needed, which most commands never do: it takes 30 ms."""
    holders = range(0x300, 0x1E94B)  # All that may hold a mark, or be one.
    apart = unicodedata.normalize("NFD", "|".join(map(chr, holders))).split("|")
    # U+0F73, U+0F75 and U+0F81 each decompose into two marks (UAX 15, 5.1), although their combining class is 0.
    marks = {code for code, each in zip(holders, apart, strict=True) if unicodedata.combining(each[0])}
    # What may become one character with the one before it: marks, and letters such as the vowels of Hangul.
    seconds = set(map(ord, "".join(each[1:] for each in apart if len(each) > 1)))
    every, near = _ranges(marks), _ranges(code for code in marks if code <= 0xFFFF)
    return _Patterns(
        _in_a_row(every),
        _in_a_row(near),
        _heap_of(every),
        _heap_of(near),
        re.compile(f"[^{_ranges(marks | seconds)}]"),
    )


def thinned(text: str) -> str:
    """The text without excess marks on a letter."""
    if len(text) <= MOST or text.isascii():
        return text
    known, sample = patterns(), text[::_APART]
    if not (known.apart if _FAR.search(sample) else known.near_apart).search(sample):
        return text
    return (known.heap if _FAR.search(text) else known.near_heap).sub(r"\1", text)


def _ranges(codes: Iterable[int]) -> str:
    """These code points as ranges of a regular expression."""
    runs = [[code for _, code in run] for _, run in groupby(enumerate(sorted(codes)), lambda pair: pair[1] - pair[0])]
    return "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in runs)


def _in_a_row(marks: str) -> re.Pattern[str]:
    return re.compile(f"[{marks}]{{{(MOST + 1) // _APART}}}")


def _heap_of(marks: str) -> re.Pattern[str]:
    # The look behind keeps a run of marks from being looked at again from each of them.
    return re.compile(f"(?<![{marks}])([{marks}]{{{MOST}}})[{marks}]+")
