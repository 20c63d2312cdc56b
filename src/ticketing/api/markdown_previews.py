"""/markdown-previews"""

from typing import Any

from ticketing import markdown
from ticketing.contract import Answer


async def create_markdown_preview(body: dict[str, Any]) -> Answer:
    (html,) = await markdown.html([body["text"]])
    return Answer({"html": html}, 201)
