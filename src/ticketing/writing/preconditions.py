"""If-Match: a change is refused if somebody has changed what the client has read (RFC 9110, 13.1.1)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ticketing.contract import VERSION, entity_tags, same_edit, version
from ticketing.ground.errors import Invalid, InvalidParameter, PreconditionFailed


def match(
    if_match: str | None,
    resource: Mapping[str, Any],
    edited: Collection[str],
    patch: Mapping[str, Any] | None = None,
) -> bool:
    """Whether the client says what it has read; if so, no member that is edited may have changed since.

    It says so by the header, or else by the `version` in its patch. The header is absent, `*`, or lists strong ETags,
    quoted or bare. The first part has to fit (`contract.version`): a comment on a ticket moves its `updated_at`, and is
    no reason to refuse a new title. Call it with the row locked: what it compares is then still true when the change
    commits. Raises PreconditionFailed, and InvalidParameter for what is no list of ETags, and for weak ones, which
    never match a change.
    """
    if if_match is None:
        return patch is not None and VERSION in patch and _fit([_sent_back(patch[VERSION])], resource, edited)
    if if_match.strip() == "*":
        return False
    given = entity_tags(if_match)
    if given is None:
        raise InvalidParameter.named(
            "If-Match", "wrong_format", "Send the ETag or version as you got it; several with commas between."
        )
    strong = [version for weak, version in given if not weak]
    try:
        return _fit(strong, resource, edited)
    except PreconditionFailed:
        if len(strong) == len(given):
            raise
        raise InvalidParameter.named(
            "If-Match",
            "wrong_format",
            "A weak ETag matches no change. Leave out W/, which a proxy that compresses puts before it.",
        ) from None


def _sent_back(version: str) -> str:
    """The version of a patch, which may be an ETag with its quotation marks. Raises Invalid for what is neither."""
    match entity_tags(version):
        case [(False, bare)] if bare:
            return bare
    raise Invalid.at(f"#/{VERSION}", "wrong_format", "Send the version as you got it, or leave it out.")


def _fit(versions: Collection[str], resource: Mapping[str, Any], edited: Collection[str]) -> bool:
    """True if one of the versions has what is edited as it is now. Raises PreconditionFailed."""
    current = version(resource, edited)
    if any(same_edit(each, current) for each in versions):
        return True
    raise PreconditionFailed("It has changed since you read it. Read it again and repeat your change on that.")
