"""The agents' desk: the list with its keys, the ticket beside it, what many tickets take at once, and the board."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from playwright.sync_api import Locator, Page, expect

from e2e.browsing import Service, axe, excess, settle, visit

Ticket = dict[str, Any]
Make = Callable[..., Ticket]
UNFINISHED = "open,in_progress,pending"


class Staff:
    """The API as a colleague uses it, who works at the same time."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.me: dict[str, Any] = self._got(client.get("/me"))["user"]

    def ticket(self, number: int) -> Ticket:
        """A ticket as it is now."""
        ticket: Ticket = self._got(self.client.get(f"/tickets/{number}"))
        return ticket

    def change(self, number: int, **patch: Any) -> Ticket:
        """Change a ticket."""
        ticket: Ticket = self._got(self.client.patch(f"/tickets/{number}", json=patch))
        return ticket

    def events(self, number: int) -> list[str]:
        """The types of what happened to a ticket, oldest first."""
        return [event["type"] for event in self._got(self.client.get(f"/tickets/{number}/events"))["items"]]

    def comments(self, number: int) -> list[dict[str, Any]]:
        """What was written on a ticket."""
        return list(self._got(self.client.get(f"/tickets/{number}/comments"))["items"])

    def numbers(self, **filters: str) -> list[int]:
        """The tickets that match, newest first."""
        return [ticket["number"] for ticket in self._got(self.client.get("/tickets", params=filters))["items"]]

    @staticmethod
    def _got(answer: httpx.Response) -> Any:
        assert answer.is_success, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def colleague(service: Service) -> Iterator[Staff]:
    """The demo's admin, by the API."""
    with service.client("admin") as client:
        yield Staff(client)


@pytest.fixture(scope="module")
def agent_id(service: Service) -> str:
    """The id of the demo's agent, who looks at the pages."""
    with service.client("agent") as client:
        return str(client.get("/me").json()["user"]["id"])


@pytest.fixture
def tag() -> str:
    """A tag of this test's own tickets."""
    return f"t-{uuid4().hex[:10]}"


@pytest.fixture
def make(service: Service, colleague: Staff, tag: str) -> Iterator[Make]:
    """Open a ticket of this test's own, as the demo's requester."""
    with service.client("requester") as client:

        def make(title: str = "A film stutters", **patch: Any) -> Ticket:
            answer = client.post(
                "/tickets",
                headers={"Idempotency-Key": uuid4().hex},
                json={
                    "type": "bug",
                    "project": "media-server",
                    "title": title,
                    "description": "First line\n\nSecond line\n\nThird line",
                    "severity": "medium",
                    "tags": [tag],
                },
            )
            assert answer.status_code == 201, answer.text
            ticket: Ticket = answer.json()
            return colleague.change(ticket["number"], **patch) if patch else ticket

        yield make


def shown(page: Page) -> list[int]:
    """The numbers of the rows, from the top."""
    return [int(each) for each in page.locator("[data-ticket]").evaluate_all("all => all.map(e => e.dataset.ticket)")]


def focused(page: Page) -> str | None:
    """The number of the row that has the keyboard."""
    number: str | None = page.evaluate("document.activeElement.dataset.ticket ?? null")
    return number


def row(page: Page, number: int) -> Locator:
    """The row of a ticket, or its card."""
    return page.locator("[role=row], [role=listitem]").filter(has=page.locator(f'[data-ticket="{number}"]'))


def pick(page: Page, text: str) -> None:
    """Choose from the list that is open, by typing."""
    box = page.get_by_role("dialog").get_by_role("combobox")
    expect(box).to_be_focused()
    box.press_sequentially(text)
    box.press("Enter")


def open_list(page: Page, tag: str, *numbers: int) -> None:
    """The list of this test's own tickets, with the keyboard on the first."""
    visit(page, f"/desk?tag={tag}")
    for number in numbers:
        expect(row(page, number)).to_be_visible()
    page.keyboard.press("j")
    expect(page.locator("[data-ticket]").first).to_be_focused()


# The list ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "search", "filters"),
    [
        ("Unassigned", f"?q=status:{UNFINISHED}+assignee:none", {"assignee": "none", "status": UNFINISHED}),
        ("Mine", f"?q=status:{UNFINISHED}+assignee:me", {"assignee": "me", "status": UNFINISHED}),
        ("Waiting for requester", "?q=status:pending+assignee:me", {"assignee": "me", "status": "pending"}),
        ("Critical", f"?q=status:{UNFINISHED}+severity:critical", {"severity": "critical", "status": UNFINISHED}),
        ("All open", "", {"status": UNFINISHED}),
        ("All", "?q=", {}),
    ],
)
def test_a_view_is_a_set_of_filters_in_the_address(
    agent: Page, service: Service, name: str, search: str, filters: dict[str, str]
) -> None:
    visit(agent, "/desk?priority=low")
    agent.get_by_role("navigation", name="Views").get_by_role("link", name=name, exact=True).click()
    expect(agent.get_by_role("heading", level=1)).to_have_text(name)
    assert agent.url == f"{service.url}/desk{search}"
    with service.client("agent") as client:
        wanted = Staff(client).numbers(**filters, limit="100")
    expect(agent.get_by_role("status").filter(has_text=re.compile("ticket"))).to_have_text(
        re.compile(rf"^{len(wanted)} tickets?")
    )
    assert shown(agent) == wanted[: len(shown(agent))]


def test_filters_are_set_and_removed_by_menu_and_survive_a_reload(agent: Page, make: Make, tag: str) -> None:
    high, normal = make(priority="high"), make()
    visit(agent, f"/desk?tag={tag}")
    agent.get_by_role("button", name="Filter", exact=True).click()
    pick(agent, "Prio")
    pick(agent, "High")
    # What is chosen holds at once, however the choice is closed.
    expect(row(agent, normal["number"])).to_have_count(0)
    expect(agent.get_by_role("dialog").get_by_role("combobox")).to_be_focused()
    agent.keyboard.press("Escape")
    expect(agent.get_by_role("dialog").get_by_role("combobox")).to_have_count(0)
    assert f"tag:{tag}+priority:high" in agent.url
    agent.reload()
    settle(agent)
    expect(row(agent, high["number"])).to_be_visible()
    expect(row(agent, normal["number"])).to_have_count(0)
    agent.get_by_role("button", name="Remove the filter Priority").click()
    expect(row(agent, normal["number"])).to_be_visible()
    agent.go_back()
    expect(row(agent, normal["number"])).to_have_count(0)


def test_escalated_tickets_have_a_view(agent: Page, service: Service, make: Make, tag: str) -> None:
    calm, escalated = make(severity="critical"), make(severity="critical")
    with psycopg.connect(service.setting("TICKETING_DATABASE_URL"), autocommit=True) as conn:
        conn.execute("insert into escalations (ticket, escalated_at) values (%s, now())", [escalated["number"]])
    visit(agent, f"/desk?tag={tag}")
    expect(row(agent, calm["number"])).to_be_visible()
    agent.get_by_role("navigation", name="Views").get_by_role("link", name="Escalated").click()
    expect(agent.get_by_role("heading", level=1)).to_have_text("Escalated")
    expect(row(agent, escalated["number"])).to_be_visible()
    expect(row(agent, calm["number"])).to_have_count(0)


def test_the_search_box_loses_no_key_and_finds_by_title_and_number(agent: Page, make: Make, tag: str) -> None:
    word = f"zebra{tag[2:]}"
    other, found = make(), make(f"The {word} does not load")
    visit(agent, f"/desk?tag={tag}")
    agent.keyboard.press("/")
    box = agent.get_by_label("Find tickets")
    expect(box).to_be_focused()
    box.press_sequentially(f"load {word}", delay=40)
    expect(row(agent, other["number"])).to_have_count(0)
    expect(row(agent, found["number"])).to_be_visible()
    expect(box).to_have_value(f"load {word}")
    expect(box).to_be_focused()
    assert f"+load+{word}" in agent.url
    box.fill(str(other["number"]))
    expect(row(agent, found["number"])).to_have_count(0)
    expect(row(agent, other["number"])).to_be_visible()


def test_headers_sort(agent: Page, make: Make, tag: str) -> None:
    low, urgent, normal = make(priority="low"), make(priority="urgent"), make()
    visit(agent, f"/desk?tag={tag}")
    header = agent.get_by_role("columnheader", name="Priority")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "descending")
    expect(agent.locator("[data-ticket]").first).to_have_attribute("data-ticket", str(urgent["number"]))
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    expect(agent.locator("[data-ticket]").first).to_have_attribute("data-ticket", str(low["number"]))
    assert shown(agent) == [low["number"], normal["number"], urgent["number"]]


def test_an_empty_list_says_what_to_do(agent: Page, tag: str) -> None:
    visit(agent, f"/desk?tag={tag}")
    expect(agent.get_by_role("heading", name="Nothing matches")).to_be_visible()
    agent.get_by_role("main").get_by_role("link", name="All", exact=True).last.click()
    expect(agent.locator("[data-ticket]").first).to_be_visible()


# Keys ----------------------------------------------------------------------------------------------------------------


def test_keys_go_through_the_list_open_a_ticket_and_come_back(agent: Page, make: Make, tag: str) -> None:
    third, second, first = [make()["number"] for _ in range(3)]
    open_list(agent, tag, first, second, third)
    agent.keyboard.press("j")
    agent.keyboard.press("j")
    agent.keyboard.press("j")
    expect(row(agent, third).get_by_role("link")).to_be_focused()
    agent.keyboard.press("k")
    expect(row(agent, second).get_by_role("link")).to_be_focused()
    agent.keyboard.press("o")
    expect(agent.locator(f'[data-ticket-pane="{second}"] h1')).to_be_visible()
    agent.keyboard.press("k")
    expect(agent.locator(f'[data-ticket-pane="{first}"] h1')).to_be_visible()
    expect(agent).to_have_url(re.compile(rf"/desk/tickets/{first}\?q=\S+tag:{tag}$"))
    agent.keyboard.press("Escape")
    expect(row(agent, first).get_by_role("link")).to_be_focused()
    expect(agent).to_have_url(re.compile(rf"/desk\?q=\S+tag:{tag}$"))


@pytest.mark.parametrize(
    ("key", "choices", "patch"),
    [
        ("p", ["Urg"], {"priority": "urgent"}),
        ("s", ["In pro"], {"status": "in_progress"}),
        ("s", ["Waiting"], {"status": "pending"}),
        ("a", ["Nobody"], {"assignee": None}),
        ("a", ["Me"], {"assignee": "agent"}),
        ("m", [], {"assignee": "agent"}),
    ],
)
def test_a_key_changes_the_row(
    agent: Page,
    make: Make,
    colleague: Staff,
    agent_id: str,
    tag: str,
    key: str,
    choices: list[str],
    patch: dict[str, Any],
) -> None:
    assigned = {"assignee": {"id": colleague.me["id"]}} if choices == ["Nobody"] else {}
    number = make(**assigned)["number"]
    before = colleague.events(number)
    open_list(agent, tag, number)
    with agent.expect_response(lambda answer: answer.request.method == "PATCH") as answer:
        agent.keyboard.press(key)
        for text in choices:
            pick(agent, text)
    assert answer.value.status == 200
    ticket = colleague.ticket(number)
    for field, value in patch.items():
        wanted = agent_id if value == "agent" else value
        assert (ticket[field]["id"] if isinstance(ticket[field], dict) else ticket[field]) == wanted
    assert colleague.events(number) == [*before, "ticket.updated"]
    expect(row(agent, number).get_by_role("link")).to_be_focused()


def test_t_sets_tags_of_which_new_ones_are_made_by_typing(agent: Page, make: Make, colleague: Staff, tag: str) -> None:
    number = make()["number"]
    open_list(agent, tag, number)
    agent.keyboard.press("t")
    pick(agent, "brand-new")
    agent.keyboard.press("Control+Enter")
    expect(row(agent, number)).to_contain_text("brand-new")
    _until(lambda: sorted(colleague.ticket(number)["tags"]) == sorted([tag, "brand-new"]))


def test_e_resolves_after_asking_why(agent: Page, make: Make, colleague: Staff, tag: str) -> None:
    second, first = make()["number"], make()["number"]
    open_list(agent, tag, first, second)
    agent.keyboard.press("e")
    dialog = agent.get_by_role("dialog", name="Resolve the ticket")
    dialog.get_by_label("Why does it end?").select_option(label="Answered")
    dialog.get_by_label("Note for the requester").fill("See the **manual**.")
    dialog.get_by_role("button", name="Resolve", exact=True).click()
    # It has left the list; the next one has the keyboard.
    expect(row(agent, first)).to_have_count(0)
    expect(row(agent, second).get_by_role("link")).to_be_focused()
    _until(lambda: colleague.events(first)[-1] == "ticket.resolved")
    ticket = colleague.ticket(first)
    assert (ticket["status"], ticket["resolution"]) == ("resolved", "answered")
    assert ticket["resolution_note"] == "See the **manual**."


def test_closing_the_question_changes_nothing(agent: Page, make: Make, colleague: Staff, tag: str) -> None:
    number = make()["number"]
    open_list(agent, tag, number)
    agent.keyboard.press("e")
    expect(agent.get_by_role("dialog", name="Resolve the ticket")).to_be_visible()
    agent.keyboard.press("Escape")
    expect(agent.get_by_role("dialog")).to_have_count(0)
    agent.keyboard.press("p")
    expect(agent.get_by_role("dialog").get_by_role("combobox")).to_be_focused()
    agent.keyboard.press("Escape")
    expect(row(agent, number).get_by_role("link")).to_be_focused()
    assert colleague.events(number) == ["ticket.created"]


def test_the_help_lists_the_keys_of_the_desk(agent: Page, make: Make, tag: str) -> None:
    open_list(agent, tag, make()["number"])
    agent.keyboard.press("?")
    help_ = agent.get_by_role("dialog", name="Keyboard shortcuts")
    for text in ("Next ticket", "Set status", "Internal note", "Resolve", "Back to the list"):
        expect(help_.get_by_text(text, exact=True).first).to_be_visible()


# Many at once --------------------------------------------------------------------------------------------------------


def test_x_and_shift_x_and_shift_click_select(agent: Page, make: Make, tag: str) -> None:
    numbers = [make()["number"] for _ in range(5)][::-1]
    open_list(agent, tag, *numbers)
    agent.keyboard.press("x")
    agent.keyboard.press("j")
    agent.keyboard.press("j")
    agent.keyboard.press("Shift+X")
    bar = agent.get_by_role("toolbar", name="Change what is selected")
    expect(bar).to_contain_text("3 selected")
    row(agent, numbers[4]).get_by_role("checkbox").click(modifiers=["Shift"])
    expect(bar).to_contain_text("5 selected")
    row(agent, numbers[0]).get_by_role("checkbox").click()
    expect(bar).to_contain_text("4 selected")
    expect(row(agent, numbers[4]).get_by_role("checkbox")).to_be_checked()
    agent.keyboard.press("Escape")
    expect(bar).to_have_count(0)
    agent.get_by_role("checkbox", name="Select all that are loaded").check()
    expect(bar).to_contain_text("5 selected")


@pytest.mark.parametrize(
    ("button", "choices", "several", "field", "value"),
    [
        ("Status", ["Waiting"], False, "status", "pending"),
        ("Priority", ["High"], False, "priority", "high"),
        ("Assignee", ["Me"], False, "assignee", "agent"),
        ("Add tags", ["urgent-fix"], True, "tags", "urgent-fix"),
    ],
)
def test_what_is_selected_changes_at_once(
    agent: Page,
    make: Make,
    colleague: Staff,
    agent_id: str,
    tag: str,
    button: str,
    choices: list[str],
    several: bool,
    field: str,
    value: str,
) -> None:
    numbers = [make()["number"] for _ in range(3)]
    open_list(agent, tag, *numbers)
    agent.get_by_role("checkbox", name="Select all that are loaded").check()
    agent.get_by_role("toolbar").get_by_role("button", name=button, exact=True).click()
    for text in choices:
        pick(agent, text)
    if several:
        agent.get_by_role("button", name="Apply").click()
    expect(agent.get_by_text("3 tickets changed")).to_be_visible()
    for number in numbers:
        held = colleague.ticket(number)[field]
        if field == "tags":
            assert held == [tag, value] or held == sorted([tag, value])
        else:
            assert (held["id"] if isinstance(held, dict) else held) == (agent_id if value == "agent" else value)
        assert colleague.events(number) == ["ticket.created", "ticket.updated"]
    expect(agent.get_by_role("toolbar")).to_have_count(0)


@pytest.mark.expects("412")
def test_what_was_changed_for_many_is_undone(agent: Page, make: Make, colleague: Staff, tag: str) -> None:
    numbers = [make(priority=priority)["number"] for priority in ("low", "high")]
    meanwhile = make(priority="urgent")["number"]
    open_list(agent, tag, *numbers, meanwhile)
    agent.get_by_role("checkbox", name="Select all that are loaded").check()
    agent.get_by_role("toolbar").get_by_role("button", name="Priority", exact=True).click()
    pick(agent, "Normal")
    expect(agent.get_by_text("3 tickets changed")).to_be_visible()
    colleague.change(meanwhile, title="Somebody was faster")
    agent.get_by_role("button", name="Undo").click()
    # What somebody has changed since stays as it is, and is named.
    expect(agent.get_by_text(f"#{meanwhile} cannot go back.")).to_be_visible()
    assert [colleague.ticket(number)["priority"] for number in (*numbers, meanwhile)] == ["low", "high", "normal"]
    assert colleague.events(numbers[0])[-2:] == ["ticket.updated"] * 2


def test_closing_many_is_final_and_offers_no_way_back(agent: Page, make: Make, tag: str) -> None:
    open_list(agent, tag, *(make()["number"] for _ in range(2)))
    agent.get_by_role("checkbox", name="Select all that are loaded").check()
    agent.get_by_role("toolbar").get_by_role("button", name="Status", exact=True).click()
    pick(agent, "Closed")
    dialog = agent.get_by_role("dialog", name="Close 2 tickets")
    dialog.get_by_label("Note for the requester").fill("Done")
    agent.keyboard.press("Control+Enter")
    expect(agent.get_by_text("2 tickets changed")).to_be_visible()
    expect(agent.get_by_role("button", name="Undo")).to_have_count(0)


def test_of_many_some_may_be_refused_and_it_says_why(agent: Page, make: Make, colleague: Staff, tag: str) -> None:
    fine = make()["number"]
    closed = make("Closed by then")["number"]
    open_list(agent, tag, closed, fine)
    visit(agent, f"/desk?tag={tag}&status=any")
    agent.get_by_role("checkbox", name="Select all that are loaded").check()
    agent.get_by_role("toolbar").get_by_role("button", name="Status", exact=True).click()
    colleague.change(closed, status="closed", resolution="spam")
    pick(agent, "Waiting")
    dialog = agent.get_by_role("dialog", name="Not everything could be changed")
    expect(dialog).to_contain_text("1 ticket changed")
    refused = dialog.get_by_role("list", name="Refused").get_by_role("listitem")
    expect(refused).to_have_count(1)
    expect(refused).to_contain_text(f"#{closed} Closed by then")
    dialog.get_by_role("button", name="OK").click()
    # What was shown before the answer is taken back.
    expect(row(agent, closed)).to_contain_text("Closed")
    expect(row(agent, fine)).to_contain_text("Waiting for requester")
    assert colleague.ticket(fine)["status"] == "pending"
    assert colleague.ticket(closed)["status"] == "closed"
    assert colleague.events(closed)[-1] == "ticket.closed"


def test_only_statuses_that_a_ticket_may_take_are_offered(agent: Page, make: Make, tag: str) -> None:
    number = make(status="resolved", resolution="fixed")["number"]
    visit(agent, f"/desk/tickets/{number}?tag={tag}&status=any")
    agent.get_by_role("button", name="Status: Resolved").locator("visible=true").click()
    expect(agent.get_by_role("option")).to_have_text(["Open", "Resolved", "Closed"])


@pytest.mark.expects("409", "412")
def test_a_refused_change_is_taken_back_with_the_reason(agent: Page, make: Make, colleague: Staff, tag: str) -> None:
    number = make()["number"]
    open_list(agent, tag, number)
    visit(agent, f"/desk?tag={tag}&status=any")
    agent.keyboard.press("j")
    agent.keyboard.press("s")
    expect(agent.get_by_role("dialog").get_by_role("combobox")).to_be_focused()
    colleague.change(number, status="closed", resolution="spam")
    expect(row(agent, number)).to_contain_text("Closed")
    with agent.expect_response(lambda answer: answer.request.method == "PATCH"):
        pick(agent, "In pro")
    conflict = agent.get_by_role("dialog", name="Somebody else was first")
    expect(conflict).to_contain_text("Status is Closed now.")
    conflict.get_by_role("button", name="Set yours").click()
    expect(agent.get_by_text(f"#{number} stays as it was.")).to_be_visible()
    expect(row(agent, number)).to_contain_text("Closed")
    assert colleague.ticket(number)["status"] == "closed"


# Live ----------------------------------------------------------------------------------------------------------------


LIVE_MS = 4000
"""Less than between two looks of a page that has no stream."""


def test_what_others_do_is_in_the_list_at_once(agent: Page, make: Make, colleague: Staff, tag: str) -> None:
    first = make()["number"]
    visit(agent, f"/desk?tag={tag}")
    expect(row(agent, first)).to_be_visible()
    agent.wait_for_timeout(500)
    second = make("Another one")["number"]
    expect(row(agent, second)).to_be_visible(timeout=LIVE_MS)
    assert shown(agent) == [second, first]
    colleague.change(first, title="A better title")
    expect(row(agent, first)).to_contain_text("A better title", timeout=LIVE_MS)
    colleague.change(second, status="resolved", resolution="fixed")
    expect(row(agent, second)).to_have_count(0, timeout=LIVE_MS)


def test_a_reply_by_somebody_else_comes_without_moving_what_one_types(
    agent: Page, make: Make, service: Service, tag: str
) -> None:
    number = make()["number"]
    visit(agent, f"/desk/tickets/{number}?tag={tag}")
    agent.keyboard.press("r")
    editor = agent.get_by_role("textbox", name="Reply")
    editor.press_sequentially("I am still ")
    with service.client("requester") as client:
        assert client.post(f"/tickets/{number}/comments", json={"body": "It **works** now."}).is_success
    expect(agent.get_by_role("region", name="Conversation").get_by_text("works")).to_be_visible()
    editor.press_sequentially("typing.")
    expect(editor).to_have_value("I am still typing.")


# A ticket ------------------------------------------------------------------------------------------------------------


def test_a_reply_is_public_and_a_note_is_not(
    agent: Page, requester: Page, make: Make, colleague: Staff, tag: str
) -> None:
    number = make()["number"]
    visit(agent, f"/desk/tickets/{number}?tag={tag}")
    agent.keyboard.press("r")
    agent.get_by_role("textbox", name="Reply").fill("Please try **again**.")
    agent.get_by_role("button", name="Send reply", exact=True).click()
    expect(agent.get_by_text("The reply is sent.")).to_be_visible()
    agent.keyboard.press("i")
    expect(agent.get_by_text("Only agents and admins read this.")).to_be_visible()
    expect(agent.get_by_role("button", name="Send reply", exact=True)).to_have_count(0)
    agent.get_by_role("textbox", name="Internal note").fill("They are on an old version.")
    agent.keyboard.press("Control+Enter")
    expect(agent.get_by_text("The note is added.")).to_be_visible()
    comments = colleague.comments(number)
    assert [(each["body"], each["visibility"]) for each in comments] == [
        ("Please try **again**.", "public"),
        ("They are on an old version.", "internal"),
    ]
    thread = agent.get_by_role("region", name="Conversation")
    expect(thread.get_by_text("They are on an old version.")).to_be_visible()
    visit(requester, f"/support/tickets/{number}")
    expect(requester.get_by_text("again")).to_be_visible()
    expect(requester.get_by_text("They are on an old version.")).to_have_count(0)


def test_send_and_set_status(agent: Page, make: Make, colleague: Staff, tag: str) -> None:
    number = make()["number"]
    visit(agent, f"/desk/tickets/{number}?tag={tag}")
    agent.keyboard.press("r")
    agent.get_by_role("textbox", name="Reply").fill("Which version?")
    agent.get_by_role("button", name="Send and set status").click()
    agent.get_by_role("menuitem", name="Send reply: Waiting for requester").click()
    expect(agent.get_by_role("button", name="Status: Waiting for requester")).to_be_visible()
    _until(lambda: colleague.events(number)[1:] == ["comment.created", "ticket.updated"])
    assert colleague.ticket(number)["status"] == "pending"


def test_the_drafts_of_a_reply_and_of_a_note_are_kept_apart(
    agent: Page, make: Make, colleague: Staff, tag: str
) -> None:
    number = make()["number"]
    visit(agent, f"/desk/tickets/{number}?tag={tag}")
    agent.keyboard.press("r")
    agent.get_by_role("textbox", name="Reply").fill("For the requester")
    agent.get_by_role("radio", name="Internal note").check(force=True)
    agent.get_by_role("textbox", name="Internal note").fill("For the team")
    agent.reload()
    settle(agent)
    expect(agent.get_by_role("textbox", name="Reply")).to_have_value("For the requester")
    agent.get_by_role("radio", name="Internal note").check(force=True)
    expect(agent.get_by_role("textbox", name="Internal note")).to_have_value("For the team")
    assert colleague.comments(number) == []


@pytest.mark.expects("ERR_FAILED")
def test_a_reply_whose_answer_was_lost_is_there_once(agent: Page, make: Make, colleague: Staff, tag: str) -> None:
    number = make()["number"]
    visit(agent, f"/desk/tickets/{number}?tag={tag}")
    lost: list[str] = []

    def lose(route: Any) -> None:
        if route.request.method != "POST" or len(lost) >= 3:
            route.fallback()
            return
        lost.append(route.request.headers["idempotency-key"])
        route.fetch()
        route.abort()

    agent.route(f"**/tickets/{number}/comments*", lose)
    agent.keyboard.press("r")
    agent.get_by_role("textbox", name="Reply").fill("Once only")
    agent.get_by_role("button", name="Send reply", exact=True).click()
    expect(agent.get_by_role("status").filter(has_text="cannot be reached")).to_be_visible()
    expect(agent.get_by_role("textbox", name="Reply")).to_have_value("Once only")
    agent.get_by_role("button", name="Send reply", exact=True).click()
    expect(agent.get_by_text("The reply is sent.")).to_be_visible()
    assert [each["body"] for each in colleague.comments(number)] == ["Once only"]
    assert len(set(lost)) == 1


@pytest.mark.parametrize(
    ("button", "choice", "field", "value"),
    [
        ("Status: Open", "In pro", "status", "in_progress"),
        ("Priority: Normal", "Low", "priority", "low"),
        ("Severity: Medium", "Critical", "severity", "critical"),
        ("Category: None", "Transcoding", "category", "transcoding"),
    ],
)
def test_properties_are_set_beside_the_conversation(
    agent: Page, make: Make, colleague: Staff, tag: str, button: str, choice: str, field: str, value: str
) -> None:
    number = make()["number"]
    label = button.partition(":")[0]
    visit(agent, f"/desk/tickets/{number}?tag={tag}")
    agent.get_by_role("button", name=button, exact=True).locator("visible=true").click()
    pick(agent, choice)
    _until(lambda: colleague.ticket(number)[field] == value)
    assert colleague.events(number) == ["ticket.created", "ticket.updated"]
    # The timeline has it, too.
    thread = agent.get_by_role("region", name="Conversation")
    expect(thread.get_by_text(f"set the {label.lower()} to")).to_be_visible()
    expect(agent.get_by_role("button", name=button, exact=True).locator("visible=true")).to_have_count(0)


def test_the_requesters_other_tickets_are_one_click_away(agent: Page, make: Make, tag: str) -> None:
    other, number = make("The other one")["number"], make()["number"]
    visit(agent, f"/desk/tickets/{number}?tag={tag}")
    agent.get_by_role("complementary", name="Properties").get_by_role("link", name=f"#{other}").click()
    expect(agent.get_by_role("heading", level=1)).to_have_text("The other one")


# Two at once ---------------------------------------------------------------------------------------------------------


@pytest.mark.expects("412")
def test_changes_of_different_fields_do_not_meet(agent: Page, make: Make, colleague: Staff, tag: str) -> None:
    number = make()["number"]
    open_list(agent, tag, number)
    agent.keyboard.press("p")
    expect(agent.get_by_role("dialog").get_by_role("combobox")).to_be_focused()
    colleague.change(number, title="Changed meanwhile")
    pick(agent, "High")
    _until(lambda: colleague.ticket(number)["priority"] == "high")
    assert colleague.ticket(number)["title"] == "Changed meanwhile"
    expect(agent.get_by_role("dialog")).to_have_count(0)


@pytest.mark.expects("412")
@pytest.mark.parametrize(("button", "priority"), [("Keep theirs", "low"), ("Set yours", "urgent")])
def test_of_two_who_set_the_same_field_the_second_decides(
    agent: Page, make: Make, colleague: Staff, tag: str, button: str, priority: str
) -> None:
    number = make()["number"]
    open_list(agent, tag, number)
    agent.keyboard.press("p")
    expect(agent.get_by_role("dialog").get_by_role("combobox")).to_be_focused()
    colleague.change(number, priority="low")
    pick(agent, "Urg")
    dialog = agent.get_by_role("dialog", name="Somebody else was first")
    expect(dialog).to_contain_text(f"{colleague.me['name']} changed this ticket")
    expect(dialog).to_contain_text("Priority is Low now.")
    dialog.get_by_role("button", name=button).click()
    expect(dialog).to_have_count(0)
    _until(lambda: colleague.ticket(number)["priority"] == priority)


@pytest.mark.expects("412")
def test_two_descriptions_are_merged_line_by_line(agent: Page, make: Make, colleague: Staff, tag: str) -> None:
    number = make()["number"]
    visit(agent, f"/desk/tickets/{number}?tag={tag}")
    agent.get_by_role("button", name="More", exact=True).click()
    agent.get_by_role("menuitem", name="Edit description").click()
    editor = agent.get_by_role("textbox", name="Description")
    editor.fill("First line\n\nSecond line\n\nMy third line")
    colleague.change(number, description="Their first line\n\nSecond line\n\nThird line")
    agent.get_by_role("button", name="Save", exact=True).click()
    dialog = agent.get_by_role("dialog", name="Somebody else was first")
    merged = dialog.get_by_label("Description: Merged")
    expect(merged).to_have_value("Their first line\n\nSecond line\n\nMy third line")
    assert axe(agent, "light", "dark") == []
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(dialog).to_have_count(0)
    _until(lambda: colleague.ticket(number)["description"] == "Their first line\n\nSecond line\n\nMy third line")


@pytest.mark.expects("412")
def test_a_title_that_somebody_else_changed_is_not_overwritten_unseen(
    agent: Page, make: Make, colleague: Staff, tag: str
) -> None:
    number = make("A title")["number"]
    visit(agent, f"/desk/tickets/{number}?tag={tag}")
    agent.get_by_role("heading", level=1).get_by_role("button").click()
    agent.get_by_role("textbox", name="Title").fill("My title")
    colleague.change(number, title="Their title")
    agent.keyboard.press("Enter")
    dialog = agent.get_by_role("dialog", name="Somebody else was first")
    for text in ("A title", "Their title", "My title"):
        expect(dialog.get_by_text(text, exact=True).first).to_be_visible()
    dialog.get_by_role("button", name="Keep theirs").click()
    assert colleague.ticket(number)["title"] == "Their title"
    # What was typed is still there.
    expect(agent.get_by_role("textbox", name="Title")).to_have_value("My title")


@pytest.mark.parametrize("way", ["Enter", "Cancel", "Escape"])
@pytest.mark.parametrize("from_menu", [True, False])
def test_the_keyboard_returns_to_the_title(
    agent: Page, make: Make, colleague: Staff, way: str, from_menu: bool
) -> None:
    number = make("A title")["number"]
    visit(agent, f"/desk/tickets/{number}")
    title = agent.get_by_role("heading", level=1).get_by_role("button")
    if from_menu:
        agent.get_by_role("button", name="More", exact=True).click()
        agent.get_by_role("menuitem", name="Edit title").click()
    else:
        title.click()
    box = agent.get_by_role("textbox", name="Title")
    box.fill("")
    box.press("Enter")
    expect(box).to_have_accessible_description("Give it a title.")
    box.fill("Another title")
    if way == "Cancel":
        agent.get_by_role("button", name="Cancel").click()
    else:
        box.press(way)
    expect(title).to_be_focused()
    _until(lambda: colleague.ticket(number)["title"] == ("Another title" if way == "Enter" else "A title"))


@pytest.mark.expects("412")
def test_a_description_that_was_begun_is_shown_again_with_the_text_it_began_from(
    agent: Page, make: Make, colleague: Staff, tag: str
) -> None:
    number, other = make("One")["number"], make("Two")["number"]
    visit(agent, f"/desk/tickets/{number}?tag={tag}")
    agent.get_by_role("button", name="More", exact=True).click()
    agent.get_by_role("menuitem", name="Edit description").click()
    editor = agent.get_by_role("textbox", name="Description")
    editor.fill("First line\n\nSecond line\n\nMy third line")
    visit(agent, f"/desk/tickets/{other}?tag={tag}")
    expect(editor).to_have_count(0)
    colleague.change(number, description="Their first line\n\nSecond line\n\nThird line")
    visit(agent, f"/desk/tickets/{number}?tag={tag}")
    expect(editor).to_have_value("First line\n\nSecond line\n\nMy third line")
    agent.get_by_role("button", name="Save", exact=True).click()
    # Nothing that a colleague wrote meanwhile is overwritten.
    merged = agent.get_by_role("dialog", name="Somebody else was first").get_by_label("Description: Merged")
    expect(merged).to_be_focused()
    expect(merged).to_have_value("Their first line\n\nSecond line\n\nMy third line")


def test_a_message_covers_no_button_of_the_composer(open_page: Callable[..., Page], make: Make) -> None:
    number = make()["number"]
    for width in (1280, 1024, 800, 375):
        agent = open_page("agent", viewport={"width": width, "height": 740})
        visit(agent, f"/desk/tickets/{number}")
        agent.keyboard.press("i")
        agent.get_by_role("textbox", name="Internal note").fill("For us")
        agent.keyboard.press("Control+Enter")
        expect(agent.get_by_text("The note is added.")).to_be_visible()
        expect(agent.get_by_role("button", name=re.compile("^Reply"))).to_be_focused()
        agent.keyboard.press("r")
        agent.get_by_role("textbox", name="Reply").fill("For you")
        # Until it is gone, it stands beside them.
        covered = agent.evaluate(
            """[...document.querySelectorAll('[data-ticket-pane] > section :is(button, textarea)')].filter((each) => {
                const { left, top, width, height } = each.getBoundingClientRect();
                return document.elementFromPoint(left + width / 2, top + height / 2)?.closest('[role=status].fixed');
            }).map((each) => each.textContent || each.ariaLabel)"""
        )
        assert covered == []


def test_a_colleague_who_replies_is_seen(
    agent: Page, open_page: Callable[..., Page], make: Make, colleague: Staff, tag: str
) -> None:
    number = make()["number"]
    admin = open_page("admin")
    visit(admin, f"/desk/tickets/{number}?tag={tag}")
    admin.keyboard.press("r")
    with admin.expect_response(lambda answer: "/presences" in answer.url and answer.status == 201):
        admin.get_by_role("textbox", name="Reply").fill("I am on it")
    visit(agent, f"/desk/tickets/{number}?tag={tag}")
    expect(agent.get_by_text(f"Replying at this moment: {colleague.me['name']}")).to_be_visible()
    assert axe(agent, "light", "dark") == []
    # Whoever empties the box does not reply, and whoever goes away is gone: both are seen with the next look.
    admin.get_by_role("textbox", name="Reply").fill("")
    expect(agent.get_by_text(f"Also looking at this: {colleague.me['name']}")).to_be_visible()
    visit(admin, "/desk")
    expect(agent.get_by_text(colleague.me["name"])).to_have_count(0)
    visit(admin, f"/desk/tickets/{number}?tag={tag}")
    expect(agent.get_by_text(f"Also looking at this: {colleague.me['name']}")).to_be_visible()
    admin.close()
    expect(agent.get_by_text(colleague.me["name"])).to_have_count(0)


def test_a_colleague_in_another_tab_asks_nothing(agent: Page, make: Make) -> None:
    number = make()["number"]
    asked: list[str] = []
    agent.on("request", lambda request: asked.append(request.method) if "/presences" in request.url else None)
    agent.clock.install()
    visit(agent, f"/desk/tickets/{number}")
    with agent.expect_response("**/presences"):
        agent.clock.fast_forward(3000)
    agent.evaluate(
        "Object.defineProperty(document, 'hidden', {get: () => true, configurable: true})"
        "&& document.dispatchEvent(new Event('visibilitychange'))"
    )
    told = len(asked)
    agent.clock.fast_forward(60_000)
    assert len(asked) == told
    with agent.expect_response("**/presences"):
        agent.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")


# The board -----------------------------------------------------------------------------------------------------------


def card(page: Page, number: int, status: str) -> Locator:
    """A card in a column."""
    return page.locator(f'[data-column="{status}"] [data-card="{number}"]')


def test_a_card_is_dragged_to_another_column(agent: Page, make: Make, colleague: Staff, tag: str) -> None:
    number = make()["number"]
    visit(agent, f"/desk/board?tag={tag}")
    card(agent, number, "open").drag_to(agent.locator('[data-column="in_progress"]'))
    expect(card(agent, number, "in_progress")).to_be_visible()
    expect(card(agent, number, "open")).to_have_count(0)
    _until(lambda: colleague.ticket(number)["status"] == "in_progress")
    expect(agent.get_by_role("status").filter(has_text=f"#{number} is moved to In progress.")).to_be_attached()


def test_keys_and_a_menu_move_a_card_too(agent: Page, make: Make, colleague: Staff, tag: str) -> None:
    number = make()["number"]
    visit(agent, f"/desk/board?tag={tag}")
    card(agent, number, "open").get_by_role("link").focus()
    agent.keyboard.press("Alt+ArrowRight")
    expect(card(agent, number, "in_progress").get_by_role("link")).to_be_focused()
    agent.keyboard.press("Alt+ArrowLeft")
    expect(card(agent, number, "open").get_by_role("link")).to_be_focused()
    agent.get_by_role("button", name=f"Move #{number}").click()
    agent.get_by_role("menuitemradio", name="Waiting for requester").click()
    expect(card(agent, number, "pending")).to_be_visible()
    _until(lambda: colleague.ticket(number)["status"] == "pending")
    assert colleague.events(number) == ["ticket.created"] + ["ticket.updated"] * 3
    agent.get_by_role("button", name=f"Move #{number}").press("Escape")
    card(agent, number, "pending").get_by_role("link").focus()
    agent.keyboard.press("s")
    pick(agent, "In prog")
    expect(card(agent, number, "in_progress").get_by_role("link")).to_be_focused()
    _until(lambda: colleague.ticket(number)["status"] == "in_progress")


@pytest.mark.parametrize("locale", ["en-US", "ar"])
def test_arrows_go_from_card_to_card_and_enter_opens(
    open_page: Callable[..., Page], make: Make, tag: str, locale: str
) -> None:
    first = make(status="in_progress")["number"]
    upper, lower = make()["number"], make()["number"]
    agent = open_page("agent", locale=locale)
    visit(agent, f"/desk/board?tag={tag}")
    expect(agent.locator("[data-card]")).to_have_count(3)
    on, back = ("ArrowRight", "ArrowLeft") if locale != "ar" else ("ArrowLeft", "ArrowRight")

    def at(number: int, status: str) -> None:
        expect(card(agent, number, status).get_by_role("link")).to_be_focused()

    agent.keyboard.press("ArrowDown")
    # The newest change stands first.
    at(lower, "open")
    for key, number, status in (
        ("ArrowUp", lower, "open"),
        ("j", upper, "open"),
        ("ArrowDown", upper, "open"),
        (on, first, "in_progress"),
        (on, first, "in_progress"),
        (back, lower, "open"),
        ("ArrowDown", upper, "open"),
        ("k", lower, "open"),
    ):
        agent.keyboard.press(key)
        at(number, status)
    agent.keyboard.press("Enter")
    expect(agent).to_have_url(re.compile(f"/desk/tickets/{lower}"))


def test_a_card_is_dragged_by_a_finger_that_rests_on_it_and_a_swipe_scrolls(
    open_page: Callable[..., Page], make: Make, colleague: Staff, tag: str
) -> None:
    numbers = [make()["number"] for _ in range(9)]
    agent = open_page("agent", viewport={"width": 1024, "height": 600}, has_touch=True)
    visit(agent, f"/desk/board?tag={tag}")
    expect(agent.locator("[data-card]")).to_have_count(9)
    number = numbers[-1]
    touch = agent.context.new_cdp_session(agent)

    def finger(kind: str, *at: float) -> None:
        points = [{"x": at[0], "y": at[1]}] if at else []
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def middle(place: Locator) -> tuple[float, float]:
        box = place.bounding_box()
        assert box is not None
        return box["x"] + box["width"] / 2, box["y"] + min(box["height"], 120) / 2

    # A swipe scrolls the column, and moves nothing.
    column = agent.locator('[data-column="open"] ol')
    x, y = middle(card(agent, numbers[-3], "open"))
    finger("touchStart", x, y)
    for step in range(1, 9):
        finger("touchMove", x, y - 20 * step)
    finger("touchEnd")
    _until(lambda: column.evaluate("each => each.scrollTop") > 0)
    expect(agent.locator("[data-card][inert]")).to_have_count(0)
    # The swipe may go on for a while by itself.
    still = """async (each) => {
        each.scrollTop = 0;
        for (let frame = 0; frame < 5; frame++) await new Promise(requestAnimationFrame);
        return each.scrollTop;
    }"""
    _until(lambda: column.evaluate(still) == 0)
    # A finger that rests takes the card along.
    finger("touchStart", *middle(card(agent, number, "open")))
    expect(agent.locator("[data-card][inert]")).to_be_visible()
    x, y = middle(agent.locator('[data-column="in_progress"]'))
    finger("touchMove", x - 40, y)
    finger("touchMove", x, y)
    expect(agent.locator('[data-column="in_progress"]')).to_have_class(re.compile("border-accent"))
    finger("touchEnd")
    expect(card(agent, number, "in_progress")).to_be_visible()
    _until(lambda: colleague.ticket(number)["status"] == "in_progress")
    expect(agent).to_have_url(re.compile("/desk/board"))
    assert colleague.events(numbers[-3]) == ["ticket.created"]


def test_a_move_on_the_board_is_undone(agent: Page, make: Make, colleague: Staff, tag: str) -> None:
    number = make(status="resolved", resolution="shipped", resolution_note="In 4.8")["number"]
    visit(agent, f"/desk/board?tag={tag}")
    card(agent, number, "resolved").drag_to(agent.locator('[data-column="open"]'))
    expect(card(agent, number, "open")).to_be_visible()
    agent.get_by_role("button", name="Undo").click()
    expect(card(agent, number, "resolved")).to_be_visible()
    expect(agent.get_by_text("1 ticket as before")).to_be_visible()
    ticket = colleague.ticket(number)
    assert (ticket["status"], ticket["resolution"], ticket["resolution_note"]) == ("resolved", "shipped", "In 4.8")
    assert colleague.events(number)[-2:] == ["ticket.reopened", "ticket.resolved"]


@pytest.mark.parametrize("width", [1280, 375])
def test_the_board_fits_or_keeps_its_margin(open_page: Callable[..., Page], width: int) -> None:
    page = open_page("agent", viewport={"width": width, "height": 740})
    visit(page, "/desk/board")
    first, last = (page.locator("[data-column]").nth(place).bounding_box() for place in (0, 3))
    assert first is not None and last is not None
    assert first["x"] >= 8
    if width == 1280:
        assert last["x"] + last["width"] <= width
        # It has resolved tickets, too: it is not the list of all that are open.
        expect(page.locator("nav [aria-current]").filter(has_text="All open")).to_have_count(0)


def test_dropping_on_resolved_asks_why_and_may_be_called_off(
    agent: Page, make: Make, colleague: Staff, tag: str
) -> None:
    number = make()["number"]
    visit(agent, f"/desk/board?tag={tag}")
    card(agent, number, "open").drag_to(agent.locator('[data-column="resolved"]'))
    dialog = agent.get_by_role("dialog", name="Resolve the ticket")
    dialog.get_by_role("button", name="Cancel").click()
    expect(card(agent, number, "open")).to_be_visible()
    assert colleague.events(number) == ["ticket.created"]
    card(agent, number, "open").drag_to(agent.locator('[data-column="resolved"]'))
    dialog.get_by_role("button", name="Resolve", exact=True).click()
    expect(card(agent, number, "resolved")).to_be_visible()
    _until(lambda: colleague.events(number)[-1] == "ticket.resolved")


@pytest.mark.expects("503", "answer: 503")
def test_a_card_goes_back_if_the_service_refuses(agent: Page, make: Make, colleague: Staff, tag: str) -> None:
    number = make()["number"]
    visit(agent, f"/desk/board?tag={tag}")
    busy = {"code": "unavailable", "title": "Unavailable", "detail": "Too much is going on.", "status": 503}
    agent.route(
        f"**/tickets/{number}",
        lambda route: (
            route.fulfill(status=503, json=busy, content_type="application/problem+json")
            if route.request.method == "PATCH"
            else route.fallback()
        ),
    )
    card(agent, number, "open").drag_to(agent.locator('[data-column="pending"]'))
    expect(agent.get_by_text("Too much is going on.")).to_be_visible()
    expect(card(agent, number, "open")).to_be_visible()
    expect(card(agent, number, "pending")).to_have_count(0)
    assert colleague.events(number) == ["ticket.created"]


# Sizes, rights and access --------------------------------------------------------------------------------------------


@pytest.fixture
def many(service: Service, colleague: Staff) -> Iterator[str]:
    """A project with 10,000 tickets; gives its key."""
    key = f"many-{uuid4().hex[:8]}"
    answer = colleague.client.post(
        "/projects", json={"key": key, "name": "Many", "visibility": "private", "ticket_types": ["bug"]}
    )
    assert answer.is_success, answer.text
    with psycopg.connect(service.setting("TICKETING_DATABASE_URL"), autocommit=True) as conn:
        conn.execute(
            """insert into tickets (type, project, title, description, severity, priority, status, channel,
                                    requester_id, created_at, updated_at)
               select 'bug', %s, 'Ticket ' || n, 'Text', 'low', 'normal', 'open', 'api', %s,
                      now() - n * interval '1 minute', now() - n * interval '1 minute'
                 from generate_series(1, 10000) n""",
            [key, colleague.me["id"]],
        )
        try:
            yield key
        finally:
            conn.execute("delete from tickets where project = %s", [key])


def test_ten_thousand_rows_scroll(agent: Page, many: str) -> None:
    visit(agent, f"/desk?project={many}")
    titles = agent.locator("[data-ticket]")
    expect(titles.first).to_have_text("Ticket 1")
    scroller = agent.locator("[data-keeps-focus]")
    deadline = time.monotonic() + 60
    while "10,000 tickets" not in agent.get_by_role("status").all_inner_texts():
        assert time.monotonic() < deadline
        scroller.evaluate("element => { element.scrollTop = element.scrollHeight }")
        agent.wait_for_timeout(20)
    # The page grows after the number is said, so the end may still move away.
    while titles.last.inner_text() != "Ticket 10000":
        assert time.monotonic() < deadline
        scroller.evaluate("element => { element.scrollTop = element.scrollHeight }")
        agent.wait_for_timeout(20)
    # Only what is on the screen is in the page.
    assert titles.count() < 60
    scroller.evaluate("element => { element.scrollTop = element.scrollHeight / 2 }")
    expect(agent.get_by_text("Ticket 5000", exact=True)).to_be_visible()


def test_a_key_is_painted_at_once(agent: Page, many: str) -> None:
    visit(agent, f"/desk?project={many}")
    agent.keyboard.press("j")
    took = agent.evaluate(
        """async () => {
            const times = []
            for (let press = 0; press < 30; press++) {
                const start = performance.now()
                window.dispatchEvent(new KeyboardEvent('keydown', { key: 'j', bubbles: true }))
                await new Promise((done) => requestAnimationFrame(() => setTimeout(done)))
                times.push(performance.now() - start)
            }
            return times.sort((a, b) => a - b)[15]
        }"""
    )
    assert focused(agent) is not None
    assert took <= 100


def test_requesters_are_told_that_it_is_not_for_them(requester: Page) -> None:
    visit(requester, "/desk")
    expect(requester.get_by_text("Your account may not see this page.")).to_be_visible()
    expect(requester.locator("[data-ticket]")).to_have_count(0)
    assert axe(requester, "light") == []


def test_visitors_sign_in_first_and_come_back(page: Page) -> None:
    page.goto("/desk?assignee=none")
    page.wait_for_url(re.compile(r"/sign-in\?next=%2Fdesk%3Fassignee%3Dnone$"))


@pytest.mark.expects("404")
def test_a_ticket_that_is_not_there_says_so(agent: Page) -> None:
    visit(agent, "/desk/tickets/999999999")
    expect(agent.get_by_text("Nothing is here")).to_be_visible()


def test_on_a_phone_rows_are_cards_and_views_a_drawer(open_page: Callable[..., Page], make: Make, tag: str) -> None:
    number = make()["number"]
    page = open_page("agent", viewport={"width": 375, "height": 800}, has_touch=True)
    visit(page, f"/desk?tag={tag}")
    expect(page.get_by_role("listitem").filter(has_text=f"#{number}")).to_be_visible()
    assert excess(page) <= 0
    page.get_by_role("button", name="Views and projects").click()
    drawer = page.get_by_role("dialog", name="Views and projects")
    assert axe(page, "light", "dark") == []
    drawer.get_by_role("link", name="Unassigned").click()
    expect(drawer).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).to_have_text("Unassigned")
    visit(page, f"/desk/tickets/{number}?tag={tag}")
    assert excess(page) <= 0
    page.get_by_role("link", name="Back to the list").click()
    expect(page.get_by_role("listitem").filter(has_text=f"#{number}")).to_be_visible()


@pytest.mark.parametrize("locale", ["de", "ar"])
def test_it_speaks_other_languages(open_page: Callable[..., Page], make: Make, tag: str, locale: str) -> None:
    number = make()["number"]
    page = open_page("agent", locale=locale, viewport={"width": 1440, "height": 900})
    visit(page, f"/desk/tickets/{number}?tag={tag}")
    text = page.locator("main").inner_text()
    # Names and what people wrote are as they are; the portal's own words are not English.
    for word in ("Open", "Priority", "Assignee", "Reply", "Unassigned", "Requester"):
        assert not re.search(rf"(?m)^{word}\b", text), word
    assert excess(page) <= 0
    assert axe(page, "light") == []


def test_axe_finds_nothing_in_what_opens(agent: Page, make: Make, tag: str) -> None:
    number = make(environment={"os": "Linux"})["number"]
    open_list(agent, tag, number)
    agent.keyboard.press("x")
    assert axe(agent) == []
    agent.keyboard.press("t")
    expect(agent.get_by_role("dialog").get_by_role("combobox")).to_be_focused()
    assert axe(agent) == []
    agent.keyboard.press("Escape")
    expect(agent.get_by_role("dialog").get_by_role("combobox")).to_have_count(0)
    agent.keyboard.press("e")
    expect(agent.get_by_role("dialog", name="Resolve the ticket")).to_be_visible()
    assert axe(agent) == []
    agent.keyboard.press("Escape")
    expect(agent.get_by_role("dialog")).to_have_count(0)
    agent.keyboard.press("i")
    expect(agent.get_by_role("textbox", name="Internal note")).to_be_focused()
    settle(agent)
    assert axe(agent) == []
    agent.get_by_role("radio", name="Reply").check(force=True)
    assert axe(agent) == []


def _until(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something holds that the page does in its own time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
