"""Texts as HTML: `render=html`, and the preview of what is being written."""

from __future__ import annotations

from typing import Any

import pytest
from test_comments import comment
from test_tickets import Events, New, patch

from conftest import Person

TEXT = "It is *the same* as #1, see <b>it</b>."
HTML = (
    '<p>It is <em>the same</em> as <a href="/support/tickets/1" class="ticket">#1</a>, see &lt;b&gt;it&lt;/b&gt;.</p>\n'
)
RENDERED = {"render": "html"}


def test_a_ticket_has_its_description_as_html_if_asked(requester: Person, new_ticket: New) -> None:
    ticket = new_ticket(description=TEXT)
    path = f"/tickets/{ticket['number']}"
    rendered = requester.get(path, params=RENDERED)
    assert rendered.json() == {**ticket, "description_html": HTML}
    assert rendered.headers["etag"] == f'"{ticket["version"]}"'
    assert requester.get(path).json() == ticket
    assert requester.get(path, params={"render": "text"}).json()["code"] == "invalid_parameter"


def test_what_is_rendered_is_no_part_of_a_patch(requester: Person, new_ticket: New) -> None:
    number = new_ticket(description=TEXT)["number"]
    ticket = requester.get(f"/tickets/{number}", params=RENDERED).json()
    refused = patch(requester, number, **ticket)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "unknown_field")
    changed = patch(requester, number, description="Another.", version=ticket["version"])
    assert (changed.status_code, "description_html" in changed.json()) == (200, False)
    assert requester.get(f"/tickets/{number}", params=RENDERED).json()["description_html"] == "<p>Another.</p>\n"


def test_comments_and_events_are_rendered_on_every_page(requester: Person, agent: Person, new_ticket: New) -> None:
    number = new_ticket(description=TEXT)["number"]
    said = comment(requester, number, TEXT).json()
    taken_back = comment(requester, number, TEXT).json()
    requester.delete(f"/tickets/{number}/comments/{taken_back['id']}")
    path = f"/tickets/{number}/comments"
    assert requester.get(f"{path}/{said['id']}", params=RENDERED).json() == {**said, "body_html": HTML}
    first = requester.get(path, params={**RENDERED, "limit": 1})
    assert first.json()["items"] == [{**said, "body_html": HTML}]
    second = requester.get(first.headers["link"].partition(">")[0][1:].partition("/api/v1")[2])
    (gone,) = second.json()["items"]
    assert gone["body"] is None and "body_html" not in gone
    events = agent.get(f"/tickets/{number}/events", params=RENDERED).json()["items"]
    assert [event["data"].get("description_html") or event["data"].get("body_html") for event in events] == [
        HTML,
        HTML,
        None,
        None,
    ]
    plain = agent.get(f"/tickets/{number}/events").json()["items"]
    assert [event["data"]["version"] for event in plain] == [event["data"]["version"] for event in events]
    assert not any(name.endswith("_html") for event in plain for name in event["data"])


def test_a_page_ends_before_it_has_too_much_html(requester: Person, agent: Person, new_ticket: New) -> None:
    """A little text may become much HTML. All of it is read by following the pages, and each text once."""
    number = new_ticket(description=TEXT)["number"]
    said = [comment(requester, number, "#1001 " * 2_200 + str(each)).json() for each in range(20)]
    for what in ("comments?sort=created", "comments?sort=-created", "events?sort=sequence", "events?sort=-sequence"):
        path: str | None = f"/tickets/{number}/{what}&render=html&limit=100"
        pages: list[list[dict[str, Any]]] = []
        while path:
            answer = agent.get(path)
            assert answer.status_code == 200
            pages.append([item.get("data", item) for item in answer.json()["items"]])
            link = answer.headers.get("link")
            assert (link is None) == (answer.json()["next"] is None)
            path = link and link.partition(">")[0][1:].partition("/api/v1")[2]
        assert len(pages) == 3
        for page in pages:
            assert sum(len(item.get("body_html", "")) for item in page) <= 1024 * 1024
        found = [item for page in pages for item in page]
        if "-" in what:
            found.reverse()
        assert [item["body"] for item in found if "body" in item] == [each["body"] for each in said]
        assert all(item["body_html"].count("<a ") == 2_200 for item in found if "body" in item)
    assert len(agent.get(f"/tickets/{number}/comments?limit=100").json()["items"]) == 20


def test_a_preview_is_what_will_be_rendered(requester: Person, new_ticket: New, new_events: Events) -> None:
    new_events()
    preview = requester.post("/markdown-previews", json={"text": f"\n{TEXT}\r\n"})
    assert (preview.status_code, preview.json()) == (201, {"html": HTML})
    assert requester.post("/markdown-previews", json={"text": ""}).json() == {"html": ""}
    assert new_events() == []


@pytest.mark.parametrize(
    ("body", "code"), [({}, "required"), ({"text": "x" * 65_537}, "too_long"), ({"text": 1}, "wrong_type")]
)
def test_what_cannot_be_previewed(requester: Person, body: dict[str, Any], code: str) -> None:
    answer = requester.post("/markdown-previews", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, code)


def test_only_who_may_write_sees_previews(anonymous: Person, sign_in: Any) -> None:
    assert anonymous.post("/markdown-previews", json={"text": "x"}).status_code == 401
    reader = sign_in("requester", scopes=("tickets:read",))
    assert reader.post("/markdown-previews", json={"text": "x"}).status_code == 403
