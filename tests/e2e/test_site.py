"""The start page, signing in, invitations, the page for developers, and what is around every page."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from e2e.browsing import SHIFTS, Service, axe, excess, visit

OpenPage = Callable[..., Page]
REFUSED = "the server responded with a status of 4"
"""What Chromium writes to the console about an answer that a page expects."""


def mails(service: Service, to: str) -> list[dict[str, Any]]:
    """The messages that somebody was sent, the newest first."""
    token = {"Authorization": f"Bearer {service.tokens['admin']}"}
    with httpx.Client(base_url=f"{service.url}/ops/v1", headers=token) as ops:
        found = ops.get("/mails", params={"to": to}).raise_for_status().json()["items"]
        return [ops.get(f"/mails/{mail['id']}").raise_for_status().json() for mail in found]


def code_for(service: Service, email: str) -> str:
    [mail, *_] = mails(service, email)
    found = re.search(r"\b\d{6}\b", mail["text"])
    assert found, mail["text"]
    return found[0]


def somebody() -> str:
    """An address that nobody has."""
    return f"{secrets.token_hex(6)}@visitors.example"


def ask_for_a_code(page: Page, email: str) -> None:
    visit(page, "/sign-in")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_role("button", name="Send me a code").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()


def test_a_visitor_is_led_to_a_new_ticket_of_a_type(page: Page) -> None:
    visit(page, "/")
    expect(page.get_by_role("heading", level=1)).to_have_text("How can we help?")
    expect(page.get_by_role("link", name=re.compile("Feature request"))).to_have_attribute(
        "href", "/support/new?type=feature_request"
    )
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()


def test_somebody_new_signs_in_by_a_mailed_code(page: Page, service: Service) -> None:
    email = somebody()
    ask_for_a_code(page, email)
    field = page.get_by_label("Code")
    expect(field).to_be_focused()
    field.press_sequentially(code_for(service, email))
    expect(page).to_have_url(re.compile("/support$"))
    with service.client("admin") as api:
        [user] = api.get("/users", params={"email": email}).json()["items"]
        assert (user["role"], user["active"]) == ("requester", True)


def test_the_link_of_the_message_takes_one_click(page: Page, service: Service) -> None:
    email = somebody()
    ask_for_a_code(page, email)
    link = re.search(r"https?://\S+/sign-in#\S+", mails(service, email)[0]["text"])
    assert link
    visit(page, link[0].removeprefix(service.url))
    page.get_by_role("button", name=f"Sign in as {email}").click()
    expect(page).to_have_url(re.compile("/support$"))


@pytest.mark.expects(REFUSED)
def test_a_wrong_code_is_said_and_another_try_works(page: Page, service: Service) -> None:
    email = somebody()
    ask_for_a_code(page, email)
    right = code_for(service, email)
    wrong = f"{(int(right) + 1) % 1_000_000:06}"
    field = page.get_by_label("Code")
    field.press_sequentially(wrong)
    expect(page.get_by_text("This code is not right")).to_be_visible()
    expect(field).to_be_focused()
    assert axe(page, "light") == []
    field.fill(right)
    expect(page).to_have_url(re.compile("/support$"))


@pytest.mark.expects(REFUSED)
def test_the_link_works_after_the_digits_were_tried_too_often_and_says_when_it_has_been_used(
    page: Page, service: Service
) -> None:
    email = somebody()
    ask_for_a_code(page, email)
    [mail, *_] = mails(service, email)
    wrong = f"{(int(code_for(service, email)) + 1) % 1_000_000:06}"
    code_id = re.search(r"[#&]id=([\w-]+)", mail["text"])
    link = re.search(r"https?://\S+/sign-in#\S+", mail["text"])
    assert code_id and link
    with httpx.Client(base_url=f"{service.url}/api/v1") as stranger:
        guess = {"sign_in_code_id": code_id[1], "code": wrong}
        assert [stranger.post("/sessions", json=guess).status_code for _ in range(6)] == [403] * 6
    page.get_by_label("Code").press_sequentially(code_for(service, email))
    expect(page.get_by_text("follow the link of the message")).to_be_visible()
    visit(page, link[0].removeprefix(service.url))
    page.get_by_role("button", name=f"Sign in as {email}").click()
    expect(page).to_have_url(re.compile("/support$"))
    visit(page, link[0].removeprefix(service.url))
    page.get_by_role("button", name=f"Sign in as {email}").click()
    expect(page.get_by_text("This link does not hold any more")).to_be_visible()


@pytest.mark.parametrize("role", ["admin", "requester"])
@pytest.mark.parametrize(
    "next_", ["/dev/mailbox", "/api/v1/session", "/..//evil.example", "/desk@evil.example", "/desk/nothing", "/sign-in"]
)
def test_who_signs_in_on_the_way_to_no_page_comes_to_their_first(
    page: Page, service: Service, role: str, next_: str
) -> None:
    with httpx.Client(base_url=f"{service.url}/api/v1") as api:
        accounts = api.get("").raise_for_status().json()["sign_in"]["demo_accounts"]
    name = next(account["name"] for account in accounts if account["role"] == role)
    visit(page, f"/sign-in?next={next_}")
    page.get_by_role("button", name=re.compile(name)).click()
    expect(page).to_have_url(re.compile({"admin": "/desk($|[?])", "requester": "/support$"}[role]))


def test_an_address_that_is_none_is_refused_at_its_field(page: Page) -> None:
    visit(page, "/sign-in")
    field = page.get_by_label("E-mail address")
    field.fill("nobody")
    field.press("Enter")
    expect(page.get_by_text("Enter an e-mail address")).to_be_visible()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_be_focused()


@pytest.mark.parametrize(("role", "place"), [("admin", "/desk"), ("agent", "/desk"), ("requester", "/support")])
def test_the_demo_is_entered_with_a_click(page: Page, role: str, place: str) -> None:
    visit(page, "/sign-in")
    page.get_by_role("button", name=re.compile(rf"{role}$", re.IGNORECASE)).click()
    expect(page).to_have_url(re.compile(f"{place}$"))


def test_after_signing_in_one_is_where_one_wanted_to_be(page: Page) -> None:
    visit(page, "/sign-in?next=%2Fsettings%2Fqueues")
    page.get_by_role("button", name=re.compile("Admin$")).click()
    expect(page).to_have_url(re.compile("/settings/queues$"))


def test_signing_in_leads_to_no_other_site(page: Page, service: Service) -> None:
    visit(page, "/sign-in?next=%2F%2Fevil.example%2F")
    page.get_by_role("button", name=re.compile("Requester$")).click()
    expect(page).to_have_url(f"{service.url}/support")


def test_signing_out_ends_the_session(requester: Page) -> None:
    visit(requester, "/")
    requester.get_by_role("button", name=re.compile("^Account")).click()
    requester.get_by_role("menuitem", name="Sign out").click()
    expect(requester.get_by_role("link", name="Sign in").first).to_be_visible()
    current = requester.evaluate("fetch('/api/v1/session').then((answer) => answer.json())")
    assert (current["user"], current["csrf_token"]) == (None, None)


def test_an_invitation_makes_an_agent(admin: Page, page: Page, service: Service) -> None:
    email = somebody()
    visit(admin, "/settings/people")
    admin.get_by_role("button", name="Invite somebody").click()
    dialog = admin.get_by_role("dialog")
    dialog.get_by_label("E-mail address").fill(email)
    dialog.get_by_label("Name").fill("Nadia")
    dialog.get_by_role("button", name="Send invitation").click()
    expect(admin.get_by_text(f"{email} was invited.")).to_be_visible()
    link = re.search(r"https?://\S+/invitation#\S+", mails(service, email)[0]["text"])
    assert link
    visit(page, link[0].removeprefix(service.url))
    page.get_by_label("Your name").fill("Nadia Haddad")
    page.get_by_role("button", name="Accept and sign in").click()
    expect(page).to_have_url(re.compile("/desk$"))
    with service.client("admin") as api:
        [user] = api.get("/users", params={"email": email}).json()["items"]
        assert (user["name"], user["role"]) == ("Nadia Haddad", "agent")


def test_the_quickstart_holds_a_token_that_works(requester: Page, service: Service) -> None:
    visit(requester, "/developers")
    requester.get_by_role("button", name="Make a token for these commands").click()
    code = requester.get_by_role("region", name="Quickstart")
    expect(code).to_contain_text(re.compile(r"export TOKEN=tkt_\w{20}"))
    found = re.search(r"TOKEN=(tkt_\w+)", code.inner_text())
    assert found
    me = httpx.get(f"{service.url}/api/v1/me", headers={"Authorization": f"Bearer {found[1]}"})
    assert me.json()["user"]["role"] == "requester"


def test_all_pages_for_developers_are_there(page: Page, service: Service) -> None:
    visit(page, "/developers")
    links = page.locator("main").get_by_role("link").evaluate_all("(links) => links.map((link) => link.href)")
    inside = [link for link in links if "/sign-in" not in link]
    assert len(inside) >= 19
    assert [link for link in inside if httpx.get(link).status_code != 200] == []


def test_language_and_direction_are_chosen_and_kept(page: Page) -> None:
    visit(page, "/")
    page.get_by_role("button", name="Account").click()
    page.get_by_role("menuitemradio", name="العربية").click()
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    expect(page.get_by_role("heading", level=1)).to_have_text("كيف يمكننا مساعدتك؟")
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "ar")
    expect(page.get_by_role("heading", level=1)).to_have_text("كيف يمكننا مساعدتك؟")


def test_the_language_is_that_of_the_browser(open_page: OpenPage) -> None:
    page = open_page(locale="de-AT")
    visit(page, "/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Wie können wir helfen?")


@pytest.mark.expects("kit.init is not a function")
def test_dark_colours_are_there_before_the_first_paint(page: Page) -> None:
    visit(page, "/")
    page.get_by_role("button", name="Account").click()
    page.get_by_role("menuitemradio", name="Dark").click()
    expect(page.locator("html")).to_have_class(re.compile("dark"))
    # Not one line of the portal's own code runs any more.
    page.route("**/_app/**", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.reload()
    expect(page.locator("html")).to_have_class(re.compile("dark"))


def test_the_palette_finds_a_ticket_by_its_number(requester: Page) -> None:
    visit(requester, "/")
    requester.keyboard.press("Control+k")
    box = requester.get_by_role("combobox", name="Search and commands")
    expect(box).to_be_focused()
    box.fill("1042")
    requester.get_by_role("option", name=re.compile("#1042")).click()
    expect(requester).to_have_url(re.compile("/support/tickets/1042$"))


def test_the_palette_finds_tickets_by_their_words_and_views(agent: Page) -> None:
    visit(agent, "/developers")
    agent.keyboard.press("Control+k")
    box = agent.get_by_role("combobox", name="Search and commands")
    # Of its description, in another form.
    box.fill("burning subtitles")
    expect(agent.get_by_role("option", name=re.compile(r"#\d+")).first).to_be_visible()
    box.fill("escal")
    agent.get_by_role("option", name="Views: Escalated").click()
    expect(agent).to_have_url(re.compile("/desk\\?q=.*escalated:true"))


def test_the_palette_runs_commands_and_gives_the_focus_back(requester: Page) -> None:
    visit(requester, "/developers")
    opener = requester.get_by_role("button", name="Search and commands")
    opener.focus()
    requester.keyboard.press("Control+k")
    expect(requester.get_by_role("dialog")).to_be_visible()
    assert axe(requester, "light", "dark") == []
    requester.keyboard.press("Escape")
    expect(opener).to_be_focused()
    requester.keyboard.press("Control+k")
    expect(requester.get_by_role("combobox", name="Search and commands")).to_be_focused()
    requester.keyboard.type("new tick")
    requester.keyboard.press("Enter")
    expect(requester).to_have_url(re.compile("/support/new$"))


def test_shortcuts_are_explained_and_do_nothing_while_one_types(requester: Page) -> None:
    visit(requester, "/developers")
    requester.keyboard.press("?")
    expect(requester.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    assert axe(requester, "light", "dark") == []
    requester.keyboard.press("n")
    expect(requester).to_have_url(re.compile("/developers$"))
    requester.keyboard.press("Escape")
    expect(requester.get_by_role("dialog")).to_have_count(0)
    requester.keyboard.press("g")
    requester.keyboard.press("s")
    expect(requester).to_have_url(re.compile("/support$"))


@pytest.mark.expects(REFUSED)
@pytest.mark.parametrize("path", ["/support/nothing/here", "/nothing", "/profile", "/settings/nothing"])
def test_what_is_not_there_is_said_with_a_way_back(page: Page, path: str) -> None:
    visit(page, path)
    expect(page.get_by_role("heading", name="Nothing is here")).to_be_visible()
    page.get_by_role("link", name="Go to the start page").click()
    expect(page).to_have_url(re.compile("/$"))


def test_the_first_stop_of_the_keyboard_skips_the_head(page: Page) -> None:
    visit(page, "/developers")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    skip.press("Enter")
    expect(page.locator("main")).to_be_focused()


# While the service is away ------------------------------------------------------------------------------------------


def away(page: Page) -> None:
    """From now on a page gets what the service says while PostgreSQL is down."""
    problem = {"type": "about:blank", "title": "Unavailable", "status": 503, "code": "unavailable", "detail": "Away."}
    page.route(
        re.compile(r"/(api|ops)/v1/"),
        lambda route: route.fulfill(status=503, content_type="application/problem+json", json=problem),
    )


def back(page: Page) -> None:
    page.unroute_all(behavior="ignoreErrors")


@pytest.mark.expects("503")
@pytest.mark.parametrize("path", ["/desk", "/desk/tickets/1042", "/settings/people"])
def test_a_page_that_is_opened_while_the_service_is_away_comes_by_itself(admin: Page, path: str) -> None:
    """Nobody is sent to sign in: that they are signed in is not known yet, and stays true."""
    away(admin)
    admin.goto(path)
    expect(admin.get_by_role("alert")).to_contain_text("The service does not answer just now")
    assert axe(admin) == []
    back(admin)
    expect(admin.get_by_role("alert")).to_have_count(0)
    expect(admin.get_by_role("heading", level=1)).to_be_visible()
    expect(admin).to_have_url(re.compile(f"{re.escape(path)}$"))


@pytest.mark.expects("503")
def test_an_open_ticket_stays_while_the_service_is_away(requester: Page) -> None:
    visit(requester, "/support/tickets/1042")
    title = requester.get_by_role("heading", level=1)
    expect(title).to_contain_text("#1042")
    reply = requester.get_by_role("textbox", name="Reply")
    reply.fill("It happens on every second film.")
    away(requester)
    requester.get_by_role("button", name="Send reply").click()
    expect(requester.get_by_role("status").filter(has_text="The service does not answer just now")).to_be_visible()
    expect(requester.get_by_role("alert")).to_contain_text("It was not sent, and is kept here.")
    expect(title).to_be_visible()
    expect(reply).to_have_value("It happens on every second film.")
    back(requester)
    expect(requester.get_by_text("The service does not answer just now")).to_have_count(0)
    expect(title).to_be_visible()


@pytest.mark.parametrize("role", ["requester", "agent", "admin"])
@pytest.mark.parametrize("locale", ["en-US", "de", "ar"])
def test_the_head_fits_every_window(open_page: OpenPage, role: str, locale: str) -> None:
    page = open_page(role, locale=locale)
    visit(page, "/developers")
    for width in range(320, 1100, 40):
        page.set_viewport_size({"width": width, "height": 400})
        assert excess(page) <= 0, width
        for link in page.locator("header nav a").all():
            box = link.bounding_box()
            assert box is None or box["height"] < 40, width


def test_the_palette_changes_how_the_portal_looks_and_leads_to_settings(admin: Page) -> None:
    visit(admin, "/developers")

    def take(text: str, option: str) -> None:
        admin.keyboard.press("Control+k")
        admin.get_by_role("dialog").get_by_role("combobox").fill(text)
        admin.get_by_role("option", name=option, exact=True).click()
        expect(admin.get_by_role("dialog").get_by_role("combobox")).to_have_count(0)

    take("dark", "Appearance: Dark")
    expect(admin.locator("html.dark")).to_be_attached()
    take("health", "Settings: Health")
    expect(admin).to_have_url(re.compile("/settings/health$"))
    take("deutsch", "Language: Deutsch")
    expect(admin.locator("html")).to_have_attribute("lang", "de")
    expect(admin.get_by_role("heading", level=1)).to_have_text("Zustand")


@pytest.mark.parametrize("path", ["/docs", "/docs/ops", "/docs/guides/paging"])
@pytest.mark.parametrize("width", [375, 640, 768, 1280])
def test_the_documents_do_not_jump_and_lead_back(open_page: OpenPage, path: str, width: int) -> None:
    page = open_page(viewport={"width": width, "height": 740})
    page.add_init_script(SHIFTS)
    page.goto(path)
    page.wait_for_load_state("load")
    assert page.evaluate("window.shifted") < 0.1
    contents = page.get_by_role("button", name="Contents")
    if width <= 800:
        expect(page.get_by_role("navigation")).to_be_hidden()
        contents.click()
    page.get_by_role("link", name="Back to the portal").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("How can we help?")


@pytest.mark.parametrize("width", [320, 375, 768])
def test_trying_the_api_fits_the_window(open_page: OpenPage, width: int) -> None:
    page = open_page(viewport={"width": width, "height": 740})
    page.goto("/docs/try")
    page.locator(".opblock").first.wait_for()
    assert excess(page) <= 0
