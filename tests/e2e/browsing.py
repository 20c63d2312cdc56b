"""A page in Chromium as tests use it: watched for whatever goes wrong, judged by axe, and weighed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, expect

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "src/ticketing/web/portal"
AXE = ROOT / "src/portal/node_modules/axe-core/axe.min.js"
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
FLAGS = (
    # Chromium as root, as in containers, has no sandbox; it sees nothing but our own pages.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)
VIOLATIONS = """addEventListener('securitypolicyviolation', (event) =>
    console.error(`policy: ${event.violatedDirective} forbids ${event.blockedURI} ${event.sample}`))"""
STILL = """async () => {
    // A colour that changes slowly changes that of each element within, which changes slowly in turn.
    for (let still = 0; still < 3; ) {
        await new Promise(requestAnimationFrame);
        const ending = document.getAnimations().filter((each) => each.effect.getComputedTiming().endTime !== Infinity);
        await Promise.allSettled(ending.map((each) => each.finished));
        still = ending.length ? 0 : still + 1;
    }
}"""
"""Waits until no colour changes any more."""
SHIFTS = """window.shifted = 0; new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({type: 'layout-shift', buffered: true})"""
"""Adds up by how much the page has jumped, in `window.shifted`."""
MODES: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "forced_colors": "none"},
    "dark": {"color_scheme": "dark", "forced_colors": "none"},
    "forced": {"color_scheme": "dark", "forced_colors": "active"},
}


@dataclass(frozen=True, slots=True)
class Service:
    """A running `ticketing up` with the demo data."""

    url: str
    tokens: dict[str, str]
    environment: Path

    def client(self, role: str) -> httpx.Client:
        """A client of the API, with the token of the demo's person of a role."""
        token = {"Authorization": f"Bearer {self.tokens[role]}"}
        return httpx.Client(base_url=f"{self.url}/api/v1", headers=token, timeout=30)

    def setting(self, name: str) -> str:
        """A setting of it, such as `TICKETING_DATABASE_URL`."""
        found = re.search(rf"^export {name}='?([^'\n]+)", self.environment.read_text(), re.MULTILINE)
        assert found, name
        return found[1]


@dataclass
class Watch:
    """What went wrong on a page, save for what the test expects."""

    site: str
    expected: tuple[str, ...]
    faults: list[str] = field(default_factory=list)

    def follow(self, page: Page) -> None:
        """Hear everything that the page tells."""
        page.add_init_script(VIOLATIONS)
        page.on("pageerror", lambda error: self._tell(f"error: {error}"))
        page.on("console", self._said)
        page.on("request", lambda request: self._asked(request.url))
        page.on("response", self._answered)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._tell(f"console: {message.text} ({message.location.get('url')})")

    def _asked(self, url: str) -> None:
        if not url.startswith((f"{self.site}/", "data:", "blob:")):
            self._tell(f"asks for {url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 500:
            self._tell(f"answer: {response.status} of {response.url}")

    def _tell(self, fault: str) -> None:
        if not any(text in fault for text in self.expected):
            self.faults.append(fault)


@contextmanager
def opened(browser: Browser, watch: Watch, **options: Any) -> Iterator[Page]:
    """A page of a new window, which shares nothing with others. Options are those of Playwright's `new_context`."""
    chosen: dict[str, Any] = {
        "base_url": watch.site,
        "viewport": {"width": 1280, "height": 800},
        "locale": "en-US",
        "timezone_id": "UTC",
        "reduced_motion": "reduce",
    }
    context = browser.new_context(**chosen | options)
    context.on("page", watch.follow)
    try:
        yield context.new_page()
    finally:
        context.close()


def sign_in(page: Page, service: Service, role: str) -> None:
    """Sign in as the demo's person of a role, as the button of the demo does."""
    accounts = httpx.get(f"{service.url}/api/v1", timeout=30).json()["sign_in"]["demo_accounts"]
    user_id = next(account["user_id"] for account in accounts if account["role"] == role)
    answer = page.context.request.post("/api/v1/sessions", data={"demo_user_id": user_id})
    assert answer.status == 201, answer.text()


def visit(page: Page, path: str) -> None:
    """Go to a page of the portal, and wait until it answers to clicks and shows what it has loaded."""
    page.goto(path)
    settle(page)


def settle(page: Page) -> None:
    """Wait until the page is alive, and no skeleton stands in for what is still being loaded."""
    page.locator("html[data-ready]").wait_for(state="attached")
    page.locator("h1").first.wait_for(state="attached")
    expect(page.locator(".animate-pulse")).to_have_count(0)
    page.evaluate("document.fonts.ready.then(() => new Promise(requestAnimationFrame))")


def axe(page: Page, *modes: str) -> list[str]:
    """What axe finds on the page as it is, in these MODES or in all of them; a line for each."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    found: list[str] = []
    for mode in modes or MODES:
        page.emulate_media(**MODES[mode])
        # Forced colours are the reader's own: whatever their contrast, it is what they want.
        rules = {"color-contrast": {"enabled": mode != "forced"}}
        expect(page.locator("html.dark")).to_have_count(int(MODES[mode]["color_scheme"] == "dark"))
        page.evaluate(STILL)
        result = page.evaluate(
            "(options) => axe.run(document, options)",
            {"runOnly": {"type": "tag", "values": WCAG}, "rules": rules, "resultTypes": ["violations"]},
        )
        found += [
            f"{mode}: {each['id']} ({each['impact']}): {node['any'][0]['message'] if node['any'] else each['help']}: "
            f"{node['html'][:200]}"
            for each in result["violations"]
            for node in each["nodes"][:3]
        ]
    page.emulate_media(**MODES["light"])
    return found


@dataclass(frozen=True, slots=True)
class Weight:
    """What a page has loaded of the portal's build, in bytes as gzip leaves them, and how many requests it made."""

    script: int
    style: int
    fonts: int
    requests: int


def weigh(page: Page) -> Weight:
    """What the page has loaded until now."""
    urls = page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
    paths = {urlsplit(url).path for url in urls}

    def bytes_of(ending: str) -> int:
        return sum(_gzipped(BUILT / path[1:]) for path in paths if path.endswith(ending))

    return Weight(bytes_of(".js"), bytes_of(".css"), bytes_of(".woff2"), len(urls))


def _gzipped(file: Path) -> int:
    compressed = file.with_name(f"{file.name}.gz")
    return (compressed if compressed.is_file() else file).stat().st_size


def keeps_the_keyboard(page: Page) -> None:
    """Something on the page has the keyboard, soon after what had it is gone."""
    expect(page.locator(":focus").first).to_be_visible()


def excess(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    wider: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return wider
