"""The query bar of the desk: chips and text, what can be completed, what is wrong and where, and what is close."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from e2e.browsing import Service, axe, excess, settle, visit


@pytest.fixture
def colleague(service: Service) -> Iterator[httpx.Client]:
    with service.client("admin") as client:
        yield client


@pytest.fixture
def tag() -> str:
    """A tag that only the tickets of this test have."""
    return f"t-{uuid4().hex[:10]}"


@pytest.fixture
def make(colleague: httpx.Client, tag: str) -> Callable[..., int]:
    """Open a ticket with this tag; answers its number."""

    def make(title: str = "Films stutter", **fields: object) -> int:
        body = {"type": "bug", "project": "media-server", "title": title, "description": "After a while."}
        answer = colleague.post(
            "/tickets",
            json=body | {"severity": "medium", "tags": [tag]} | fields,
            headers={"Idempotency-Key": str(uuid4())},
        )
        number: int = answer.raise_for_status().json()["number"]
        return number

    return make


def box(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Find tickets")


def option(page: Page, name: str) -> Locator:
    return page.get_by_role("option").filter(has_text=name)


def chips(page: Page) -> Locator:
    return page.get_by_role("search").locator("[data-chip]")


def row(page: Page, number: int) -> Locator:
    return page.locator(f'[data-ticket="{number}"]')


def test_a_field_and_its_value_are_completed_by_keys_and_become_a_chip(
    agent: Page, make: Callable[..., int], tag: str
) -> None:
    urgent, normal = make("One", priority="urgent"), make("Two")
    visit(agent, f"/desk?q=tag:{tag}")
    agent.keyboard.press("/")
    expect(box(agent)).to_be_focused()
    agent.keyboard.type("prio")
    expect(option(agent, "Priority")).to_be_visible()
    agent.keyboard.press("ArrowDown")
    expect(option(agent, "Priority")).to_have_attribute("aria-selected", "true")
    active = box(agent).get_attribute("aria-activedescendant")
    assert active
    expect(agent.locator(f'[id="{active}"]')).to_have_attribute("role", "option")
    agent.keyboard.press("Enter")
    expect(box(agent)).to_have_value("priority:")
    expect(option(agent, "Urgent")).to_be_visible()
    agent.keyboard.type("urg")
    expect(agent.get_by_role("option")).to_have_count(1)
    agent.keyboard.press("ArrowDown")
    agent.keyboard.press("Enter")
    expect(chips(agent).last).to_have_text("Priority: Urgent")
    expect(box(agent)).to_have_value("")
    expect(row(agent, normal)).to_have_count(0)
    expect(row(agent, urgent)).to_be_visible()
    agent.wait_for_url(re.compile(rf"/desk\?q=tag:{tag}\+priority:urgent$"))


def test_people_and_projects_are_completed_by_name(agent: Page, service: Service) -> None:
    with service.client("agent") as client:
        me = client.get("/me").json()["user"]["name"]
    visit(agent, "/desk?q=")
    box(agent).fill(f"assignee:{me.split()[0].lower()}")
    option(agent, me).click()
    expect(chips(agent)).to_have_text([f"Assignee: {me}"])
    expect(box(agent)).to_be_focused()
    box(agent).press_sequentially("project:media")
    option(agent, "media-server").click()
    expect(chips(agent).last).to_have_text("Project: Lumen Media Server")
    agent.wait_for_url(re.compile("project:media-server"))


@pytest.mark.expects("400")
def test_a_field_that_there_is_not_is_underlined_and_one_click_mends_it(
    agent: Page, make: Callable[..., int], tag: str
) -> None:
    done, todo = make("Done"), make("To do")
    visit(agent, f"/desk?q=tag:{tag}")
    box(agent).fill("statsu:closed")
    wrong = agent.locator("span.decoration-wavy")
    expect(wrong).to_have_text("statsu")
    expect(box(agent)).to_have_attribute("aria-invalid", "true")
    expect(box(agent)).to_have_accessible_description(re.compile("There is no field statsu"))
    # What was found before stays.
    expect(row(agent, done)).to_be_visible()
    assert axe(agent) == []
    agent.get_by_role("button", name="Use status").click()
    expect(chips(agent).last).to_have_text("Status: Closed")
    expect(wrong).to_have_count(0)
    expect(row(agent, done)).to_have_count(0)
    expect(row(agent, todo)).to_have_count(0)


@pytest.mark.expects("400")
def test_a_chip_says_what_is_wrong_with_it(agent: Page, make: Callable[..., int], tag: str) -> None:
    number = make(priority="high")
    visit(agent, f"/desk?q=tag:{tag}")
    box(agent).fill("priority:hihg ")
    expect(chips(agent).last).to_have_accessible_description(re.compile("hihg is no value of priority"))
    agent.get_by_role("button", name="Use high").click()
    expect(chips(agent).last).to_have_text("Priority: High")
    expect(row(agent, number)).to_be_visible()


def test_chips_are_reached_and_removed_by_keys(agent: Page, tag: str) -> None:
    visit(agent, f"/desk?q=status:open+priority:high+tag:{tag}")
    expect(chips(agent)).to_have_count(3)
    box(agent).focus()
    agent.keyboard.press("Backspace")
    expect(chips(agent).nth(2)).to_be_focused()
    agent.keyboard.press("ArrowLeft")
    expect(chips(agent).nth(1)).to_be_focused()
    agent.keyboard.press("Delete")
    expect(chips(agent)).to_have_text(["Status: Open", f"Tag: {tag}"])
    expect(chips(agent).nth(1)).to_be_focused()
    agent.wait_for_url(re.compile(rf"q=status:open\+tag:{tag}$"))
    agent.keyboard.press("Backspace")
    expect(chips(agent)).to_have_text(["Status: Open"])
    expect(chips(agent).first).to_be_focused()
    agent.keyboard.press("Enter")
    expect(agent.get_by_role("dialog").get_by_role("combobox")).to_be_focused()
    agent.keyboard.press("Escape")
    expect(agent.get_by_role("dialog")).to_have_count(0)
    agent.keyboard.press("ArrowRight")
    expect(box(agent)).to_be_focused()


def test_a_chip_that_no_menu_shows_is_written_again(agent: Page) -> None:
    visit(agent, "/desk?q=-priority:low")
    expect(chips(agent)).to_have_text(["Not Priority: Low"])
    chips(agent).first.click()
    expect(box(agent)).to_have_value("-priority:low")
    expect(box(agent)).to_be_focused()
    box(agent).fill("-priority:low,normal")
    agent.keyboard.press("Escape")
    agent.keyboard.press("Enter")
    expect(chips(agent)).to_have_text(["Not Priority: Low, Normal"])
    agent.wait_for_url(re.compile("q=-priority:low,normal$"))


def test_an_address_of_before_leads_to_the_same_list(agent: Page, make: Callable[..., int], tag: str) -> None:
    mine, other = make("Mine", severity="high"), make("Other")
    visit(agent, f"/desk?tag={tag}&severity=high&status=any&sort=-priority")
    expect(row(agent, mine)).to_be_visible()
    expect(row(agent, other)).to_have_count(0)
    expect(chips(agent)).to_have_text(["Severity: High", f"Tag: {tag}"])
    expect(agent.get_by_role("button", name="Sort: Most urgent first")).to_be_visible()


def test_nothing_that_was_typed_is_lost_by_a_reload(agent: Page, tag: str) -> None:
    visit(agent, f"/desk?q=tag:{tag}")
    box(agent).press_sequentially('4k "login loop" type:bug x')
    agent.wait_for_url(re.compile(r"x$"))
    agent.reload()
    settle(agent)
    expect(chips(agent)).to_have_text([f"Tag: {tag}", "Type: Bug report"])
    expect(box(agent)).to_have_value('4k "login loop" x')


def test_the_answer_to_what_was_typed_last_is_shown_whenever_it_comes(
    agent: Page, make: Callable[..., int], tag: str
) -> None:
    first, last = make("Alpha"), make("Beta")
    visit(agent, f"/desk?q=tag:{tag}")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    agent.route(re.compile(rf"/tickets\?.*number.*{first}"), hold)
    box(agent).fill(f"number:{first} ")
    agent.wait_for_url(re.compile(f"number:{first}"))
    agent.get_by_role("button", name="Remove the filter Number").click()
    box(agent).fill(f"number:{last} ")
    expect(row(agent, first)).to_have_count(0)
    expect(row(agent, last)).to_be_visible()
    for route in held:
        # The page has given it up, or will not look at it.
        route.abort("aborted")
    agent.unroute_all()
    expect(row(agent, last)).to_be_visible()
    expect(row(agent, first)).to_have_count(0)


def test_what_is_not_written_to_its_end_is_not_asked(agent: Page) -> None:
    visit(agent, "/desk")
    asked: list[str] = []
    agent.on("request", lambda request: asked.append(request.url))
    box(agent).press_sequentially("status:")
    expect(option(agent, "Open").first).to_be_visible()
    # Longer than the pause after which it would be sent.
    agent.evaluate("new Promise((done) => setTimeout(done, 600))")
    assert [url for url in asked if "/tickets?" in url] == []
    assert agent.url.endswith("/desk")


def test_queries_that_were_asked_are_offered_again(agent: Page, tag: str) -> None:
    visit(agent, "/desk?q=")
    box(agent).fill(f"tag:{tag} type:bug")
    agent.keyboard.press("Escape")
    agent.keyboard.press("Enter")
    expect(chips(agent)).to_have_count(2)
    visit(agent, "/desk?q=")
    box(agent).click()
    option(agent, f"tag:{tag} type:bug").click()
    expect(chips(agent)).to_have_text([f"Tag: {tag}", "Type: Bug report"])
    agent.go_back()
    expect(chips(agent)).to_have_count(0)


def test_back_leads_to_what_was_shown_before_one_typed(agent: Page, tag: str) -> None:
    visit(agent, f"/desk?q=tag:{tag}")
    box(agent).press_sequentially("heron")
    expect(agent).to_have_url(re.compile("heron$"))
    box(agent).press_sequentially("s stand")
    expect(agent).to_have_url(re.compile("herons(%20|\\+)stand$"))
    agent.keyboard.press("Enter")
    box(agent).press_sequentially(" still")
    expect(agent).to_have_url(re.compile("still$"))
    agent.go_back()
    expect(box(agent)).to_have_value("herons stand")
    agent.go_back()
    expect(box(agent)).to_have_value("")
    expect(chips(agent)).to_have_count(1)
    agent.go_forward()
    expect(box(agent)).to_have_value("herons stand")


@pytest.mark.expects("400")
def test_what_is_too_long_is_told_below_the_list_that_stays(agent: Page, make: Callable[..., int], tag: str) -> None:
    number = make(f"Heron {tag}", tags=[tag])
    visit(agent, f"/desk?q=tag:{tag}")
    row = agent.get_by_role("row").filter(has_text=f"#{number}")
    expect(row).to_be_visible()
    for text, told in (
        ("字" * 400, "This query is too long."),
        ("x" * 1999, "This query is too long."),
        ("word " * 380, "A query has at most 30 parts"),
        ('"' + "a " * 200 + '"', "The texts of a query have at most 50 words together"),
    ):
        box(agent).fill(text)
        expect(agent.get_by_role("status").filter(has_text=told).first).to_be_visible()
        expect(row).to_be_visible()
        expect(agent.get_by_text("Something went wrong")).to_have_count(0)
    box(agent).fill("heron")
    expect(agent).to_have_url(re.compile("heron$"))
    expect(row).to_be_visible()


def test_nothing_is_asked_while_a_word_is_composed(agent: Page) -> None:
    visit(agent, "/desk?q=")
    asked: list[str] = []
    agent.on("request", lambda request: asked.append(request.url))
    box(agent).focus()
    method = agent.context.new_cdp_session(agent)
    for text in ("に", "にほ", "にほん"):
        method.send("Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)})
        # Longer than the pause after which it would be sent.
        agent.evaluate("new Promise((done) => setTimeout(done, 400))")
    assert [url for url in asked if "/tickets?" in url] == []
    method.send("Input.insertText", {"text": "日本"})
    expect(agent).to_have_url(re.compile("%E6%97%A5%E6%9C%AC$"))
    expect(box(agent)).to_have_value("日本")


def test_where_nothing_matches_it_says_what_was_searched_and_what_to_leave_out(
    agent: Page, make: Callable[..., int], tag: str
) -> None:
    number = make(priority="low")
    visit(agent, f"/desk?q=tag:{tag}+priority:urgent")
    expect(agent.get_by_role("heading", name="Nothing matches")).to_be_visible()
    expect(agent.locator("code")).to_have_text(f"tag:{tag} priority:urgent")
    assert axe(agent) == []
    agent.get_by_role("link", name="Without priority:urgent").click()
    expect(row(agent, number)).to_be_visible()


@pytest.mark.parametrize("locale", ["en-US", "ar"])
def test_it_fits_320_pixels_with_chips_and_suggestions(open_page: Callable[..., Page], locale: str) -> None:
    page = open_page("agent", viewport={"width": 320, "height": 640}, locale=locale)
    visit(page, "/desk?q=status:open,in_progress,pending+-priority:low+updated:-7d+4k")
    page.get_by_role("combobox").press("End")
    page.keyboard.type(" assignee:")
    expect(page.get_by_role("option").first).to_be_visible()
    assert excess(page) <= 0
    assert axe(page) == []


def test_the_board_takes_queries_too(agent: Page, make: Callable[..., int], tag: str) -> None:
    urgent, low = make("Now", priority="urgent"), make("Later", priority="low")
    visit(agent, f"/desk/board?q=tag:{tag}+status:closed")
    # Its columns are statuses, so none is looked for.
    expect(agent.locator(f'[data-card="{low}"]')).to_be_visible()
    expect(chips(agent)).to_have_text([f"Tag: {tag}"])
    box(agent).fill("priority:>=high ")
    expect(agent.locator(f'[data-card="{low}"]')).to_have_count(0)
    expect(agent.locator(f'[data-card="{urgent}"]')).to_be_visible()


def test_where_the_text_was_found_is_shown_and_marked(
    agent: Page, colleague: httpx.Client, make: Callable[..., int], tag: str
) -> None:
    titled, described = make("Humming fans"), make("Noise", description="At night the fans **hummed** & <i>hissed</i>.")
    deadline = time.monotonic() + 60
    while len(colleague.get("/tickets", params={"q": f"tag:{tag} hum"}).json()["items"]) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    visit(agent, f"/desk?q=tag:{tag}+hum")
    expect(row(agent, titled).locator("mark")).to_have_text("Humming")
    passage = agent.get_by_role("row").filter(has=row(agent, described)).get_by_text("<i>hissed</i>")
    expect(passage.locator("mark")).to_have_text("hummed")
    assert axe(agent) == []
    agent.set_viewport_size({"width": 320, "height": 640})
    expect(agent.get_by_role("listitem").filter(has=row(agent, described)).locator("mark")).to_have_text("hummed")
    assert excess(agent) <= 0
