"""The one form in which text is kept: what looks alike is alike, and what nobody can see is not there.

Whatever takes text from people calls these, whichever way it came in. They give "" for text in which there is nothing
to see, and never raise; whether a text may be empty, or how long it may be, is judged on what they give.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby
from typing import Final

MOST_MARKS: Final = 30
"""Marks on one letter. More is no writing (UAX 15, 12: Stream-Safe Text), and sorting them takes quadratic time."""

_CONTROLS = r"\x00-\x1f\x7f-\x9f"
#: What Unicode has programs ignore when they do not know it (Default_Ignorable_Code_Point), and the empty Braille cell.
_UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_SEEN = re.compile(rf"[^\s{_CONTROLS}{_UNSEEN}]")
_CONTROL = re.compile(f"[{_CONTROLS}]")


def _marks(first: int, last: int) -> str:
    """The marks of Unicode between two code points, as ranges of a regular expression.

    U+0F73, U+0F75 and U+0F81 are each two marks (UAX 15, 5.1), which their own combining class does not say.
    """
    begins = {code: unicodedata.normalize("NFD", chr(code))[0] for code in range(first, last + 1)}
    marks = [code for code, begin in begins.items() if unicodedata.combining(begin)]
    runs = [[code for _, code in run] for _, run in groupby(enumerate(marks), lambda pair: pair[1] - pair[0])]
    return "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in runs)


def _heap_of(marks: str) -> re.Pattern[str]:
    return re.compile(f"([{marks}]{{{MOST_MARKS}}})[{marks}]+")


_NEAR_MARKS, _FAR_MARKS = _marks(0x300, 0xFFFF), _marks(0x10000, 0x1E94A)
_HEAP_OF_MARKS = _heap_of(_NEAR_MARKS + _FAR_MARKS)
# Without those of the scripts beyond the first plane it is twenty times as fast.
_HEAP_OF_NEAR_MARKS = _heap_of(_NEAR_MARKS)
_FAR = re.compile("[\U00010000-\U0001e94a]")


# In a line: what turns its direction round (UAX 9), what has no width, half characters. Joiners stay where they can
# mean something: within emoji, and in scripts whose letters join. So do marks of direction and variation, and the
# letters that spell the flag of a region.
_NOT_IN_LINES = re.compile(
    "[\u00ad\u200b\u202a-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e001f\U000e0080-\U000e00ff"
    "\U000e01f0-\U000e0fff]"
)
_STRAY_JOINERS = re.compile("(?<![^\x00-\x7f])[\u200c\u200d]+")
# In a text, directions may be embedded and isolated, and words divided; what overrides a direction only deceives.
_NOT_IN_TEXTS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u202d\u202e\ufeff\ufff9-\ufffb\ud800-\udfff]")
_LINE_BREAK = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_ODD_ASCII = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# Four blanks or a tab begin a block of code in Markdown; up to three mean nothing.
_BEFORE = re.compile(r"(?:[^\S\n]*\n)*(?: {1,3}(?![ \t]))?")


def one_line(text: str) -> str:
    """A title, a name: composed (NFC), with single blanks between its words, and nothing around or hidden in it."""
    if text.isascii() and text.isprintable() and "  " not in text and text == text.strip(" "):
        return text
    line = _single_blanks(_NOT_IN_LINES.sub("", _composed(text)))
    # What is taken out may have been all that kept two blanks apart, or a letter and its mark.
    line = _composed(_single_blanks(_STRAY_JOINERS.sub("", line)))
    return line if _SEEN.search(line) else ""


def tag(text: str) -> str:
    """A label: one line, in lower case."""
    line = one_line(text)
    lowered = line.lower()
    return line if lowered == line else one_line(lowered)


def text(text: str) -> str:
    """A description, a comment: composed (NFC), with LF between lines, nothing around it, and no controls but tabs."""
    if not text.isascii() or _ODD_ASCII.search(text):
        text = _composed(_NOT_IN_TEXTS.sub("", _LINE_BREAK.sub("\n", text)))
        if not _SEEN.search(text):
            return ""
    text = text.rstrip()
    begins = _BEFORE.match(text)
    return text[begins.end() :] if begins else text


def _single_blanks(text: str) -> str:
    return " ".join(_CONTROL.sub(" ", text).split())


def _composed(text: str) -> str:
    # Linear, also for a heap: what is out of order is not normalized.
    if unicodedata.is_normalized("NFC", text):
        return text
    return unicodedata.normalize("NFC", _thinned(text))


def _thinned(text: str) -> str:
    """Without the marks on a letter that are too many."""
    heap = _HEAP_OF_MARKS if _FAR.search(text) else _HEAP_OF_NEAR_MARKS
    return heap.sub(r"\1", text)
