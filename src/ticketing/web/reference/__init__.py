"""The pages that engineers read: the reference of an OpenAPI document, and the guides."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ticketing.ground import paths
from ticketing.web.reference import prose, samples
from ticketing.web.reference.document import Document
from ticketing.web.reference.shapes import Shapes

LEXERS = {"curl": "bash", "Python": "python", "TypeScript": "typescript", "Go": "go"}


REFERENCES = {"/docs": paths.API, "/docs/ops": paths.OPS}
"""The path of each reading page, and the path below which what it describes is served."""


def reference(page: str, documents: Mapping[str, Mapping[str, Any]], *, server: str, guides: Mapping[str, str]) -> str:
    """The reading page at a path of REFERENCES, of bundled OpenAPI 3.1 documents by the path below which they serve.

    `server` is the scheme and host that its examples show, and `guides` are the titles of the guides by name. Links are
    relative, or begin with a path that `Page.under` knows, so the page works under any prefix.
    """
    path = REFERENCES[page]
    document = Document(documents[path])
    operations = {each.id for each in document.operations}
    template = _templates().get_template("reference.html")
    return template.render(
        document=document,
        shapes=Shapes(document),
        sections=_sections(document.info["description"]),
        prose=partial(prose.prose, operations=operations),
        line=partial(prose.line, operations=operations),
        slug=prose.slug,
        code=_code,
        languages=samples.LANGUAGES,
        lexers=LEXERS,
        path=path,
        root="../" * (page.count("/") - 1),
        trying="docs/try" + page.removeprefix("/docs").replace("/", "?"),
        others={other[1:]: documents[of]["info"]["title"] for other, of in REFERENCES.items() if other != page},
        server=server,
        guides=guides,
    )


def guide(name: str, *, guides: Mapping[str, str]) -> str:
    """A guide as a page; `guides` holds the Markdown of all of them by name."""
    titles = {each: title_of(text) for each, text in guides.items()}
    return _templates().get_template("guide.html").render(name=name, content=prose.article(guides[name]), titles=titles)


def title_of(text: str) -> str:
    """The title of a Markdown document: its first heading."""
    return text.partition("\n")[0].lstrip("# ")


def _sections(description: str) -> list[tuple[str, str]]:
    """The parts of a description by their headings; the first has none."""
    first, *others = re.split(r"^## (.+)\n", description, flags=re.MULTILINE)
    return [("", first), *zip(others[::2], others[1::2], strict=True)]


def _code(value: Any, language: str = "json") -> Markup:
    if isinstance(value, str):
        return prose.code(value, "text" if language == "json" else language)
    return prose.code(json.dumps(value, ensure_ascii=False, indent=2), language)


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
