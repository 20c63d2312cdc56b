"""What admins do in the portal: each change is seen on the page and in the API."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from e2e.browsing import Service, axe, keeps_the_keyboard, visit

OpenPage = Callable[..., Page]
REFUSED = "the server responded with a status of 4"
"""What Chromium writes to the console about an answer that a page expects."""


@pytest.fixture
def api(service: Service) -> Iterator[httpx.Client]:
    """The API, as the demo's admin."""
    with service.client("admin") as client:
        yield client


def named(prefix: str) -> str:
    """A name that nothing else has."""
    return f"{prefix} {secrets.token_hex(4)}"


def new_project(api: httpx.Client) -> str:
    key = f"p-{secrets.token_hex(4)}"
    api.post("/projects", json={"key": key, "name": f"Project {key}"}).raise_for_status()
    return key


def agreed(page: Page, name: str) -> str:
    """Answer the question that is asked before something is done, and see it go."""
    dialog = page.get_by_role("dialog")
    told = dialog.inner_text()
    dialog.get_by_role("button", name=name, exact=True).click()
    expect(dialog).to_have_count(0)
    return told


def choose(page: Page, name: str) -> None:
    """Open the menu of what is further down, and take one of it."""
    page.get_by_role("button", name="Show more").first.click()
    page.get_by_role("menuitem", name=name).click()


@pytest.mark.parametrize("role", ["agent", "requester"])
def test_settings_are_for_admins(open_page: OpenPage, role: str) -> None:
    page = open_page(role)
    visit(page, "/")
    expect(page.get_by_role("link", name="Settings")).to_have_count(0)
    page.goto("/settings/people")
    expect(page.get_by_text("Only admins change settings.")).to_be_visible()
    assert axe(page, "light") == []


def test_a_visitor_signs_in_first(page: Page) -> None:
    page.goto("/settings/people")
    expect(page).to_have_url(re.compile(r"/sign-in\?next=%2Fsettings%2Fpeople$"))


def test_a_project_is_made_and_gets_its_key_from_its_name(admin: Page, api: httpx.Client) -> None:
    name = named("Café Player")
    visit(admin, "/settings/projects")
    admin.get_by_role("button", name="New project").click()
    dialog = admin.get_by_role("dialog")
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_label("Support request").uncheck()
    assert axe(admin, "light", "dark") == []
    dialog.get_by_role("button", name="Add").click()
    expect(admin.get_by_role("heading", level=1)).to_have_text(name)
    project = api.get(f"/projects/{admin.url.rsplit('/', 1)[1]}").json()
    assert (project["name"], project["ticket_types"]) == (name, ["bug", "feature_request"])
    assert project["key"].startswith("cafe-player-")


@pytest.mark.expects(REFUSED)
def test_what_is_wrong_with_a_project_stands_at_its_field(admin: Page) -> None:
    visit(admin, "/settings/projects")
    admin.get_by_role("button", name="New project").click()
    dialog = admin.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Media server again")
    dialog.get_by_label("Key").fill("Not A Key")
    dialog.get_by_role("button", name="Add").click()
    expect(dialog.get_by_label("Key")).to_have_attribute("aria-invalid", "true")


def test_a_project_is_described_archived_and_restored(admin: Page, api: httpx.Client) -> None:
    key = new_project(api)
    visit(admin, f"/settings/projects/{key}")
    admin.get_by_label("Description").fill("Plays what you have.")
    admin.get_by_label("Who sees it").select_option("private")
    admin.get_by_label("Language of its tickets").select_option("German")
    admin.get_by_role("button", name="Save").click()
    expect(admin.get_by_text("Saved")).to_be_visible()
    project = api.get(f"/projects/{key}").json()
    assert (project["description"], project["visibility"], project["language"]) == (
        "Plays what you have.",
        "private",
        "de",
    )
    admin.get_by_role("button", name="Archive", exact=True).click()
    assert "takes no new tickets" in agreed(admin, "Cancel")
    assert api.get(f"/projects/{key}").json()["archived"] is False
    admin.get_by_role("button", name="Archive", exact=True).click()
    agreed(admin, "Archive")
    expect(admin.get_by_text("Archived", exact=True)).to_be_visible()
    assert api.get(f"/projects/{key}").json()["archived"] is True
    admin.get_by_role("button", name="Restore", exact=True).click()
    expect(admin.get_by_text("Archived", exact=True)).to_be_hidden()


@pytest.mark.expects(REFUSED)
def test_a_change_by_somebody_else_is_not_overwritten(admin: Page, api: httpx.Client) -> None:
    key = new_project(api)
    visit(admin, f"/settings/projects/{key}")
    admin.get_by_label("Description").fill("Mine")
    api.patch(f"/projects/{key}", json={"name": "Theirs"}).raise_for_status()
    admin.get_by_role("button", name="Save").click()
    expect(admin.get_by_role("alert")).to_contain_text("Somebody")
    assert api.get(f"/projects/{key}").json()["description"] == ""
    expect(admin.get_by_label("Description")).to_have_value("Mine")


def test_categories_are_added_renamed_and_archived(admin: Page, api: httpx.Client) -> None:
    key = new_project(api)
    visit(admin, f"/settings/projects/{key}")
    admin.get_by_role("button", name="New category").click()
    dialog = admin.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Playback")
    dialog.get_by_label("Key").fill("playback")
    dialog.get_by_role("button", name="Add").click()
    admin.get_by_role("button", name="Edit: Playback").click()
    dialog.get_by_label("Name").fill("Playing")
    dialog.get_by_role("button", name="Save").click()
    admin.get_by_role("button", name="Archive: Playing").click()
    agreed(admin, "Archive")
    expect(admin.get_by_role("button", name="Restore: Playing")).to_be_visible()
    [category] = api.get(f"/projects/{key}/categories").json()["items"]
    assert (category["key"], category["name"], category["archived"]) == ("playback", "Playing", True)


def test_somebody_becomes_an_agent_and_is_deactivated(admin: Page, api: httpx.Client) -> None:
    email = f"{secrets.token_hex(6)}@staff.example"
    user = api.post("/users", json={"name": "Nadia Haddad", "email": email}).json()
    visit(admin, "/settings/people")
    admin.get_by_role("searchbox").fill(email)
    admin.get_by_role("searchbox").press("Enter")
    admin.get_by_role("link", name=re.compile(email)).click()
    expect(admin.get_by_role("heading", level=1)).to_have_text("Nadia Haddad")
    admin.get_by_label("Role").select_option("agent")
    admin.get_by_role("button", name="Save").click()
    expect(admin.get_by_text("Saved")).to_be_visible()
    assert api.get(f"/users/{user['id']}").json()["role"] == "agent"
    admin.get_by_role("button", name="Deactivate").click()
    assert "They are signed out everywhere at once" in agreed(admin, "Cancel")
    expect(admin.get_by_role("button", name="Deactivate")).to_be_focused()
    assert api.get(f"/users/{user['id']}").json()["active"] is True
    admin.get_by_role("button", name="Deactivate").click()
    assert axe(admin, "light", "dark") == []
    agreed(admin, "Deactivate")
    expect(admin.get_by_text("Deactivated")).to_be_visible()
    assert api.get(f"/users/{user['id']}").json()["active"] is False


@pytest.mark.parametrize(("text", "found"), [("linh", 1), ("Thùy", 1), ("kissa", 1), ("jonas@brueckner.example", 1)])
def test_people_are_found_while_one_types_by_name_or_part_of_the_address(
    admin: Page, api: httpx.Client, text: str, found: int
) -> None:
    visit(admin, "/settings/people")
    admin.get_by_role("searchbox").press_sequentially(text)
    expect(admin).to_have_url(re.compile(r"\?text="))
    listed = api.get("/users", params={"email" if "@" in text else "name": text, "service_account": False}).json()
    assert len(listed["items"]) >= found
    expect(admin.locator('main a[href*="/settings/people/"]')).to_have_count(len(listed["items"]))
    expect(admin.get_by_role("link", name=re.compile(re.escape(listed["items"][0]["name"])))).to_be_visible()
    admin.reload()
    expect(admin.get_by_role("searchbox")).to_have_value(text)


@pytest.mark.parametrize("text", ["nobody at all", "a@b", "@@", "x@y@z.example", "nobody@nowhere.example"])
def test_whom_nobody_is_called_is_no_error(admin: Page, text: str) -> None:
    visit(admin, "/settings/people")
    admin.get_by_role("searchbox").fill(text)
    expect(admin.get_by_text("No account has this name, address or role.")).to_be_visible()


def test_a_form_that_was_changed_is_not_left_without_a_question(admin: Page, api: httpx.Client) -> None:
    key = new_project(api)
    visit(admin, f"/settings/projects/{key}")
    people = admin.get_by_role("navigation", name="Settings").get_by_role("link", name="People")
    admin.get_by_label("Name").fill("Another name")
    people.click()
    agreed(admin, "Cancel")
    expect(admin).to_have_url(re.compile(f"/projects/{key}$"))
    expect(admin.get_by_label("Name")).to_have_value("Another name")
    # What is typed stays when something else of the project is changed.
    admin.get_by_role("button", name="Archive", exact=True).click()
    agreed(admin, "Archive")
    expect(admin.get_by_text("Archived", exact=True)).to_be_visible()
    expect(admin.get_by_label("Name")).to_have_value("Another name")
    people.click()
    agreed(admin, "Leave")
    expect(admin).to_have_url(re.compile("/settings/people$"))
    assert api.get(f"/projects/{key}").json()["name"] == f"Project {key}"
    # Nobody is asked about what is saved.
    visit(admin, f"/settings/projects/{key}")
    admin.get_by_label("Name").fill("Another name")
    admin.get_by_role("button", name="Save").click()
    expect(admin.get_by_role("heading", level=1)).to_have_text("Another name")
    people.click()
    expect(admin).to_have_url(re.compile("/settings/people$"))


@pytest.mark.parametrize(
    ("name", "key"), [("Test Ünit & Co", "test-unit-co"), ("Straße 7", "strasse-7"), ("Café Ångström", "cafe-angstrom")]
)
def test_a_key_is_suggested_without_the_marks_of_letters(admin: Page, name: str, key: str) -> None:
    visit(admin, "/settings/projects")
    admin.get_by_role("button", name="New project").click()
    admin.get_by_role("dialog").get_by_label("Name").fill(name)
    expect(admin.get_by_role("dialog").get_by_label("Key")).to_have_value(key)


@pytest.mark.expects(REFUSED)
@pytest.mark.parametrize(
    ("path", "opener", "field"),
    [
        ("/settings/projects", "New project", "Name"),
        ("/settings/webhooks", "New endpoint", "Address"),
        ("/settings/people", "Invite somebody", "E-mail address"),
        ("/settings/machines", "New service account", "Name"),
    ],
)
def test_what_is_missing_gets_the_keyboard_and_is_not_called_wrong_once_it_is_there(
    admin: Page, path: str, opener: str, field: str
) -> None:
    visit(admin, path)
    admin.get_by_role("button", name=opener).first.click()
    dialog = admin.get_by_role("dialog")
    box = dialog.get_by_label(field)
    expect(box).to_be_focused()
    for _ in range(2):
        dialog.get_by_role("button", name=re.compile("^(Add|Send invitation)$")).click()
        expect(box).to_be_focused()
        expect(box).to_have_attribute("aria-invalid", "true")
        expect(box).to_have_accessible_description(re.compile("must"))
        box.press("x")
        expect(box).not_to_have_attribute("aria-invalid", "true")
        box.press("Backspace")


@pytest.mark.parametrize("locale", ["en-US", "ar"])
def test_on_a_phone_the_current_page_is_seen_among_the_tabs(open_page: OpenPage, locale: str) -> None:
    page = open_page("admin", viewport={"width": 375, "height": 740}, locale=locale)
    for name in ("health", "mail", "projects"):
        visit(page, f"/settings/{name}")
        expect(page.locator("main nav [aria-current]")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("locale", ["de", "ar"])
def test_what_the_service_says_of_its_health_is_told_to_be_english(open_page: OpenPage, locale: str) -> None:
    page = open_page("admin", locale=locale)
    visit(page, "/settings/health")
    said = page.locator("main li bdi")
    expect(said.first).to_be_visible()
    for each in said.all():
        expect(each).to_have_attribute("lang", "en")
        expect(each).to_have_attribute("dir", "ltr")
    expect(page.locator("main")).not_to_contain_text("`")


def test_people_are_filtered_by_role_in_the_address(admin: Page) -> None:
    visit(admin, "/settings/people")
    admin.get_by_label("Role").select_option("admin")
    expect(admin).to_have_url(re.compile(r"\?role=admin$"))
    expect(admin.get_by_role("link", name=re.compile("Ada Okonkwo"))).to_be_visible()
    admin.reload()
    expect(admin.get_by_label("Role")).to_have_value("admin")


def test_an_invitation_is_sent_again_and_revoked(admin: Page, api: httpx.Client) -> None:
    email = f"{secrets.token_hex(6)}@staff.example"
    api.post("/invitations", json={"email": email, "name": "Nadia", "role": "agent"}).raise_for_status()
    visit(admin, "/settings/people")
    admin.get_by_role("button", name=f"Send again: {email}").click()
    expect(admin.get_by_text("The invitation was sent again.")).to_be_visible()
    admin.get_by_role("button", name=f"Revoke: {email}").click()
    expect(admin.get_by_role("dialog")).to_contain_text("The link that they have got does not work any more.")
    agreed(admin, "Revoke")
    expect(admin.get_by_text("The invitation is revoked.")).to_be_visible()
    expect(admin.get_by_text(email, exact=True)).to_be_hidden()
    keeps_the_keyboard(admin)
    [invitation] = [each for each in api.get("/invitations").json()["items"] if each["email"] == email]
    assert invitation["status"] == "revoked"


def test_a_service_account_gets_a_token_that_is_shown_once(admin: Page, service: Service) -> None:
    visit(admin, "/settings/machines")
    admin.get_by_role("button", name="New service account").first.click()
    dialog = admin.get_by_role("dialog")
    dialog.get_by_label("Name").fill(named("Exporter"))
    dialog.get_by_role("button", name="Add").click()
    admin.get_by_role("button", name="New token").click()
    dialog.get_by_label("Name").fill("Nightly")
    dialog.get_by_role("button", name="Add").click()
    code = dialog.get_by_role("region", name="Tokens")
    expect(code).to_contain_text("tkt_")
    assert axe(admin, "light", "dark") == []
    token = {"Authorization": f"Bearer {code.inner_text().strip()}"}
    assert httpx.get(f"{service.url}/api/v1/me", headers=token).json()["user"]["service_account"] is True
    dialog.get_by_role("button", name="I have kept it").click()
    expect(admin.get_by_text("Nightly")).to_be_visible()
    expect(admin.locator("main")).not_to_contain_text(token["Authorization"].removeprefix("Bearer "))
    admin.get_by_role("button", name="Revoke: Nightly").click()
    dialog.get_by_role("button", name="Revoke", exact=True).click()
    expect(admin.get_by_text("Revoked")).to_be_visible()
    assert httpx.get(f"{service.url}/api/v1/me", headers=token).status_code == 401


@pytest.mark.expects(REFUSED)  # The event of the deletion may come before the page is left.
def test_an_endpoint_is_made_tested_paused_and_deleted(admin: Page, api: httpx.Client) -> None:
    url = f"https://{secrets.token_hex(6)}.invalid/hook"
    visit(admin, "/settings/webhooks")
    admin.get_by_role("button", name="New endpoint").first.click()
    dialog = admin.get_by_role("dialog")
    dialog.get_by_label("Address").fill(url)
    dialog.get_by_label("Only these").check()
    dialog.get_by_label("comment.created").check()
    assert axe(admin, "light", "dark") == []
    dialog.get_by_role("button", name="Add").click()
    expect(dialog.get_by_role("region", name="Signing secret")).to_contain_text("whsec_")
    dialog.get_by_role("button", name="Close").first.click()
    expect(admin.get_by_role("heading", level=1)).to_have_text(url)
    [endpoint] = [each for each in api.get("/webhook-endpoints").json()["items"] if each["url"] == url]
    assert endpoint["event_types"] == ["ticket.created", "comment.created"]

    admin.get_by_role("button", name="Send a test message").click()
    admin.get_by_role("link", name=re.compile("webhook.pinged")).click()
    expect(admin.get_by_role("heading", name="Attempt 1")).to_be_visible()
    expect(admin.get_by_text("No answer").first).to_be_visible()
    expect(admin.get_by_role("region", name="Message")).to_contain_text("webhook.pinged")
    assert axe(admin, "light", "dark") == []

    admin.get_by_role("link", name="Back").click()
    admin.get_by_role("button", name="Pause").click()
    expect(admin.get_by_role("button", name="Resume")).to_be_visible()
    assert api.get(f"/webhook-endpoints/{endpoint['id']}").json()["status"] == "paused"
    admin.get_by_role("button", name="New secret").click()
    admin.get_by_role("dialog").get_by_role("button", name="New secret").click()
    expect(admin.get_by_role("region", name="Signing secret")).to_contain_text("whsec_")
    admin.keyboard.press("Escape")
    choose(admin, "Delete")
    admin.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(admin).to_have_url(re.compile("/settings/webhooks$"))
    assert api.get(f"/webhook-endpoints/{endpoint['id']}").status_code == 404


def test_a_queue_is_paused_and_resumed(admin: Page, service: Service) -> None:
    visit(admin, "/settings/queues")
    admin.get_by_role("button", name="Pause: upkeep").click()
    agreed(admin, "Pause")
    expect(admin.get_by_role("button", name="Resume: upkeep")).to_be_visible()
    token = {"Authorization": f"Bearer {service.tokens['admin']}"}
    queue = f"{service.url}/ops/v1/queues/upkeep"
    assert httpx.get(queue, headers=token).json()["paused"] is True
    admin.get_by_role("button", name="Resume: upkeep").click()
    expect(admin.get_by_role("button", name="Pause: upkeep")).to_be_visible()
    assert httpx.get(queue, headers=token).json()["paused"] is False


def test_jobs_are_filtered_by_status_and_opened(admin: Page) -> None:
    visit(admin, "/settings/jobs")
    admin.get_by_label("Every status").select_option("completed")
    expect(admin).to_have_url(re.compile(r"\?status=completed$"))
    admin.locator("main li").get_by_role("link", name=re.compile("Done")).first.click()
    expect(admin.get_by_role("heading", name="Arguments")).to_be_visible()
    assert axe(admin, "light", "dark") == []


def test_the_event_log_says_who_did_what(admin: Page, api: httpx.Client) -> None:
    key = new_project(api)
    visit(admin, "/settings/events?type=project.created")
    entry = admin.locator("details").first
    entry.locator("summary").click()
    expect(entry).to_contain_text(key)
    expect(entry).to_contain_text("Ada Okonkwo")
    assert axe(admin, "light", "dark") == []


def test_captured_mail_is_read(admin: Page, page: Page) -> None:
    email = f"{secrets.token_hex(6)}@visitors.example"
    visit(page, "/sign-in")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_role("button", name="Send me a code").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    visit(admin, "/settings/mail")
    admin.get_by_role("link", name=re.compile(email)).click()
    expect(admin.get_by_text(re.compile(r"\b\d{6}\b")).first).to_be_visible()


def test_health_says_what_the_doctor_says(admin: Page) -> None:
    visit(admin, "/settings/health")
    expect(admin.get_by_text(re.compile("PostgreSQL|Database", re.IGNORECASE)).first).to_be_visible()
    expect(admin.locator("main li")).not_to_have_count(0)
