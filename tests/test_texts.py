"""Texts: what looks alike becomes alike, what cannot be seen goes, and nothing that means something is lost."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketing import texts

FAMILY = "👩‍👩‍👧‍👦"
PERSIAN = "می‌خواهم"
SINHALA = "ශ්‍රී"
SCOTLAND = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
HEAP = "a" + "\u0301\u0323" * 100_000


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Subtitles drift", "Subtitles drift"),
        ("  Subtitles \t drift\n", "Subtitles drift"),
        ("one\r\ntwo\x0bthree\u2028four\u2029five\x85six", "one two three four five six"),
        ("a\u00a0\u3000b", "a b"),
        ("Cafe\u0301", "Café"),
        ("e\u200b\u0301", "é"),
        ("admin\u202egnp.exe", "admingnp.exe"),
        ("\u2066admin\u2069", "admin"),
        ("ad\u200bm\u2060i\ufeffn\u00ad", "admin"),
        ("ad\u200dmin\u200c", "admin"),
        ("bell\x07\x1b[31m", "bell [31m"),
        ("half\ud800", "half"),
        ("不具合", "不具合"),
        ("ошибка", "ошибка"),
        (PERSIAN, PERSIAN),
        (SINHALA, SINHALA),
        (f"{FAMILY} ❤️ {SCOTLAND}", f"{FAMILY} ❤️ {SCOTLAND}"),
        ("", ""),
        (" ", ""),
        ("\u200b\u200d\u2060", ""),
        ("\u200e\u200f\u061c", ""),
        ("\u3164 \u2800", ""),
        ("\ufe0f\U000e0067", ""),
        ("\x00\x01\x7f\x9f", ""),
        ("\ud800", ""),
    ],
    ids=ascii,
)
def test_one_line(given: str, kept: str) -> None:
    assert texts.one_line(given) == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("HDR", "hdr"),
        (" Dolby  Vision ", "dolby vision"),
        ("ОШИБКА", "ошибка"),
        ("E\u0301TAT", "état"),
        ("C++", "c++"),
        ("İ", "i̇"),
    ],
)
def test_tag(given: str, kept: str) -> None:
    assert texts.tag(given) == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("One.\n\nTwo.", "One.\n\nTwo."),
        ("One.\r\nTwo.\rThree.\u2028Four.", "One.\nTwo.\nThree.\nFour."),
        ("\n \n  One.  \nTwo.\t\n ", "One.  \nTwo."),
        ("\n    code\n", "    code"),
        ("\tcode", "\tcode"),
        ("a\tb", "a\tb"),
        ("log\x1b[31m\x00\x08", "log[31m"),
        ("Cafe\u0301", "Café"),
        ("\u202eevil\u202c", "evil\u202c"),
        ("\u2067עברית\u2069", "\u2067עברית\u2069"),
        (f"{FAMILY}\n{PERSIAN}\n{SINHALA}", f"{FAMILY}\n{PERSIAN}\n{SINHALA}"),
        ("", ""),
        (" \t\r\n ", ""),
        ("\u200b\n\u2800", ""),
        ("\x00", ""),
    ],
    ids=ascii,
)
def test_text(given: str, kept: str) -> None:
    assert texts.text(given) == kept


ANY = st.text(st.characters(), max_size=40) | st.text(" \t\n\ra\u0301\u0323\u200b\u200d\u202e\u1100\u1161\u3164Éİſ")


@given(ANY)
def test_what_is_kept_is_kept_once_more_as_it_is(given: str) -> None:
    for form in (texts.one_line, texts.tag, texts.text):
        kept = form(given)
        assert form(kept) == kept
        assert unicodedata.is_normalized("NFC", kept)
        assert kept == "" or texts._SEEN.search(kept)
        kept.encode()
    assert not set(texts.one_line(given)) & set("\n\t\r\u202e\u200b")


@given(ANY)
def test_what_is_the_same_to_unicode_is_kept_alike(given: str) -> None:
    apart = unicodedata.normalize("NFD", given)
    for form in (texts.one_line, texts.tag, texts.text):
        assert form(apart) == form(given)


def test_a_heap_of_marks_is_cut_off() -> None:
    """Sorting 200,000 marks on one letter would take half a minute."""
    for form in (texts.one_line, texts.text):
        assert len(form(HEAP)) <= 1 + texts.MOST_MARKS
