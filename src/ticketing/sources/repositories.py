"""The repository that issues belong to: one canonical name, however it is written.

A repository on github.com is `owner/name`, one on another host `host/owner/name`; in lower case, because GitHub ignores
case in names.
"""

from __future__ import annotations

import re

from ticketing.sources.issues import Source

HOME = "github.com"
# Of limited length, so that a search takes time linear in the text.
OWNER = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
NAME = r"[A-Za-z0-9._-]{1,100}"
HOST = r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,6}(?::\d{1,5})?"

_WRITTEN = re.compile(
    rf"(?:(?:git\+)?(?:https?|ssh|git)://)?(?:[^@/\s]+@)?(?:(?P<host>{HOST})[/:](?:api/v3/)?(?:repos/)?)?"
    rf"(?P<owner>{OWNER})/(?P<name>{NAME})(?P<page>/[\w-]+(?:/.*)?)?/?(?:[?#].*)?",
    re.IGNORECASE,
)
_PORT = re.compile(r":(?:443|80|22|9418)$")
#: Pages of the site that look like a repository.
_NO_OWNERS = frozenset({"orgs", "users", "settings", "topics", "search", "apps", "marketplace", "sponsors"})


def canonical(written: str) -> str | None:
    """The canonical name of `owner/name`, `github:owner/name` or any URL of a repository; or None."""
    match = _WRITTEN.fullmatch(written.strip().removeprefix("github:"))
    if match is None:
        return None
    name = match["name"].removesuffix(".git")
    if name in ("", ".", "..") or (match["page"] and not match["host"]):
        return None
    if match["host"] and match["owner"].lower() in _NO_OWNERS:
        return None
    return named(match["host"] or HOME, match["owner"], name)


def named(host: str, owner: str, name: str) -> str:
    """The canonical name of a repository on a host."""
    repository = f"{owner}/{name}".lower()
    host = _PORT.sub("", host.lower())
    return repository if host in (HOME, f"www.{HOME}", f"api.{HOME}", f"ssh.{HOME}") else f"{host}/{repository}"


def host_of(repository: str) -> str:
    """The host of a repository, by its canonical name."""
    host, *rest = repository.split("/")
    return host if len(rest) == 2 else HOME


def source(repository: str) -> Source:
    """The sources under which a repository's issues, and its host's people, are known here."""
    host = host_of(repository)
    return Source("github" if host == HOME else f"github:{host}", f"github:{repository}")
