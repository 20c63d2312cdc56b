"""Requesters report, follow, answer and decide in the portal; what the screen says is what the API has."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from e2e.browsing import SHIFTS, Service, axe, excess, keeps_the_keyboard, settle, sign_in, visit

TABS = {"open": "open,in_progress", "waiting": "pending", "resolved": "resolved", "closed": "closed", "all": None}


@pytest.fixture
def me(service: Service) -> Iterator[httpx.Client]:
    """The API as the demo's requester."""
    with service.client("requester") as client:
        yield client


@pytest.fixture
def staff(service: Service) -> Iterator[httpx.Client]:
    """The API as the demo's agent."""
    with service.client("agent") as client:
        yield client


@pytest.fixture
def title() -> str:
    """A title that no other ticket has."""
    return f"Sound {uuid4().hex[:12]}"


def add(client: httpx.Client, title: str, **fields: Any) -> dict[str, Any]:
    """A ticket of the requester."""
    body = {"type": "support", "project": "account", "title": title, "description": "It hums."} | fields
    ticket: dict[str, Any] = checked(client.post("/tickets", json=body, headers={"Idempotency-Key": str(uuid4())}))
    return ticket


def comment(client: httpx.Client, number: int, body: str) -> dict[str, Any]:
    headers = {"Idempotency-Key": str(uuid4())}
    written: dict[str, Any] = checked(client.post(f"/tickets/{number}/comments", json={"body": body}, headers=headers))
    return written


def change(client: httpx.Client, number: int, **fields: Any) -> dict[str, Any]:
    changed: dict[str, Any] = checked(client.patch(f"/tickets/{number}", json=fields))
    return changed


@pytest.mark.parametrize("place", ["support", "desk"])
def test_a_long_conversation_is_shown_piecemeal(
    open_page: Callable[..., Page], me: httpx.Client, staff: httpx.Client, title: str, place: str
) -> None:
    """The first and the newest of it, and what is between on request; nothing that was shown goes."""
    number = add(me, title)["number"]
    for line in range(190):
        comment(me, number, f"Line {line}.")
    page = open_page({"support": "requester", "desk": "agent"}[place])
    visit(page, f"/{place}/tickets/{number}")
    lines = page.locator("[id^=comment-]")
    expect(lines).to_have_count(100)
    more = page.get_by_role("button", name="Show more")
    expect(page.get_by_text("Line 19.")).to_be_attached()
    expect(page.get_by_text("Line 110.")).to_be_attached()
    expect(page.get_by_text("Line 20.")).to_have_count(0)
    assert axe(page, "light") == []
    comment(staff, number, "Line 190.")
    expect(page.get_by_text("Line 190.")).to_be_attached(timeout=60_000)
    expect(lines).to_have_count(101)
    expect(page.get_by_text("Line 110.")).to_be_attached()
    more.click()
    expect(lines).to_have_count(181)
    expect(page.locator("li:focus")).to_contain_text("Line 20.")
    more.click()
    expect(more).to_have_count(0)
    texts = page.get_by_text(re.compile(r"^Line \d+\.$"))
    expect(texts).to_have_text([f"Line {line}." for line in range(191)])


def checked(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


def read(client: httpx.Client, path: str, **query: Any) -> Any:
    return checked(client.get(path, params=query))


def titled(client: httpx.Client, title: str) -> list[dict[str, Any]]:
    """The tickets with a title, newest first."""
    found: list[dict[str, Any]] = read(client, "/tickets", limit=100)["items"]
    return [ticket for ticket in found if ticket["title"] == title]


def comments(client: httpx.Client, number: int) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = read(client, f"/tickets/{number}/comments")["items"]
    return items


def events(client: httpx.Client, number: int) -> list[str]:
    return [event["type"] for event in read(client, f"/tickets/{number}/events")["items"]]


def button(page: Page | Locator, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def toast(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.get_by_role("status").filter(has_text=text).first).to_be_visible()


def at_ticket(page: Page, number: int) -> None:
    visit(page, f"/support/tickets/{number}")
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"#{number}")


def reply_box(page: Page) -> Locator:
    return page.get_by_role("form", name="Reply").get_by_role("textbox")


def fill(page: Page, title: str, kind: str = "Get help") -> None:
    """The form of a new ticket, as far as it must be filled."""
    page.get_by_role("radio", name=kind).check()
    if page.get_by_label("Project").is_visible():
        page.get_by_label("Project").select_option(label="Lumen Media Server")
    page.get_by_label("Title").fill(title)


# The list.


def test_what_waits_for_the_reader_stands_first(
    requester: Page, me: httpx.Client, staff: httpx.Client, title: str
) -> None:
    number = add(me, title)["number"]
    change(staff, number, status="pending")
    visit(requester, "/support")
    first = requester.get_by_role("region", name=re.compile("wait")).get_by_role("link")
    waiting = read(me, "/tickets", status="pending", requester="me", sort="-updated", limit=100)["items"]
    assert first.all_inner_texts() == [ticket["title"] for ticket in waiting]
    assert requester.locator("main li a").filter(has_text=title).count() == 1
    expect(requester.locator("main li").filter(has_text=title)).to_contain_text("Waiting for you")


@pytest.mark.parametrize("tab", TABS)
def test_a_tab_has_what_the_api_lists(tab: str, requester: Page, me: httpx.Client) -> None:
    visit(requester, "/support")
    tabs = requester.get_by_role("navigation", name="By status")
    tabs.get_by_role("link").nth(list(TABS).index(tab)).click()
    settle(requester)
    query = {} if TABS[tab] is None else {"status": TABS[tab]}
    listed = read(me, "/tickets", requester="me", sort="-updated", limit=25, **query)["items"]
    shown = requester.get_by_role("region").last.get_by_role("link")
    expect(shown).to_have_text([ticket["title"] for ticket in listed])
    assert (f"status={tab}" in requester.url) == (tab != "open")
    expect(tabs.locator("[aria-current=page]")).to_have_count(1)


@pytest.mark.parametrize("by", ["number", "#number", "words"])
def test_a_ticket_is_found(by: str, requester: Page, me: httpx.Client, title: str) -> None:
    number = add(me, title)["number"]
    visit(requester, "/support?status=all")
    text = {"number": str(number), "#number": f"#{number}", "words": title.upper()}[by]
    requester.keyboard.press("/")
    requester.keyboard.type(text, delay=20)
    expect(requester.get_by_role("searchbox")).to_have_value(text)
    expect(requester.locator("main li a").filter(has_text=title)).to_be_visible()
    expect(requester).to_have_url(re.compile("q="))
    requester.reload()
    settle(requester)
    expect(requester.get_by_role("searchbox")).to_have_value(text)
    expect(requester.locator("main li a").filter(has_text=title)).to_be_visible()


def test_filters_stand_in_the_address(requester: Page, me: httpx.Client) -> None:
    visit(requester, "/support?status=all")
    requester.get_by_label("Type").select_option("bug")
    requester.get_by_label("Project").select_option("apps")
    expect(requester).to_have_url(re.compile(r"type=bug&project=apps"))
    listed = read(me, "/tickets", requester="me", type="bug", project="apps", sort="-updated")["items"]
    rows = requester.get_by_role("region", name="All").get_by_role("link")
    expect(rows).to_have_text([ticket["title"] for ticket in listed])
    requester.reload()
    settle(requester)
    expect(requester.get_by_label("Project")).to_have_value("apps")
    expect(rows).to_have_count(len(listed))


def searched(client: httpx.Client, count: int, **query: Any) -> list[dict[str, Any]]:
    """What a search finds, once it finds so many tickets: a worker writes the documents."""
    deadline = time.monotonic() + 60
    items: list[dict[str, Any]]
    while len(items := read(client, "/tickets", limit=100, **query)["items"]) != count:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return items


def held_back(page: Page, unread: Callable[[str], bool]) -> None:
    """Nothing is found by the queries of which this is so."""

    def answer(route: Route) -> None:
        if unread(parse_qs(urlsplit(route.request.url).query).get("q", [""])[0]):
            route.fulfill(json={"items": [], "next": None})
        else:
            route.continue_()

    page.route("**/api/v1/tickets?*", answer)


@pytest.mark.parametrize("by", ["number", "#number", "words", "phrase", "beginning"])
def test_a_ticket_of_just_now_is_found_before_its_document_is_written(
    by: str, requester: Page, me: httpx.Client, title: str
) -> None:
    number = add(me, title)["number"]
    text = {
        "number": str(number),
        "#number": f"#{number}",
        "words": title.lower(),
        "phrase": f'"{title}"',
        "beginning": title[:-3],
    }[by]
    if by in ("words", "phrase", "beginning"):
        # No document has been written: only titles have it.
        held_back(requester, lambda q: bool(q) and "title:" not in q)
    visit(requester, "/support")
    requester.get_by_role("searchbox").fill(text)
    expect(hit(requester, title)).to_be_visible()


def hit(page: Page, title: str) -> Locator:
    """The row of a ticket."""
    return page.get_by_role("main").get_by_role("listitem").filter(has_text=title)


def test_description_and_comments_are_searched_and_the_places_marked(
    requester: Page, me: httpx.Client, staff: httpx.Client
) -> None:
    word, other, inside = (f"{letter}{uuid4().hex[:10]}" for letter in "wxy")
    title = f"Sound z{uuid4().hex[:10]}"
    add(me, title, description=f"At night it says {word} & <i>hisses</i>.")
    told = add(me, f"{title} too")["number"]
    comment(me, told, f"Now it says {word} {other}.")
    comment_of_staff = {"body": f"Internally it is {word} {inside}.", "visibility": "internal"}
    headers = {"Idempotency-Key": str(uuid4())}
    checked(staff.post(f"/tickets/{told}/comments", json=comment_of_staff, headers=headers))
    searched(staff, 1, q=f"{word} {inside}")
    searched(me, 2, q=word)

    visit(requester, "/support")
    requester.get_by_role("searchbox").fill(word)
    rows = requester.get_by_role("main").get_by_role("listitem").filter(has=requester.locator("mark"))
    expect(rows).to_have_count(2)
    expect(rows.locator("mark")).to_have_text([word, word])
    expect(requester.get_by_text(f"At night it says {word} & <i>hisses</i>.")).to_be_visible()
    expect(requester.get_by_text(f"Now it says {word} {other}.")).to_be_visible()
    expect(requester.get_by_text(inside)).to_have_count(0)
    assert axe(requester, "light", "dark") == []
    for text in (f"{word} {other}", f'"{word} {other}"', f"“{word} {other}”", f"{other[:-2]}"):
        requester.get_by_role("searchbox").fill(text)
        expect(rows).to_have_count(1)
        expect(hit(requester, f"{title} too")).to_be_visible()
    requester.get_by_role("searchbox").fill(f'"{other} {word}"')
    expect(requester.get_by_role("heading", name="Nothing matches")).to_be_visible()
    # What only staff may read is neither found nor shown.
    with requester.expect_response(lambda answer: f"q={inside}" in answer.url) as answered:
        requester.get_by_role("searchbox").fill(inside)
    assert answered.value.json()["items"] == []
    expect(requester.get_by_role("heading", name="Nothing matches")).to_be_visible()
    requester.get_by_role("searchbox").fill(title)
    expect(hit(requester, f"{title} too")).to_be_visible()
    expect(hit(requester, f"{title} too").locator("mark").first).to_have_text("Sound")


@pytest.mark.parametrize("locale", ["en-US", "de", "ar"])
def test_hits_and_none_fit_320_pixels(
    open_page: Callable[..., Page], me: httpx.Client, title: str, locale: str
) -> None:
    word = f"w{uuid4().hex[:10]}"
    add(me, title, description=f"{'Before it. ' * 20} {word} {'x' * 120} after it.")
    searched(me, 1, q=word)
    page = open_page("requester", viewport={"width": 320, "height": 640}, locale=locale)
    visit(page, f"/support?q={word}")
    expect(page.locator("main mark")).to_have_text(word)
    assert excess(page) <= 0
    assert axe(page, "light", "dark") == []
    visit(page, f"/support?q={word}{'y' * 80}&type=bug&whose=all")
    expect(page.get_by_role("main").get_by_text(f"{word}{'y' * 80}")).to_be_visible()
    assert excess(page) <= 0
    assert axe(page, "light", "dark") == []


@pytest.mark.parametrize(
    "text",
    [
        "statsu:open",
        "foo:bar",
        "status:",
        "-leave",
        "--",
        "- a",
        '"',
        'a "b',
        '""',
        "NOT a",
        "(a OR b)",
        "a,b<c>",
        "sort:-votes",
        "https://x.example/?a=b",
        "back\\slash",
        "#10",
        "🎉",
        "word " * 40,
        "字" * 60,
        "a/" * 60,
        '"' + "a " * 60 + '"',
        "a🎉" * 60,
    ],
)
def test_no_sign_that_is_typed_is_an_error(text: str, requester: Page) -> None:
    """A fault of a query would be a 400, which fails the test by itself."""
    visit(requester, "/support")
    with requester.expect_response(lambda answer: "/api/v1/tickets?" in answer.url) as answered:
        requester.get_by_role("searchbox").fill(text)
    assert answered.value.status == 200
    expect(requester).to_have_url(re.compile(r"\?q="))
    settle(requester)
    expect(requester.get_by_role("alert")).to_have_count(0)
    expect(requester.get_by_role("searchbox")).to_have_value(text[:200])


def test_an_address_of_before_still_finds_by_words_of_the_title(requester: Page, me: httpx.Client, title: str) -> None:
    add(me, title)
    visit(requester, f"/support?status=all&title={title}")
    expect(requester.get_by_role("searchbox")).to_have_value(title)
    expect(hit(requester, title)).to_be_visible()


def test_a_late_answer_to_older_words_is_not_shown(requester: Page, me: httpx.Client, title: str) -> None:
    add(me, f"{title} first")
    add(me, f"{title} second")
    searched(me, 2, q=f'"{title}"')
    late: list[Route] = []

    def decide(route: Route) -> None:
        if "first" in route.request.url:
            late.append(route)
        else:
            route.continue_()

    requester.route("**/api/v1/tickets?*", decide)
    visit(requester, "/support")
    box = requester.get_by_role("searchbox")
    box.fill(f"{title} first")
    asked(requester, late)
    box.fill(f"{title} second")
    expect(hit(requester, f"{title} second")).to_be_visible()
    for route in late:
        route.continue_()
    requester.unroute("**/api/v1/tickets?*")
    settle(requester)
    expect(hit(requester, f"{title} second")).to_be_visible()
    expect(hit(requester, f"{title} first")).to_have_count(0)


def test_a_page_without_hits_is_not_the_end_of_a_search(requester: Page, me: httpx.Client, title: str) -> None:
    """A page ends after so many tickets that were looked at, whether it has hits or not."""
    add(me, title)
    [found] = searched(me, 1, q=f'"{title}"')
    held_back(requester, lambda q: "title:" in q)
    shown = {"items": [found], "next": None}
    first = {"items": [], "next": "later"}
    requester.route("**/api/v1/tickets?*limit=25*", lambda route: route.fulfill(json=first))
    requester.route("**/api/v1/tickets?*cursor=later*", lambda route: route.fulfill(json=shown))
    visit(requester, f"/support?status=all&q={title}")
    expect(hit(requester, title)).to_be_visible()


def test_more_is_shown_by_and_by(requester: Page, me: httpx.Client, title: str) -> None:
    for place in range(27):
        add(me, f"{title} {place}")
    searched(me, 27, q=f'"{title}"')
    visit(requester, f"/support?q={title}")
    rows = requester.get_by_role("region").last.get_by_role("link")
    expect(rows).to_have_count(25)
    button(requester, "Show more").click()
    expect(rows).to_have_count(27)
    expect(button(requester, "Show more")).to_have_count(0)


def test_an_empty_list_says_what_to_do_next(requester: Page) -> None:
    visit(requester, "/support?q=nothing-is-called-this&type=bug&project=apps")
    expect(requester.get_by_role("heading", name="Nothing matches")).to_be_visible()
    # What was searched.
    expect(requester.get_by_text("“nothing-is-called-this” · Open · Bug report · Lumen Apps · Mine")).to_be_visible()
    button(requester, "Search all tickets").click()
    expect(requester).to_have_url(re.compile("status=all"))
    button(requester, "Clear filters").click()
    expect(requester.locator("main li a").nth(6)).to_be_visible()
    assert axe(requester, "light", "dark") == []


def test_a_visitor_signs_in_and_comes_back(page: Page) -> None:
    visit(page, "/support?status=closed")
    expect(page).to_have_url(re.compile(r"/sign-in\?next=%2Fsupport%3Fstatus%3Dclosed"))
    demo_sign_in(page)
    expect(page).to_have_url(re.compile(r"/support\?status=closed$"))


def demo_sign_in(page: Page) -> None:
    """The button of the demo's requester."""
    page.get_by_role("button", name=re.compile("Requester")).first.click()


def test_somebody_elses_list_and_ticket_are_not_theirs(requester: Page, staff: httpx.Client) -> None:
    other = add(staff, f"Private {uuid4()}", requester={"email": "haruka.mori@kissa-mori.example"})
    visit(requester, f"/support?whose=all&status=all&q={other['number']}")
    expect(requester.get_by_role("heading", name="Nothing matches")).to_be_visible()


@pytest.mark.expects("404")
def test_somebody_elses_ticket_is_not_there(requester: Page, staff: httpx.Client) -> None:
    other = add(staff, f"Private {uuid4()}", requester={"email": "haruka.mori@kissa-mori.example"})
    visit(requester, f"/support/tickets/{other['number']}")
    expect(requester.get_by_role("heading", name="Nothing is here")).to_be_visible()
    expect(requester.get_by_text(other["title"])).to_have_count(0)


# A new ticket.


def test_a_bug_is_reported_with_everything(requester: Page, me: httpx.Client, title: str) -> None:
    visit(requester, "/support/new")
    fill(requester, title, "Report a bug")
    requester.get_by_label("Category").select_option(label="Music")
    requester.get_by_label("What happens").fill("It **hums**.")
    requester.get_by_role("tab", name="Preview").click()
    expect(requester.locator(".prose strong")).to_have_text("hums")
    requester.get_by_label("How bad is it?").select_option("high")
    requester.get_by_text("About your system").click()
    requester.get_by_label("Value of Browser").fill("Lynx 2.9")
    button(requester, "Remove Screen").click()
    button(requester, "Add an entry").click()
    requester.keyboard.type("app_version")
    requester.get_by_label("Value of app_version").fill("4.8.2")
    assert axe(requester, "light", "dark") == []
    button(requester, "Send").click()
    expect(requester.get_by_role("heading", level=1)).to_contain_text(title)
    [ticket] = titled(me, title)
    expect(requester).to_have_url(re.compile(f"/support/tickets/{ticket['number']}$"))
    assert {name: ticket[name] for name in ("type", "project", "category", "severity", "description")} == {
        "type": "bug",
        "project": "media-server",
        "category": "music",
        "severity": "high",
        "description": "It **hums**.",
    }
    assert ticket["environment"] == {
        "browser": "Lynx 2.9",
        "os": "Linux",
        "language": "en-US",
        "time_zone": "UTC",
        "app_version": "4.8.2",
    }
    assert events(me, ticket["number"]) == ["ticket.created"]


def test_a_wish_is_sent_without_the_browser(requester: Page, me: httpx.Client, title: str) -> None:
    visit(requester, "/support/new?type=feature_request&project=apps")
    expect(requester.get_by_label("Project")).to_have_value("apps")
    expect(requester.get_by_text("About your system")).to_have_count(0)
    requester.get_by_label("Title").fill(title)
    requester.get_by_label("Title").press("Enter")
    expect(requester.get_by_role("heading", level=1)).to_contain_text(title)
    [ticket] = titled(me, title)
    assert (ticket["type"], ticket["project"]) == ("feature_request", "apps")
    assert (ticket["environment"], ticket["severity"]) == ({}, "none")


def test_only_projects_that_take_the_type_are_offered(requester: Page) -> None:
    visit(requester, "/support/new?type=support")
    project = requester.get_by_label("Project")
    project.select_option("account")
    for name in ("Account & Billing", "Lumen Apps", "Lumen Media Server"):
        expect(project.locator("option").filter(has_text=name)).to_have_count(1)
    requester.get_by_role("radio", name="Report a bug").check()
    expect(project.locator("option").filter(has_text="Account & Billing")).to_have_count(0)
    expect(project.locator("option").filter(has_text="Lumen Media Server")).to_have_count(1)
    expect(project).to_have_value("")


def test_a_double_click_makes_one_ticket(requester: Page, me: httpx.Client, title: str) -> None:
    visit(requester, "/support/new")
    fill(requester, title)
    button(requester, "Send").dblclick()
    expect(requester.get_by_role("heading", level=1)).to_contain_text(title)
    assert len(titled(me, title)) == 1


@pytest.mark.expects("ERR_FAILED")
def test_a_lost_answer_and_a_reload_make_one_ticket(requester: Page, me: httpx.Client, title: str) -> None:
    """The service has the ticket; the browser never hears of it, and sends the form again after a reload."""

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    visit(requester, "/support/new")
    fill(requester, title)
    requester.route("**/api/v1/tickets", lose)
    button(requester, "Send").click()
    expect(requester.get_by_role("alert")).to_contain_text("What you typed is kept")
    assert len(titled(me, title)) == 1
    requester.unroute("**/api/v1/tickets")
    requester.reload()
    settle(requester)
    expect(requester.get_by_label("Title")).to_have_value(title)
    button(requester, "Send").click()
    expect(requester.get_by_role("heading", level=1)).to_contain_text(title)
    assert len(titled(me, title)) == 1
    visit(requester, "/support/new")
    expect(requester.get_by_role("radio", checked=True)).to_have_count(0)


@pytest.mark.expects("ERR_FAILED", "422")
def test_another_text_after_a_lost_answer_is_asked_about(requester: Page, me: httpx.Client, title: str) -> None:
    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    visit(requester, "/support/new")
    fill(requester, title)
    requester.route("**/api/v1/tickets", lose)
    button(requester, "Send").click()
    expect(requester.get_by_role("alert")).to_be_visible()
    requester.unroute("**/api/v1/tickets")
    requester.get_by_label("What is your question?").fill("More of it.")
    button(requester, "Send").click()
    expect(requester.get_by_role("alert")).to_contain_text("has become a ticket already")
    assert len(titled(me, title)) == 1
    button(requester, "Send as another ticket").click()
    expect(requester.get_by_role("heading", level=1)).to_contain_text(title)
    assert [ticket["description"] for ticket in titled(me, title)] == ["More of it.", ""]


def test_a_draft_outlives_a_reload_and_can_be_discarded(requester: Page, me: httpx.Client, title: str) -> None:
    visit(requester, "/support/new")
    expect(button(requester, "Discard draft")).to_have_count(0)
    fill(requester, title, "Report a bug")
    requester.get_by_label("What happens").fill("It hums.")
    requester.reload()
    settle(requester)
    expect(requester.get_by_label("Title")).to_have_value(title)
    expect(requester.get_by_label("What happens")).to_have_value("It hums.")
    expect(requester.get_by_text("Your draft is back.")).to_be_visible()
    button(requester, "Discard draft").click()
    expect(requester.get_by_label("Title")).to_have_count(0)
    button(requester, "Undo").click()
    expect(requester.get_by_label("Title")).to_have_value(title)
    button(requester, "Discard draft").click()
    requester.reload()
    settle(requester)
    expect(requester.get_by_role("radio", checked=True)).to_have_count(0)
    assert titled(me, title) == []


def test_what_is_missing_is_said_where_it_is(requester: Page, title: str) -> None:
    visit(requester, "/support/new?type=bug&project=media-server")
    button(requester, "Send").click()
    field = requester.get_by_label("Title")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile("Give it a title."))
    assert axe(requester, "light", "dark") == []


@pytest.mark.expects("422")
def test_what_the_service_refuses_is_said_where_it_is(
    requester: Page, service: Service, me: httpx.Client, title: str
) -> None:
    key = f"c{uuid4().hex[:10]}"
    with service.client("admin") as admin:
        headers = {"Idempotency-Key": str(uuid4())}
        checked(admin.post("/projects/apps/categories", json={"key": key, "name": "Watches"}, headers=headers))
        visit(requester, "/support/new?type=bug&project=apps")
        requester.get_by_label("Category").select_option(key)
        requester.get_by_label("Title").fill(title)
        checked(admin.patch(f"/projects/apps/categories/{key}", json={"archived": True}))
    button(requester, "Send").click()
    field = requester.get_by_label("Category")
    expect(field).to_be_focused()
    expect(field).to_have_accessible_description(re.compile("no category"))
    assert titled(me, title) == []
    field.select_option("")
    button(requester, "Send").click()
    expect(requester.get_by_role("heading", level=1)).to_contain_text(title)
    assert len(titled(me, title)) == 1


def findable(client: httpx.Client, title: str, number: int) -> None:
    """Wait until a ticket is found by its words, which a worker writes."""

    def found() -> bool:
        answer = checked(client.post("/tickets/similar", json={"title": title}))
        return number in [item["number"] for item in answer["items"]]

    deadline = time.monotonic() + 60
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def asked(page: Page, requests: list[Any]) -> None:
    """Wait until the page has sent what a route collects."""
    deadline = time.monotonic() + 60
    while not requests:
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)


def test_tickets_like_a_new_one_are_shown(requester: Page, me: httpx.Client) -> None:
    words = [f"w{uuid4().hex[:8]}" for _ in range(4)]
    ticket = add(me, f"Marmalade {words[0]} stutters on {words[1]}")
    findable(me, ticket["title"], ticket["number"])
    visit(requester, "/support/new?type=bug&project=account")
    shown = requester.get_by_role("region", name="Is it one of these?")
    field = requester.get_by_label("Title")
    field.fill(f"{words[1]}: {words[0]} stuttering")
    expect(requester.get_by_role("status").filter(has_text="1 ticket is like yours.")).to_have_count(1)
    link = shown.get_by_role("link", name=ticket["title"])
    expect(link).to_have_accessible_description(re.compile("opens in a new tab"))
    assert axe(requester, "light", "dark") == []
    expect(field).to_be_focused()
    field.press("Tab")
    expect(link).to_be_focused()
    with requester.context.expect_page() as opened:
        link.press("Enter")
    expect(opened.value.get_by_role("heading", level=1)).to_contain_text(ticket["title"])
    opened.value.close()
    field.fill(f"{words[2]} {words[3]}")
    expect(shown).to_have_count(0)
    field.fill(ticket["title"])
    expect(link).to_be_visible()
    field.fill("")
    expect(shown).to_have_count(0)


def test_what_was_asked_for_an_older_title_is_not_shown(requester: Page, me: httpx.Client) -> None:
    """The answer to the first title comes after that to the second, which is like nothing."""
    ticket = add(me, f"Marmalade {uuid4().hex[:8]} hums {uuid4().hex[:8]}")
    findable(me, ticket["title"], ticket["number"])
    held: list[Route] = []

    def hold(route: Route) -> None:
        if ticket["title"] in (route.request.post_data or ""):
            held.append(route)
        else:
            route.continue_()

    visit(requester, "/support/new?type=bug&project=media-server")
    requester.route("**/api/v1/tickets/similar", hold)
    field = requester.get_by_label("Title")
    field.fill(ticket["title"])
    asked(requester, held)
    with requester.expect_response("**/api/v1/tickets/similar"):
        field.fill(f"Nothing {uuid4().hex} at all")
    for route in held:
        route.continue_()
    expect(requester.get_by_role("region", name="Is it one of these?")).to_have_count(0)
    field.fill(f"Nothing {uuid4().hex} more")
    expect(requester.get_by_role("region", name="Is it one of these?")).to_have_count(0)


@pytest.mark.expects("503")
def test_without_an_answer_about_tickets_like_it_the_form_is_quiet(
    requester: Page, me: httpx.Client, title: str
) -> None:
    refused: list[str] = []

    def refuse(route: Route) -> None:
        refused.append(route.request.url)
        route.fulfill(status=503, content_type="application/problem+json", body="{}")

    requester.route("**/api/v1/tickets/similar", refuse)
    visit(requester, "/support/new")
    fill(requester, title)
    asked(requester, refused)
    expect(requester.get_by_role("alert")).to_have_count(0)
    button(requester, "Send").click()
    expect(requester.get_by_role("heading", level=1)).to_contain_text(title)
    assert len(titled(me, title)) == 1


@pytest.mark.expects("ERR_INTERNET_DISCONNECTED", "net::")
def test_offline_keeps_what_was_typed(requester: Page, me: httpx.Client, title: str) -> None:
    visit(requester, "/support/new")
    fill(requester, title)
    requester.context.set_offline(True)
    expect(requester.get_by_text("You are offline.")).to_be_visible()
    button(requester, "Send").click()
    expect(requester.get_by_role("alert")).to_contain_text("What you typed is kept")
    requester.context.set_offline(False)
    button(requester, "Send").click()
    expect(requester.get_by_role("heading", level=1)).to_contain_text(title)
    assert len(titled(me, title)) == 1


@pytest.mark.expects("503")
def test_a_service_that_is_busy_is_asked_again(requester: Page, me: httpx.Client, title: str) -> None:
    tries: list[str] = []

    def busy(route: Route) -> None:
        tries.append(route.request.headers["idempotency-key"])
        if len(tries) > 1:
            route.continue_()
        else:
            route.fulfill(
                status=503,
                headers={"Retry-After": "1", "Content-Type": "application/problem+json"},
                json={"type": "about:blank", "title": "Busy", "status": 503, "code": "unavailable", "detail": "Busy."},
            )

    visit(requester, "/support/new")
    fill(requester, title)
    requester.route("**/api/v1/tickets", busy)
    button(requester, "Send").click()
    expect(requester.get_by_role("heading", level=1)).to_contain_text(title)
    assert len(tries) == 2
    assert len(set(tries)) == 1
    assert len(titled(me, title)) == 1


def test_a_visitor_types_first_and_signs_in_then(page: Page, me: httpx.Client, title: str) -> None:
    visit(page, "/support/new")
    page.get_by_role("radio", name="Get help").check()
    page.get_by_label("Title").fill(title)
    button(page, "Sign in and send").click()
    expect(page).to_have_url(re.compile(r"/sign-in\?next="))
    demo_sign_in(page)
    expect(page.get_by_label("Title")).to_have_value(title)
    # Only the project is missing, and it says so.
    project = page.get_by_label("Project")
    expect(project).to_be_focused()
    expect(project).to_have_accessible_description("One thing is missing: choose a project, then send it.")
    project.select_option("account")
    button(page, "Send").click()
    toast(page, re.compile(r"Ticket #\d+ is open\."))
    expect(page.get_by_role("heading", level=1)).to_contain_text(title)
    assert len(titled(me, title)) == 1


def test_what_lacks_nothing_is_sent_by_signing_in(page: Page, me: httpx.Client, title: str) -> None:
    visit(page, "/support/new?project=account")
    page.get_by_role("radio", name="Get help").check()
    page.get_by_label("Title").fill(title)
    button(page, "Sign in and send").click()
    expect(page).to_have_url(re.compile(r"/sign-in\?next="))
    demo_sign_in(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text(title)
    assert len(titled(me, title)) == 1
    # It was meant once: another text waits for its own click.
    visit(page, "/support/new?type=support&project=account")
    page.get_by_label("Title").fill(f"{title} again")
    expect(page.get_by_text("Draft kept in this browser")).to_be_visible()
    page.reload()
    settle(page)
    expect(page.get_by_label("Title")).to_have_value(f"{title} again")
    assert titled(me, f"{title} again") == []


def test_of_two_drafts_neither_is_lost_nor_sent_for_the_other(
    page: Page, requester: Page, me: httpx.Client, title: str
) -> None:
    visit(requester, "/support/new?type=support&project=account")
    requester.get_by_label("Title").fill(f"{title} of mine")
    # That a draft is kept is said of the one before, too.
    requester.wait_for_function("title => JSON.stringify(localStorage).includes(title)", arg=f"{title} of mine")
    kept = requester.evaluate("Object.entries(localStorage).filter(([key]) => key.startsWith('ticketing.draft.'))")
    visit(page, "/support/new?project=account")
    page.evaluate("kept => kept.forEach(([key, text]) => localStorage.setItem(key, text))", kept)
    page.get_by_role("radio", name="Get help").check()
    page.get_by_label("Title").fill(f"{title} of a visitor")
    button(page, "Sign in and send").click()
    demo_sign_in(page)
    expect(page.get_by_label("Title")).to_have_value(f"{title} of mine")
    button(page, "Discard draft").click()
    keeps_the_keyboard(page)
    page.reload()
    settle(page)
    expect(page.get_by_label("Title")).to_have_value(f"{title} of a visitor")
    assert [titled(me, f"{title} of {whom}") for whom in ("mine", "a visitor")] == [[], []]


@pytest.mark.expects("422")
def test_a_title_that_is_too_long_is_said_and_not_cut(requester: Page, title: str) -> None:
    visit(requester, "/support/new?type=support&project=account")
    box = requester.get_by_label("Title")
    expect(requester.get_by_text("of 200 characters")).to_have_count(0)
    box.fill("x" * 203)
    expect(box).to_have_value("x" * 203)
    expect(requester.get_by_text("203 of 200 characters")).to_be_visible()
    button(requester, "Send").click()
    expect(box).to_be_focused()
    expect(box).to_have_attribute("aria-invalid", "true")
    box.fill("x" * 170)
    expect(requester.get_by_text("170 of 200 characters")).to_be_visible()
    expect(box).not_to_have_attribute("aria-invalid", "true")


@pytest.mark.parametrize("what", ["ticket", "comment"])
def test_escape_leaves_an_edit_in_which_nothing_was_changed(
    what: str, requester: Page, me: httpx.Client, title: str
) -> None:
    number = add(me, title)["number"]
    comment(me, number, "It hums still.")
    at_ticket(requester, number)
    if what == "ticket":
        button(requester, "Edit").first.click()
        box = requester.get_by_label("Title")
    else:
        article = requester.get_by_role("article", name=re.compile("Comment by"))
        article.get_by_role("button", name=re.compile("Actions for the comment")).click()
        requester.get_by_role("menuitem", name="Edit").click()
        box = article.get_by_role("textbox")
    expect(box).to_be_focused()
    text = box.input_value()
    box.press("x")
    box.press("Escape")
    expect(box).to_be_visible()
    box.fill(text)
    box.press("Escape")
    expect(box).to_have_count(0)
    keeps_the_keyboard(requester)


@pytest.mark.expects("ERR_INTERNET_DISCONNECTED", "net::")
def test_a_reply_without_a_network_says_it_once_and_no_longer_than_it_is_so(
    requester: Page, me: httpx.Client, title: str
) -> None:
    number = add(me, title)["number"]
    at_ticket(requester, number)
    reply_box(requester).fill("It hums still.")
    requester.context.set_offline(True)
    button(requester, "Send reply").click()
    alert = requester.get_by_role("form", name="Reply").get_by_role("alert")
    expect(alert).to_have_text("The service cannot be reached. It was not sent, and is kept here.")
    requester.context.set_offline(False)
    expect(alert).to_have_count(0)
    button(requester, "Send reply").click()
    expect(requester.get_by_role("article", name=re.compile("Comment by"))).to_contain_text("It hums still.")
    assert [each["body"] for each in comments(me, number)] == ["It hums still."]


@pytest.mark.expects("ERR_INTERNET_DISCONNECTED", "net::")
def test_a_part_of_a_page_that_does_not_come_without_a_network_says_so_and_is_asked_for_again(
    requester: Page, me: httpx.Client, title: str
) -> None:
    at_ticket(requester, add(me, title)["number"])
    requester.context.set_offline(True)
    button(requester, "Close ticket").click()
    alert = requester.get_by_role("alert").filter(has_text="The service cannot be reached.")
    expect(alert).to_be_visible()
    requester.keyboard.press("Control+k")
    said = requester.get_by_role("status").filter(has_text="The service cannot be reached.")
    expect(said).to_be_visible()
    requester.context.set_offline(False)
    button(said, "Try again").click()
    dialog = requester.get_by_role("dialog", name="Search and commands")
    expect(dialog).to_be_visible()
    requester.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    button(alert, "Try again").click()
    dialog = requester.get_by_role("dialog", name="Close this ticket?")
    dialog.get_by_role("textbox").fill("It went by itself.")
    button(dialog, "Close ticket").click()
    expect(requester.get_by_role("heading", name="Closed: Withdrawn by requester")).to_be_visible()


@pytest.mark.parametrize("viewport", [(640, 400), (375, 740), (1280, 800)])
@pytest.mark.parametrize("role", ["admin", "requester"])
def test_the_list_does_not_jump(open_page: Callable[..., Page], role: str, viewport: tuple[int, int]) -> None:
    page = open_page(role, viewport={"width": viewport[0], "height": viewport[1]})
    page.add_init_script(SHIFTS)
    visit(page, "/support")
    assert page.evaluate("window.shifted") < 0.1


def test_a_ticket_is_opened_by_keyboard_alone(requester: Page, me: httpx.Client, title: str) -> None:
    visit(requester, "/support")
    requester.keyboard.press("n")
    expect(requester).to_have_url(re.compile("/support/new$"))
    settle(requester)
    requester.keyboard.press("Tab")
    requester.keyboard.press("Space")
    expect(requester.get_by_role("radio", name="Report a bug")).to_be_checked()
    requester.keyboard.press("ArrowDown")
    requester.keyboard.press("ArrowDown")
    expect(requester.get_by_role("radio", name="Get help")).to_be_checked()
    requester.keyboard.press("Tab")
    requester.keyboard.type("Account")
    expect(requester.get_by_label("Project")).to_have_value("account")
    expect(requester.get_by_label("Category")).to_be_visible()
    requester.keyboard.press("Tab")
    requester.keyboard.press("Tab")
    requester.keyboard.type(title)
    requester.keyboard.press("Enter")
    expect(requester.get_by_role("heading", level=1)).to_contain_text(title)
    assert len(titled(me, title)) == 1


# A ticket.


@pytest.mark.parametrize("way", ["button", "keys"])
def test_a_reply_is_written_once(way: str, requester: Page, me: httpx.Client, title: str) -> None:
    number = add(me, title)["number"]
    at_ticket(requester, number)
    reply_box(requester).fill("It hums **louder**.")
    if way == "button":
        button(requester, "Send reply").dblclick()
    else:
        requester.keyboard.press("Control+Enter")
    entry = requester.get_by_role("article", name="Comment by Jonas")
    expect(entry.locator("strong")).to_have_text("louder")
    expect(reply_box(requester)).to_have_value("")
    assert [each["body"] for each in comments(me, number)] == ["It hums **louder**."]
    assert events(me, number) == ["ticket.created", "comment.created"]
    requester.reload()
    settle(requester)
    expect(reply_box(requester)).to_have_value("")


def test_a_reply_is_kept_until_it_is_sent(requester: Page, me: httpx.Client, title: str) -> None:
    number = add(me, title)["number"]
    at_ticket(requester, number)
    reply_box(requester).fill("Half a sent")
    requester.reload()
    settle(requester)
    expect(reply_box(requester)).to_have_value("Half a sent")
    assert comments(me, number) == []


@pytest.mark.expects("401")
def test_a_session_that_ends_while_somebody_types_loses_nothing(requester: Page, me: httpx.Client, title: str) -> None:
    number = add(me, title)["number"]
    at_ticket(requester, number)
    reply_box(requester).fill("Typed before it ended.")
    ended = requester.evaluate(
        """async () => {
            const { csrf_token } = await (await fetch('/api/v1/session')).json();
            const headers = { 'X-CSRF-Token': csrf_token };
            return (await fetch('/api/v1/session', { method: 'DELETE', headers })).status;
        }"""
    )
    assert ended == 204
    dialog = requester.get_by_role("dialog", name="You have been signed out")
    expect(dialog).to_be_visible()
    assert axe(requester, "light", "dark") == []
    with requester.context.expect_page() as opened:
        dialog.get_by_role("link", name="Sign in").click()
    demo_sign_in(opened.value)
    expect(opened.value.get_by_role("heading", level=1)).to_contain_text(title)
    opened.value.close()
    requester.evaluate("dispatchEvent(new Event('focus'))")
    expect(dialog).to_have_count(0)
    expect(reply_box(requester)).to_have_value("Typed before it ended.")
    requester.get_by_role("form", name="Reply").get_by_role("button", name=re.compile("Send")).click()
    expect(requester.get_by_role("article", name="Comment by Jonas")).to_contain_text("Typed before it ended.")
    assert [each["body"] for each in comments(me, number)] == ["Typed before it ended."]


def test_two_people_see_each_others_replies_as_they_come(
    requester: Page, agent: Page, me: httpx.Client, title: str
) -> None:
    number = add(me, title, description="\n\n".join(f"Line {place}." for place in range(40)))["number"]
    for page in (requester, agent):
        with page.expect_response(lambda response: "/events/stream" in response.url):
            at_ticket(page, number)
    mine, theirs = reply_box(requester), reply_box(agent)
    mine.fill("I am typ")
    mine.focus()
    before = mine.bounding_box()
    theirs.fill("Hello from **support**.")
    button(agent, "Send reply").click()
    expect(agent.get_by_role("article", name="Comment by Mateo")).to_be_visible()
    at = time.monotonic()
    heard = requester.get_by_role("article", name="Comment by Mateo")
    expect(heard).to_contain_text("Hello from support.")
    assert time.monotonic() - at < 1.5
    expect(mine).to_be_focused()
    after = mine.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["y"] - after["y"]) <= 1
    requester.keyboard.type("ing.")
    expect(mine).to_have_value("I am typing.")
    button(requester, "Send reply").click()
    expect(agent.get_by_role("article", name="Comment by Jonas")).to_contain_text("I am typing.")
    assert len(comments(me, number)) == 2


def test_the_timeline_is_told_in_words(requester: Page, me: httpx.Client, staff: httpx.Client, title: str) -> None:
    number = add(me, title)["number"]
    at_ticket(requester, number)
    staff_id = read(staff, "/me")["user"]["id"]
    change(staff, number, status="in_progress", assignee={"id": staff_id}, priority="high")
    line = requester.get_by_role("listitem").filter(has_text="changed several things")
    expect(line).to_contain_text("In progress")
    expect(line).to_contain_text("High")
    assert "in_progress" not in requester.locator("main").inner_text()
    expect(requester.get_by_role("complementary")).to_contain_text("Mateo Rivas")


def test_ones_own_comment_is_changed_and_deleted(requester: Page, me: httpx.Client, title: str) -> None:
    number = add(me, title)["number"]
    comment(me, number, "It humms.")
    at_ticket(requester, number)
    entry = requester.get_by_role("article", name="Comment by Jonas")
    button(entry, "Actions for the comment by Jonas Brückner").click()
    requester.get_by_role("menuitem", name="Edit").click()
    expect(entry.get_by_role("textbox")).to_be_focused()
    entry.get_by_role("textbox").fill("It hums.")
    button(entry, "Save").click()
    expect(entry).to_contain_text("edited")
    expect(entry).to_contain_text("It hums.")
    assert [each["body"] for each in comments(me, number)] == ["It hums."]
    button(entry, "Actions for the comment by Jonas Brückner").click()
    requester.get_by_role("menuitem", name="Delete").click()
    dialog = requester.get_by_role("dialog", name="Delete this comment?")
    expect(dialog).to_be_visible()
    assert axe(requester, "light", "dark") == []
    button(dialog, "Delete").click()
    expect(entry).to_contain_text("This comment was deleted.")
    toast(requester, "The comment is deleted.")
    assert [each["body"] for each in comments(me, number)] == [None]
    assert events(me, number)[1:] == ["comment.created", "comment.updated", "comment.deleted"]


@pytest.mark.expects("412")
def test_a_comment_that_was_changed_elsewhere_is_not_overwritten(requester: Page, me: httpx.Client, title: str) -> None:
    number = add(me, title)["number"]
    written = comment(me, number, "First.")
    at_ticket(requester, number)
    entry = requester.get_by_role("article", name="Comment by Jonas")
    button(entry, "Actions for the comment by Jonas Brückner").click()
    requester.get_by_role("menuitem", name="Edit").click()
    entry.get_by_role("textbox").fill("Mine.")
    checked(me.patch(f"/tickets/{number}/comments/{written['id']}", json={"body": "From my phone."}))
    button(entry, "Save").click()
    expect(entry.get_by_role("alert")).to_contain_text("From my phone.")
    expect(entry.get_by_role("textbox")).to_have_value("Mine.")
    assert comments(me, number)[0]["body"] == "From my phone."
    button(entry, "Save mine instead").click()
    expect(entry.locator(".prose")).to_have_text("Mine.")
    assert comments(me, number)[0]["body"] == "Mine."


def test_a_resolution_is_accepted(requester: Page, me: httpx.Client, staff: httpx.Client, title: str) -> None:
    number = add(me, title)["number"]
    change(staff, number, status="resolved", resolution="answered", resolution_note="Plug it in.")
    at_ticket(requester, number)
    expect(requester.get_by_text("Plug it in.").first).to_be_visible()
    button(requester, "Yes, close it").click()
    toast(requester, "The ticket is closed.")
    expect(requester.get_by_role("heading", name="Closed: Answered")).to_be_visible()
    expect(requester.get_by_role("form", name="Reply")).to_have_count(0)
    assert read(me, f"/tickets/{number}")["status"] == "closed"
    assert events(me, number)[-1] == "ticket.closed"


def test_a_resolution_is_refused_with_a_reason(
    requester: Page, me: httpx.Client, staff: httpx.Client, title: str
) -> None:
    number = add(me, title)["number"]
    change(staff, number, status="resolved", resolution="answered")
    at_ticket(requester, number)
    button(requester, "No, reopen it").click()
    dialog = requester.get_by_role("dialog", name="Reopen this ticket?")
    expect(button(dialog, "Reopen")).to_be_disabled()
    dialog.get_by_label("Reason").fill("It is plugged in.")
    assert axe(requester, "light", "dark") == []
    button(dialog, "Reopen").click()
    toast(requester, "The ticket is open again.")
    expect(dialog).to_have_count(0)
    expect(requester.get_by_role("article", name="Comment by Jonas")).to_contain_text("It is plugged in.")
    assert read(me, f"/tickets/{number}")["status"] == "open"
    assert events(me, number)[-2:] == ["comment.created", "ticket.reopened"]
    keeps_the_keyboard(requester)


def test_ones_own_ticket_is_closed_with_a_reason(requester: Page, me: httpx.Client, title: str) -> None:
    number = add(me, title)["number"]
    at_ticket(requester, number)
    button(requester, "Close ticket").click()
    dialog = requester.get_by_role("dialog", name="Close this ticket?")
    dialog.get_by_label("Why, if you like").fill("Found it.")
    button(dialog, "Close ticket").click()
    expect(requester.get_by_role("heading", name="Closed: Withdrawn by requester")).to_be_visible()
    ticket = read(me, f"/tickets/{number}")
    assert (ticket["status"], ticket["resolution"], ticket["resolution_note"]) == ("closed", "withdrawn", "Found it.")


@pytest.mark.expects("409", "ERR_FAILED", "net::")
def test_what_cannot_be_reopened_any_more_keeps_its_reason(
    requester: Page, me: httpx.Client, staff: httpx.Client, title: str
) -> None:
    """An agent has closed it meanwhile, and this browser did not hear of it."""
    number = add(me, title)["number"]
    change(staff, number, status="resolved", resolution="answered")
    requester.route("**/api/v1/events**", lambda route: route.abort())
    at_ticket(requester, number)
    button(requester, "No, reopen it").click()
    dialog = requester.get_by_role("dialog", name="Reopen this ticket?")
    dialog.get_by_label("Reason").fill("It is plugged in.")
    change(staff, number, status="closed")
    button(dialog, "Reopen").click()
    toast(requester, "closed")
    expect(dialog.get_by_label("Reason")).to_have_value("It is plugged in.")
    assert comments(me, number) == []


@pytest.mark.expects("409")
def test_what_the_service_refuses_is_taken_back(
    requester: Page, me: httpx.Client, staff: httpx.Client, title: str
) -> None:
    number = add(me, title)["number"]
    change(staff, number, status="resolved", resolution="answered")
    at_ticket(requester, number)
    problem = {"type": "about:blank", "title": "No", "status": 409, "code": "invalid_transition", "detail": "Not now."}

    def refuse(route: Route) -> None:
        if route.request.method == "PATCH":
            # What is on the screen at this moment is what was wanted.
            expect(requester.get_by_role("heading", name="Closed: Answered")).to_be_visible()
            route.fulfill(status=409, content_type="application/problem+json", json=problem)
        else:
            route.fallback()

    requester.route(f"**/api/v1/tickets/{number}", refuse)
    button(requester, "Yes, close it").click()
    toast(requester, "Not now.")
    expect(requester.get_by_role("heading", name="Resolved: Answered")).to_be_visible()
    assert read(me, f"/tickets/{number}")["status"] == "resolved"


@pytest.mark.expects("412")
def test_title_and_description_are_changed(requester: Page, me: httpx.Client, staff: httpx.Client, title: str) -> None:
    """What an agent does meanwhile to other fields is no conflict."""
    number = add(me, title)["number"]
    at_ticket(requester, number)
    button(requester, "Edit").click()
    form = requester.get_by_role("form", name="Edit the ticket")
    expect(form.get_by_label("Title")).to_be_focused()
    form.get_by_label("Title").fill(f"{title} again")
    change(staff, number, priority="urgent")
    button(form, "Save").click()
    expect(requester.get_by_role("heading", level=1)).to_contain_text(f"{title} again")
    ticket = read(me, f"/tickets/{number}")
    assert (ticket["title"], ticket["priority"]) == (f"{title} again", "urgent")


@pytest.mark.expects("412")
@pytest.mark.parametrize("choice", ["Save mine instead", "Take theirs"])
def test_a_text_that_somebody_else_changed_is_not_overwritten(
    choice: str, requester: Page, me: httpx.Client, staff: httpx.Client, title: str
) -> None:
    number = add(me, title)["number"]
    at_ticket(requester, number)
    button(requester, "Edit").click()
    form = requester.get_by_role("form", name="Edit the ticket")
    form.get_by_label("Description").fill("It hums, I say.")
    change(staff, number, description="It *sings*.")
    requester.reload()
    settle(requester)
    expect(form.get_by_label("Description")).to_have_value("It hums, I say.")
    button(form, "Save").click()
    expect(form.get_by_role("alert").locator("em")).to_have_text("sings")
    assert read(me, f"/tickets/{number}")["description"] == "It *sings*."
    assert axe(requester, "light", "dark") == []
    button(form, choice).click()
    mine = choice == "Save mine instead"
    expect(requester.get_by_role("article").first).to_contain_text("It hums, I say." if mine else "It sings.")
    assert read(me, f"/tickets/{number}")["description"] == ("It hums, I say." if mine else "It *sings*.")


# Oneself.


def test_name_and_language_are_ones_own(requester: Page, me: httpx.Client) -> None:
    visit(requester, "/support/profile")
    requester.get_by_label("Name", exact=True).fill("Jonas B.")
    requester.get_by_label("Language").select_option("de")
    requester.get_by_label("Time zone").select_option("Europe/Vienna")
    button(requester, "Save").click()
    try:
        expect(requester.get_by_role("heading", level=1)).to_have_text("Profil")
        expect(requester.locator("html")).to_have_attribute("lang", "de")
        mine = read(me, "/me")
        assert mine["user"]["name"] == "Jonas B."
        assert (mine["preferences"]["locale"], mine["preferences"]["time_zone"]) == ("de", "Europe/Vienna")
    finally:
        kept = {"user": {"name": "Jonas Brückner"}, "preferences": {"locale": "", "time_zone": ""}}
        checked(me.patch("/me", json=kept))


def test_mail_is_ones_own_choice(requester: Page, me: httpx.Client) -> None:
    visit(requester, "/support/profile")
    choice = requester.get_by_label("somebody replies on my tickets")
    for wanted in (False, True):
        choice.set_checked(wanted)
        toast(requester, "Saved")
        assert read(me, "/me")["preferences"]["mail_notifications"]["replies"] is wanted
        requester.reload()
        settle(requester)
        expect(choice).to_be_checked(checked=wanted)


def test_other_sessions_are_ended(
    requester: Page, open_page: Callable[..., Page], service: Service, me: httpx.Client
) -> None:
    # Those of other tests fill more than a page.
    assert me.delete("/sessions").is_success
    sign_in(requester, service, "requester")
    other = open_page("requester")
    visit(requester, "/support/profile")
    region = requester.get_by_role("region", name="Where you are signed in")
    expect(region.get_by_role("listitem").filter(has_text="This browser")).to_have_count(1)
    button(region, "End all others").click()
    button(requester.get_by_role("dialog"), "End all others").click()
    expect(region.get_by_role("listitem")).to_have_count(1)
    visit(other, "/support")
    expect(other).to_have_url(re.compile("/sign-in"))
    visit(requester, "/support")
    expect(requester).to_have_url(re.compile("/support$"))


def test_a_token_is_made_shown_once_and_revoked(requester: Page, service: Service, me: httpx.Client) -> None:
    name = f"Script {uuid4().hex[:8]}"
    visit(requester, "/support/profile")
    button(requester, "New token").click()
    dialog = requester.get_by_role("dialog")
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_label("Write tickets").uncheck()
    assert axe(requester, "light", "dark") == []
    button(dialog, "Add").click()
    expect(dialog.get_by_text(re.compile("tkt_")).first).to_be_visible()
    secret = re.search(r"tkt_\w+", dialog.inner_text())
    assert secret
    url = f"{service.url}/api/v1/me"
    used = httpx.get(url, headers={"Authorization": f"Bearer {secret[0]}"})
    assert checked(used)["token"]["scopes"] == ["tickets:read"]
    button(dialog, "I have kept it").click()
    button(requester, f"Revoke: {name}").click()
    button(requester.get_by_role("dialog"), "Revoke").click()
    row = requester.get_by_role("listitem").filter(has_text=name)
    expect(row).to_contain_text("Revoked")
    [token] = [each for each in read(me, "/tokens", limit=100)["items"] if each["name"] == name]
    assert token["revoked_at"]


# In every language.


@pytest.mark.parametrize(
    ("locale", "direction", "heading"),
    [("de-DE", "ltr", "Meine Tickets"), ("ar", "rtl", "تذاكري")],
)
def test_the_pages_speak_the_browsers_language(
    locale: str, direction: str, heading: str, open_page: Callable[..., Page], me: httpx.Client, title: str
) -> None:
    number = add(me, title)["number"]
    page = open_page("requester", locale=locale, viewport={"width": 320, "height": 640})
    visit(page, "/support")
    expect(page.locator("html")).to_have_attribute("dir", direction)
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    for path in ("/support", "/support/new?type=bug", f"/support/tickets/{number}", "/support/profile"):
        visit(page, path)
        assert excess(page) <= 0
        assert axe(page, "light") == []
        said = page.locator("main").locator("h1, h2, label, legend, button, nav, option, dt").all_inner_texts()
        # What people and projects are called stays as it is.
        assert not re.search(r"\b(the|your|Send|Reply|Title|Open|Closed|Severity|Save)\b", "\n".join(said))
