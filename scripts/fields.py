"""Write what the portal takes from the query language: the fields, and how the parser divides texts.

Usage: python scripts/fields.py [--check]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ticketing.ground.errors import InvalidParameter
from ticketing.query.fields import FIELDS
from ticketing.query.parsing import parse
from ticketing.query.tree import Filter, Text

HERE = Path(__file__).parents[1] / "src/portal/src/lib/query"
TEXTS = (
    "status:open",
    "  -Status:open,pending   hdr  ",
    'tag:"needs info",hdr -tag:"a \\"b\\" c\\\\"',
    "priority:>=high severity:<critical number:>1 number:<=9",
    'title:"subtitles drift" "login loop" -"4k hdr"',
    "https://example.org/a?b=c a::b 3.5\"disk don't",
    "created:-7d updated:>=2026-01-31T10:00:00Z closed:none",
    "external_reference:github:lumen/apps#512 #1042 1042",
    'assignee:me,none,"Mateo Rossi",mateo@example.org sort:-priority',
    "字幕 ü 😀 tag:😀 الترجمة",
    "a\x1cb\x85tag:c\ufeffd",
    "-x -type:bug --",
)


def declared() -> dict[str, Any]:
    """The fields."""
    return {
        name: {"kind": field.kind, "words": list(field.words), "absent": field.absent} for name, field in FIELDS.items()
    }


def cases() -> list[dict[str, Any]]:
    """What the parser makes of texts: each of its clauses, or that it refuses them."""
    return [{"text": text, "clauses": _clauses(text)} for text in TEXTS]


def _clauses(text: str) -> list[dict[str, Any]] | None:
    try:
        query = parse(text)
    except InvalidParameter:
        return None
    return [_clause(clause) for clause in query.clauses]


def _clause(clause: Filter | Text) -> dict[str, Any]:
    place = {"offset": clause.span.offset, "length": clause.span.length, "negated": clause.negated}
    if isinstance(clause, Text):
        return place | {"text": clause.text, "phrase": clause.phrase}
    return place | {"name": clause.name, "values": [[value.comparison, value.text] for value in clause.values]}


def main() -> int:
    """Write the files, or say which are stale."""
    stale = []
    for name, content in (("fields.json", declared()), ("tokens.cases.json", cases())):
        text = json.dumps(content, ensure_ascii=False, indent="\t") + "\n"
        file = HERE / name
        if file.is_file() and json.loads(file.read_text()) == content:
            continue
        if "--check" in sys.argv[1:]:
            stale.append(name)
        else:
            file.write_text(text)
    if stale:
        print(f"Stale: {', '.join(stale)}. Run make generate.", file=sys.stderr)
    return len(stale)


if __name__ == "__main__":
    sys.exit(main())
