"""Templates: from typed values to a subject, a text and HTML, in the reader's language.

A template is one file for each language. It sets `subject`; the rest is paragraphs with blank lines between them, from
which both the text and the HTML are made, so that they say the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from ticketing.ground.config import settings
from ticketing.mail.addresses import one_line

FOLDER = Path(__file__).with_name("templates")
LOCALES = ("en", "de", "ar")
FROM_RIGHT_TO_LEFT = frozenset({"ar"})
LONGEST_SUBJECT = 250
LONGEST_QUOTE = 10_000
STYLE = (FOLDER / "mail.css").read_text()
PARAGRAPHS = re.compile(r"\n\s*\n")


class Url(str):
    """A value that is a link: http or https."""

    __slots__ = ()


class Quote(str):
    """A value that somebody wrote, of several lines."""

    __slots__ = ()


TEMPLATES: Mapping[str, Mapping[str, type]] = {
    "sign_in_code": {"code": str, "url": Url, "minutes": int},
    "invitation": {"inviter": str, "url": Url, "days": int},
    "reply": {"author": str, "number": int, "title": str, "body": Quote, "url": Url, "assigned": bool},
    "resolution": {"number": int, "title": str, "resolution": str, "note": Quote, "url": Url, "days": int},
    "assignment": {"actor": str, "number": int, "title": str, "body": Quote, "url": Url},
}
"""The templates, with the values that each takes. All know `site` as well, the name of the installation."""


class Wording(NamedTuple):
    """What a mail says."""

    subject: str
    text: str
    html: str


def word(
    template: str,
    locale: str,
    values: Mapping[str, Any],
    *,
    unsubscribe: str | None = None,
    pausing: str | None = None,
) -> Wording:
    """Render a template. A link to `unsubscribe` is offered at the end, after what is said of a pause, if there is one.

    Raises TypeError unless the values are those that the template declares, KeyError for a template that is not there.
    """
    given = _checked(template, values)
    language = nearest(locale)
    known = {**given, "site": one_line(settings().name), "unsubscribe": unsubscribe, "pausing": pausing}
    subject, text = _rendered(_texts(), language, template, known)
    _, pause = _rendered(_texts(), language, "pause", known)
    _, html_pause = _rendered(_pages(), language, "pause", known)
    _, footer = _rendered(_texts(), language, "footer", known)
    _, html = _rendered(_pages(), language, template, known)
    _, html_footer = _rendered(_pages(), language, "footer", known)
    page = _pages().get_template("layout.jinja")
    return Wording(
        one_line(subject)[:LONGEST_SUBJECT],
        "\n\n".join(part for part in (text, pause, f"-- \n{footer}\n") if part),
        page.render(
            language=language,
            direction="rtl" if language in FROM_RIGHT_TO_LEFT else "ltr",
            subject=one_line(subject),
            style=Markup(STYLE),  # noqa: S704 - a file of ours
            body=_paragraphs(f"{html}\n\n{html_pause}"),
            footer=_paragraphs(html_footer),
        ),
    )


def nearest(locale: str) -> str:
    """The language of ours for a BCP 47 tag: the tag's own, or English."""
    language = locale.partition("-")[0].lower()
    return language if language in LOCALES else LOCALES[0]


def _checked(template: str, values: Mapping[str, Any]) -> dict[str, Any]:
    declared = TEMPLATES[template]
    if declared.keys() != values.keys():
        raise TypeError(f"The template {template} takes {sorted(declared)}, not {sorted(values)}.")
    given = {name: kind(values[name]) for name, kind in declared.items()}
    for name, value in given.items():
        if isinstance(value, Url):
            if urlsplit(value).scheme not in ("http", "https") or one_line(value) != value:
                raise TypeError(f"{name} of the template {template} is not a URL.")
        elif isinstance(value, str) and not isinstance(value, Quote):
            given[name] = one_line(value)
    return given


def _rendered(environment: Environment, language: str, template: str, known: Mapping[str, Any]) -> tuple[str, str]:
    module = environment.get_template(f"{language}/{template}.jinja").make_module(dict(known))
    return str(getattr(module, "subject", "")), str(module).strip()


def _paragraphs(html: str) -> Markup:
    """The paragraphs of a rendered template; what is a block already stays as it is."""
    parts = (part.strip() for part in PARAGRAPHS.split(html))
    return Markup("\n").join(
        Markup(part if part.startswith("<") else f"<p>{part}</p>")  # noqa: S704 - it was rendered with its values escaped
        for part in parts
        if part
    )


@cache
def _texts() -> Environment:
    return _environment(
        autoescape=False,
        link=lambda url, label: f"{label}:\n{url}",
        large=lambda value: f"    {value}",
        quote=lambda text: "\n".join(f"> {line}".rstrip() for line in _short(text).splitlines()),
    )


@cache
def _pages() -> Environment:
    return _environment(
        autoescape=True,
        link=lambda url, label: Markup('<p><a class="button" href="{}">{}</a></p>').format(url, label),
        large=lambda value: Markup('<p class="large"><bdi>{}</bdi></p>').format(value),
        quote=lambda text: Markup('<blockquote dir="auto">{}</blockquote>').format(
            Markup("<br>").join(escape(line) for line in _short(text).splitlines())
        ),
    )


def _environment(*, autoescape: bool, **blocks: Callable[..., str]) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=autoescape,  # noqa: S701 - HTML is escaped, and texts are not HTML
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.globals.update(blocks)
    return environment


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE].rstrip()} …"
