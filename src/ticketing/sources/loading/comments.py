"""Comments: which of a file is which here, and the rows of new ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import uuid_utils.compat as uuids

from ticketing.sources import fields
from ticketing.sources.github.logins import GHOST
from ticketing.sources.issues import Comment
from ticketing.sources.loading.links import Links
from ticketing.sources.loading.people import People
from ticketing.sources.loading.rows import Row


def row_of(comment: Comment, ticket: int, people: People, links: Links) -> Row:
    """The row of a new comment."""
    text = links.text(comment.body, "")
    return {
        "id": uuids.uuid7(),
        "ticket": ticket,
        "author_id": people[comment.author.lower()],
        "body": text,
        "visibility": comment.visibility or "public",
        "external_id": comment.name,
        "created_at": comment.created_at,
        "updated_at": comment.created_at,
        "occasion": comment.occasion,
        "seen": fields.digest_of_text(comment.body),
        "written": fields.digest_of_text(text),
    }


def found_again(comments: Sequence[Comment], here: Iterable[Row]) -> Iterator[tuple[Comment, Row | None]]:
    """Comments of a file, each with the one it is here: matched by id, or else by author and time.

    Of the rest, two comments from the same second match if their texts are the same, or if the author of one of them
    has left.
    """
    left = {said["id"]: said for said in here}
    found: dict[str, Row] = {}
    for there_, here_ in _WAYS:
        places: dict[Any, list[Row]] = {}
        for said in left.values():
            places.setdefault(here_(said), []).append(said)
        for comment in comments:
            key = there_(comment)
            if comment.name not in found and key is not None and (same := places.get(key)):
                found[comment.name] = left.pop(same.pop(0)["id"])
    yield from ((comment, found.get(comment.name)) for comment in comments)


def author_of(occasion: str) -> str:
    """The login of a comment's author, in lower case."""
    return occasion.split("/")[1]


def _second(occasion: str) -> str:
    return occasion.partition("/")[0]


#: What a comment there and one here share if they are the same, the most certain first.
_WAYS: tuple[tuple[Callable[[Comment], Any], Callable[[Row], Any]], ...] = (
    (lambda comment: comment.name, lambda said: said["name"]),
    (lambda comment: comment.occasion, lambda said: said["occasion"]),
    (
        lambda comment: (_second(comment.occasion), fields.digest_of_text(comment.body)),
        lambda said: (_second(said["occasion"]), said["seen"]),
    ),
    (
        lambda comment: _second(comment.occasion) if comment.author.lower() == GHOST else None,
        lambda said: _second(said["occasion"]),
    ),
    (
        lambda comment: _second(comment.occasion),
        lambda said: _second(said["occasion"]) if author_of(said["occasion"]) == GHOST else None,
    ),
)
