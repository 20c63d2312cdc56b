"""Whatever comes in: never a 5xx, always a problem document, and no more work than the input is worth."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import time
import tracemalloc
from typing import Any

import pytest
import schemathesis
from contract.asking import JSON, LIBRARIAN, Chunks, app, check, exchange, http_scope, post
from contract.sample import library
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection

from ticketing.contract import strict_json
from ticketing.contract.document import operations
from ticketing.contract.schemas import MOST_FAULTS

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
bodies = st.binary(max_size=300) | json_values.map(lambda value: json.dumps(value).encode())
segments = st.sampled_from(["books", "newest", "loans", "1", "%2F", "%FF", "..", ""]) | st.text(
    st.characters(codec="ascii", exclude_characters="?#"), max_size=6
)
queries = st.lists(
    st.tuples(st.sampled_from(["limit", "kind", "word", "lent", "shelf", "unit", "x", "%"]), st.binary(max_size=8)),
    max_size=4,
).map(lambda pairs: b"&".join(name.encode() + b"=" + value for name, value in pairs))
header_names = st.sampled_from(
    [
        "authorization", "content-type", "content-length", "transfer-encoding", "content-encoding", "accept",
        "if-none-match", "if-match", "idempotency-key", "x-request-id", "x",
    ]
)  # fmt: skip
header_values = st.sampled_from(["Bearer librarian", "application/json", "application/merge-patch+json", "0", "7", "*"])
headers = st.lists(
    st.tuples(header_names, header_values | st.text(st.characters(codec="latin-1"), max_size=20)), max_size=6
)
methods = st.sampled_from(["GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "PUT", "TRACE", ""])


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(methods, st.lists(segments, max_size=5), queries, headers, bodies, st.booleans())
def test_whatever_comes_in_is_judged(
    method: str, path: list[str], query: bytes, given_headers: list[tuple[str, str]], body: bytes, trusted: bool
) -> None:
    pairs = [*given_headers, *(JSON.items() if trusted else ())]
    scope = http_scope(method, "/".join(["/api/v1", *path]).encode("latin-1"), query, pairs)
    reply = asyncio.run(exchange(app(), scope, Chunks([body])))
    check(reply, method)
    assert reply.status < 500


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(json_values)
def test_a_body_is_either_refused_or_kept_as_it_is(value: Any) -> None:
    encoded = json.dumps(value).encode()
    try:
        assert strict_json.loads(encoded) == value
    except (strict_json.Unreadable, strict_json.Unkept):
        text = encoded.decode()
        numbers: list[str] = []
        json.loads(text, parse_int=numbers.append)
        assert "\\u0000" in text or "NaN" in text or "Infinity" in text or any(len(number) > 18 for number in numbers)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", ":", "\\u003a", 'q\\"']), st.sampled_from(['"x"', '":"', '"\\u003a"', "1", "{}"])
        )
    )
)
def test_a_name_that_stands_twice_is_always_found(members: list[tuple[str, str]]) -> None:
    encoded = ("{" + " , ".join(f'"{name}" : {value}' for name, value in members) + "}").encode()
    distinct = {json.loads(f'"{name}"') for name, _ in members}
    if len(distinct) == len(members):
        assert strict_json.loads(encoded) == json.loads(encoded)
    else:
        with pytest.raises(strict_json.Unkept, match="twice"):
            strict_json.loads(encoded)


@pytest.mark.parametrize("digits", ["18446744073709551616", "-9223372036854775809", "9" * 25])
def test_an_integer_beyond_64_bits_is_refused(digits: str) -> None:
    for text in (digits, f"[{digits}]", f'{{"a":{digits}}}'):
        with pytest.raises(strict_json.Unkept, match="64 bits"):
            strict_json.loads(text.encode())


@pytest.mark.parametrize(
    "text", ["18446744073709551615", "-9223372036854775808", "1e300", '"99999999999999999999"', "1e19"]
)
def test_other_large_numbers_are_kept(text: str) -> None:
    assert strict_json.loads(text.encode()) == json.loads(text)


def held(value: Any) -> int:
    """How many values there are in one, itself included; an empty list or object counts as two."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return 1 + (sum(map(held, inner)) or isinstance(value, dict | list))


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.text('",[{}]:\\\n a', max_size=30),
        lambda inner: st.lists(inner) | st.dictionaries(st.text('",[{}]:\\ a'), inner),
        max_leaves=20,
    ),
    st.sampled_from([None, 4]),
    st.sampled_from([-1, 0, 1, 2, 1000]),
)
def test_a_body_holds_so_many_values_and_no_more_whatever_is_in_its_texts(
    value: Any, indent: int | None, more: int
) -> None:
    filled = [value, *[0] * (strict_json.MOST_VALUES - 1 - held(value) + more)]
    encoded = json.dumps(filled, indent=indent).encode()
    if held(filled) > strict_json.MOST_VALUES:
        with pytest.raises(strict_json.Excessive):
            strict_json.loads(encoded)
    else:
        assert strict_json.loads(encoded) == filled


@pytest.mark.parametrize("piece", [b"[]", b"{}", b'""', b"0", b"1e300", b'{"":0}', b"null"])
@pytest.mark.parametrize("around", [b"[%b]", b'{"tags":[%b]}', b'{"notes":{"a":[%b]}}', b'["[\\"",%b', b"[%b,"])
def test_no_values_are_made_of_a_body_that_has_too_many(piece: bytes, around: bytes) -> None:
    body = around % b",".join([piece] * 30_000)
    tracemalloc.start()
    try:
        with pytest.raises(strict_json.Excessive):
            strict_json.loads(body)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    reply = post(around % b",".join([piece] * 5_000))
    assert (reply.status, reply.json()["code"]) == (413, "content_too_large")
    assert str(strict_json.MOST_VALUES) in reply.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"tags":[' + b"1," * 900 + b"1]}",
        b"{" + b",".join(b'"%d":1' % number for number in range(900)) + b"}",
        b'{"notes":{' + b",".join(b'"%d":1' % number for number in range(900)) + b"}}",
        b'{"tags":[' + b",".join([b'"' + b"x" * 60 + b'"'] * 900) + b"]}",
    ],
    ids=["items", "members", "values", "texts"],
)
def test_of_many_faults_a_hundred_are_told(body: bytes) -> None:
    assert 1 <= len(post(body).json()["errors"]) <= MOST_FAULTS


@pytest.mark.parametrize(
    "body",
    [
        b'{"tags":[' + b"1," * 30_000 + b"1]}",
        b"{" + b",".join(b'"%d":1' % number for number in range(6_000)) + b"}",
        b'{"notes":{' + b",".join(b'"%d":1' % number for number in range(6_000)) + b"}}",
        b'{"title":"' + b"\\u0001" * 10_000 + b'","kind":"' + b"x" * 5_000 + b'"}',
        b"[" + b"[]," * 20_000 + b"[]]",
    ],
    ids=["items", "members", "values", "text", "arrays"],
)
def test_nonsense_is_refused_soon_and_not_repeated(body: bytes) -> None:
    began = time.process_time()
    reply = post(body)
    assert time.process_time() - began < 1
    assert reply.status in (413, 422)
    assert all(len(fault["detail"]) <= 500 for fault in reply.json().get("errors", ()))
    assert len(reply.body) < 20_000


def test_a_body_of_200_mb_takes_no_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    chunks = Chunks(bytes(1024 * 1024) for _ in range(200))
    assert post(chunks).status == 413
    assert chunks.taken <= 2 * 1024 * 1024
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024


@pytest.mark.slow
def test_schemathesis_finds_no_broken_promise() -> None:
    """A few examples of each operation in process, judged by all checks of schemathesis."""
    config = SchemathesisConfig.from_dict({"generation": {"database": "none", "allow-x00": False}})
    document = library.document()
    schema = schemathesis.openapi.from_dict(document, config=config)
    schema.app = app()
    for operation in operations(document):
        for mode in GenerationMode:
            sample(schema[operation.path][operation.method], mode)


def sample(operation: Any, mode: GenerationMode) -> None:
    # What is missing on purpose is not to be added.
    cookies = {"session": "s-librarian"} if mode is GenerationMode.POSITIVE else {}
    excluded: list[Any] = []
    if "x-anonymous" in operation.definition.raw or len(operation.definition.raw["security"]) > 1:
        excluded.append(ignored_auth)  # It takes away one credential, and others are as good, or none is needed.
    if any(not body.media_type.endswith("json") for body in operation.body):
        excluded.append(negative_data_rejection)  # In bytes and in a form, false is a text like any other.

    @settings(max_examples=4, deadline=None, derandomize=True)
    @given(operation.as_strategy(generation_mode=mode))
    def judged(case: Any) -> None:
        headers = {**LIBRARIAN, "X-Library": "here"}
        case.call_and_validate(headers=headers, cookies=cookies, excluded_checks=excluded)

    with contextlib.suppress(Unsatisfiable):  # Without parameters there is nothing to get wrong.
        judged()
