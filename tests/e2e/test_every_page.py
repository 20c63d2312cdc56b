"""Every page: axe finds nothing, it fits a narrow window, weighs what it may, and does not jump."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from e2e.browsing import MODES, SHIFTS, axe, excess, visit, weigh
from e2e.places import CSS, FONTS, PLACES, Place

every_page = pytest.mark.parametrize("name", PLACES)


@every_page
def test_axe_finds_nothing(name: str, open_page: Callable[..., Page]) -> None:
    page = open_page(PLACES[name].role)
    visit(page, PLACES[name].path)
    assert axe(page) == []


@every_page
@pytest.mark.parametrize("locale", ["en-US", "ar"])
def test_it_fits_320_pixels(name: str, locale: str, open_page: Callable[..., Page]) -> None:
    """Reflow (WCAG 2.2, 1.4.10): 1280 pixels at 400 %."""
    page = open_page(PLACES[name].role, viewport={"width": 320, "height": 640}, locale=locale)
    visit(page, PLACES[name].path)
    assert excess(page) <= 0


@every_page
def test_it_weighs_what_it_may_and_does_not_jump(name: str, open_page: Callable[..., Page]) -> None:
    place = PLACES[name]
    page = open_page(place.role)
    page.add_init_script(SHIFTS)
    visit(page, place.path)
    weight = weigh(page)
    assert 0 < weight.script <= place.script
    assert 0 < weight.style <= CSS
    assert weight.fonts <= FONTS
    assert page.evaluate("window.shifted") < 0.1


@every_page
@pytest.mark.pictures
def test_it_looks_as_its_pictures(name: str, open_page: Callable[..., Page], pytestconfig: pytest.Config) -> None:
    """`make screenshots` keeps the pictures; people look at them."""
    place: Place = PLACES[name]
    folder: Path = pytestconfig.getoption("--screenshots")
    for mode, width in (("light", 1280), ("dark", 1280), ("light", 375)):
        page = open_page(place.role, viewport={"width": width, "height": 800}, **MODES[mode])
        visit(page, place.path)
        page.screenshot(path=folder / f"{name}-{mode}-{width}.png", full_page=True)
        assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == mode
