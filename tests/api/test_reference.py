"""The reference and the guides: all of the contract is on the page, and nothing on it leads nowhere or runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urljoin

import httpx
import pytest

from ticketing import contract
from ticketing.ground import paths
from ticketing.web import reference
from ticketing.web.reference import prose, samples
from ticketing.web.reference.document import Document, Request
from ticketing.web.reference.shapes import Shapes

DOCUMENTS = {path: contract.load(file) for path, file in paths.DOCUMENTS.items()}
GUIDES = sorted(["changelog", *(path.stem for path in paths.GUIDES.glob("*.md"))])
PAGES = [*reference.REFERENCES, *(f"/docs/guides/{name}" for name in GUIDES)]


class Elements(HTMLParser):
    """The elements of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def values(self, name: str) -> list[str]:
        return [str(attributes[name]) for _, attributes in self.found if name in attributes]


@pytest.fixture(scope="module")
def web(service: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service) as client:
        yield client


@pytest.fixture(params=reference.REFERENCES, scope="module")
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def source(path: str) -> Any:
    """The document of the page."""
    return DOCUMENTS[reference.REFERENCES[path]]


@pytest.fixture(scope="module")
def page(web: httpx.Client, path: str) -> Elements:
    return Elements(web.get(path).text)


def test_everything_in_a_document_has_a_place(page: Elements, source: Any) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    parsed = Document(source)
    shapes = Shapes(parsed)
    expected = {each.id for each in parsed.operations} | {f"message-{each.path}" for each in parsed.messages}
    expected |= {f"schema-{name}" for name, schema in parsed.schemas.items() if shapes.shape(schema).fields}
    methods = ("get", "post", "put", "patch", "delete")
    assert len(parsed.operations) == sum(name in item for item in source["paths"].values() for name in methods)
    assert expected <= set(ids)


@pytest.mark.parametrize("at", PAGES)
def test_every_link_leads_somewhere(web: httpx.Client, at: str) -> None:
    found = Elements(web.get(at).text)
    ids = set(found.values("id"))
    links = [link for link in found.values("href") if not link.startswith("http")]
    assert {unquote(link[1:]) for link in links if link.startswith("#")} <= ids
    for link in {urljoin(at, link).partition("#")[0] for link in links if not link.startswith("#")}:
        assert web.get(link, follow_redirects=True).status_code == 200, link


@pytest.mark.parametrize("at", PAGES)
def test_a_page_runs_only_the_script_of_this_installation(web: httpx.Client, at: str) -> None:
    response = web.get(at)
    policy = response.headers["content-security-policy"]
    assert "unsafe" not in policy and "default-src 'none'" in policy
    for tag, attributes in Elements(response.text).found:
        assert tag != "style" and "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert tag != "script" or "src" in attributes
        source = attributes.get("src") or ""
        assert ":" not in source and not source.startswith("//")


def test_every_operation_can_be_tried(page: Elements, path: str, source: Any) -> None:
    """Swagger UI finds an operation by its tag and id."""
    begin = {"/docs": "docs/try#", "/docs/ops": "../docs/try?ops#"}[path]
    tried = {link.removeprefix(begin) for link in page.values("href") if link.startswith(begin)}
    assert {unquote(each) for each in tried} == {f"/{each.tag}/{each.id}" for each in Document(source).operations}


def test_every_operation_is_shown_in_every_language(page: Elements, source: Any) -> None:
    shown = page.values("data-language")
    assert shown == list(samples.LANGUAGES) * len(Document(source).operations)


HOSTILE = "<script>alert(1)</script> <img src=x onerror=alert(1)> `<b>` [x](javascript:alert(1))"


def made(**changes: Any) -> dict[str, Any]:
    """A small document with text that would run."""
    return {
        "openapi": "3.1.1",
        "info": {"title": HOSTILE, "version": HOSTILE, "description": f"{HOSTILE}\n\n## {HOSTILE}\nText"},
        "servers": [{"url": "/api/v1"}],
        "tags": [{"name": HOSTILE, "description": HOSTILE}],
        "paths": {
            "/things/{id}": {
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}, "example": "a/b c"}
                ],
                "put": {
                    "operationId": "put_thing",
                    "summary": HOSTILE,
                    "description": HOSTILE,
                    "tags": [HOSTILE],
                    "requestBody": {
                        "content": {
                            "application/json": {
                                "schema": {"$ref": "#/components/schemas/Thing"},
                                "examples": {"one": {"summary": HOSTILE, "value": {HOSTILE: HOSTILE}}},
                            }
                        }
                    },
                    "responses": {"204": {"description": HOSTILE}, "default": {"description": HOSTILE}},
                },
            }
        },
        "components": {
            "schemas": {
                "Thing": {
                    "type": "object",
                    "description": HOSTILE,
                    "properties": {
                        HOSTILE: {"type": "string", "enum": [HOSTILE], "description": HOSTILE, "x-must": HOSTILE},
                        "parent": {"oneOf": [{"$ref": "#/components/schemas/Thing"}, {"type": "null"}]},
                    },
                }
            }
        },
        **changes,
    }


def test_text_of_a_contract_does_not_run() -> None:
    found = Elements(
        reference.reference("/docs", dict.fromkeys(DOCUMENTS, made()), server="https://support.example", guides={})
    ).found
    assert [tag for tag, _ in found if tag == "script"] == ["script"]
    assert [tag for tag, _ in found if tag in ("img", "b", "iframe")] == []
    for _, attributes in found:
        assert not [name for name in attributes if name.startswith("on")]
        assert not any((attributes.get(name) or "").startswith("javascript:") for name in ("href", "src"))


def shape(schema: dict[str, Any], **others: Any) -> Any:
    return Shapes(Document(made(components={"schemas": {"Thing": schema, **others}}))).shape(schema)


def test_a_field_says_what_it_may_hold() -> None:
    fields = {
        each.name: each
        for each in shape(
            {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "minLength": 1, "maxLength": 20},
                    "size": {"type": ["integer", "null"], "minimum": 0, "maximum": 9, "default": 3},
                    "role": {"type": "string", "x-extensible-enum": ["agent"]},
                    "tags": {"type": "array", "maxItems": 2, "items": {"type": "string", "maxLength": 5}},
                    "who": {"oneOf": [{"$ref": "#/components/schemas/Person"}, {"type": "null"}]},
                    "type": {"type": "string", "const": "x"},
                    "facts": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 7}},
                    "inner": {"type": "object", "properties": {"deep": {"type": "string", "format": "date-time"}}},
                },
            },
            Person={"type": "object", "properties": {"name": {"type": "string"}}},
        ).fields
    }
    assert (fields["name"].required, fields["size"].required) == (True, False)
    assert fields["name"].limits == ["1 to 20 characters"]
    assert fields["size"].limits == ["0 to 9", "by default 3"]
    assert (fields["role"].values, fields["role"].grows) == (["agent"], True)
    assert fields["tags"].limits == ["at most 2 items", "each item at most 5 characters"]
    assert fields["who"].type == '<a href="#schema-Person" class="schema">Person</a> or null'
    assert fields["type"].values == ["x"]
    assert [each.limits for each in fields["facts"].inside.fields] == [["at most 7 characters"]]
    assert [each.type for each in fields["inner"].inside.fields] == ["date-time"]


def test_alternatives_and_titled_conditions_are_shown() -> None:
    fields = {"type": "object", "properties": {"a": {"type": "string"}}}
    union = shape({"oneOf": [{"$ref": "#/components/schemas/One"}, {"title": "Two", **fields}]}, One=fields)
    assert [(title, inside is None) for title, _, inside in union.variants] == [("", True), ("Two", False)]
    conditional = shape({**fields, "if": {"required": ["a"]}, "then": {"title": "With a", **fields}})
    assert [title for title, _, _ in conditional.variants] == ["With a"]


@pytest.mark.parametrize("language", samples.LANGUAGES)
def test_a_sample_holds_whatever_an_example_holds(language: str) -> None:
    awkward = 'it\'s "quoted" `back` $HOME ${x} \\ 日本\n%'
    request = Request("POST", "/a%24b?c=d", {"X-Odd": awkward}, {awkward: [awkward, None, True, {}]}, True, False, True)
    text = samples.LANGUAGES[language](request)
    assert "日本" in text
    if language == "Python":
        compile(text, "sample.py", "exec")


def test_headings_have_anchors_and_files_link_as_pages() -> None:
    html = prose.article("# A\n\n## Two words, `code`\n\nSee [b](errors.md#x) and [c](https://example.org/x.md).\n")
    assert '<h2 id="two-words-code">' in html
    assert re.findall(r'href="([^"]+)"', html) == ["errors#x", "https://example.org/x.md"]
