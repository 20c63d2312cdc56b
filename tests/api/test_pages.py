"""What is served beside the API."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import HTTPConnection
from urllib.parse import urljoin, urlsplit

import httpx
import psycopg
import pytest
import yaml
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from conftest import Person, await_, served, spawned
from ticketing import app
from ticketing.access import bearer
from ticketing.contract import Networks
from ticketing.ground import config, paths
from ticketing.web.page import Page

PROBLEMS = yaml.safe_load((paths.SPEC / "problems.yaml").read_text())


@pytest.fixture(scope="module")
def web(service: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service) as client:
        yield client


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
@pytest.mark.parametrize("path", ["/api/v1/jobs", "/api/v1/queues/default", "/ops/v1/tickets", "/ops/v1"])
def test_what_one_document_has_the_other_has_not(web: httpx.Client, admin: Person, path: str, accept: str) -> None:
    response = web.get(path, headers={"Authorization": f"Bearer {admin.token}", "Accept": accept})
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("ending", ["json", "yaml"])
@pytest.mark.parametrize(("below", "name"), [("/api/v1", "openapi"), ("/ops/v1", "ops")])
def test_the_documents_are_served_as_they_are_committed(web: httpx.Client, below: str, name: str, ending: str) -> None:
    path = f"{below}/openapi.{ending}"
    response = web.get(path)
    assert response.content == (paths.SPEC / "dist" / f"{name}.{ending}").read_bytes()
    assert response.headers["content-type"].startswith(f"application/openapi+{ending}")
    assert web.get(path, headers={"If-None-Match": response.headers["etag"]}).status_code == 304


def test_the_reference_loads_nothing_from_elsewhere(web: httpx.Client) -> None:
    for path in ("/docs", "/docs/try"):
        page = web.get(path)
        assets = re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="([^"]+)"', page.text)
        assert assets
        for asset in assets:
            assert ":" not in asset
            assert web.get(urljoin(path, asset)).status_code == 200
        assert "default-src 'none'" in page.headers["content-security-policy"]
    assert web.get("/").headers["location"] == "/docs"


@pytest.mark.parametrize(
    ("path", "media_type", "begins"),
    [
        ("/favicon.ico", "image/x-icon", b"\0\0\1\0"),
        ("/icon.svg", "image/svg+xml", b"<svg "),
        ("/apple-touch-icon.png", "image/png", b"\x89PNG"),
        ("/apple-touch-icon-precomposed.png", "image/png", b"\x89PNG"),
    ],
)
def test_browsers_find_an_icon(web: httpx.Client, path: str, media_type: str, begins: bytes) -> None:
    icon = web.get(path)
    assert (icon.status_code, icon.headers["content-type"]) == (200, media_type)
    assert icon.content.startswith(begins)


@pytest.mark.parametrize("path", ["/docs", "/docs/try", "/problems", "/problems/not-found"])
def test_a_page_names_its_icons_from_wherever_it_is(web: httpx.Client, path: str) -> None:
    icons = re.findall(r'<link rel="icon" href="([^"]+)"', web.get(path).text)
    assert [urljoin(path, icon) for icon in icons] == ["/favicon.ico", "/icon.svg"]


@pytest.mark.parametrize("slug", PROBLEMS)
def test_every_problem_type_has_a_page(web: httpx.Client, slug: str) -> None:
    response = web.get(f"/problems/{slug}")
    assert response.status_code == 200
    assert slug.replace("-", "_") in response.text
    assert slug in web.get("/problems").text
    assert "`" not in response.text
    for code in re.findall("`([^`]+)`", PROBLEMS[slug]["description"] + PROBLEMS[slug]["remedy"]):
        assert f"<code>{html.escape(code)}</code>" in response.text


@pytest.mark.parametrize("path", ["/problems/nope", "/docs/nope", "/docs/guides/nope", "/dev/nope"])
def test_a_person_who_finds_nothing_among_the_documents_gets_a_page(
    web: httpx.Client, proxied: httpx.Client, path: str
) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    for client, prefix in ((web, ""), (proxied, "/desk")):
        url = f"{str(client.base_url).rstrip('/')}{path}"
        response = client.get(url, headers=browser)
        assert (response.status_code, response.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert response.headers["vary"] == "Accept"
        links = re.findall(r'<a href="([^"]+)"', response.text)
        assert links == [f"{prefix}/", f"{prefix}/docs", f"{prefix}/problems"]
        assert [client.get(link).status_code for link in links] == [302, 200, 200]
    for accept in ("*/*", "application/json", "application/json, text/html;q=0.5", "application/problem+json"):
        response = web.get(f"{str(web.base_url).rstrip('/')}{path}", headers={"Accept": accept})
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert web.post("/nothing", headers=browser).json()["code"] == "not_found"
    assert web.get("/api/v1/nothing", headers=browser).json()["code"] == "not_found"
    outside = {"X-Forwarded-For": "203.0.113.9", **browser}
    hidden, unknown = (proxied.get(path, headers=outside) for path in ("/metrics", "/nothing"))
    assert (hidden.status_code, hidden.text) == (unknown.status_code, unknown.text)


@pytest.mark.parametrize("path", ["/docs", "/health/live", "/problems"])
def test_pages_are_only_read(web: httpx.Client, path: str) -> None:
    assert web.post(path).headers["allow"] == "GET, HEAD"
    head = web.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 0


def test_health(web: httpx.Client) -> None:
    assert web.get("/health/live").text == "ok\n"
    assert web.get("/health/ready").text == "ok\n"


@pytest.mark.slow
def test_a_service_without_its_schema_is_not_ready(new_database: Callable[..., str]) -> None:
    with spawned(new_database("template0")) as url:
        response = httpx.get(f"{url}/health/ready")
        assert response.status_code == 503
        assert "0001_initial" in response.text


@pytest.mark.slow
def test_a_service_without_its_database_says_so_and_comes_back(
    server_url: str, new_database: Callable[..., str]
) -> None:
    database = new_database()
    name = conninfo_to_dict(database)["dbname"]
    token = {"Authorization": f"Bearer {bearer.with_checksum('0' * 30)}"}

    def rename(before: str, after: str) -> None:
        with psycopg.connect(server_url, autocommit=True) as conn:
            conn.execute(sql.SQL("alter database {} with allow_connections false").format(sql.Identifier(before)))
            # Ours only: nobody but a superuser may end an autovacuum, and PostgreSQL does that itself.
            ours = (
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and usename = current_user"
            )
            conn.execute(ours, (before,))
            conn.execute(
                sql.SQL("alter database {} rename to {}").format(sql.Identifier(before), sql.Identifier(after))
            )
            conn.execute(sql.SQL("alter database {} with allow_connections true").format(sql.Identifier(after)))

    with spawned(database) as url:
        assert httpx.get(f"{url}/health/ready").status_code == 200
        rename(str(name), f"{name}_away")
        away = httpx.get(f"{url}/api/v1/me", headers=token, timeout=20)
        assert (away.status_code, away.json()["code"]) == (503, "unavailable")
        assert away.headers["retry-after"]
        assert httpx.get(f"{url}/health/ready", timeout=20).status_code == 503
        assert httpx.get(f"{url}/health/live").status_code == 200
        rename(f"{name}_away", str(name))
        await_(lambda: httpx.get(f"{url}/health/ready", timeout=20).status_code == 200)
        assert httpx.get(f"{url}/api/v1/me", headers=token).status_code == 401


def test_metrics_count_requests_by_operation(web: httpx.Client, agent: Person) -> None:
    agent.get("/me")
    text = web.get("/metrics").text
    assert re.search(r'ticketing_http_requests_total\{method="GET",operation="get_me",status="200"\} [1-9]', text)
    assert 'ticketing_http_request_seconds_bucket{le="0.001",operation="get_me"}' in text


PATHS = ["/metrics", "/health/ready"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "odd",
    [
        lambda path: path.replace("m", "%6d").replace("h/r", "h/%72"),
        lambda path: "/" + path,
        lambda path: path + "/",
        lambda path: "/." + path,
        lambda path: "/docs/.." + path,
        lambda path: "/api/v1/tickets/..%2f..%2f.." + path,
        lambda path: path.upper(),
        lambda path: path + ";a=b",
        lambda path: "/%2f" + path[1:],
        lambda path: path + "%00",
        lambda path: path.replace("/", "%2F"),
        lambda path: "/%252e%252e" + path,
    ],
)
def test_a_page_is_found_by_its_very_path_only(service: str, path: str, odd: Callable[[str], str]) -> None:
    """So that whatever a proxy keeps out by a path is kept out."""
    host = urlsplit(service).netloc
    connection = HTTPConnection(host, timeout=10)
    connection.request("GET", odd(path))
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status in (400, 401, 404)
    assert b"# HELP" not in body and body != b"ok\n"
    connection.close()


@pytest.fixture(scope="module")
def proxied(service: str) -> Iterator[httpx.Client]:
    """A service that trusts the proxies of this machine and is seen under /desk."""
    settings = replace(
        config.settings(), trusted_proxies=Networks("127.0.0.0/8"), public_url="https://support.example/desk"
    )
    with served(app.create(settings)) as url, httpx.Client(base_url=url) as client:
        yield client


@pytest.mark.parametrize("path", PATHS)
def test_what_operators_need_is_for_their_networks(web: httpx.Client, proxied: httpx.Client, path: str) -> None:
    assert web.get(path).status_code == 200
    # A proxy on this machine that is not known may speak for anybody.
    for header, value in {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1"}.items():
        refused = web.get(path, headers={header: value})
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    assert proxied.get(path, headers={"X-Forwarded-For": "192.168.1.1"}).status_code == 200
    assert proxied.get(path, headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 404
    assert proxied.get("/health/live", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 200
    # The proxy writes one header, and passes on what the client wrote into the other.
    for forged in ("for=127.0.0.1", "for=unknown", "for=_x", "proto=https", "x", "", '"'):
        headers = {"X-Forwarded-For": "203.0.113.9", "Forwarded": forged}
        assert proxied.get(path, headers=headers).status_code == 404, forged


@pytest.mark.slow
@pytest.mark.parametrize(("header", "prefix"), [({}, "/desk"), ({"X-Forwarded-Prefix": "/help/it"}, "/help/it")])
def test_links_begin_with_what_the_client_sees(
    proxied: httpx.Client, admin: Person, project: str, header: dict[str, str], prefix: str
) -> None:
    headers = {"Authorization": f"Bearer {admin.token}", **header}
    # Whether the proxy takes the prefix away, or leaves it.
    for before in ("", prefix):
        key = f"p-{bearer.new_token()[4:12].lower()}x"
        made = proxied.post(
            f"{before}/api/v1/projects", json={"key": key, "name": "x", "visibility": "public"}, headers=headers
        )
        assert made.headers["location"] == f"{prefix}/api/v1/projects/{key}"
        listed = proxied.get(f"{before}/api/v1/projects", params={"limit": 1}, headers=headers)
        assert listed.headers["link"].startswith(f"<{prefix}/api/v1/projects?")
        refused = proxied.get(f"{before}/api/v1/nothing", headers=headers)
        assert refused.json()["type"] == f"{prefix}/problems/not-found"
        index = proxied.get(f"{before}/api/v1", headers=header).json()
        assert index["links"]["reference"] == f"{prefix}/docs"
        for link in index["links"].values():
            assert proxied.get(before + link.removeprefix(prefix), headers=header).is_success
        jobs = proxied.get(f"{before}/ops/v1/queues", params={"limit": 1}, headers=headers)
        assert jobs.headers["link"].startswith(f"<{prefix}/ops/v1/queues?")
        for below in paths.DOCUMENTS:
            document = proxied.get(f"{before}{below}/openapi.json", headers=header)
            assert document.json()["servers"][0]["url"] == f"{{origin}}{prefix}{below}"
            assert f'"{prefix}/problems/not-found"' in document.text
            assert yaml.safe_load(proxied.get(f"{before}{below}/openapi.yaml", headers=header).text) == document.json()
        assert proxied.get(f"{before}/", headers=header).headers["location"] == f"{prefix}/docs"
        for page in ("/docs", "/docs/ops", "/docs/try", "/problems", "/problems/not-found"):
            links = re.findall(r'(?:src|href)="([^":#]+)["#]', proxied.get(before + page, headers=header).text)
            assert links
            for link in set(links):
                assert proxied.get(urljoin(before + page, link), headers=header).status_code in (200, 302)


def test_whoever_asks_at_once_whether_it_is_ready_is_told_by_one_look(
    web: httpx.Client, db: psycopg.Connection[dict[str, object]], database_url: str
) -> None:
    def waiting() -> int:
        row = db.execute(
            "select count(*) as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        ).fetchone()
        assert row
        return int(str(row["n"]))

    with ThreadPoolExecutor(20) as threads:
        with psycopg.connect(database_url) as other:
            other.execute("lock table schema_migrations")
            asked = [threads.submit(web.get, "/health/ready") for _ in range(20)]
            await_(lambda: waiting() > 0)
            assert waiting() == 1
        assert {each.result().status_code for each in asked} == {200}


def test_a_page_under_a_prefix_is_made_once() -> None:
    """Its body may have megabytes, which are neither copied nor hashed for each request."""
    page = Page("text/plain", b"see /api/v1", names_paths=True)
    under = page.under("/desk")
    assert (under.body, under.tag != page.tag) == (b"see /desk/api/v1", True)
    assert page.under("/desk") is under
    assert page.under("/other").body == b"see /other/api/v1"
    assert page.under("/desk").body == under.body
