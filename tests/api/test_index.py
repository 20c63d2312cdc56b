"""The index, and the release that every answer names."""

from __future__ import annotations

import socket
from urllib.parse import urljoin, urlsplit

import pytest

from conftest import configured
from judged import Judged
from ticketing import __version__


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/"])
def test_the_index_leads_to_the_contract_without_a_token(anonymous: Judged, path: str) -> None:
    url = f"{str(anonymous.base_url).rstrip('/')}{path}"
    response = anonymous.get(url)
    index = response.json()
    contract = anonymous.get(urljoin(url, index["links"]["contract"])).json()
    assert (response.status_code, index["release"]) == (200, __version__)
    assert index["contract_version"] == contract["info"]["version"]
    assert all(anonymous.get(urljoin(url, link)).is_success for link in index["links"].values())
    head = anonymous.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == response.headers["content-length"]
    assert anonymous.options(url).headers["allow"] == anonymous.post(url).headers["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(("webhooks", "outbound"), [(True, True), (True, False), (False, True)])
def test_the_index_says_what_is_switched_on(anonymous: Judged, webhooks: bool, outbound: bool) -> None:
    changes: dict[str, str | None] = {"outbound": "on" if outbound else "off"}
    if not webhooks:
        changes["secret_keys"] = None
    with configured(**changes):
        assert anonymous.get("/").json()["features"] == {"webhooks": webhooks, "outbound": outbound}


def test_the_index_takes_no_parameters_and_speaks_only_json(anonymous: Judged) -> None:
    assert anonymous.get("/", params={"x": "1"}).json()["code"] == "invalid_parameter"
    assert anonymous.get("/", headers={"Accept": "text/csv"}).json()["code"] == "not_acceptable"
    assert anonymous.get("/", headers={"Authorization": "Bearer nonsense"}).is_success


@pytest.mark.parametrize("path", ["/docs", "/health/live", "/api/v1/openapi.json", "/nothing", "/api/v1/tickets"])
def test_every_answer_names_the_release(anonymous: Judged, path: str) -> None:
    url = f"{str(anonymous.base_url).rstrip('/')}{path}"
    for method in ("GET", "HEAD", "OPTIONS", "DELETE"):
        assert anonymous.request(method, url).headers["ticketing-release"] == __version__


def test_a_refusal_on_the_wire_names_the_release(service: str) -> None:
    parts = urlsplit(service)
    with socket.create_connection((parts.hostname, parts.port)) as line:
        line.sendall(b"GET / HTTP/9.9\r\n\r\n")
        assert f"\r\nticketing-release: {__version__}\r\n".encode() in line.recv(65536)
