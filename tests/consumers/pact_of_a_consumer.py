"""What a consumer's tests do with Pact: say what it asks for and reads, try its own code against that, write it down.

Usage: python pact_of_a_consumer.py FOLDER      (where the pact is written)
"""

from __future__ import annotations

import sys

import httpx
from pact import Pact, match


def main(folder: str) -> None:
    """Write `portal-ticketing.json`."""
    pact = Pact("portal", "ticketing").with_specification("V4")
    bearer = match.regex("Bearer secret", regex="Bearer .+")
    (
        pact.upon_receiving("a request for a ticket")
        .with_request("GET", "/api/v1/tickets/1042")
        .with_header("Authorization", bearer)
        .will_respond_with(200)
        .with_header("ETag", match.regex('"a.b"', regex='".+"'))
        .with_body(
            {"number": 1042, "title": match.type("Subtitles drift"), "status": match.type("open")},
            content_type="application/json",
        )
    )
    (
        pact.upon_receiving("a ticket without a title")
        .with_request("POST", "/api/v1/tickets")
        .with_header("Authorization", bearer)
        .with_body(
            {"type": "bug", "project": "media-server", "title": "", "description": ""}, content_type="application/json"
        )
        .will_respond_with(422)
        .with_body(
            {"code": "validation_failed", "errors": match.each_like({"pointer": "#/title"}, min=1)},
            content_type="application/problem+json",
        )
    )
    with pact.serve() as server:
        show_ticket(str(server.url))
    pact.write_file(folder, overwrite=True)


def show_ticket(url: str) -> None:
    """Stands for the consumer's own code."""
    with httpx.Client(base_url=f"{url}/api/v1", headers={"Authorization": "Bearer secret"}) as client:
        ticket = client.get("/tickets/1042").raise_for_status()
        assert ticket.json()["number"] == 1042
        refused = client.post(
            "/tickets", json={"type": "bug", "project": "media-server", "title": "", "description": ""}
        )
        assert refused.json()["errors"][0]["pointer"] == "#/title"


if __name__ == "__main__":
    main(sys.argv[1])
