"""Each pitfall of connexion 3.3 that was ever reproduced, and that this engine does not fall into it."""

from __future__ import annotations

import copy

import pytest
from contract.asking import JSON, LIBRARIAN, MERGE_PATCH, Chunks, ask, get, post
from contract.sample import library

from ticketing import contract

BOOK = b'{"title": "x", "kind": "novel"}'


def test_a_duplicate_operation_id_does_not_open_a_protected_path() -> None:
    document = library.document()
    document["paths"]["/opening-hours"]["get"]["operationId"] = "list_books"
    with pytest.raises(contract.ContractError, match="GET /opening-hours are both called list_books"):
        library.application(document=document, catalogue={})


def test_an_upper_case_media_type_is_validated_like_any_other() -> None:
    shouting = {**JSON, "Content-Type": "Application/JSON ; charset=UTF-8"}
    assert post(b"{}", shouting).status == 422
    assert post(BOOK, shouting).status == 201


def test_security_is_never_optional() -> None:
    document = library.document()
    document["paths"]["/books"]["get"]["security"] = [{"bearer": []}, {}]
    with pytest.raises(contract.ContractError, match="GET /books makes its security optional"):
        library.application(document=document, catalogue={})


def test_an_exception_in_authentication_is_not_anonymity(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(token: str) -> str:
        raise RuntimeError("no database")

    reply = get("/books", application=library.application(authenticators={**library.AUTHENTICATORS, "bearer": broken}))
    assert (reply.status, reply.code) == (500, "internal_error")
    assert "no database" not in reply.body.decode()


def test_a_chunked_body_is_a_body() -> None:
    assert post(Chunks([BOOK[:5], b"", BOOK[5:]])).status == 201


def test_a_chunked_body_without_content_is_none() -> None:
    assert post(Chunks([])).code == "malformed_request"


@pytest.mark.parametrize(
    "body",
    [
        b"\xff",
        b'{"title": "\xc3"}',
        b"9" * 4300,
        b'{"scale": ' + b"9" * 300 + b"}",
        b"[" * 500 + b"]" * 500,
        b"",
        b"\xef\xbb\xbf{}",
        b"{} {}",
    ],
    ids=["utf-8", "utf-8-inside", "4300-digits", "300-digits", "500", "empty", "bom", "two"],
)
def test_a_malformed_body_is_400_and_not_500(body: bytes) -> None:
    assert (post(body).status, post(body).code) == (400, "malformed_request")


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000], ids=["arrays", "objects"])
def test_a_nesting_of_100_000_is_413_and_not_500(body: bytes) -> None:
    assert ask("PATCH", "/books/1", MERGE_PATCH, body).code == "content_too_large"


def test_a_bogus_charset_is_415_and_not_500() -> None:
    for charset in ("bogus", "latin-1", '"utf-16"', "", "\xe9"):
        assert post(BOOK, {**JSON, "Content-Type": f"application/json; charset={charset}"}).status == 415
    assert post(BOOK, {**JSON, "Content-Type": 'application/json; charset="utf-8"'}).status == 201


@pytest.mark.parametrize(
    "media_type", ["multipart/form-data", "text/plain", "garbage", "", ";", "application/*", "*/*"]
)
def test_a_media_type_that_is_not_declared_is_415(media_type: str) -> None:
    assert post(BOOK, {**LIBRARIAN, "Content-Type": media_type}).status == 415


def test_a_body_without_a_media_type_is_415() -> None:
    assert post(BOOK, LIBRARIAN).status == 415


def test_a_query_parameter_without_a_type_is_text() -> None:
    document = library.document()
    for parameter in document["paths"]["/books"]["get"]["parameters"]:
        if parameter.get("name") == "shelf":
            parameter["schema"] = {}
    application = library.application(document=document)
    assert get("/books?shelf=17", application=application).status == 200


@pytest.mark.parametrize(
    "text", ["1_000", " 12 ", "12%20", "%D9%A3", "%2B7", "+7", "007", "1.0", "1e1", "0x10", "", "9" * 4300]
)
def test_what_python_takes_for_an_integer_is_none(text: str) -> None:
    assert "limit" in get(f"/books?limit={text}").faults()


@pytest.mark.parametrize("text", ["1_000", "1", "%D9%A3", "%2B7", "abc", "9" * 4300, "9" * 19, "-1", "0"])
def test_nor_in_a_path(text: str) -> None:
    assert get(f"/books/{text}").status == (200 if text == "1" else 400)


@pytest.mark.parametrize("text", ["nan", "NaN", "inf", "-inf", "1e999", "1_0.5", ".5", "5.", "%D9%A3", "+1"])
def test_what_python_takes_for_a_number_is_none(text: str) -> None:
    assert "price_below" in get(f"/books?price_below={text}").faults()


@pytest.mark.parametrize("text", ["TRUE", "True", "1", "yes", "on", ""])
def test_what_python_takes_for_a_boolean_is_none(text: str) -> None:
    assert "lent" in get(f"/books?lent={text}").faults()


def test_parameters_have_the_types_of_their_schemas() -> None:
    given = get("/books?limit=3&price_below=1.5e1&lent=false&kind=no,atlas&word=a,b&word=c").json()["given"]
    assert given == {
        "limit": 3,
        "price_below": 15.0,
        "lent": False,
        "kind": ["no", "atlas"],
        "word": ["a,b", "c"],
    }


def test_a_repeated_scalar_is_refused() -> None:
    assert get("/books?limit=1&limit=2").faults() == {"limit": "This is given 2 times."}


def test_a_list_may_also_repeat_its_name() -> None:
    assert get("/books?kind=no&kind=atlas").json()["given"]["kind"] == ["no", "atlas"]


def test_an_unknown_parameter_is_refused() -> None:
    assert get("/books?limt=1&Limit=2").faults().keys() == {"limt", "Limit"}


@pytest.mark.parametrize(
    "body", [b'{"title":"x","title":"y","kind":"no"}', b'{"title":"a:b","notes":{"n":"\\u003a","n" :"2"},"kind":"no"}']
)
def test_a_duplicate_key_is_refused(body: bytes) -> None:
    reply = post(body)
    assert reply.code == "malformed_request"
    assert "twice" in reply.json()["detail"]


@pytest.mark.parametrize(
    "body", [b'{"title":"\\u0000","kind":"no"}', b'{"title":"x","kind":"no","notes":{"\\u0000":"x"}}', b'"\\u0000"']
)
def test_nul_is_refused_in_a_body(body: bytes) -> None:
    assert post(body).code == "malformed_request"


@pytest.mark.parametrize(
    "target", ["/books?word=%00", "/books?word=a%00b", "/books/1/loans/%00?unit=days", "/books?%00=1"]
)
def test_nul_is_refused_in_parameters(target: str) -> None:
    assert get(target).code == "invalid_parameter"


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("/books?word=%FF", "invalid_parameter"),
        ("/books?kind=%ED%A0%80", "invalid_parameter"),
        ("/books?%FF=1", "malformed_request"),
        ("/books?word=\xff", "malformed_request"),
        ("/books/1/loans/%FF?unit=days", "invalid_parameter"),
        ("/books/%ED%A0%80", "invalid_parameter"),
    ],
)
def test_what_is_not_utf_8_is_400(target: str, code: str) -> None:
    reply = get(target)
    assert (reply.status, reply.code) == (400, code)


def test_text_in_any_script_is_read() -> None:
    assert get("/books/1/loans/%C3%A9%F0%9F%93%9A?unit=days").json() == {"loan_id": "é📚"}
    assert get("/books?word=%C3%A9+%2B").json()["given"]["word"] == ["é +"]


def test_an_empty_list_has_no_items() -> None:
    assert get("/books?kind=").json()["given"]["kind"] == []


def test_formats_are_checked() -> None:
    assert get("/books?shelf=17&since=yesterday").faults().keys() == {"shelf", "since"}
    assert get("/books/2147483648").status == 400
    assert post(b'{"title":"x","kind":"no","isbn":"17"}').faults().keys() == {"#/isbn"}


def test_an_encoded_comma_beside_plain_ones_is_part_of_an_item() -> None:
    assert get("/books?kind=no%2Catlas,novel").faults() == {
        "kind": 'Item 0: "no,atlas" is not one of "novel", "atlas", "no".'
    }


def test_lists_of_clients_that_encode_every_comma_are_read() -> None:
    assert get("/books?kind=no%2Catlas").json()["given"]["kind"] == ["no", "atlas"]


def test_header_parameters_are_judged() -> None:
    document = library.document()
    document["paths"]["/books"]["post"]["parameters"][0]["required"] = True
    application = library.application(document=document)
    assert post(BOOK, application=application).faults() == {"Idempotency-Key": "This header is required."}
    assert post(BOOK, {**JSON, "Idempotency-Key": "x" * 256}).faults().keys() == {"Idempotency-Key"}
    assert post(BOOK, {**JSON, "Idempotency-Key": "x"}).status == 201


def test_a_concrete_path_goes_before_a_templated_one() -> None:
    assert get("/books/newest").json()["title"] == "The newest"


@pytest.mark.parametrize("target", ["/books/", "/books/1/", "//books", "/books/1/loans", "/", ""])
def test_a_trailing_slash_is_404_without_redirect(target: str) -> None:
    assert get(target).status == 404


def test_an_encoded_slash_is_part_of_a_segment() -> None:
    assert get("/books/1/loans/a%2Fb?unit=days").json() == {"loan_id": "a/b"}
    assert get("/books/1%2Floans%2Fa?unit=days").status == 400


def test_allow_is_complete() -> None:
    for method in ("PUT", "TRACE", "BREW"):
        reply = ask(method, "/books/1")
        assert (reply.status, reply.headers["allow"]) == (405, "DELETE, GET, HEAD, OPTIONS, PATCH")
    reply = ask("OPTIONS", "/books/newest", {})
    assert (reply.status, reply.headers["allow"], reply.body) == (204, "GET, HEAD, OPTIONS", b"")


def test_401_says_how_to_authenticate() -> None:
    for headers, challenge in (
        ({}, "Bearer"),
        ({"Authorization": "Basic bGlicmFyaWFu"}, "Bearer"),
        ({"Authorization": "Bearer"}, 'Bearer error="invalid_token"'),
        ({"Authorization": "Bearer unknown"}, 'Bearer error="invalid_token"'),
        ({"Authorization": "bearer \xe9"}, 'Bearer error="invalid_token"'),
    ):
        reply = get("/books", headers)
        assert (reply.status, reply.headers["www-authenticate"]) == (401, challenge)
    assert get("/books", [("Authorization", "Bearer librarian"), ("Authorization", "Bearer reader")]).status == 401


def test_all_faults_are_told() -> None:
    assert post(b'{"title":"","kind":"atlas","tags":["a","a"],"zz":1,"pages":"x"}').faults() == {
        "#/title": "This must not be blank.",
        "#/tags": "This holds an item twice.",
        "#/pages": '"x" is not an integer or null.',
        "#/zz": "There is no property of this name here.",
        "#/scale": "This is required.",
    }


def test_a_problem_may_be_declared_beside_json() -> None:
    assert get("/books/404").code == "not_found"
    assert get("/books/1").status == 200


def test_bodies_are_capped_before_they_are_read() -> None:
    chunks = Chunks(b"x" * 65_536 for _ in range(3_200))
    reply = post(chunks)
    assert (reply.status, reply.headers["connection"]) == (413, "close")
    assert chunks.taken <= 65_536 * 2
    announced = Chunks([b"x"])
    reply = post(announced, {**JSON, "Content-Length": str(200 * 1024 * 1024)})
    assert (reply.status, announced.taken) == (413, 0)
    assert post(b'{"title":"' + b"x" * 65_536 + b'"}').status == 413


def test_the_default_cap_is_a_mebibyte() -> None:
    fitting = b'{"title":"' + b"x" * (1024 * 1024 - 12) + b'"}'
    assert ask("PATCH", "/books/1", MERGE_PATCH, fitting).status == 422
    assert ask("PATCH", "/books/1", MERGE_PATCH, fitting + b" ").status == 413


def test_the_contract_does_not_pass_through_jinja_or_yaml_1_1() -> None:
    document = library.document()
    document["info"]["title"] = "{{ 7 * 7 }}"
    before = copy.deepcopy(document)
    library.application(document=document)
    assert document == before
    assert post(b'{"title":"x","kind":"no"}').status == 201, "`no` is a word, not false"


def test_a_recursive_schema_is_bound() -> None:
    assert "sequel" in library.document()["components"]["schemas"]["Book"]["properties"]


def test_connexion_serves_no_pages_of_its_own() -> None:
    for target in ("/ui/", "/ui", "/openapi.json", "/swagger.json"):
        assert get(target).status == 404


def test_rules_of_3_1_are_enforced() -> None:
    assert post(b'{"title":"x","kind":"atlas","scale":1000}').status == 201
    assert post(b'{"title":"x","kind":"novel","scale":1000}').faults() == {"#/scale": "This is not allowed here."}
    assert post(b'{"title":"x","kind":"novel","pages":null}').status == 201
