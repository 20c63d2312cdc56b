"""Views in the side bar: kept, shared, counted, ordered and hidden, and what a list shows by them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote_plus
from uuid import uuid4

import httpx
import psycopg
import pytest
from playwright.sync_api import Locator, Page, expect

from e2e.browsing import Service, axe, excess, settle, visit

View = dict[str, Any]
Keep = Callable[..., View]
EVERYTHING: dict[str, list[str]] = {"view_order": [], "hidden_views": []}


@pytest.fixture
def api(service: Service) -> Iterator[httpx.Client]:
    """The demo's agent, by the API; what they have of views is as before after the test."""
    with service.client("agent") as client:
        before = {view["id"] for view in views(client)}
        yield client
        for view in views(client):
            if view["id"] not in before:
                client.delete(f"/views/{view['id']}")
        client.patch("/me", json={"preferences": EVERYTHING})


@pytest.fixture
def keep(api: httpx.Client) -> Keep:
    """Keep a view as the demo's agent."""

    def keep(q: str, **fields: Any) -> View:
        answer = api.post("/views", json={"name": f"View {uuid4().hex[:6]}", "q": q} | fields)
        assert answer.status_code == 201, answer.text
        view: View = answer.json()
        return view

    return keep


@pytest.fixture
def tag() -> str:
    """A tag of this test's own tickets."""
    return f"v-{uuid4().hex[:10]}"


@pytest.fixture
def make(service: Service, tag: str) -> Iterator[Callable[[], int]]:
    """Open a ticket of this test's own, as the demo's requester; gives its number."""
    with service.client("requester") as client:

        def make() -> int:
            ticket = {"type": "bug", "project": "media-server", "title": "A film stutters", "description": ""}
            answer = client.post("/tickets", json=ticket | {"tags": [tag]})
            assert answer.status_code == 201, answer.text
            return int(answer.json()["number"])

        yield make


def views(by: httpx.Client) -> list[View]:
    items: list[View] = by.get("/views", params={"limit": 100}).json()["items"]
    return items


def side(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Views")


def link(page: Page, name: str) -> Locator:
    return side(page).get_by_role("link", name=name, exact=True)


def count(page: Page, name: str) -> Locator:
    return link(page, name).locator("[id^=count-]")


def names(page: Page) -> list[str]:
    """The views that are shown, from the top."""
    found: list[str] = side(page).locator("[data-view]").evaluate_all("all => all.map(e => e.children[1].textContent)")
    return found


def menu(page: Page, name: str, item: str) -> None:
    """Choose from the menu of a view."""
    link(page, name).focus()
    side(page).get_by_role("button", name=f"Change “{name}”").click()
    page.get_by_role("menuitem", name=item).click()


def test_filters_are_saved_as_a_view_and_shared_with_who_looks_at_the_same_time(
    agent: Page, open_page: Callable[..., Page], api: httpx.Client, make: Callable[[], int], tag: str
) -> None:
    number = make()
    colleague = open_page("admin")
    visit(colleague, "/desk")
    visit(agent, f"/desk?tag={tag}&sort=-priority")
    agent.get_by_role("button", name="Save view").click()
    dialog = agent.get_by_role("dialog")
    expect(dialog.get_by_label("Name")).to_be_focused()
    expect(dialog.get_by_text(f"status:open,in_progress,pending tag:{tag} sort:-priority")).to_be_visible()
    assert axe(agent) == []
    dialog.get_by_label("Name").fill(f"Ours {tag}")
    dialog.get_by_role("checkbox", name="Share it with all agents and admins").check()
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(dialog).to_have_count(0)
    expect(count(agent, f"Ours {tag}")).to_have_text("1")
    expect(agent.get_by_role("heading", level=1)).to_have_text(f"Ours {tag}")
    expect(count(colleague, f"Ours {tag}")).to_have_text("1")
    link(colleague, f"Ours {tag}").click()
    expect(colleague.get_by_role("heading", level=1)).to_have_text(f"Ours {tag}")
    expect(colleague.locator("[data-ticket]")).to_have_count(1)
    expect(colleague.locator(f'[data-ticket="{number}"]')).to_be_visible()
    assert unquote_plus(colleague.url).endswith(" sort:-priority")
    (view,) = (each for each in views(api) if each["name"] == f"Ours {tag}")
    assert (view["visibility"], view["columns"]) == ("shared", [])


def test_counters_follow_what_happens(agent: Page, keep: Keep, make: Callable[[], int], tag: str) -> None:
    view = keep(f"tag:{tag} status:open")
    visit(agent, "/desk")
    expect(count(agent, view["name"])).to_have_text("0")
    first = make()
    expect(count(agent, view["name"])).to_have_text("1")
    make()
    expect(count(agent, view["name"])).to_have_text("2")
    # What a key changes here is counted as well.
    link(agent, view["name"]).click()
    agent.locator(f'[data-ticket="{first}"]').focus()
    agent.keyboard.press("s")
    picker = agent.get_by_placeholder("Type to find …")
    expect(picker).to_be_focused()
    picker.fill("Waiting")
    agent.keyboard.press("Enter")
    expect(count(agent, view["name"])).to_have_text("1")


def test_views_are_ordered_by_keys_and_by_dragging(agent: Page, keep: Keep, api: httpx.Client) -> None:
    view = keep("status:open")
    visit(agent, "/desk")
    expect(link(agent, view["name"])).to_be_visible()
    before = names(agent)
    link(agent, "Mine").focus()
    agent.keyboard.press("Alt+ArrowUp")
    expect(side(agent).locator("[data-view]").first).to_contain_text("Mine")
    expect(link(agent, "Mine")).to_be_focused()
    expect(agent.get_by_role("status").filter(has_text="“Mine” is now number 1 of")).to_have_count(1)
    menu(agent, "Mine", "Move down")
    expect(side(agent).locator("[data-view]").first).to_contain_text("Unassigned")
    link(agent, view["name"]).drag_to(link(agent, "Unassigned"))
    expect(side(agent).locator("[data-view]").first).to_contain_text(view["name"])
    moved = [view["name"], *(name for name in before if name != view["name"])]
    assert names(agent) == moved
    agent.reload()
    settle(agent)
    expect(side(agent).locator("[data-view]").first).to_contain_text(view["name"])
    assert names(agent) == moved
    assert views(api)[0]["id"] == view["id"]


def test_a_long_name_does_not_make_the_side_bar_wider(agent: Page, keep: Keep) -> None:
    view = keep("status:open", name="A view with a name that is much longer than the side bar is wide")
    visit(agent, "/desk")
    expect(count(agent, view["name"])).to_be_visible()
    assert side(agent).evaluate("nav => nav.scrollWidth - nav.clientWidth") == 0


def test_a_view_is_hidden_and_shown_again(agent: Page, api: httpx.Client) -> None:
    visit(agent, "/desk")
    menu(agent, "Critical", "Hide")
    expect(side(agent).locator("[data-view]").filter(has_text="Critical")).to_have_count(0)
    agent.reload()
    settle(agent)
    expect(side(agent).locator("[data-view]").filter(has_text="Critical")).to_have_count(0)
    side(agent).get_by_text("Hidden: 1").click()
    side(agent).get_by_role("button", name="Show “Critical”").click()
    expect(side(agent).locator("[data-view]").filter(has_text="Critical")).to_have_count(1)
    expect(side(agent).get_by_text("Hidden:")).to_have_count(0)


def test_a_view_is_renamed_and_takes_the_filters_that_are_set(
    agent: Page, keep: Keep, api: httpx.Client, tag: str
) -> None:
    view = keep("status:open")
    visit(agent, f"/desk?tag={tag}")
    menu(agent, view["name"], "Edit view")
    dialog = agent.get_by_role("dialog")
    expect(dialog.get_by_label("Name")).to_have_value(view["name"])
    dialog.get_by_label("Name").fill(f"Other {tag}")
    dialog.get_by_role("checkbox", name="Take the filters that are set now").check()
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(link(agent, f"Other {tag}")).to_be_visible()
    expect(agent.get_by_role("heading", level=1)).to_have_text(f"Other {tag}")
    now = api.get(f"/views/{view['id']}").json()
    assert now["q"] == f"status:open,in_progress,pending tag:{tag}"


def test_a_deleted_view_can_be_had_back_and_for_a_shared_one_it_asks_first(
    agent: Page, keep: Keep, api: httpx.Client
) -> None:
    own, shared = keep("status:open"), keep("status:pending", visibility="shared")
    visit(agent, "/desk")
    menu(agent, own["name"], "Delete view")
    expect(link(agent, own["name"])).to_have_count(0)
    agent.get_by_role("button", name="Undo").click()
    expect(link(agent, own["name"])).to_be_visible()
    assert {"name": own["name"], "q": own["q"]}.items() <= next(
        each for each in views(api) if each["name"] == own["name"]
    ).items()
    menu(agent, shared["name"], "Delete view")
    dialog = agent.get_by_role("dialog", name=f"Delete “{shared['name']}”?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    assert api.get(f"/views/{shared['id']}").status_code == 200
    menu(agent, shared["name"], "Delete view")
    dialog.get_by_role("button", name="Delete view").click()
    expect(link(agent, shared["name"])).to_have_count(0)
    assert api.get(f"/views/{shared['id']}").status_code == 404


def test_what_somebody_else_shares_cannot_be_changed(agent: Page, api: httpx.Client) -> None:
    visit(agent, "/desk")
    side(agent).get_by_role("button", name="Change “Billing”").click()
    expect(agent.get_by_role("menuitem", name="Move down")).to_be_visible()
    expect(agent.get_by_role("menuitem", name="Edit view")).to_have_count(0)
    expect(agent.get_by_role("menuitem", name="Delete view")).to_have_count(0)


def test_a_list_shows_the_columns_of_its_view(
    agent: Page, keep: Keep, api: httpx.Client, make: Callable[[], int], tag: str
) -> None:
    number = make()
    view = keep(f"status:open tag:{tag}", columns=["title", "requester", "updated_at"])
    visit(agent, "/desk")
    link(agent, view["name"]).click()
    heads = agent.get_by_role("columnheader")
    expect(heads).to_have_text(["", "Title", "Requester", "Updated"])
    expect(agent.get_by_role("row").filter(has=agent.locator(f'[data-ticket="{number}"]'))).to_contain_text("Jonas")
    menu(agent, view["name"], "Edit view")
    dialog = agent.get_by_role("dialog")
    expect(dialog.get_by_role("checkbox", name="Title")).to_be_disabled()
    dialog.get_by_role("checkbox", name="Project").check()
    dialog.get_by_role("checkbox", name="Requester").uncheck()
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(heads).to_have_text(["", "Title", "Project", "Updated"])
    assert api.get(f"/views/{view['id']}").json()["columns"] == ["title", "project", "updated_at"]
    agent.get_by_role("columnheader", name="Updated").get_by_role("button").click()
    expect(agent.get_by_role("columnheader", name="Updated")).to_have_attribute("aria-sort", "descending")
    assert axe(agent, "light") == []


def test_filters_that_were_kept_in_a_browser_become_views_once(
    open_page: Callable[..., Page], api: httpx.Client, tag: str
) -> None:
    me = api.get("/me").json()["user"]["id"]
    kept = [
        {"name": f"Old {tag}", "search": f"?tag={tag}&assignee=me&sort=-updated"},
        {"name": f"All {tag}", "search": "?status=any&title=hdr film"},
    ]
    agent = open_page("agent")
    visit(agent, "/developers")
    agent.evaluate("([key, kept]) => localStorage.setItem(key, kept)", [f"ticketing.filters.{me}", json.dumps(kept)])
    visit(agent, "/desk")
    expect(link(agent, f"Old {tag}")).to_be_visible()
    expect(link(agent, f"All {tag}")).to_be_visible()
    assert agent.evaluate("key => localStorage.getItem(key)", f"ticketing.filters.{me}") is None
    visit(agent, "/desk")
    expect(link(agent, f"All {tag}")).to_be_visible()
    found = {view["name"]: view["q"] for view in views(api) if tag in view["name"]}
    assert found == {
        f"Old {tag}": f"status:open,in_progress,pending assignee:me tag:{tag} sort:-updated",
        f"All {tag}": "hdr film",
    }
    assert sum(tag in view["name"] for view in views(api)) == 2


def test_a_view_that_is_at_fault_says_so_where_its_count_was(agent: Page, keep: Keep, service: Service) -> None:
    view = keep("status:open")
    with psycopg.connect(service.setting("TICKETING_DATABASE_URL"), autocommit=True) as conn:
        conn.execute("update views set q = 'milestone:7' where id = %s", [view["id"]])
    visit(agent, "/desk")
    expect(count(agent, view["name"])).to_have_text("!")
    expect(count(agent, view["name"])).to_have_attribute("title", re.compile("There is no field milestone"))


@pytest.mark.parametrize(("locale", "mine", "hide"), [("de", "Meine", "Ausblenden"), ("ar", "تذاكري", "أخفِ")])
def test_on_a_phone_views_are_in_a_drawer_in_every_language(
    open_page: Callable[..., Page], locale: str, mine: str, hide: str
) -> None:
    page = open_page("agent", locale=locale, viewport={"width": 375, "height": 800}, has_touch=True)
    visit(page, "/desk")
    page.locator("button[aria-label]:has(svg.lucide-panel-left)").click()
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_role("link", name=mine, exact=True)).to_be_visible()
    assert axe(page, "light", "dark") == []
    assert excess(page) == 0
    drawer.get_by_role("button", name=mine).click()
    expect(page.get_by_role("menuitem", name=hide)).to_be_visible()
