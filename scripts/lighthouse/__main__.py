"""Have Lighthouse look at the pages of the portal, as a phone and as a desktop; say where a score is below its bound.

Usage: PYTHONPATH=scripts:tests python -m lighthouse [--runs 3] [PAGE...]

PAGE is a name in tests/e2e/places.py; all are looked at by default. Scores depend on the machine, and on what else it
does, so this is no part of the tests: these gate bytes, axe, and that nothing jumps.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx

import chromium
import examples
import node
from e2e.places import DESK, PLACES, Place

FOLDER = Path(__file__).parent

#: The least scores for performance, of a hundred: on a phone, by whether it is a page of staff, and on a desktop.
MOBILE, MOBILE_DESK, DESKTOP = 95, 90, 99
HEADS = ("page", "form", "performance", "bound", "accessibility", "best practices", "LCP s", "TBT ms", "CLS")


def main() -> int:
    """Look, and print a table; the exit status says whether every page is as fast as it has to be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3, help="how often each page is looked at; medians are told")
    parser.add_argument("pages", nargs="*", metavar="PAGE", help=", ".join(PLACES))
    arguments = parser.parse_args()
    browser = chromium.find()
    if browser is None:
        print(f"Not looked at. {chromium.MISSING}")
        return 2
    slow = 0
    with examples.demo_of_all() as (url, tokens):
        cookies = {role: signed_in(url, token) for role, token in tokens.items()}
        names = arguments.pages or list(PLACES)
        asked = [{"name": n, "url": url + PLACES[n].path, "cookie": cookies.get(PLACES[n].role or "")} for n in names]
        row(*HEADS)
        for told in measured(browser, arguments.runs, asked):
            bound = least(PLACES[told["name"]], told["form"])
            slow += told["performance"] < bound
            scores = (told["performance"], bound, told["accessibility"], told["best-practices"])
            times = (f"{told['paint'] / 1000:.2f}", f"{told['blocked']:.0f}", f"{told['shift']:.3f}")
            row(told["name"], told["form"], *scores, *times)
    print(f"{slow} below their bounds." if slow else "Every page is as fast as it has to be.")
    return min(slow, 1)


def least(place: Place, form: str) -> int:
    """The least score of a page."""
    if form == "desktop":
        return DESKTOP
    return MOBILE_DESK if place.script == DESK else MOBILE


def signed_in(url: str, token: str) -> str:
    """The cookie of a new session of the person whose token it is: one of the demo's."""
    with httpx.Client(base_url=f"{url}/api/v1") as client:
        me = client.get("/me", headers={"Authorization": f"Bearer {token}"}).raise_for_status().json()
        response = client.post("/sessions", json={"demo_user_id": me["user"]["id"]}).raise_for_status()
    (cookie,) = SimpleCookie(response.headers["set-cookie"]).values()
    return f"{cookie.key}={cookie.coded_value}"


def measured(browser: str, runs: int, pages: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What Lighthouse says of each page and form."""
    command = ["node", str(FOLDER / "measure.mjs"), browser, str(runs)]
    environment = node.environment(FOLDER)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(pages))
        process.stdin.close()
        yield from map(json.loads, process.stdout)
    if process.returncode:
        sys.exit(process.returncode)


def row(*cells: object) -> None:
    """Print one, at once: a page takes half a minute."""
    first, second, *rest = map(str, cells)
    print(
        f"{first:12}{second:9}",
        *(f"{cell:>{max(len(head), 5)}}" for cell, head in zip(rest, HEADS[2:], strict=True)),
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
