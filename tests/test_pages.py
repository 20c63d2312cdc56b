"""What is served beside the API."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import httpx
import psycopg
import pytest
import yaml
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from conftest import Person, await_, spawned
from ticketing import auth, resources

PROBLEMS = yaml.safe_load((resources.SPEC / "problems.yaml").read_text())


@pytest.fixture(scope="module")
def web(service: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service) as client:
        yield client


@pytest.mark.parametrize("ending", ["json", "yaml"])
def test_the_contract_is_served_as_it_is_committed(web: httpx.Client, ending: str) -> None:
    path = f"/api/v1/openapi.{ending}"
    response = web.get(path)
    assert response.content == (resources.SPEC / "dist" / f"openapi.{ending}").read_bytes()
    assert response.headers["content-type"].startswith(f"application/openapi+{ending}")
    assert web.get(path, headers={"If-None-Match": response.headers["etag"]}).status_code == 304


def test_the_reference_loads_nothing_from_elsewhere(web: httpx.Client) -> None:
    page = web.get("/docs")
    assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert assets
    for asset in assets:
        if asset == "data:,":
            continue
        assert asset.startswith("/")
        assert web.get(asset).status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert web.get("/").headers["location"] == "/docs"


@pytest.mark.parametrize("slug", PROBLEMS)
def test_every_problem_type_has_a_page(web: httpx.Client, slug: str) -> None:
    response = web.get(f"/problems/{slug}")
    assert response.status_code == 200
    assert slug.replace("-", "_") in response.text
    assert slug in web.get("/problems").text


@pytest.mark.parametrize("path", ["/docs", "/health/live", "/problems"])
def test_pages_are_only_read(web: httpx.Client, path: str) -> None:
    assert web.post(path).headers["allow"] == "GET, HEAD"
    head = web.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 0


def test_health(web: httpx.Client) -> None:
    assert web.get("/health/live").text == "ok\n"
    assert web.get("/health/ready").text == "ok\n"


def test_a_service_without_its_schema_is_not_ready(new_database: Callable[..., str]) -> None:
    with spawned(new_database("template0")) as url:
        response = httpx.get(f"{url}/health/ready")
        assert response.status_code == 503
        assert "0001_initial" in response.text


def test_a_service_without_its_database_says_so_and_comes_back(
    server_url: str, new_database: Callable[..., str]
) -> None:
    database = new_database()
    name = conninfo_to_dict(database)["dbname"]
    token = {"Authorization": f"Bearer {auth.sealed('0' * 30)}"}

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
