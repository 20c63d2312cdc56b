"""The one stored form of text: texts that look alike are equal, and invisible characters are removed.

Everything that takes text from people calls these functions. They return "" for text with nothing visible, and never
raise; limits on length and emptiness apply to what they return. A text that has more than `most` characters in its
form may be returned as any text that has more: the rest is not worked on.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import idna

from ticketing.ground import marks, moments

_CONTROLS = r"\x00-\x1f\x7f-\x9f"
#: Characters that programs ignore if they do not know them (Default_Ignorable_Code_Point), the empty Braille cell, the
#: Khitan filler, the null notehead, and noncharacters (Noncharacter_Code_Point).
_UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\U00016fe4\U0001d159\ufdd0-\ufdef"
    + "".join(f"{chr(plane | 0xFFFE)}{chr(plane | 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
)
_SEEN = re.compile(rf"[^\s{_CONTROLS}{_UNSEEN}]")
_CONTROL = re.compile(f"[{_CONTROLS}]")
_SLICE = 1024
"""Characters that are composed at once."""

#: Characters that have an emoji (Emoji), and all other pictures beyond the first plane.
_EMOJI = (
    "\xa9\xae\u203c\u2049\u2122\u2139\u2194-\u2199\u21a9\u21aa\u231a\u231b\u2328\u23cf\u23e9-\u23f3\u23f8-\u23fa\u24c2\u25aa"
    "\u25ab\u25b6\u25c0\u25fb-\u25fe\u2600-\u2604\u260e\u2611\u2614\u2615\u2618\u261d\u2620\u2622\u2623\u2626\u262a\u262e\u262f"
    "\u2638-\u263a\u2640\u2642\u2648-\u2653\u265f\u2660\u2663\u2665\u2666\u2668\u267b\u267e\u267f\u2692-\u2697\u2699\u269b"
    "\u269c\u26a0\u26a1\u26a7\u26aa\u26ab\u26b0\u26b1\u26bd\u26be\u26c4\u26c5\u26c8\u26ce\u26cf\u26d1\u26d3\u26d4\u26e9\u26ea"
    "\u26f0-\u26f5\u26f7-\u26fa\u26fd\u2702\u2705\u2708-\u270d\u270f\u2712\u2714\u2716\u271d\u2721\u2728\u2733\u2734\u2744"
    "\u2747\u274c\u274e\u2753-\u2755\u2757\u2763\u2764\u2795-\u2797\u27a1\u27b0\u27bf\u2934\u2935\u2b05-\u2b07\u2b1b\u2b1c"
    "\u2b50\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
#: Those that are emoji without a selector (Emoji_Presentation), so that a selector changes nothing.
_PICTURES = (
    "\u231a\u231b\u23e9-\u23ec\u23f0\u23f3\u25fd\u25fe\u2614\u2615\u2648-\u2653\u267f\u2693\u26a1\u26aa\u26ab\u26bd"
    "\u26be\u26c4\u26c5\u26ce\u26d4\u26ea\u26f2\u26f3\u26f5\u26fa\u26fd\u2705\u270a\u270b\u2728\u274c\u274e"
    "\u2753-\u2755\u2757\u2795-\u2797\u27b0\u27bf\u2b1b\u2b1c\u2b50\u2b55\U0001f004\U0001f0cf\U0001f18e"
    "\U0001f191-\U0001f19a\U0001f1e6-\U0001f1ff\U0001f201\U0001f21a\U0001f22f\U0001f232-\U0001f236"
    "\U0001f238-\U0001f23a\U0001f250\U0001f251\U0001f300-\U0001f320\U0001f32d-\U0001f335\U0001f337-\U0001f37c"
    "\U0001f37e-\U0001f393\U0001f3a0-\U0001f3ca\U0001f3cf-\U0001f3d3\U0001f3e0-\U0001f3f0\U0001f3f4"
    "\U0001f3f8-\U0001f43e\U0001f440\U0001f442-\U0001f4fc\U0001f4ff-\U0001f53d\U0001f54b-\U0001f54e"
    "\U0001f550-\U0001f567\U0001f57a\U0001f595\U0001f596\U0001f5a4\U0001f5fb-\U0001f64f\U0001f680-\U0001f6c5"
    "\U0001f6cc\U0001f6d0-\U0001f6d2\U0001f6d5-\U0001f6d8\U0001f6dc-\U0001f6df\U0001f6eb\U0001f6ec"
    "\U0001f6f4-\U0001f6fc\U0001f7e0-\U0001f7eb\U0001f7f0\U0001f90c-\U0001f93a\U0001f93c-\U0001f945"
    "\U0001f947-\U0001f9ff\U0001fa70-\U0001fa7c\U0001fa80-\U0001fa8a\U0001fa8e-\U0001fac6\U0001fac8"
    "\U0001facd-\U0001fadc\U0001fadf-\U0001faea\U0001faef-\U0001faf8"
)
#: Letters whose shape a joiner changes: those of scripts that join (Arabic and its like) or stack.
_JOINING = (
    "\u0600-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u18af\u1a20-\u1c4f\ua800-\uabff\ufb50-\ufdff\ufe70-\ufefe"
    "\U00010ac0-\U00011fff\U0001e900-\U0001e95f"
)
_FLAG = "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f"
# Not in a line: direction controls (UAX 9), invisible characters, half characters. Three kinds stay where they show:
# selectors that make a sign an emoji, tags that spell the flag of a region (both UTS 51), and joiners.
_HIDDEN = re.compile(f"[{_UNSEEN}\ud800-\udfff]")
_SELECTED = f"[{_EMOJI}]\ufe0e|(?![{_PICTURES}])[{_EMOJI}]\ufe0f|[#*0-9]\ufe0f\u20e3"
_NOT_IN_LINES = re.compile(f"({_FLAG}|{_SELECTED}|[\u200c\u200d]+)|{_HIDDEN.pattern}")
_JOINERS = re.compile("[\u200c\u200d]+")
_BESIDE_JOINERS = re.compile(f"[{_JOINING}{_EMOJI}\ufe0e\ufe0f\U000e007f]")
_PART_OF_EMOJI = re.compile(f"[{_EMOJI}\ufe0e\ufe0f\U000e007f]")
_INDIC = re.compile("[\u0900-\u0dff]")
_CURSIVE = re.compile(
    "[\u0600-\u08ff\u1800-\u18af\ua840-\ua87f\ufb50-\ufdff\ufe70-\ufefe\U00010ac0-\U00010fff\U0001e900-\U0001e95f]"
)
_NON_JOINER, _JOINER = "\u200c", "\u200d"
_BEH: Final = "\u0628"
"""A letter that joins on both sides."""
_VIRAMA = 9
# In a text, directions may be embedded and isolated, and words divided; overriding a direction only deceives.
_NOT_IN_TEXTS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u202d\u202e\ufeff\ufff9-\ufffb\ud800-\udfff]")
_LINE_BREAKS = ("\r\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029")
_ODD_ASCII = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# Four blanks or a tab begin a code block in Markdown; up to three mean nothing.
_BEFORE = re.compile(r"(?:[^\S\n]*\n)*(?: {1,3}(?![ \t]))?")


def one_line(text: str, most: int = sys.maxsize) -> str:
    """A title or name: composed (NFC), trimmed, single blanks between words, without invisible characters."""
    if text.isascii() and text.isprintable() and "  " not in text and text == text.strip(" "):
        return text
    line = _composed(text)
    if _HIDDEN.search(line):
        line = _JOINERS.sub(_joined, _NOT_IN_LINES.sub(_shown, line.replace("\u2800", " ")))
    # A removed character may have been all that separated two blanks, or a letter and its mark.
    line = _single_blanks(line)
    return _composed(line, most) if _SEEN.search(line) else ""


def tag(text: str, most: int = sys.maxsize) -> str:
    """A label: one line, in lower case."""
    line = one_line(text)
    lowered = line.lower()
    return line if lowered == line else one_line(lowered, most)


def text(text: str, most: int = sys.maxsize) -> str:
    """A description or comment: composed (NFC), trimmed, LF between lines, no control characters except tabs."""
    if text.isascii() and not _ODD_ASCII.search(text):
        return _trimmed(text)
    for line_break in _LINE_BREAKS:
        text = text.replace(line_break, "\n")
    text = _trimmed(_NOT_IN_TEXTS.sub("", text))
    return _composed(text, most) if _SEEN.search(text) else ""


FORMS = {"line": one_line, "tag": tag, "text": text, "date-time": lambda text, _: moments.canonical(text)}
"""The forms of text by their names in the contract."""


def _trimmed(text: str) -> str:
    """The text without blanks at its end, and at its beginning without what shows nothing in Markdown."""
    text = text.rstrip()
    begins = _BEFORE.match(text)
    return text[begins.end() :] if begins else text


def _shown(found: re.Match[str]) -> str:
    return found[1] or ""


def _joined(found: re.Match[str]) -> str:
    """A joiner that was found, if it shows: after a virama, or between emoji or letters that join."""
    text, joiner, (begin, end) = found.string, found[0][0], found.span()
    if not begin:
        return ""
    if unicodedata.combining(text[begin - 1]) == _VIRAMA:
        return joiner
    if not _BESIDE_JOINERS.match(text, begin - 1) or not _BESIDE_JOINERS.match(text, end):
        return ""
    return joiner if _shows(joiner, text[max(0, begin - marks.MOST) : begin], text[end : end + marks.MOST]) else ""


def _shows(joiner: str, before: str, after: str) -> bool:
    """Whether a joiner changes how these look: letters that join anyway, or never, do not need one."""
    if _PART_OF_EMOJI.match(before[-1]) or _PART_OF_EMOJI.match(after):
        return joiner == _JOINER
    if _INDIC.match(before[-1]):
        return unicodedata.combining(after[0]) == _VIRAMA
    if not _CURSIVE.match(before[-1]) or not _CURSIVE.match(after):
        return True
    if _join(before, after):
        return joiner != _JOINER
    return joiner == _JOINER and (_join(before, _BEH) or _join(_BEH, after))


@lru_cache(4096)
def _join(before: str, after: str) -> bool:
    """Whether the letters on both sides, with or without marks, are joined in writing (RFC 5892, A.1)."""
    try:
        return idna.valid_contextj(f"{before}{_NON_JOINER}{after}", len(before))
    except ValueError:  # There is no such letter.
        return False


def _single_blanks(text: str) -> str:
    return " ".join(_CONTROL.sub(" ", text).split())


def _composed(text: str, most: int = sys.maxsize) -> str:
    """The text in NFC and without excess marks; if it is longer than `most`, it may end anywhere beyond that."""
    if len(text) <= _SLICE:
        return _composed_at_once(text)
    slices, length = [], 0
    for each in _slices(text):
        slices.append(_composed_at_once(each))
        length += len(slices[-1])
        if length > most:
            break
    return "".join(slices)


def _composed_at_once(text: str) -> str:
    text = marks.thinned(text)
    composed = unicodedata.normalize("NFC", text)
    return text if composed == text else marks.thinned(composed)  # One mark may have become two.


def _slices(text: str) -> Iterator[str]:
    """The text in pieces that can be composed each by itself."""
    begin = 0
    while begin < len(text):
        beyond = marks.patterns().beginning.search(text, begin + _SLICE)
        end = beyond.start() if beyond else len(text)
        yield text[begin:end]
        begin = end
