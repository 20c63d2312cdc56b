"""What people write runs no script in a browser, even where no policy of content would stop it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Dialog, Page

import xss
from e2e.browsing import Service, visit

WATCHED = """() => {
    window.run = [];
    for (const name of ['alert', 'confirm', 'prompt', 'print'])
        window[name] = (...given) => window.run.push(`${name}(${given})`);
    addEventListener('error', () => {}, true);
}"""
SHOWN = """async (texts) => {
    for (const html of texts) {
        const place = document.createElement('div');
        place.innerHTML = html;
        document.body.append(place);
        for (const each of place.querySelectorAll('*')) {
            for (const type of ['click', 'mouseover', 'focus', 'toggle', 'animationstart', 'load'])
                each.dispatchEvent(new Event(type, {bubbles: true, cancelable: true}));
            const address = each.getAttribute('href') ?? each.getAttribute('src') ?? '';
            if (/^\\s*(java|vb)script:|^\\s*data:text/i.test(address)) window.run.push(`address ${address}`);
        }
    }
    await new Promise((done) => setTimeout(done, 500));
    return window.run;
}"""


@pytest.fixture(scope="module")
def rendered(service: Service) -> list[str]:
    """The HTML that the service makes of each text."""
    with service.client("agent") as api:
        answers = [api.post("/markdown-previews", json={"text": text}) for text in xss.STRINGS]
    return [answer.raise_for_status().json()["html"] for answer in answers if answer.status_code != 422]


@pytest.mark.expects("net::ERR", "Not allowed to load", "console:", "asks for")
def test_no_text_runs_a_script_where_nothing_else_stops_it(page: Page, rendered: list[str]) -> None:
    assert len(rendered) >= 500
    page.goto("about:blank")
    page.evaluate(WATCHED)
    # Links are not followed: a page that leaves would take the proof with it.
    page.evaluate("addEventListener('click', (event) => event.preventDefault())")
    assert page.evaluate(SHOWN, rendered) == []


@pytest.mark.expects("net::ERR", "Not allowed to load", "console:", "asks for")
def test_the_same_check_sees_a_script_that_runs(page: Page) -> None:
    page.goto("about:blank")
    page.evaluate(WATCHED)
    ran = page.evaluate(SHOWN, ["<img src=x onerror=alert(1)>", "<a href='javascript:alert(2)'>x</a>"])
    assert {"alert(1)", "address javascript:alert(2)"} <= set(ran)


def test_a_ticket_of_hostile_texts_is_shown_as_text(agent: Page, service: Service) -> None:
    with service.client("agent") as api:
        ticket = {"type": "bug", "project": "media-server", "title": "<img src=x onerror=alert(1)>"}
        number = api.post("/tickets", json={**ticket, "description": "\n\n".join(xss.STRINGS[:40])}).json()["number"]
        for start in range(40, 400, 40):
            body = {"body": "\n\n".join(xss.STRINGS[start : start + 40])}
            api.post(f"/tickets/{number}/comments", json=body).raise_for_status()
    dialogs: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    agent.on("dialog", dismiss)
    for path in (f"/support/tickets/{number}", f"/desk/tickets/{number}"):
        visit(agent, path)
        assert agent.locator("h1, h2").get_by_text("<img src=x onerror=alert(1)>").count() >= 1
    assert dialogs == []
