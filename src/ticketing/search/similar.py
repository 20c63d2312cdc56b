"""Tickets like a draft: those that have the rarest of its words, and by them most of what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import cbrt, log, sqrt
from typing import Any

from ticketing.db import sql

WORDS = 9
"""By how many words of a draft tickets are found; more find little else, and cost more."""
RARE = 20
"""A word in fewer documents is taken to be in so many, and one in none as well: else scores would tell their reader
whether a word is in tickets that they may not see."""
TITLED = 3.0
"""A word of the title is taken for so many times rarer than it is."""
DESCRIBED = 0.5
"""The words of a description weigh, all together, no more than this part of those of the title."""
ENOUGH = 0.5
"""Tickets that have less than this part of what the draft's words weigh are not like it."""
MOST = 60_000
"""Most places that the words of the condition may have in the index, all together, in any installation."""


async def find(
    conn: sql.Connection,
    viewer: Mapping[str, Any],
    *,
    title: str,
    description: str,
    project: str | None,
    type: sql.TicketType | None,
    most: int,
) -> list[dict[str, Any]]:
    """The tickets most like a draft that a viewer may see, best first, each with its score and the words it shares."""
    words: Sequence[Any] = await sql.similar_tickets.list_words_of_draft(
        conn, project=project, title=title, description=description
    )
    known = [word for word in words if word["documents"]]
    if not known or len(known) < min(2, len(words)):
        return []  # One word of several says too little.
    tickets = max(words[0]["newest"] or 0, *(word["documents"] for word in words))
    weights = weigh(words, tickets)
    rows = await sql.similar_tickets.list_similar_tickets(
        conn,
        condition=condition(known, tickets),
        stems=list(weights),
        weights=list(weights.values()),
        **viewer,
        project=project,
        type=type,
        page_size=most,
    )
    whole = sum(weights.values())
    written = {word["stem"]: word["word"] for word in words}
    found = []
    for row in rows:
        score = (row["score"] or 0.0) / whole
        if score < ENOUGH:
            break
        found.append(
            {
                **{name: value for name, value in row.items() if name not in ("score", "stems")},
                "score": round(min(score, 1.0), 2),
                "words": [written[stem] for stem in (row["stems"] or ())[:WORDS]],
            }
        )
    return found


def weigh(words: Sequence[Mapping[str, Any]], tickets: int) -> dict[str, float]:
    """What each word says about what a draft is about: the rarer, the more."""
    weights = {word["stem"]: log(1 + tickets / max(word["documents"], RARE)) for word in words}
    titled = sum(weights[word["stem"]] for word in words if word["titled"])
    described = sum(weights[word["stem"]] for word in words if not word["titled"])
    if titled and described > titled * DESCRIBED:
        less = titled * DESCRIBED / described
        weights |= {word["stem"]: weights[word["stem"]] * less for word in words if not word["titled"]}
    return weights


def condition(words: Sequence[Mapping[str, Any]], tickets: int) -> str:
    """What tickets must have in common with a draft to be compared with it: two or three of its rarest words.

    The words have few places in the index, so that it takes as long in a large installation as in a small one.
    """
    most = min(MOST, max(1_000.0, cbrt(1_800.0 * tickets**2)))
    chosen: list[str] = []
    places = 0
    for word in sorted(words, key=lambda word: word["documents"] / (TITLED if word["titled"] else 1.0)):
        if len(chosen) == WORDS or (len(chosen) >= 2 and places + word["documents"] > most):
            break
        chosen.append(word["stem"])
        places += word["documents"]
    common = 3 if places > sqrt(600.0 * tickets) else 2
    return _of(chosen, min(common, len(chosen)))


def _of(stems: Sequence[str], count: int) -> str:
    """A tsquery: at least so many of these."""
    if count == 1:
        return " | ".join(map(_quoted, stems))
    ways = (
        f"{_quoted(stem)} & ({_of(stems[place + 1 :], count - 1)})"
        for place, stem in enumerate(stems[: len(stems) - count + 1])
    )
    return " | ".join(f"({way})" for way in ways)


def _quoted(stem: str) -> str:
    return "'" + stem.replace("\\", "\\\\").replace("'", "''") + "'"
