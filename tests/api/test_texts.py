"""Texts: what looks alike becomes alike, what cannot be seen goes, and nothing that means something is lost."""

from __future__ import annotations

import json
import re
import secrets
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_tickets import MERGE_PATCH, Events, New

from conftest import Person
from judged import whole
from ticketing.contract.forms import TIMES_AS_LONG
from ticketing.ground import marks, texts

FAMILY = "👩‍👩‍👧‍👦"
PERSIAN = "می‌خواهم"
SINHALA = "ශ්‍රී"
SCOTLAND = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
NON_STARTER_DECOMPOSITIONS = "\u0344\u0f73\u0f75\u0f81"
"""What is two marks at once: the last three are no marks themselves by their combining class (UAX 15, 5.1)."""
MOST_MARKS_APART = 2 * marks.MOST + 3
MARKS = NON_STARTER_DECOMPOSITIONS + "".join(
    each for each in map(chr, range(sys.maxunicode + 1)) if unicodedata.combining(each)
)
MARKS_IN_ORDER = "\u0301" * 31
HEAPS = ["a" + each * 100_000 for each in ("\u0301\u0323", "\u0301\U000101fd\u0323", "\U0001e94a\U0001d165")]


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
        ("x\u3164\u115f\u17b4\u034f\U0001d173\u180b\U000e0041\ufe0f\u200e\U000e0100", "x"),
        ("1\ufe0f\u20e3 1\ufe0f #\ufe0f\u20e3 é\ufe0f", "1\ufe0f\u20e3 1 #\ufe0f\u20e3 é"),
        ("©\ufe0f ☎\ufe0e ❤\ufe0f\ufe0f", "©\ufe0f ☎\ufe0e ❤\ufe0f"),
        (f"{SCOTLAND}\U000e0062 🏴\U000e007f 🚩\U000e0067\U000e0062\U000e0073\U000e007f", f"{SCOTLAND} 🏴 🚩"),
        ("оши\u200dбка é\u200c 不\u200d具 \u200d👩", "ошибка é 不具 👩"),
        ("می\u200c\u200cخ م\u200d क्\u200d", "می\u200cخ م क्\u200d"),
        ("ب\u200dب ل\u200dا د\u200cب د\u200dر", "بب لا دب د\u200dر"),
        ("ب\u064e\u200dب ه\u200dء د\u200dء ب\u200cب \u0661\u200d\u0662", "ب\u064eب ه\u200dء دء ب\u200cب \u0661\u0662"),
        ("क\u200dष क\u200cष ক্\u200dষ র\u200d্য", "कष कष ক্\u200dষ র\u200d্য"),
        ("😀\ufe0f 👩\u200c👩 🏳\ufe0f\u200d🌈", "😀 👩👩 🏳\ufe0f\u200d🌈"),
        ("a\U0001d159\U00016fe4\uffff\ufdd0\U0001fffe\U0010ffffb", "ab"),
        ("a\u2800b\u2800", "a b"),
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


def of_property(name: str) -> Callable[[str], bool]:
    """Whether a character has a property of Unicode, as another library knows it."""
    pattern = {"pattern": rf"^\p{{{name}}}$"}
    return jsonschema_rs.Draft202012Validator(pattern, pattern_options=jsonschema_rs.RegexOptions()).is_valid


@pytest.mark.parametrize("form", [texts.one_line, texts.tag])
def test_what_nobody_sees_makes_no_line_another_one(form: Callable[[str], str]) -> None:
    unseen = of_property("Default_Ignorable_Code_Point")
    found = [chr(code) for code in (*range(0xD800), *range(0xE000, 0x110000)) if unseen(chr(code))]
    assert len(found) > 4000
    for letter in "xéж漢":
        assert {form(f"{letter}{each}y{each}") for each in found} == {f"{letter}y"}


def test_what_is_an_emoji() -> None:
    is_emoji, is_picture = of_property("Emoji"), of_property("Emoji_Presentation")
    for code in (*range(0x80, 0xD800), *range(0xE000, 0x10000), *range(0x1F000, 0x1FB00)):
        kept = texts.one_line(f"{chr(code)}\ufe0f")
        if is_emoji(chr(code)):
            assert kept == (chr(code) if is_picture(chr(code)) else f"{chr(code)}\ufe0f"), hex(code)
        elif code < 0x1F000:
            assert "\ufe0f" not in kept, hex(code)


ANY = st.text(st.characters(), max_size=40) | st.text(
    " \t\n\ra\u0301\u0323\u200b\u200c\u200d\u202e\u1100\u1161\u3164Éİſ1#\u20e3❤\ufe0e\ufe0f\u034f\u2800م\u064eक\u094d🏴"
    "👩\U000e0067\U000e0062\U000e0073\U000e007f"
)


@given(ANY)
def test_what_is_kept_is_kept_once_more_as_it_is(given: str) -> None:
    for form in (texts.one_line, texts.tag, texts.text):
        kept = form(given)
        assert form(kept) == kept
        assert unicodedata.is_normalized("NFC", kept)
        assert kept == "" or texts._SEEN.search(kept)
        kept.encode()
    assert not set(texts.one_line(given)) & set("\n\t\r\u202e\u200b")


@given(ANY.filter(lambda given: not marks.patterns().heap.search(unicodedata.normalize("NFD", given))))
def test_what_is_the_same_to_unicode_is_kept_alike(given: str) -> None:
    apart = unicodedata.normalize("NFD", given)
    for form in (texts.one_line, texts.tag, texts.text):
        assert form(apart) == form(given)


def test_a_heap_of_marks_is_cut_off() -> None:
    """Sorting 200,000 marks on one letter would take half a minute; those that are in order cost nothing."""
    for form in (texts.one_line, texts.text):
        for heap in HEAPS:
            assert len(form(heap)) <= 1 + marks.MOST


def _marks_at_most(text: str) -> int:
    """The most marks that have to be brought into order at once, which takes quadratic time."""
    apart = unicodedata.normalize("NFD", text)
    return max((len(list(run)) for is_mark, run in groupby(apart, _is_mark) if is_mark), default=0)


def _is_mark(each: str) -> bool:
    return unicodedata.combining(each) > 0


@pytest.mark.parametrize("letter", "eqж")
def test_marks_in_order_are_cut_off_as_others(letter: str) -> None:
    for form in (texts.one_line, texts.text, texts.tag):
        kept = form(f"{letter}{MARKS_IN_ORDER}x")
        assert kept == unicodedata.normalize("NFC", f"{letter}{MARKS_IN_ORDER[: marks.MOST]}x")
        assert form(kept) == kept


def test_no_character_makes_a_heap_of_marks() -> None:
    for each in map(chr, range(sys.maxunicode + 1)):
        if unicodedata.combining(each) or unicodedata.normalize("NFD", each) != each:
            assert _marks_at_most(marks.thinned("a" + each * 70)) <= MOST_MARKS_APART, ascii(each)


@given(
    st.text(st.sampled_from(NON_STARTER_DECOMPOSITIONS) | st.sampled_from(MARKS), min_size=1, max_size=4),
    st.text(max_size=2),
    st.sampled_from([1, 30, 70]),
)
def test_no_characters_together_make_a_heap_of_marks(some: str, others: str, times: int) -> None:
    assert _marks_at_most(marks.thinned("a" + (some * times + others) * 3)) <= MOST_MARKS_APART


@pytest.mark.parametrize("mark", NON_STARTER_DECOMPOSITIONS, ids=ascii)
def test_marks_that_are_two_are_cut_off_as_others(mark: str) -> None:
    for form in (texts.one_line, texts.text, texts.tag):
        assert len(form("a" + mark * 100)) <= 1 + 2 * marks.MOST


def test_what_a_text_is_composed_of() -> None:
    """Of one character at most four are made, and of what begins a slice none with what is before it."""
    apart = {each: unicodedata.normalize("NFD", each) for each in map(chr, range(sys.maxunicode + 1))}
    assert (
        max(len(parts) for each, parts in apart.items() if len(parts) > 1 and unicodedata.is_normalized("NFC", each))
        == TIMES_AS_LONG
    )
    seconds = {second for parts in apart.values() for second in parts[1:]}
    composing = "".join(each for each, parts in apart.items() if parts[0] in seconds or unicodedata.combining(parts[0]))
    assert not marks.patterns().beginning.search(composing)


COMPOSING = st.text(
    st.sampled_from(
        "ae\u0301\u0323\u1100\u1161\u11a8\uac00\u0344\u09c7\u09be\U0001d160\U0001d158\U0001d165 \n\u3164\u2000"
    ),
    max_size=40,
)


@given(ANY | COMPOSING | COMPOSING.map(lambda text: unicodedata.normalize("NFD", text)), st.data())
def test_a_text_is_composed_in_slices_as_it_is_at_once(given: str, data: st.DataObject) -> None:
    for form in (texts.one_line, texts.tag, texts.text):
        kept = form(given)
        most = data.draw(st.integers(0, len(kept) + 2))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(texts, "_SLICE", data.draw(st.integers(1, 9)))
            assert form(given) == kept
            limited = form(given, most)
        assert limited == kept if len(kept) <= most else len(limited) > most


# By the API --------------------------------------------------------------------------------------------------------

UNTIDY_LINE, TIDY_LINE = " Cafe\u0301\n\u202e au  \u200blait ", "Café au lait"
UNTIDY_TEXT, TIDY_TEXT = "\r\n \r\n Cafe\u0301\r\nau lait\x1b \n\n", "Café\nau lait"
Write = Callable[[Any], Any]


@pytest.fixture
def written(admin: Person, project: str, new_ticket: New) -> dict[str, Write]:
    """Each field that takes text: what sends a value for it, by the field's name."""
    number = new_ticket()["number"]
    comment = admin.post(f"/tickets/{number}/comments", json={"body": "x"}).json()["id"]
    admin.request(
        "PATCH", f"/tickets/{number}", json={"status": "resolved", "resolution": "fixed"}, headers=MERGE_PATCH
    )
    webhook = admin.post("/webhook-endpoints", json={"url": f"https://127.0.0.1/{project}"}).json()["id"]
    user = admin.post("/users", json={"name": "Ada", "service_account": True}).json()["id"]
    view = admin.post("/views", json={"name": "x", "q": ""}).json()["id"]
    ticket = {"type": "bug", "project": project, "title": "x", "description": ""}

    def post(path: str, field: str, **others: Any) -> Write:
        return lambda value: admin.post(path, json=others | {field: value})

    def patch(path: str, field: str) -> Write:
        return lambda value: admin.request("PATCH", path, json={field: value}, headers=MERGE_PATCH)

    def keyed(path: str, field: str) -> Write:
        return lambda value: admin.post(path, json={"key": f"k{secrets.token_hex(5)}", "name": "x"} | {field: value})

    return {
        "ticket title": post("/tickets", "title", **ticket),
        "ticket description": post("/tickets", "description", **ticket),
        "ticket title anew": patch(f"/tickets/{number}", "title"),
        "ticket description anew": patch(f"/tickets/{number}", "description"),
        "ticket resolution_note anew": patch(f"/tickets/{number}", "resolution_note"),
        "comment body": post(f"/tickets/{number}/comments", "body"),
        "comment body anew": patch(f"/tickets/{number}/comments/{comment}", "body"),
        "project name": keyed("/projects", "name"),
        "project description": keyed("/projects", "description"),
        "project name anew": patch(f"/projects/{project}", "name"),
        "project description anew": patch(f"/projects/{project}", "description"),
        "category name": keyed(f"/projects/{project}/categories", "name"),
        "category description": keyed(f"/projects/{project}/categories", "description"),
        "category name anew": patch(f"/projects/{project}/categories/music", "name"),
        "category description anew": patch(f"/projects/{project}/categories/music", "description"),
        "user name": post("/users", "name", service_account=True),
        "user name anew": patch(f"/users/{user}", "name"),
        "view name": post("/views", "name", q=""),
        "view name anew": patch(f"/views/{view}", "name"),
        "token name": post("/tokens", "name", scopes=["admin"]),
        "webhook description": post("/webhook-endpoints", "description", url=f"https://127.0.0.1/{project}"),
        "webhook description anew": patch(f"/webhook-endpoints/{webhook}", "description"),
    }


LINES = ("title", "name")
MAY_BE_EMPTY = ("description", "resolution_note")


def test_every_field_keeps_text_in_its_form(written: dict[str, Write], new_events: Events) -> None:
    for what, write in written.items():
        field = what.split()[1]
        response = write(UNTIDY_LINE if field in LINES else UNTIDY_TEXT)
        kept = TIDY_LINE if field in LINES else TIDY_TEXT
        assert response.status_code in (200, 201), (what, response.text)
        assert response.json()[field] == kept, what
        assert new_events()[-1]["data"][field] == kept, what


@pytest.mark.parametrize("blank", ["", " ", "\n\t", "\u200b", "\u202e\u2066", "\u3164", "\x1b"], ids=ascii)
def test_no_field_takes_text_in_which_there_is_nothing(
    written: dict[str, Write], new_events: Events, blank: str
) -> None:
    for what, write in written.items():
        field = what.split()[1]
        if field not in MAY_BE_EMPTY:
            response = write(blank)
            assert response.status_code == 422, what
            assert {error["detail"] for error in response.json()["errors"]} == {"This must not be blank."}, what
    assert new_events() == []


def test_lengths_hold_for_what_is_kept(requester: Person, project: str, new_ticket: New) -> None:
    kept = "é" * 200
    assert new_ticket(title=f"   {unicodedata.normalize('NFD', kept)}\n\n")["title"] == kept
    body = {"type": "bug", "project": project, "title": f"{kept}x", "description": ""}
    assert requester.post("/tickets", json=body).json()["errors"][0]["pointer"] == "#/title"


def test_what_is_far_too_long_is_refused_and_not_brought_into_form(
    requester: Person, project: str, new_events: Events
) -> None:
    body = {"type": "bug", "project": project, "title": "x", "description": ""}
    blanks = " " * 1000
    for fields, place, detail in (
        ({"title": f"x{blanks}"}, "#/title", "longer than 200 characters"),
        ({"tags": [f"x{blanks}"]}, "#/tags/0", "longer than 50 characters"),
        ({"environment": {f"x{blanks}": "x"}}, "#/environment", "longer than 50 characters"),
        ({"tags": [f" {n}" for n in range(900)]}, "#/tags", "more than 20 items"),
        ({"environment": {f" {n}": "x" for n in range(900)}}, "#/environment", "more than 30"),
    ):
        response = requester.post("/tickets", json=body | fields)
        assert response.status_code == 422, (place, response.text[:300])
        assert any(error["pointer"] == place and detail in error["detail"] for error in response.json()["errors"]), (
            response.text[:300]
        )
    assert new_events() == []


LONGEST = 65_536
COSTLY = {
    "three characters instead of one": "\U0001d160" * 262_000,
    "three marks on each letter": "a\u0315\u0316\u0301" * LONGEST,
    "heaps of marks": ("a" + "\u0301\u0315\u0327" * 9) * 9000,
    "syllables in letters": "\u1100\u1161\u11a8" * (LONGEST + 4000),
}


@pytest.mark.parametrize("costly", COSTLY)
def test_of_a_text_that_is_too_long_only_what_is_allowed_is_composed(
    requester: Person, new_ticket: New, new_events: Events, monkeypatch: pytest.MonkeyPatch, costly: str
) -> None:
    path = f"/tickets/{new_ticket()['number']}"
    new_events()
    kept: list[int] = []
    compose = texts._composed_at_once

    def composed(text: str) -> str:
        composed = compose(text)
        kept.append(len(composed))
        return composed

    monkeypatch.setattr(texts, "_composed_at_once", composed)
    body, patch = (json.dumps({field: COSTLY[costly]}, ensure_ascii=False) for field in ("body", "description"))
    answers = [
        requester.post(f"{path}/comments", content=body, headers={"Content-Type": "application/json"}),
        requester.request("PATCH", path, content=patch, headers=MERGE_PATCH),
    ]
    assert sum(kept) <= len(answers) * (LONGEST + 4 * texts._SLICE)
    for answer in answers:
        assert answer.status_code == 422
        assert "longer than 65536 characters" in answer.json()["detail"]
    assert new_events() == []


@pytest.mark.parametrize("letters", ["각", "ệ", "ᾂ", "é", "\U0001109a", "क़", "日", "😀"])
def test_the_longest_text_may_be_sent_decomposed(
    requester: Person, new_ticket: New, new_events: Events, letters: str
) -> None:
    number = new_ticket()["number"]
    new_events()
    kept = unicodedata.normalize("NFC", letters)
    kept *= LONGEST // len(kept)
    body = json.dumps({"body": unicodedata.normalize("NFD", kept)}, ensure_ascii=False)
    answer = requester.post(f"/tickets/{number}/comments", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201
    assert answer.json()["body"] == kept
    assert [event["data"]["body"] for event in new_events()] == [kept]


def test_while_a_long_body_is_worked_on_others_are_answered(
    requester: Person, agent: Person, new_ticket: New, new_events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = new_ticket()["number"]
    new_events()
    begun, answered, compose = threading.Event(), threading.Event(), texts._composed_at_once

    def composed(text: str) -> str:
        begun.set()
        assert answered.wait(30)
        return compose(text)

    monkeypatch.setattr(texts, "_composed_at_once", composed)
    with ThreadPoolExecutor(1) as threads:
        long = threads.submit(requester.post, f"/tickets/{number}/comments", json={"body": "é" * 5000})
        assert begun.wait(30)
        assert agent.get(f"/tickets/{number}").status_code == 200
        assert agent.post(f"/tickets/{number}/comments", json={"body": "short"}).status_code == 201
        answered.set()
        assert long.result().status_code == 201
    assert [event["data"]["body"] for event in new_events()] == ["short", "é" * 5000]


def test_tags_and_environments_in_every_script(agent: Person, project: str, new_ticket: New) -> None:
    tags = ["Ошибка", " 不具合", "Dolby   Vision", "C++", "c#", "E\u0301tat"]
    ticket = new_ticket(tags=tags, environment={" Версия  ": " 4.2\n", "機種": "Apple\tTV", "x": ""})
    assert ticket["tags"] == ["ошибка", "不具合", "dolby vision", "c++", "c#", "état"]
    assert ticket["environment"] == {"Версия": "4.2", "機種": "Apple TV", "x": ""}
    for tag in (*tags, "ОШИБКА", "dolby\u00a0vision", "ETAT\u0301"):
        listed = agent.get("/tickets", params={"project": project, "tag": tag}).json()["items"]
        assert [each["number"] for each in listed] == ([] if tag == "ETAT\u0301" else [ticket["number"]]), tag
    path = f"/tickets/{ticket['number']}"
    removed = agent.request("PATCH", path, json={"environment": {"Версия ": None, "x": None}}, headers=MERGE_PATCH)
    assert removed.json()["environment"] == {"機種": "Apple TV"}


@pytest.mark.parametrize(
    ("fields", "pointer", "detail"),
    [
        ({"tags": ["a,b"]}, "#/tags/0", '"a,b" must not be blank or hold a comma.'),
        ({"tags": ["HDR", " hdr"]}, "#/tags", "This holds an item twice."),
        ({"environment": {"app": "1", "app ": "2"}}, "#/environment", "Two of the names here are the same."),
        ({"environment": {"\u200b": "1"}}, "#/environment", "The name must not be blank."),
        (
            {"category": "Movies!"},
            "#/category",
            '"Movies!" must be 2 to 40 lower-case letters, digits or hyphens, and begin with a letter.',
        ),
    ],
)
def test_what_text_may_not_be(
    requester: Person, project: str, fields: dict[str, Any], pointer: str, detail: str
) -> None:
    body = {"type": "bug", "project": project, "title": "x", "description": ""} | fields
    response = requester.post("/tickets", json=body)
    assert response.status_code == 422
    assert (pointer, detail) in {(fault["pointer"], fault["detail"]) for fault in response.json()["errors"]}


@pytest.mark.parametrize("blank", ["", "%20", "%E2%80%8B"])
def test_a_blank_filter_is_told_once(agent: Person, blank: str) -> None:
    answer = agent.get(f"/tickets?tag=a,{blank},b")
    assert answer.status_code == 400
    fault = {"code": "blank", "detail": "Item 1: This must not be blank.", "parameter": "tag"}
    assert answer.json()["errors"] == [fault]


def test_the_same_request_is_still_the_same(requester: Person, project: str, new_events: Events) -> None:
    body = {"type": "bug", "project": project, "title": UNTIDY_LINE, "description": UNTIDY_TEXT}
    key = {"Idempotency-Key": f"untidy-{project}"}
    first, again = (requester.post("/tickets", json=body, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code, again.headers["idempotent-replayed"]) == (201, 201, "true")
    assert again.json() == first.json()
    assert len(new_events()) == 1


FULLEST = {
    "title": "😀" * 200,
    "description": "😀" * 65536,
    "tags": [f"{n:02}" + "😀" * 48 for n in range(20)],
    "environment": {f"{n:02}" + "😀" * 48: "😀" * 500 for n in range(30)},
}


def test_the_longest_of_everything_can_be_sent_in_the_longest_way(
    agent: Person, project: str, new_events: Events
) -> None:
    """As two escapes of 6 bytes each, which is how many clients write what is beyond the first plane of Unicode."""
    body = json.dumps({"type": "bug", "project": project} | FULLEST, indent=4)
    made = agent.post("/tickets", content=body, headers={"Content-Type": "application/json"})
    assert made.status_code == 201, made.text[:500]
    path = f"/tickets/{made.json()['number']}"
    ended = {"status": "resolved", "resolution": "fixed", "resolution_note": "😀" * 10_000}
    patched = agent.request("PATCH", path, content=json.dumps(FULLEST | ended, indent=4), headers=MERGE_PATCH)
    assert patched.status_code == 200, patched.text[:500]
    said = json.dumps({"body": "😀" * 65536})
    assert agent.post(f"{path}/comments", content=said, headers={"Content-Type": "application/json"}).status_code == 201
    for event in new_events()[:2]:
        assert FULLEST.items() <= event["data"].items()


# In the contract ----------------------------------------------------------------------------------------------------

DOCUMENT = whole()
UNTIDY = "a\u202eb"


def strings(node: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of text in a part of the document, with its place."""
    if isinstance(node, list):
        for index, inner in enumerate(node):
            yield from strings(inner, f"{place}/{index}")
    elif isinstance(node, dict):
        if "$ref" in node:
            target = DOCUMENT
            for part in node["$ref"].split("/")[1:]:
                target = target[part]
            yield from strings(target, node["$ref"])
        if "string" in node.get("type", ()):
            yield place, node
        for key, inner in node.items():
            if key not in ("examples", "example", "responses"):
                yield from strings(inner, f"{place}/{key}")


def test_the_contract_names_a_form_for_all_text_that_people_write() -> None:
    # Faults of a query name places in it, so it is read as it came, and its values get their forms one by one.
    (query,) = [
        each["schema"] for each in DOCUMENT["paths"]["/tickets"]["get"]["parameters"] if each.get("name") == "q"
    ]
    asked = [
        schema
        for path, item in DOCUMENT["paths"].items()
        for part in (item.get("parameters", []), *(item[m] for m in ("get", "post", "patch", "delete") if m in item))
        for _, schema in strings(part, path)
        if schema is not query
    ]
    assert len(asked) > 100
    for schema in asked:
        is_free = not schema.keys() & {"enum", "const", "format"} and re.search(schema["pattern"], UNTIDY)
        assert not is_free or schema["x-form"] in ("line", "tag", "text"), schema
        assert "pattern" not in schema or schema["x-must"].startswith("must "), schema
