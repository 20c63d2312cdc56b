"""The portal is served: one page behind its addresses, files for ever, and nothing that is not the build's."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from conftest import served
from ticketing import app
from ticketing.contract import Networks
from ticketing.contract.cors import Origins
from ticketing.ground import config
from ticketing.web import portal
from ticketing.web.page import preferred

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
PAGE = """<!doctype html>
<html lang="en"><head><meta name="application-name" content="Ticketing" />
<link rel="icon" href="/icon.svg"><script src="/theme.js"></script>
<link href="/_app/immutable/entry/start.A1.js" rel="modulepreload"></head><body><div><script>
  { __sveltekit = { base: "" }; import("/_app/immutable/entry/start.A1.js").then((kit) => kit.start("//x", "/ x")); }
</script></div></body></html>
"""
SCRIPT = "export const start = () => {};\n" * 40
ZIPPED = gzip.compress(SCRIPT.encode())
IMAGES = "img-src 'self' data: https://a.example https://img.example.org"
ADDRESSES = ["/support", "/support/", "/support/tickets/7", "/desk", "/desk/board", "/settings/people", "/developers"]
ADDRESSES += ["/sign-in", "/invitation", "/support/tickets/x", "/support/%2e%2e/metrics"]


def build(folder: Path) -> Path:
    """What a build leaves behind, in small."""
    entry = folder / "_app/immutable/entry"
    entry.mkdir(parents=True)
    (folder / "index.html").write_text(PAGE)
    (folder / "theme.js").write_text("1;")
    (folder / "_app/version.json").write_text("{}")
    (entry / "start.A1.js").write_text(SCRIPT)
    (entry / "start.A1.js.gz").write_bytes(ZIPPED)
    (entry / "start.A1.js.br").write_bytes(b"as brotli writes it")
    (folder / "notes.md").write_text("not for browsers")
    return folder


@pytest.fixture(scope="module")
def web(service: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service with a portal, which trusts the proxies of this machine."""
    images = Origins("https://img.example.org, https://a.example")
    settings = replace(config.settings(), trusted_proxies=Networks("127.0.0.0/8"), image_sources=images)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portal, "FOLDER", build(tmp_path_factory.mktemp("portal")))
        application = app.create(settings)
    with served(application) as url, httpx.Client(base_url=url, headers=BROWSER) as client:
        yield client


@pytest.mark.parametrize("path", ["/", *ADDRESSES])
def test_every_address_of_the_portal_is_its_page(web: httpx.Client, path: str) -> None:
    response = web.get(path)
    assert (response.status_code, response.text) == (200, PAGE)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    assert web.get(path, headers={"If-None-Match": response.headers["etag"]}).status_code == 304
    head = web.head(path)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", response.headers["etag"])
    assert web.post(path).headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/profile", "/a/b/c", "//x", "/DOCS", "/supporters", "/Support", "/index.html", "/_app/x.js", "/api"],
)
def test_a_person_who_finds_nothing_gets_the_portal_s_page(web: httpx.Client, path: str) -> None:
    url = f"{str(web.base_url).rstrip('/')}{path}"
    response = web.get(url)
    assert (response.status_code, response.text) == (404, PAGE)
    assert response.headers["content-security-policy"] == web.get("/support").headers["content-security-policy"]
    assert "Accept" in response.headers["vary"].split(", ")
    for accept in ("*/*", "application/json", "application/json, text/html;q=0.5", "application/problem+json"):
        answer = web.get(url, headers={"Accept": accept})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert web.post(path if path != "//x" else "/x").json()["code"] == "not_found"
    assert web.get("/api/v1/nothing").json()["code"] == "not_found"
    # A version that a cache holds is no reason to call it unchanged: nothing is there.
    assert web.get(url, headers={"If-None-Match": response.headers["etag"]}).status_code == 404


@pytest.mark.parametrize("path", ["/supporters", "/desk.js", "/Support", "/index.html", "/_app/x.js", "/notes.md"])
def test_what_is_not_the_portal_s_is_not_found(web: httpx.Client, path: str) -> None:
    assert web.get(path).status_code == 404
    assert web.get(path, headers={"Accept": "*/*"}).json()["code"] == "not_found"
    assert web.get("/_app/../../pyproject.toml").status_code == 404


@pytest.mark.parametrize("accept", ["application/json", "*/*", "application/json, text/html;q=0.5"])
def test_a_program_that_asks_for_the_root_is_led_to_the_reference(web: httpx.Client, accept: str) -> None:
    response = web.get("/", headers={"Accept": accept})
    assert (response.status_code, response.headers["location"], response.headers["vary"]) == (302, "/docs", "Accept")
    assert "Accept" in web.get("/").headers["vary"].split(", ")


def test_files_are_kept_for_ever_only_if_their_name_says_what_is_in_them(web: httpx.Client) -> None:
    script = web.get("/_app/immutable/entry/start.A1.js")
    assert (script.text, script.headers["content-type"]) == (SCRIPT, "text/javascript; charset=utf-8")
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    for path in ("/theme.js", "/_app/version.json"):
        assert web.get(path).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("", None),
        ("identity", None),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("GZIP;q=0.5", "gzip"),
        ("br;q=0.5, gzip;q=0.8", "gzip"),
        ("br;q=0, gzip;q=0", None),
        ("br;q=0, *", "gzip"),
        ("*;q=0", None),
        ("gzip;q=0.5, identity", None),
        ("br;q=2, gzip; q=1.000", "gzip"),
        ("br;q=\u00e9", None),
        (",,;;=", None),
    ],
)
def test_a_file_comes_in_the_coding_that_the_client_likes_best(
    web: httpx.Client, accepted: str, coding: str | None
) -> None:
    assert preferred(accepted.encode("latin-1"), {"br": b"", "gzip": b""}) == coding
    headers = [(b"Accept-Encoding", accepted.encode("latin-1"))]
    with web.stream("GET", "/_app/immutable/entry/start.A1.js", headers=headers) as response:
        sent = b"".join(response.iter_raw())
    assert response.headers.get("content-encoding") == coding
    assert response.headers["vary"] == "Accept-Encoding"
    assert sent == {None: SCRIPT.encode(), "gzip": ZIPPED, "br": b"as brotli writes it"}[coding]
    # Each coding is a representation of its own (RFC 9110, 8.8.3.3).
    assert (coding or "") in response.headers["etag"]


def test_a_coding_that_is_not_there_is_not_sent(web: httpx.Client) -> None:
    assert "content-encoding" not in web.get("/theme.js", headers={"Accept-Encoding": "br, gzip"}).headers
    assert web.get("/", headers={"Accept-Encoding": "br, gzip"}).headers["content-encoding"] == "gzip"


def test_the_page_runs_its_own_script_and_no_other(web: httpx.Client) -> None:
    response = web.get("/support")
    policy = response.headers["content-security-policy"]
    (script,) = re.findall(r"<script>(.*?)</script>", response.text, re.DOTALL)
    known = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{known}';" in policy
    assert "unsafe-inline" not in policy and "unsafe-eval" not in policy
    for directive in (
        "default-src 'none'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "form-action 'self'",
        IMAGES,
    ):
        assert directive in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in response.headers["permissions-policy"]


def test_under_a_prefix_the_page_names_what_the_client_sees(web: httpx.Client) -> None:
    behind = {"X-Forwarded-Prefix": "/help/it"}
    for path in ("/", "/help/it/", "/help/it/desk/board"):
        text = web.get(path, headers=behind).text
        assert 'base: "/help/it"' in text
        ours = [
            f"{before}{path}" for before in ('href="', 'import("') for path in ("/_app/immutable/entry/start.A1.js",)
        ]
        assert all(each.replace('"/', '"/help/it/') in text for each in ours)
        assert '"/help/it/theme.js"' in text and '"/help/it/icon.svg"' in text
        assert 'start("//x", "/ x")' in text
    plain, under = web.get("/support"), web.get("/support", headers=behind)
    assert plain.headers["etag"] != under.headers["etag"]
    assert plain.headers["content-security-policy"] != under.headers["content-security-policy"]
    assert web.get("/help/it/_app/immutable/entry/start.A1.js", headers=behind).text == SCRIPT


def test_the_page_says_what_the_installation_is_called(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portal, "FOLDER", build(tmp_path))
    named = app.create(replace(config.settings(), name='Lumen "Help" & <More>'))
    with served(named) as url, httpx.Client(base_url=url, headers=BROWSER) as client:
        meta = '<meta name="application-name" content="Lumen &quot;Help&quot; &amp; &lt;More&gt;" />'
        assert client.get("/support").text == PAGE.replace('<meta name="application-name" content="Ticketing" />', meta)


def test_a_service_without_a_build_says_how_it_is_built(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portal, "FOLDER", tmp_path / "nothing")
    with served(app.create()) as url, httpx.Client(base_url=url, headers=BROWSER) as client:
        for path in ("/", *ADDRESSES):
            page = client.get(path)
            assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
            assert "<code>make portal</code>" in page.text
        assert client.get("/api/v1", headers={"Accept": "application/json"}).is_success
        assert client.get("/docs").is_success
        assert "There is nothing at this address." in client.get("/nothing").text
