"""The contract, executed: schemathesis makes the requests, and the service has to keep every promise."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from openapi_spec_validator import validate
from schemathesis.core.failures import AcceptedNegativeData

import judging
from conftest import Person, signed_up, spawned
from fuzz import ALL_BUT_THESE, schemathesis
from judged import DOCUMENTS, whole
from ticketing import api, contract
from ticketing.ground import errors, paths


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize(
    ("document", "options"),
    [
        (paths.API, (*ALL_BUT_THESE, "--phases", "examples")),
        (paths.OPS, ("--phases", "examples,stateful", "--max-examples", "1")),
    ],
    ids=["contract", "operations"],
)
def test_every_operation_keeps_its_promises(
    new_database: Callable[..., str], document: str, options: tuple[str, ...]
) -> None:
    """All of schemathesis' checks, on the documents' examples, and on operations that follow each other.

    CI also runs `make fuzz`: all operations, after each other, at the limits of each schema, and by chance.

    On a service of its own, as it changes whomever and whatever it finds.
    """
    database_url = new_database()
    with psycopg.connect(database_url, autocommit=True) as conn:
        admin = signed_up(conn, "admin")
    with spawned(database_url) as url, Person(url, *admin) as client:
        done = schemathesis(url, client.token, *options, "--seed", "1", document=document, capture_output=True)
        assert done.returncode == 0, done.stdout[-20_000:]
        assert client.get("/me").status_code == 200, "it lost its token on the way"


@pytest.mark.parametrize("path", DOCUMENTS)
def test_the_document_is_valid(path: str) -> None:
    validate(DOCUMENTS[path])


def test_every_error_of_the_rules_is_in_the_catalogue() -> None:
    catalogue = contract.load(paths.SPEC / "problems.yaml")
    raised = {
        error.slug
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, contract.Problem) and error.slug
    }
    assert raised <= catalogue.keys()


def test_every_example_of_a_problem_is_one_of_the_catalogue() -> None:
    """And every type of problem that an operation can have is an example; the others come before it is known."""
    catalogue = contract.load(paths.SPEC / "problems.yaml")
    examples = [
        example["value"] for example in _examples({path: contract.load(file) for path, file in paths.DOCUMENTS.items()})
    ]
    for example in examples:
        slug = example["code"].replace("_", "-")
        said = {name: example[name] for name in ("type", "title", "status")}
        assert said == {"type": f"/problems/{slug}", **{name: catalogue[slug][name] for name in ("title", "status")}}
    shown = {example["code"].replace("_", "-") for example in examples}
    assert catalogue.keys() - shown == BEFORE_AN_OPERATION


def test_every_problem_that_a_text_names_is_one_of_the_catalogue() -> None:
    catalogue = contract.load(paths.SPEC / "problems.yaml")
    guides = [path.read_text() for path in paths.GUIDES.glob("*.md")]
    texts = "\n".join([*(file.read_text() for file in paths.DOCUMENTS.values()), *guides])
    named = set(re.findall(r"\b([45]\d\d):? `([a-z]+(?:_[a-z]+)*)`", texts))
    known = {(str(problem["status"]), slug.replace("-", "_")) for slug, problem in catalogue.items()}
    assert ("409", "already_exists") in named
    assert named <= known


BEFORE_AN_OPERATION = {"method-not-allowed", "uri-too-long", "header-fields-too-large", "not-implemented"}


def _examples(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        if isinstance(node.get("value"), dict) and "request_id" in node["value"]:
            yield node
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from _examples(inner)


def operations() -> list[tuple[str, dict[str, Any]]]:
    """Every operation with its id."""
    return [
        (operation["operationId"], operation)
        for item in whole()["paths"].values()
        for method, operation in item.items()
        if method in ("get", "post", "patch", "put", "delete")
    ]


@pytest.mark.parametrize(("operation_id", "operation"), operations())
def test_every_operation_shows_how(operation_id: str, operation: dict[str, Any]) -> None:
    """An example of each request and of each successful answer that has a body."""
    assert operation_id in api.__all__
    if "requestBody" in operation:
        assert all(media.get("examples") for media in operation["requestBody"]["content"].values())
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            assert all(media.get("examples") for media in response.get("content", {}).values())
        for link in response.get("links", {}).values():
            assert link["operationId"] in api.__all__


def test_schemathesis_is_not_told_that_any_problem_may_come() -> None:
    document = deepcopy(whole())
    operations = [each for item in document["paths"].values() for each in item.values() if "responses" in each]
    assert all("default" in each["responses"] for each in operations)
    judging.before_load_schema(None, document)
    assert not any("default" in each["responses"] for each in operations)


@pytest.mark.parametrize(("name", "status", "told"), [("a\x17", 201, False), ("ab", 201, True), ("ab", 414, False)])
def test_what_the_contract_says_in_words_is_no_fault(name: str, status: int, told: bool) -> None:
    message = "Invalid component: in body - violates `maxLength` at /properties/name"
    failure = AcceptedNegativeData(operation="x", message=message, status_code=status, expected_statuses=["4xx"])
    case, response = SimpleNamespace(body={"names": [name]}), SimpleNamespace(status_code=status)
    assert judging.filter_failure(None, failure, case, response) is told
