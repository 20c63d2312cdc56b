"""Behind a proxy that shows it below a path, the portal asks for nothing above that path."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from e2e.browsing import Service, Watch, opened, visit

PREFIX = "/help/it"


@pytest.fixture
def watch(service: Service) -> Watch:
    """Of a site that ends with the prefix."""
    return Watch(f"{service.url}{PREFIX}", ())


def test_it_stays_below_its_prefix(browser: Browser, watch: Watch) -> None:
    with opened(browser, watch, extra_http_headers={"X-Forwarded-Prefix": PREFIX}) as page:
        visit(page, f"{PREFIX}/")
        page.get_by_role("link", name="Developers").first.click()
        expect(page).to_have_url(re.compile(f"{PREFIX}/developers$"))
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.get_by_role("link", name="Ticketing").first.click()
        expect(page).to_have_url(re.compile(f"{PREFIX}/?$"))
    assert watch.faults == []
